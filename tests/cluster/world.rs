use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use controlplane::{ControlPlane, GatewayApi, Program, Requests, eventually};
use homelab_helper::api::{WrappedGateway, WrappedGatewayStatus, crd_yaml};
use homelab_helper::routes::RouteKind;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use super::chart;

/// How long the controller may take for anything. It needs a fraction of a second; the rest is for busy machines.
pub const WITHIN: Duration = Duration::from_secs(30);

/// Prefix of the project's annotations.
pub const GROUP: &str = "gateway-route-sync.homelab-helper.benfiola.com";

/// A control plane with CRDs, and the controller that works on it, with no rights but those that the chart gives it.
pub struct World {
    pub cluster: ControlPlane,
    pub controller: Mutex<Option<Program>>,
    kubeconfig: PathBuf,
}

impl World {
    /// A world of one's own, for tests that stop the controller, count requests, or need another Gateway API.
    pub async fn start(gateway_api: GatewayApi) -> Self {
        let world = Self::without_controller(served(gateway_api).await).await;
        world.start_controller().await;
        world
    }

    /// A world on that cluster, where no controller is at work yet.
    pub async fn without_controller(cluster: ControlPlane) -> Self {
        cluster.apply(chart::account_with_rights()).await.expect("what the chart makes for the controller");
        let kubeconfig = cluster.service_account_kubeconfig(chart::NAMESPACE, chart::RELEASE).await.expect("a token");
        Self { cluster, controller: Mutex::new(None), kubeconfig }
    }

    /// A world on a cluster to which nothing was done yet, where nobody has the rights of a controller.
    pub fn bare(cluster: ControlPlane) -> Self {
        let kubeconfig = cluster.kubeconfig().to_owned();
        Self { cluster, controller: Mutex::new(None), kubeconfig }
    }

    /// The world that tests share which touch only their own namespaces. Each test has a runtime of its own, and so
    /// needs a client of its own.
    pub async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<World>> = OnceCell::const_new();
        let shared = SHARED.get_or_init(|| async { Arc::new(Self::start(GatewayApi::chosen()).await) }).await;
        Arc::clone(shared)
    }

    pub async fn start_controller(&self) {
        self.start_controller_as(&self.kubeconfig).await;
    }

    /// A controller with the rights of that kubeconfig.
    pub async fn start_controller_as(&self, kubeconfig: &Path) {
        self.begin_controller(kubeconfig).await;
        self.controller.lock().await.as_ref().expect("it runs").ready().await.expect("a ready controller");
    }

    /// The same, without waiting until it is ready.
    pub async fn begin_controller(&self, kubeconfig: &Path) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
        command.arg("gateway-route-sync").env("LOG_LEVEL", "info,homelab_helper=debug");
        let program = Program::start(command, kubeconfig).expect("the controller");
        *self.controller.lock().await = Some(program);
    }

    pub async fn stop_controller(&self) {
        let program = self.controller.lock().await.take().expect("a running controller");
        assert!(program.terminate().expect("its end").success());
    }

    /// A new namespace, with that word in its name.
    pub async fn namespace(self: &Arc<Self>, word: &str) -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{word}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let client = self.cluster.client().expect("a client");
        let namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).expect("a namespace");
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.expect("a namespace");
        Place { world: Arc::clone(self), client, name }
    }

    pub async fn requests(&self) -> Requests {
        self.cluster.requests().await.expect("the API server's counters")
    }

    /// The most memory that the controller ever had, in kilobytes.
    pub async fn peak_memory(&self) -> u64 {
        self.controller.lock().await.as_ref().expect("a controller").peak_memory().expect("Linux")
    }

    /// How long processors have worked for the controller.
    pub async fn processor_time(&self) -> Duration {
        self.controller.lock().await.as_ref().expect("a controller").processor_time().expect("Linux")
    }

    /// What the controller has printed.
    pub async fn log(&self) -> String {
        self.controller.lock().await.as_ref().map(Program::log).unwrap_or_default()
    }
}

/// A cluster that serves Gateways of that release, and WrappedGateways.
pub async fn served(gateway_api: GatewayApi) -> ControlPlane {
    let cluster = ControlPlane::start().await.expect("a control plane");
    cluster.install(gateway_api).await.expect("the Gateway API");
    cluster.apply_yaml(&crd_yaml()).await.expect("the CRD of WrappedGateway");
    cluster
}

