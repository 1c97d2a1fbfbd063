use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use controlplane::{ControlPlane, GatewayApi};
use homelab_helper::api::{GROUP, Listener, WrappedGateway, crd_yaml};
use homelab_helper::controller::apply::{Applied, apply};
use homelab_helper::controller::error::Error;
use homelab_helper::controller::ledger::Ledger;
use homelab_helper::controller::observe::{Existing, observe};
use homelab_helper::controller::wish::Wish;
use homelab_helper::planner::{Input, Plan, plan};
use homelab_helper::routes::GatewayRef;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A control plane in which nobody but the test writes Gateways.
pub async fn cluster() -> &'static ControlPlane {
    static CLUSTER: OnceCell<ControlPlane> = OnceCell::const_new();
    CLUSTER.get_or_init(|| start(GatewayApi::chosen())).await
}

pub async fn start(gateway_api: GatewayApi) -> ControlPlane {
    let cluster = bare().await;
    cluster.install(gateway_api).await.expect("the Gateway API");
    cluster
}

/// A control plane without any Gateway API.
pub async fn bare() -> ControlPlane {
    let cluster = ControlPlane::start().await.expect("a control plane");
    cluster.apply_yaml(&crd_yaml()).await.expect("the CRD of WrappedGateway");
    cluster
}

/// A WrappedGateway `edge` in a namespace of its own, and the steps of a reconciliation of it.
pub struct Desk {
    pub client: Client,
    pub key: GatewayRef,
    pub wrapped: WrappedGateway,
    pub ledger: Ledger,
}

impl Desk {
    pub async fn new(spec: Value) -> Self {
        Self::on(cluster().await, spec).await
    }

    pub async fn on(cluster: &ControlPlane, spec: Value) -> Self {
        Self::with(cluster.client().expect("a client"), spec).await
    }

    /// Another one, on the same cluster.
    pub async fn beside(&self, spec: Value) -> Self {
        Self::with(self.client.clone(), spec).await
    }

    async fn with(client: Client, spec: Value) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("desk-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).expect("a namespace");
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &object).await.expect("a namespace");
        let key = GatewayRef { namespace, name: "edge".to_owned() };
        let wrapped = wrap(&client, &key, &json!({}), spec).await;
        Self { client, key, wrapped, ledger: Ledger::default() }
    }

    /// Changes the WrappedGateway.
    pub async fn wrap(&mut self, metadata: Value, spec: Value) {
        self.wrapped = wrap(&self.client, &self.key, &metadata, spec).await;
    }

    pub fn gateways(&self) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway"));
        Api::namespaced_with(self.client.clone(), &self.key.namespace, &resource)
    }

    pub fn wrapped_gateways(&self) -> Api<WrappedGateway> {
        Api::namespaced(self.client.clone(), &self.key.namespace)
    }

    /// How many events there are in the namespace, a repeated one counted as often as it was said.
    pub async fn events_said(&self) -> i32 {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.key.namespace);
        let events = events.list(&ListParams::default()).await.expect("events");
        events.items.iter().map(|event| event.series.as_ref().map_or(1, |series| series.count)).sum()
    }

    pub async fn gateway(&self) -> DynamicObject {
        self.gateways().get("edge").await.expect("the Gateway")
    }

    pub async fn observe(&self) -> Option<Existing> {
        observe(&self.client, &self.key, &self.wrapped, None).await.expect("an observation")
    }

    pub async fn apply(&self, existing: Option<&Existing>, plan: &Plan) -> Result<Applied, Error> {
        apply(&self.client, &self.ledger, &self.key, &self.wrapped, existing, plan).await
    }

    /// Observes, plans without routes, and applies.
    pub async fn reconcile(&self) -> Result<Applied, Error> {
        let existing = self.observe().await;
        let live = existing.as_ref().map(|existing| existing.listeners.as_slice()).unwrap_or_default();
        let namespaces = BTreeMap::new();
        let spec = &self.wrapped.spec;
        let plan = plan(&Input { gateway: &self.key, spec, live, routes: &[], namespaces: &namespaces });
        self.apply(existing.as_ref(), &plan).await
    }

    /// Reconciles, and takes care that this was one write that leaves nothing to be wished.
    pub async fn is_written_once(&self) {
        let before = self.observe().await;
        let applied = self.reconcile().await.expect("an apply");
        assert!(matches!(applied, Applied::Written(_)), "{applied:?}");
        self.is_as_wished().await;
        let (before, after) = (before.map_or(0, |existing| generation(&existing)), self.observe().await.unwrap());
        assert!(generation(&after) <= before + 1, "one write is one change");
    }

    /// Takes care that another reconciliation would not ask the API server for anything but what there is.
    pub async fn is_as_wished(&self) {
        let existing = self.observe().await.expect("the Gateway");
        let ours = existing.listeners.iter().filter(|live| live.ours).map(|live| json!(live.listener));
        // What is live has the server's defaults in it. Static listeners are wished as they are written.
        let written = self.wrapped.spec.listeners.iter().map(|listener| json!(listener)).collect::<Vec<_>>();
        let listeners = if written.is_empty() { ours.collect() } else { written };
        let wish = Wish::new(&self.wrapped, &listeners);
        assert!(wish.is_fulfilled(&existing), "{:#}\n{:#}", existing.object.whole, json!(wish));
        assert!(matches!(self.reconcile().await, Ok(Applied::Unchanged(_))));
        assert_eq!(self.gateway().await.metadata.resource_version, existing.object.metadata.resource_version);
    }

    /// A change of the Gateway by somebody else, with server-side apply.
    pub async fn apply_as(&self, manager: &str, spec: Value) {
        let body = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": "edge" }, "spec": spec,
        });
        let parameters = PatchParams::apply(manager).force();
        self.gateways().patch("edge", &parameters, &Patch::Apply(&body)).await.expect("an apply by another manager");
    }

    /// A change of the Gateway by somebody else, as with `kubectl edit`.
    pub async fn merge_as(&self, manager: &str, change: Value) {
        let parameters = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.gateways().patch("edge", &parameters, &Patch::Merge(&change)).await.expect("an update by another manager");
    }

    /// A Gateway that somebody else made.
    pub async fn create_foreign(&self) -> DynamicObject {
        let theirs = serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "edge", "namespace": self.key.namespace },
            "spec": { "gatewayClassName": "theirs", "listeners": [{ "name": "theirs", "port": 8080, "protocol": "HTTP" }] },
        }))
        .expect("a Gateway");
        self.gateways().create(&PostParams::default(), &theirs).await.expect("a Gateway")
    }
}

