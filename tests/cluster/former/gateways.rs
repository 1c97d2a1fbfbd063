use std::sync::Arc;

use controlplane::{GatewayApi, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::golang::{Go, LATER};
use crate::world::{Place, WITHIN, World, listeners, names, text};

/// Of the Gateway that the Go version leaves: all but `old` are asked for by routes.
const LEFT: [(&str, &str, u16, Option<&str>); 5] = [
    ("api", "HTTPS", 443, Some("api.example.com")),
    ("game", "TCP", 25565, None),
    ("old", "HTTPS", 443, Some("old.example.com")),
    ("vault", "TLS", 8200, Some("vault.example.com")),
    ("www", "HTTPS", 443, Some("www.example.com")),
];

/// A namespace on a cluster of its own, where no controller is at work.
async fn place() -> Place {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    world.stop_controller().await;
    world.namespace("former").await
}

/// Routes as the Go version needs them: each names its listener.
async fn routes(place: &Place) {
    let parent = |section: &str, port: u16| json!([{ "name": "edge", "sectionName": section, "port": port }]);
    for (section, host) in [("api", "api.example.com"), ("www", "www.example.com")] {
        place.http_to(section, &[host], parent(section, 443)).await;
    }
    place.route("TCPRoute", "game", json!({ "parentRefs": parent("game", 25565) })).await;
    let vault = json!({ "parentRefs": parent("vault", 8200), "hostnames": ["vault.example.com"] });
    place.route("TLSRoute", "vault", vault).await;
}

/// Another controller and a person have something on the Gateway.
async fn others(place: &Place) {
    let change =
        json!({ "metadata": { "finalizers": ["example.com/guard"], "annotations": { "example.com/note": "x" } } });
    let parameters = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
    place.gateways().patch("edge", &parameters, &Patch::Merge(&change)).await.expect("an update");
}

/// Name, port, hostname and Secret of each listener.
fn seen(gateway: &DynamicObject) -> Vec<(String, Value, String, String)> {
    let of = |listener: &Value| {
        let secret = text(&listener["tls"]["certificateRefs"][0]["name"]);
        (text(&listener["name"]), listener["port"].clone(), text(&listener["hostname"]), secret)
    };
    listeners(gateway).iter().map(of).collect()
}

fn without(gateway: &DynamicObject, names: &[&str]) -> Vec<(String, Value, String, String)> {
    seen(gateway).into_iter().filter(|(name, ..)| !names.contains(&name.as_str())).collect()
}

/// Nothing of the Gateway but its status is known as written by anyone but us, the person and the other controller.
fn is_ours_alone(gateway: &DynamicObject) {
    for entry in gateway.managed_fields() {
        let entry = json!(entry);
        let has_listeners = entry["fieldsV1"]["f:spec"]["f:listeners"].is_object();
        assert_eq!(
            has_listeners,
            entry["operation"] == "Apply" && entry["manager"] == "gateway-route-sync",
            "{entry:#}"
        );
    }
    assert_eq!(gateway.finalizers(), ["example.com/guard"]);
    assert_eq!(gateway.annotations()["example.com/note"], "x");
    assert_eq!(gateway.annotations()["cert-manager.io/cluster-issuer"], "ca");
    assert_eq!(gateway.labels()["team"], "edge");
    // The Go version copied it; with it, Argo CD would take the Gateway for its own.
    assert!(!gateway.labels().contains_key("argocd.argoproj.io/instance"));
}

#[tokio::test]
async fn what_the_go_version_wrote_stays_as_it_is_and_what_is_stale_goes_also_after_going_back() {
    let place = place().await;
    routes(&place).await;
    let go = Go::first(&place);
    let before = go.sync(&LEFT).await;
    others(&place).await;

    place.world.start_controller().await;
    let after = place.has_names(&["api", "game", "vault", "www"]).await;
    assert_eq!(seen(&after), without(&before, &["old"]));
    place.is_ready().await;
    is_ours_alone(&place.gateway("edge").await);
    assert_eq!(after.uid(), before.uid(), "it is the same Gateway");

    // Back to the Go version, which removes one, adds one, and leaves a stale one of its own.
    place.world.stop_controller().await;
    place.delete("HTTPRoute", "api").await;
    let back = [LEFT[1], LEFT[2], ("shop", "HTTPS", 443, Some("shop.example.com")), LEFT[3], LEFT[4]];
    place.http_to("shop", &["shop.example.com"], json!([{ "name": "edge", "sectionName": "shop" }])).await;
    let before = go.sync(&back).await;
    others(&place).await;

    // And once more to ours.
    place.world.start_controller().await;
    let after = place.has_names(&["game", "shop", "vault", "www"]).await;
    assert_eq!(seen(&after), without(&before, &["old"]));
    place.is_ready().await;
    is_ours_alone(&place.gateway("edge").await);
}

#[tokio::test]
async fn a_gateway_of_the_later_group_changes_hands_with_its_listeners() {
    let place = place().await;
    routes(&place).await;
    let go = Go::later(&place).await;
    let before = go.sync(&LEFT).await;
    others(&place).await;
    place.world.start_controller().await;
    place
        .apply(json!({
            "apiVersion": format!("{}/v1", crate::world::GROUP), "kind": "WrappedGateway",
            "metadata": {
                "name": "edge", "namespace": place.name, "labels": { "team": "edge" },
                "annotations": { "cert-manager.io/cluster-issuer": "ca" },
            },
            "spec": { "gatewayClassName": "example" },
        }))
        .await;
    let after = place.has_names(&["api", "game", "vault", "www"]).await;
    assert_eq!(seen(&after), without(&before, &["old"]));
    assert_eq!(after.uid(), before.uid());
    place.is_ready().await;
    let gateway = place.gateway("edge").await;
    is_ours_alone(&gateway);
    let owners: Vec<_> = gateway.owner_references().iter().map(|owner| owner.api_version.as_str()).collect();
    assert_eq!(owners, [format!("{}/v1", crate::world::GROUP)]);

    // What it was taken over from can go, and takes with it only what is still its own.
    let former = go.wrapped().get("edge").await.unwrap();
    let owner =
        json!({ "apiVersion": format!("{LATER}/v1"), "kind": "WrappedGateway", "name": "edge", "uid": former.uid() });
    place
        .apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "still-its-own", "namespace": place.name, "ownerReferences": [owner] },
        }))
        .await;
    eventually("its finalizer is gone", WITHIN, async || {
        let finalizers = go.wrapped().get("edge").await.unwrap().finalizers().to_vec();
        if finalizers.is_empty() { Ok(()) } else { Err(finalizers.join(", ")) }
    })
    .await
    .unwrap();
    go.wrapped().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    let maps: Api<ConfigMap> = Api::namespaced(place.client.clone(), &place.name);
    eventually("what it owned is gone", WITHIN, async || match maps.get_opt("still-its-own").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    assert_eq!(place.gateway("edge").await.uid(), before.uid());
}

#[tokio::test]
async fn a_gateway_of_the_go_version_without_owner_is_owned_again() {
    let place = place().await;
    routes(&place).await;
    let go = Go::first(&place);
    let before = go.sync(&LEFT).await;
    let change = json!({ "metadata": { "ownerReferences": null } });
    place.gateways().patch("edge", &PatchParams::default(), &Patch::Merge(&change)).await.expect("an update");
    place.world.start_controller().await;
    let after = place.has_names(&["api", "game", "vault", "www"]).await;
    assert_eq!(seen(&after), without(&before, &["old"]));
    assert_eq!(after.owner_references().len(), 1);
    assert_eq!(names(&after).len(), 4);
}
