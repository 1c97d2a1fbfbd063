use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use controlplane::eventually;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use neighbours::{Backend, Client, Kind, cert_manager};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::world::{DataPlane, GROUP, WITHIN, World};

/// The port at which each Service is, and the one at which its Pod listens.
const PORTS: (u16, u16) = (80, 9376);

/// A Gateway `public` in a namespace of its own, with routes in other namespaces, and applications behind them.
pub struct Place {
    pub world: Arc<World>,
    pub clients: Client,
    /// The Gateway's namespace.
    pub name: String,
    /// Where its HTTPS listeners are.
    pub port: u16,
    backends: Vec<Backend>,
}

impl Place {
    /// One whose generated listeners have a port of their own, so that the Envoys of several Gateways can run side by side.
    pub async fn new(word: &str) -> Self {
        static PORT: AtomicU16 = AtomicU16::new(10_443);
        Self::at_port(word, PORT.fetch_add(1, Ordering::Relaxed)).await
    }

    /// One with a host that is served.
    pub async fn with_web(word: &str) -> Self {
        let mut place = Self::new(word).await;
        place.wrap(json!({})).await;
        place.web().await;
        place
    }

    pub async fn at_port(name: &str, port: u16) -> Self {
        Self::served_by(DataPlane::EnvoyGateway, name, port).await
    }

    pub async fn served_by(data_plane: DataPlane, name: &str, port: u16) -> Self {
        let world = World::shared(data_plane).await;
        let clients = world.clients().await;
        let place = Self { world, clients, name: name.to_owned(), port, backends: Vec::new() };
        place.namespace(name).await;
        place
    }

    /// Where clients find the listeners of that port, which is where a Service would lead in a cluster.
    pub fn entry(&self, port: u16) -> u16 {
        self.world.data_plane.entry(port)
    }