/// A namespace of a world, in which most tests live with a Gateway named `edge`.
pub struct Place {
    pub world: Arc<World>,
    pub client: Client,
    pub name: String,
}

impl Place {
    /// Applies a WrappedGateway `edge` with that spec, beside `gatewayClassName`.
    pub async fn wrap(&self, spec: Value) {
        self.wrap_as("edge", spec).await;
    }

    pub async fn wrap_as(&self, name: &str, mut spec: Value) {
        spec["gatewayClassName"] = json!("example");
        self.apply(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
            "metadata": { "name": name, "namespace": self.name }, "spec": spec,
        }))
        .await;
    }

    /// An HTTPRoute for these hostnames, attached to `edge` on port 443.
    pub async fn http(&self, name: &str, hostnames: &[&str]) {
        self.http_to(name, hostnames, json!([{ "name": "edge", "port": 443 }])).await;
    }

    pub async fn http_to(&self, name: &str, hostnames: &[&str], parents: Value) {
        self.route("HTTPRoute", name, json!({ "parentRefs": parents, "hostnames": hostnames })).await;
    }

    /// A route of that kind, at the version that is served here.
    pub async fn route(&self, kind: &str, name: &str, spec: Value) {
        self.route_at(kind, &self.version_of(kind).await, name, spec).await;
    }

    /// The same, where there is one. What is said where there is none is known to `make versions`.
    async fn version_of(&self, kind: &str) -> String {
        let version = self.served_version_of(kind).await;
        version.unwrap_or_else(|| panic!("not applicable: {} serves no {kind}", GatewayApi::chosen()))
    }

    /// The stablest version of that kind of route that is served here.
    async fn served_version_of(&self, kind: &str) -> Option<String> {
        let crds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let name = format!("{}s.gateway.networking.k8s.io", kind.to_lowercase());
        let versions = crds.get_opt(&name).await.expect("an answer").map_or_else(Vec::new, |crd| crd.spec.versions);
        let served = versions.into_iter().filter(|version| version.served).map(|version| version.name);
        served.min()
    }

    pub async fn route_at(&self, kind: &str, version: &str, name: &str, mut spec: Value) {
        if spec["rules"].is_null() {
            spec["rules"] = json!([{ "backendRefs": [{ "name": "backend", "port": 80 }] }]);
        }
        self.apply(json!({
            "apiVersion": format!("gateway.networking.k8s.io/{version}"), "kind": kind,
            "metadata": { "name": name, "namespace": self.name }, "spec": spec,
        }))
        .await;
    }

    pub async fn apply(&self, object: Value) {
        self.world.cluster.apply([object]).await.expect("an object that the API server accepts");
    }

    pub fn gateways(&self) -> Api<DynamicObject> {
        self.objects("Gateway")
    }

    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        self.objects_at(kind, "v1")
    }

    fn objects_at(&self, kind: &str, version: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", version, kind));
        Api::namespaced_with(self.client.clone(), &self.name, &resource)
    }

    pub fn wrapped(&self) -> Api<WrappedGateway> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        let version = self.version_of(kind).await;
        self.objects_at(kind, &version).delete(name, &DeleteParams::default()).await.expect("a deletion");
    }

    /// A Gateway `edge` of somebody else, with a listener `theirs`, which is not written with server-side apply.
    pub async fn gateway_of_somebody(&self, class: &str) -> DynamicObject {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "edge", "namespace": self.name },
            "spec": { "gatewayClassName": class, "listeners": [{ "name": "theirs", "port": 80, "protocol": "HTTP" }] },
        });
        let gateway = serde_json::from_value(gateway).expect("a Gateway");
        self.gateways().create(&PostParams::default(), &gateway).await.expect("a Gateway of somebody else")
    }

    /// Somebody else puts a listener on the Gateway, with server-side apply.
    pub async fn listener_of_somebody(&self, listener: &Value) {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": "edge" },
            "spec": { "gatewayClassName": "example", "listeners": [listener] },
        });
        let parameters = PatchParams::apply("somebody").force();
        self.gateways().patch("edge", &parameters, &Patch::Apply(gateway)).await.expect("an apply by another manager");
    }

    pub async fn gateway(&self, name: &str) -> DynamicObject {
        self.gateways().get(name).await.expect("the Gateway")
    }

    pub async fn listeners(&self) -> Vec<Value> {
        listeners(&self.gateway("edge").await)
    }

    /// Waits until the Gateway `edge` has exactly these hostnames, in this order.
    pub async fn has_hostnames(&self, wanted: &[&str]) -> DynamicObject {
        self.gateway_with("edge", &format!("the listeners' hostnames are {wanted:?}"), |gateway| {
            listeners(gateway).iter().map(|listener| text(&listener["hostname"])).collect::<Vec<_>>() == wanted
        })
        .await
    }

    pub async fn has_names(&self, wanted: &[&str]) -> DynamicObject {
        self.gateway_with("edge", &format!("the listeners are {wanted:?}"), |gateway| names(gateway) == wanted).await
    }

    pub async fn gateway_with(&self, name: &str, what: &str, is_so: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
        let found = eventually(what, WITHIN, async || match self.gateways().get_opt(name).await {
            Ok(Some(gateway)) if is_so(&gateway) => Ok(gateway),
            Ok(Some(gateway)) => Err(format!("{:#}", gateway.data["spec"]["listeners"])),
            Ok(None) => Err(String::from("there is no Gateway")),
            Err(error) => Err(error.to_string()),
        });
        self.or_log(found.await).await
    }

    /// Waits until the status of the WrappedGateway `edge` is as wanted.
    pub async fn status_with(&self, what: &str, is_so: impl Fn(&WrappedGatewayStatus) -> bool) -> WrappedGatewayStatus {
        let wrapped = self.wrapped();
        let found = eventually(what, WITHIN, async || match wrapped.get("edge").await {
            Ok(found) => {
                let status = found.status.unwrap_or_default();
                let current = status.observed_generation == found.metadata.generation;
                if current && is_so(&status) { Ok(status) } else { Err(format!("{status:#?}")) }
            }
            Err(error) => Err(error.to_string()),
        });
        self.or_log(found.await).await
    }

    pub async fn is_ready(&self) -> WrappedGatewayStatus {
        self.status_with("the WrappedGateway is Ready", |status| is(status, "Ready", "True")).await
    }

    /// Has the WrappedGateway looked at once more, and waits until that has been told.
    pub async fn is_looked_at_again(&self) {
        self.http("another", &["another.example.com"]).await;
        let is_counted = |route: &DynamicObject| {
            !route.labels().contains_key("acme.cert-manager.io/http01-solver")
                && !route.annotations().contains_key(&format!("{GROUP}/ignore"))
        };
        let mut counted = 0;
        for kind in RouteKind::ALL {
            let Some(version) = self.served_version_of(kind.name()).await else { continue };
            let routes = self.objects_at(kind.name(), &version).list(&ListParams::default()).await.expect("a list");
            counted += routes.into_iter().filter(is_counted).count();
        }
        let counted = u32::try_from(counted).expect("a few");
        self.status_with("another route is seen", |status| status.routes == counted).await;
    }

    /// What was found, or else a panic with the controller's log.
    pub async fn or_log<T>(&self, found: Result<T, controlplane::TimedOut>) -> T {
        match found {
            Ok(found) => found,
            Err(error) => panic!("{error}\nThe controller's log:\n{}", self.world.log().await),
        }
    }
}

pub fn listeners(gateway: &DynamicObject) -> Vec<Value> {
    gateway.data["spec"]["listeners"].as_array().cloned().unwrap_or_default()
}

pub fn names(gateway: &DynamicObject) -> Vec<String> {
    listeners(gateway).iter().map(|listener| text(&listener["name"])).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn condition<'a>(status: &'a WrappedGatewayStatus, type_: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

pub fn is(status: &WrappedGatewayStatus, type_: &str, wanted: &str) -> bool {
    condition(status, type_).is_some_and(|condition| condition.status == wanted)
}

pub fn reason(status: &WrappedGatewayStatus, type_: &str) -> String {
    condition(status, type_).map(|condition| condition.reason.clone()).unwrap_or_default()
}
