use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use crate::world::{GROUP, Place};

/// The group that the later version of it has.
pub const LATER: &str = "gateway-route-sync.homelab-images.benfiola.com";

/// The Go implementation at work in a namespace, with a WrappedGateway `edge`. All that it writes, it writes with plain
/// updates of whole objects.
pub struct Go<'a> {
    place: &'a Place,
    group: &'static str,
    manager: &'static str,
}

impl<'a> Go<'a> {
    pub fn first(place: &'a Place) -> Self {
        Self { place, group: GROUP, manager: "homelab-helper" }
    }

    /// The later one, with its group and the name of its program; its CRD is applied.
    pub async fn later(place: &'a Place) -> Self {
        place.apply(Self::crd()).await;
        Self::later_of(place)
    }

    /// The later one, where its CRD is there already.
    pub fn later_of(place: &'a Place) -> Self {
        Self { place, group: LATER, manager: "gateway-route-sync" }
    }

    /// The CRD of the later one.
    pub fn crd() -> Value {
        let (plural, kind) = ("wrappedgateways", "WrappedGateway");
        let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let version = json!({
            "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema },
        });
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.{LATER}") },
            "spec": {
                "group": LATER, "scope": "Namespaced", "versions": [version],
                "names": { "plural": plural, "kind": kind, "listKind": "WrappedGatewayList", "singular": "wrappedgateway" },
            },
        })
    }

    pub fn finalizer(&self) -> String {
        format!("{}/finalizer", self.group)
    }

    pub fn annotation(&self) -> String {
        format!("{}/previous-parent-refs", self.group)
    }

    fn parameters(&self) -> PostParams {
        PostParams { field_manager: Some(self.manager.to_owned()), ..PostParams::default() }
    }

    pub fn wrapped(&self) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(self.group, "v1", "WrappedGateway"));
        Api::namespaced_with(self.place.client.clone(), &self.place.name, &resource)
    }

    /// Its WrappedGateway, on which it puts its finalizer.
    pub async fn wrap(&self) -> DynamicObject {
        let api = self.wrapped();
        if api.get_opt("edge").await.expect("an answer").is_none() {
            let object = json!({
                "apiVersion": format!("{}/v1", self.group), "kind": "WrappedGateway",
                "metadata": { "name": "edge", "labels": { "team": "edge", "argocd.argoproj.io/instance": "x" }, "annotations": { "cert-manager.io/cluster-issuer": "ca" } },
                "spec": { "gatewayClassName": "example" },
            });
            let object = serde_json::from_value(object).expect("a WrappedGateway");
            api.create(&PostParams::default(), &object).await.expect("a WrappedGateway");
        }
        let mut wrapped = api.get("edge").await.expect("the WrappedGateway");
        if !wrapped.finalizers().contains(&self.finalizer()) {
            wrapped.finalizers_mut().push(self.finalizer());
            wrapped = api.replace("edge", &self.parameters(), &wrapped).await.expect("an update");
        }
        wrapped
    }

    /// Makes the Gateway have these listeners, each of section, protocol, port and hostname.
    pub async fn sync(&self, listeners: &[(&str, &str, u16, Option<&str>)]) -> DynamicObject {
        let wrapped = self.wrap().await;
        let api = self.place.gateways();
        let existing = api.get_opt("edge").await.expect("an answer");
        let mut gateway = existing.clone().unwrap_or_else(|| DynamicObject::new("edge", &gateway_resource()));
        gateway.metadata.labels.clone_from(&wrapped.metadata.labels);
        gateway.metadata.annotations.clone_from(&wrapped.metadata.annotations);
        let listeners: Vec<Value> = listeners.iter().map(|listener| self.listener(*listener)).collect();
        gateway.data["spec"] = json!({ "gatewayClassName": "example", "listeners": listeners });
        gateway.metadata.owner_references = Some(vec![
            serde_json::from_value(json!({
                "apiVersion": format!("{}/v1", self.group), "kind": "WrappedGateway", "name": "edge",
                "uid": wrapped.uid(), "controller": true, "blockOwnerDeletion": true,
            }))
            .expect("an owner"),
        ]);
        match existing {
            None => api.create(&self.parameters(), &gateway).await.expect("a Gateway"),
            Some(_) => api.replace("edge", &self.parameters(), &gateway).await.expect("an update"),
        }
    }

    fn listener(&self, (section, protocol, port, hostname): (&str, &str, u16, Option<&str>)) -> Value {
        let kind = match protocol {
            "HTTPS" => "HTTPRoute",
            "TLS" => "TLSRoute",
            "TCP" => "TCPRoute",
            _ => "UDPRoute",
        };
        let mut listener = json!({
            "name": section, "protocol": protocol, "port": port,
            "allowedRoutes": {
                "namespaces": {
                    "from": "Selector",
                    "selector": { "matchLabels": { "kubernetes.io/metadata.name": self.place.name } },
                },
                "kinds": [{ "group": "gateway.networking.k8s.io", "kind": kind }],
            },
        });
        if let Some(hostname) = hostname {
            listener["hostname"] = json!(hostname);
            let secret = format!("gateway-{hostname}").replace('.', "-");
            listener["tls"] = json!({ "mode": "Terminate", "certificateRefs": [{ "name": secret }] });
        }
        listener
    }

    /// Puts its finalizer and its bookkeeping on every route of that kind.
    pub async fn mark(&self, kind: &str) {
        let api = self.place.objects(kind);
        for mut route in api.list(&ListParams::default()).await.expect("routes") {
            if self.is_on(&route) {
                continue;
            }
            let parents = json!({ "ParentRefs": route.data["spec"]["parentRefs"] }).to_string();
            route.annotations_mut().insert(self.annotation(), parents);
            route.finalizers_mut().push(self.finalizer());
            match api.replace(&route.name_any(), &self.parameters(), &route).await {
                // Someone was faster; it tries again later.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                outcome => drop(outcome.expect("an update")),
            }
        }
    }

    /// Whether an object bears something of it.
    pub fn is_on(&self, object: &DynamicObject) -> bool {
        object.finalizers().contains(&self.finalizer())
            || object.meta().annotations.iter().flatten().any(|(key, _)| *key == self.annotation())
    }
}

fn gateway_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway"))
}