async fn wrap(client: &Client, key: &GatewayRef, metadata: &Value, mut spec: Value) -> WrappedGateway {
    spec["gatewayClassName"] = json!("example");
    let mut body =
        json!({ "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway", "metadata": metadata, "spec": spec });
    body["metadata"]["name"] = json!(key.name);
    let api: Api<WrappedGateway> = Api::namespaced(client.clone(), &key.namespace);
    api.patch(&key.name, &PatchParams::apply("test").force(), &Patch::Apply(&body)).await.expect("a WrappedGateway")
}

fn generation(existing: &Existing) -> i64 {
    existing.object.metadata.generation.unwrap_or_default()
}

pub fn listeners(gateway: &DynamicObject) -> Vec<Listener> {
    serde_json::from_value(gateway.data["spec"]["listeners"].clone()).expect("listeners")
}

pub fn ours_of(existing: &Existing) -> Vec<&str> {
    existing.listeners.iter().filter(|live| live.ours).map(|live| live.listener.name.as_str()).collect()
}

/// A listener with every field that a listener has, one with as few as possible, and some in between.
pub fn rich_listeners() -> Value {
    let by_name = json!({ "matchExpressions": [{ "key": "kubernetes.io/metadata.name", "operator": "In", "values": ["a", "b"] }] });
    json!([
        {
            "name": "rich", "port": 443, "protocol": "HTTPS", "hostname": "a.example.com",
            "tls": {
                "mode": "Terminate", "options": { "example.com/level": "modern" },
                "certificateRefs": [{ "name": "a" }, { "group": "", "kind": "Secret", "name": "b", "namespace": "other" }],
            },
            "allowedRoutes": {
                "namespaces": { "from": "Selector", "selector": by_name },
                "kinds": [{ "kind": "HTTPRoute" }, { "group": "gateway.networking.k8s.io", "kind": "GRPCRoute" }],
            },
        },
        { "name": "plain", "port": 80, "protocol": "HTTP" },
        { "name": "same", "port": 9000, "protocol": "TCP", "allowedRoutes": { "namespaces": { "from": "Same" } } },
        { "name": "empty", "port": 9001, "protocol": "UDP", "allowedRoutes": {} },
        { "name": "through", "port": 8443, "protocol": "TLS", "tls": { "mode": "Passthrough" } },
    ])
}

/// Every field that a Gateway's spec has.
pub fn rich_spec() -> Value {
    let authorities = json!([{ "group": "", "kind": "ConfigMap", "name": "authority" }]);
    json!({
        "addresses": [{ "value": "192.0.2.1" }, { "type": "Hostname", "value": "edge.example.com" }],
        "infrastructure": {
            "labels": { "example.com/tier": "edge" }, "annotations": { "a": "b" },
            "parametersRef": { "group": "example.com", "kind": "Parameters", "name": "edge" },
        },
        "allowedListeners": { "namespaces": { "from": "Selector", "selector": { "matchLabels": { "a": "b" } } } },
        "tls": {
            "backend": { "clientCertificateRef": { "name": "client" } },
            "frontend": {
                "default": { "validation": { "caCertificateRefs": authorities } },
                "perPort": [
                    { "port": 443, "tls": { "validation": { "caCertificateRefs": authorities, "mode": "AllowInsecureFallback" } } },
                    { "port": 8443, "tls": {} },
                ],
            },
        },
        "listeners": rich_listeners(),
    })
}
