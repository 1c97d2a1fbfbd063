use std::sync::Arc;

use controlplane::{GatewayApi, eventually};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::world::{Place, WITHIN, World};

pub const OLD: &str = "external-dns.alpha.kubernetes.io/hostname";
pub const NEW: &str = "external-dns.kubernetes.io/hostname";
const WISH: &str = "gateway-route-sync.homelab-helper.benfiola.com/hostname";
pub const FINALIZER: &str = "gateway-route-sync.homelab-helper.benfiola.com/finalizer";

/// A route `game` in a place, with or without names in DNS.
pub struct Game<'a> {
    pub place: &'a Place,
    pub kind: &'static str,
    pub version: &'static str,
}

impl<'a> Game<'a> {
    pub fn tcp(place: &'a Place) -> Self {
        Self { place, kind: "TCPRoute", version: "v1" }
    }

    pub fn api(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", self.version, self.kind);
        Api::namespaced_with(self.place.client.clone(), &self.place.name, &ApiResource::from_gvk(&kind))
    }

    /// The manifest as its author has it, applied.
    pub async fn apply(&self, hostname: Option<&str>, gateways: &[&str]) {
        let parents: Vec<Value> = gateways.iter().map(|name| json!({ "name": name, "port": 25565 })).collect();
        let annotations = hostname.map(|hostname| json!({ WISH: hostname }));
        self.place
            .apply(json!({
                "apiVersion": format!("gateway.networking.k8s.io/{}", self.version), "kind": self.kind,
                "metadata": { "name": "game", "namespace": self.place.name, "annotations": annotations },
                "spec": {
                    "parentRefs": parents,
                    "rules": [{ "backendRefs": [{ "name": "game", "port": 25565 }] }],
                },
            }))
            .await;
    }

    pub async fn edit(&self, annotations: Value) {
        let parameters = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        let change = json!({ "metadata": { "annotations": annotations } });
        self.api().patch("game", &parameters, &Patch::Merge(&change)).await.expect("an edit");
    }

    /// Changes something of no interest, where that can be changed.
    pub async fn try_note(&self, note: &str) -> Result<(), kube::Error> {
        let change = json!({ "metadata": { "annotations": { "example.com/note": note } } });
        self.api().patch("game", &PatchParams::default(), &Patch::Merge(&change)).await.map(drop)
    }

    pub async fn get(&self) -> DynamicObject {
        self.api().get("game").await.expect("the route")
    }

    /// Waits until external-dns reads this, under both prefixes.
    pub async fn is_named(&self, name: &str) -> DynamicObject {
        self.has(Some(name), Some(name)).await
    }

    pub async fn is_not_named(&self) -> DynamicObject {
        self.has(None, None).await
    }

    pub async fn has(&self, old: Option<&str>, new: Option<&str>) -> DynamicObject {
        let what = format!("external-dns reads {old:?} and {new:?}");
        let found = eventually(&what, WITHIN, async || {
            let route = self.get().await;
            let has = |key: &str| route.annotations().get(key).map(String::as_str);
            if (has(OLD), has(NEW)) == (old, new) { Ok(route) } else { Err(format!("{:#?}", route.annotations())) }
        });
        self.place.or_log(found.await).await
    }
}

impl Place {
    pub async fn finalizers_of(&self, name: &str) -> Option<Vec<String>> {
        self.wrapped().get_opt(name).await.expect("an answer").map(|wrapped| wrapped.finalizers().to_vec())
    }

    pub async fn has_finalizers(&self, name: &str, wanted: &[&str]) {
        let what = format!("{name} has the finalizers {wanted:?}");
        let found = eventually(&what, WITHIN, async || {
            let finalizers = self.finalizers_of(name).await;
            if finalizers.as_deref().is_some_and(|found| found == wanted) {
                Ok(())
            } else {
                Err(format!("{finalizers:?}"))
            }
        });
        self.or_log(found.await).await;
    }

    pub async fn delete_wrapped(&self, name: &str) {
        self.wrapped().delete(name, &DeleteParams::default()).await.expect("a deletion");
    }

    pub async fn is_gone(&self, name: &str) {
        let what = format!("{name} and its Gateway are gone");
        let found = eventually(&what, WITHIN, async || {
            let wrapped = self.finalizers_of(name).await;
            let gateway = self.gateways().get_opt(name).await.expect("an answer");
            if wrapped.is_none() && gateway.is_none() { Ok(()) } else { Err(format!("{wrapped:?} {gateway:?}")) }
        });
        self.or_log(found.await).await;
    }

    pub async fn guard_wrapped(&self, finalizers: Value) {
        let change = json!({ "metadata": { "finalizers": finalizers } });
        self.wrapped().patch("edge", &PatchParams::default(), &Patch::Merge(&change)).await.expect("an edit");
    }

    /// The events of that reason on the route, each as often as it was said.
    pub async fn events(&self, reason: &str) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let events = events.list(&ListParams::default()).await.expect("events").items.into_iter();
        let of_reason = events.filter(|event| event.reason.as_deref() == Some(reason));
        of_reason
            .flat_map(|event| {
                let count = event.series.as_ref().map_or(1, |series| series.count);
                vec![event.note.unwrap_or_default(); usize::try_from(count).unwrap_or_default()]
            })
            .collect()
    }

    pub async fn is_told(&self, reason: &str, count: usize) -> Vec<String> {
        eventually(&format!("{reason} is told {count} times"), WITHIN, async || {
            let events = self.events(reason).await;
            if events.len() == count { Ok(events) } else { Err(format!("{events:#?}")) }
        })
        .await
        .unwrap()
    }
}

pub async fn shared() -> Place {
    World::shared().await.namespace("names").await
}

pub async fn own(gateway_api: GatewayApi) -> Place {
    Arc::new(World::start(gateway_api).await).namespace("names").await
}