    /// The class of its Gateway.
    pub fn class(&self) -> &'static str {
        self.world.data_plane.class()
    }

    /// Applies a WrappedGateway `public` with that spec, whose certificates cert-manager's authority issues.
    pub async fn wrap(&self, spec: Value) {
        self.wrap_with(json!({ "cert-manager.io/cluster-issuer": cert_manager::ISSUER }), spec).await;
    }

    pub async fn wrap_with(&self, annotations: Value, mut spec: Value) {
        spec["gatewayClassName"] = json!(self.class());
        if self.port != 443 {
            spec["listenerTemplate"]["port"] = json!(self.port);
        }
        self.apply(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
            "metadata": { "name": "public", "namespace": self.name, "annotations": annotations }, "spec": spec,
        }))
        .await;
    }

    /// A namespace whose name begins with this place's, unless it is it.
    pub async fn namespace(&self, name: &str) {
        self.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })).await;
    }

    /// An application in a Pod, and a Service that leads to it.
    pub async fn serve(&mut self, namespace: &str, name: &str, kind: Kind) -> &Backend {
        let protocol = if matches!(kind, Kind::Udp) { "UDP" } else { "TCP" };
        let address = self.pod(name, kind).await;
        self.service(namespace, name, json!({ "protocol": protocol })).await;
        self.lead(namespace, name, address, "app", protocol).await;
        self.backends.last().expect("the one that was started")
    }

    /// A Service, with what is said of its port besides the numbers.
    pub async fn service(&self, namespace: &str, name: &str, mut port: Value) {
        port["name"] = json!("app");
        port["port"] = json!(PORTS.0);
        port["targetPort"] = json!(PORTS.1);
        let metadata = json!({ "name": name, "namespace": namespace });
        let spec = json!({ "ports": [port] });
        self.apply(json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec })).await;
    }

    /// An application at an address as Pods have them.
    pub async fn pod(&mut self, name: &str, kind: Kind) -> SocketAddr {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let address = Ipv4Addr::new(10, 244, 0, COUNT.fetch_add(1, Ordering::Relaxed));
        let address = SocketAddr::from((address, PORTS.1));
        self.backends.push(Backend::start(name, kind, address).await.expect("a free address"));
        address
    }

    /// Makes a Service lead to that address.
    pub async fn lead(&self, namespace: &str, service: &str, address: SocketAddr, port: &str, protocol: &str) {
        let labels = json!({ "kubernetes.io/service-name": service });
        self.apply(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "name": service, "namespace": namespace, "labels": labels },
            "endpoints": [{ "addresses": [address.ip()], "conditions": { "ready": true } }],
            "ports": [{ "name": port, "port": address.port(), "protocol": protocol }],
        }))
        .await;
    }

    /// An HTTPRoute for these hostnames to the Service of its own name.
    pub async fn http(&self, namespace: &str, name: &str, hostnames: &[&str]) {
        self.route("HTTPRoute", namespace, name, self.port, hostnames, json!({})).await;
    }

    /// The application `web` in the Gateway's namespace, its route, and the first answer to a client.
    pub async fn web(&mut self) {
        let namespace = self.name.clone();
        self.serve(&namespace, "web", Kind::Http).await;
        self.route_web().await;
        self.answers_as_web().await;
    }

    pub async fn route_web(&self) {
        self.http(&self.name, "web", &["web.example.com"]).await;
    }

    pub async fn answers_as_web(&self) {
        self.answers("web.example.com", "/", "web web.example.com /").await;
    }

    /// A route to the Service of its own name.
    pub async fn route(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        port: u16,
        hostnames: &[&str],
        annotations: Value,
    ) {
        let parent = json!({ "name": "public", "namespace": self.name, "port": port });
        let mut spec = json!({
            "parentRefs": [parent], "rules": [{ "backendRefs": [{ "name": name, "port": PORTS.0 }] }],
        });
        if !hostnames.is_empty() {
            spec["hostnames"] = json!(hostnames);
        }
        self.apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
            "metadata": { "name": name, "namespace": namespace, "annotations": annotations }, "spec": spec,
        }))
        .await;
    }

    pub async fn apply(&self, object: Value) {
        self.world.cluster.apply([object]).await.expect("an object that the API server accepts");
    }

    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let api = self.world.api("gateway.networking.k8s.io/v1", kind, namespace);
        api.delete(name, &DeleteParams::default()).await.expect("a deletion");
    }

    pub fn gateways(&self) -> Api<DynamicObject> {
        self.world.api("gateway.networking.k8s.io/v1", "Gateway", &self.name)
    }

    pub fn certificates(&self) -> Api<DynamicObject> {
        self.world.api("cert-manager.io/v1", "Certificate", &self.name)
    }

    pub fn wrapped(&self) -> Api<DynamicObject> {
        self.world.api(&format!("{GROUP}/v1"), "WrappedGateway", &self.name)
    }

    pub async fn gateway(&self) -> DynamicObject {
        self.gateways().get("public").await.expect("the Gateway")
    }

    /// Asks until the answer is as wanted.
    pub async fn until<T, F: Future<Output = Result<T, String>>>(&self, what: &str, ask: impl FnMut() -> F) -> T {
        self.world.or_logs(eventually(what, WITHIN, ask).await).await
    }

    /// Waits until a client gets this over HTTPS.
    pub async fn answers(&self, host: &str, path: &str, wanted: &str) {
        self.until(&format!("https://{host}{path} answers {wanted:?}"), async || {
            let answer =
                self.clients.https(self.entry(self.port), host, path).await.map_err(|error| error.to_string())?;
            if answer.text == wanted { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
    }

    /// Waits until there are so many Certificates, and all of them are issued.
    pub async fn issued(&self, count: usize) {
        self.until(&format!("{count} Certificates are issued"), async || {
            let list = self.certificates().list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let is_ready = |it: &DynamicObject| {
                let conditions = it.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
                conditions.iter().any(|condition| is_true(condition, "Ready"))
            };
            if list.items.len() == count && list.items.iter().all(is_ready) {
                Ok(())
            } else {
                Err(format!("{:#?}", list.items.iter().map(|it| &it.data["status"]).collect::<Vec<_>>()))
            }
        })
        .await;
    }

    /// The WrappedGateway, once nobody has anything more to say of it: it and its Gateway have been the same for a while.
    pub async fn settled(&self) -> DynamicObject {
        const TIMES: usize = 40;
        let seen = Mutex::new((None, 0));
        self.until("everybody has said what there is to say", async || {
            let wrapped = self.wrapped().get("public").await.map_err(|error| error.to_string())?;
            let versions = (self.gateway().await.metadata.resource_version, wrapped.metadata.resource_version.clone());
            let mut seen = seen.lock().await;
            let times = if seen.0.as_ref() == Some(&versions) { seen.1 + 1 } else { 0 };
            *seen = (Some(versions), times);
            if times >= TIMES { Ok(wrapped) } else { Err(String::from("it changes")) }
        })
        .await
    }

    /// Removes the WrappedGateway, and waits until no Envoy listens for it any more.
    pub async fn close(&self) {
        self.wrapped().delete("public", &DeleteParams::default()).await.expect("a deletion");
        let entry = ("127.0.0.1", self.entry(self.port));
        self.until("the port is free", async || match tokio::net::TcpListener::bind(entry).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
}

/// The names of a Gateway's listeners.
pub fn listeners(gateway: &DynamicObject) -> Vec<String> {
    let listeners = gateway.data["spec"]["listeners"].as_array().cloned().unwrap_or_default();
    listeners.iter().map(|listener| listener["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What the data plane says of that listener.
pub fn health(gateway: &DynamicObject, listener: &str) -> Vec<Value> {
    let said = gateway.data["status"]["listeners"].as_array().cloned().unwrap_or_default();
    let of = said.into_iter().find(|said| said["name"] == listener).unwrap_or_default();
    of["conditions"].as_array().cloned().unwrap_or_default()
}

/// Whether this condition is of that type, and True.
pub fn is_true(condition: &Value, type_: &str) -> bool {
    condition["type"] == type_ && condition["status"] == "True"
}
