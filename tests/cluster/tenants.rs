use std::sync::Arc;

use controlplane::{GatewayApi, eventually};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{Place, WITHIN, World};

/// The Gateway's own namespace, and two whose routes attach to it.
async fn three(world: &Arc<World>) -> (Place, Place, Place) {
    (world.namespace("host").await, world.namespace("red").await, world.namespace("blue").await)
}

impl Place {
    async fn label(&self, team: Value) {
        let change = json!({ "metadata": { "labels": { "team": team } } });
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.patch(&self.name, &PatchParams::default(), &Patch::Merge(&change)).await.expect("a label");
    }

    /// An HTTPRoute of this namespace, attached to the Gateway of another one.
    async fn asks(&self, host: &Place, name: &str, port: u16, hostnames: &[&str]) {
        self.http_to(name, hostnames, json!([{ "name": "edge", "namespace": host.name, "port": port }])).await;
    }

    async fn asks_for_port(&self, host: &Place, kind: &str, name: &str, port: u16) {
        let parents = json!([{ "name": "edge", "namespace": host.name, "port": port }]);
        self.route(kind, name, json!({ "parentRefs": parents })).await;
    }

    /// Waits until these are rejected and nobody else is.
    async fn rejects(&self, wanted: &[(&str, &str)]) {
        let what = format!("{wanted:?} and nobody else is rejected");
        self.status_with(&what, |status| {
            let rejected = status.rejected_routes.iter();
            let mut found: Vec<_> = rejected.map(|it| (it.name.as_str(), it.reason.as_str())).collect();
            found.sort_unstable();
            found == wanted
        })
        .await;
    }
}

#[tokio::test]
async fn a_changed_label_counts_at_once_and_namespaces_are_watched_only_while_labels_are_needed() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    let (host, red, _) = three(&world).await;
    let asked = async |verb: &'static str| world.requests().await.of("namespaces").only(|key| key.verb == verb).total();
    // A selector that looks at nothing but names needs no labels.
    let by_name = json!({ "matchLabels": { "kubernetes.io/metadata.name": red.name } });
    let template = |selector: &Value| {
        let namespaces = json!({ "from": "Selector", "selector": selector });
        json!({ "listenerTemplate": { "allowedRoutes": { "namespaces": namespaces } } })
    };
    let before = asked("LIST").await;
    host.wrap(template(&by_name)).await;
    red.asks(&host, "web", 443, &["red.example.com"]).await;
    host.has_hostnames(&["red.example.com"]).await;
    assert_eq!(asked("LIST").await, before, "nobody needs labels");

    host.wrap(template(&json!({ "matchLabels": { "team": "edge" } }))).await;
    host.rejects(&[("web", "NamespaceNotAllowed")]).await;
    red.label(json!("edge")).await;
    host.has_hostnames(&["red.example.com"]).await;
    red.label(Value::Null).await;
    host.has_names(&["placeholder"]).await;
    assert_eq!(asked("LIST").await, before + 1, "one list serves every change");

    let ended = asked("WATCH").await;
    host.wrap(json!({})).await;
    host.has_hostnames(&["red.example.com"]).await;
    eventually(
        "the watch has ended",
        WITHIN,
        async || {
            if asked("WATCH").await > ended { Ok(()) } else { Err("it goes on") }
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_under_a_wildcard_and_a_wildcard_over_it_belong_to_who_was_first_on_every_port() {
    let (host, red, blue) = three(&World::shared().await).await;
    host.wrap(json!({})).await;
    red.asks(&host, "wild", 443, &["*.red.example.com"]).await;
    host.has_hostnames(&["*.red.example.com"]).await;
    red.asks(&host, "exact", 443, &["www.green.example.com"]).await;
    host.has_hostnames(&["*.red.example.com", "www.green.example.com"]).await;
    blue.asks(&host, "under", 8443, &["a.red.example.com"]).await;
    blue.asks(&host, "over", 443, &["*.green.example.com"]).await;
    host.rejects(&[("over", "HostnameOwned"), ("under", "HostnameOwned")]).await;
    host.has_hostnames(&["*.red.example.com", "www.green.example.com"]).await;

    // Its owner may have both, and so may everybody where hostnames are shared.
    red.asks(&host, "own", 8443, &["a.red.example.com"]).await;
    host.gateway_with("edge", "there are three", |gateway| super::world::listeners(gateway).len() == 3).await;
    host.wrap(json!({ "listenerTemplate": { "hostnameOwnership": "Shared" } })).await;
    host.rejects(&[]).await;
}

#[tokio::test]
async fn a_port_of_tcp_or_udp_belongs_to_the_namespace_that_has_it_first() {
    let (host, red, blue) = three(&World::shared().await).await;
    host.wrap(json!({})).await;
    red.asks_for_port(&host, "TCPRoute", "db", 5432).await;
    red.asks_for_port(&host, "UDPRoute", "dns", 53).await;
    host.gateway_with("edge", "both are there", |gateway| {
        super::world::names(gateway) == ["tcp-5432", "udp-53"] || super::world::names(gateway) == ["udp-53", "tcp-5432"]
    })
    .await;
    blue.asks_for_port(&host, "TCPRoute", "rival", 5432).await;
    blue.asks_for_port(&host, "UDPRoute", "rogue", 53).await;
    // TCP and UDP ports of one number are two ports.
    blue.asks_for_port(&host, "TCPRoute", "zone-transfer", 53).await;
    host.rejects(&[("rival", "PortOwned"), ("rogue", "PortOwned")]).await;
    red.delete("TCPRoute", "db").await;
    host.rejects(&[("rogue", "PortOwned")]).await;
}

#[tokio::test]
async fn hostnames_go_to_whom_a_grant_names() {
    let (host, red, blue) = three(&World::shared().await).await;
    let to = |place: &Place, hostnames: &[&str]| {
        let namespaces = json!({ "matchLabels": { "kubernetes.io/metadata.name": place.name } });
        json!({ "namespaces": namespaces, "hostnames": hostnames })
    };
    let template = |grants: &[Value]| json!({ "listenerTemplate": { "hostnameGrants": grants } });
    host.wrap(template(&[to(&red, &["*.red.example.com"]), to(&blue, &["blue.example.com"])])).await;
    red.asks(&host, "mine", 443, &["deep.down.red.example.com"]).await;
    blue.asks(&host, "exact", 443, &["blue.example.com"]).await;
    blue.asks(&host, "greedy", 443, &["www.red.example.com"]).await;
    host.rejects(&[("greedy", "HostnameNotGranted")]).await;
    host.gateway_with("edge", "both are there", |gateway| super::world::listeners(gateway).len() == 2).await;
    host.wrap(template(&[to(&red, &["*.red.example.com"])])).await;
    host.rejects(&[("exact", "HostnameNotGranted"), ("greedy", "HostnameNotGranted")]).await;
    host.has_hostnames(&["deep.down.red.example.com"]).await;
}

#[tokio::test]
async fn a_namespace_has_no_more_listeners_of_its_own_than_it_may() {
    let (host, red, blue) = three(&World::shared().await).await;
    host.wrap(json!({ "listenerTemplate": { "maxListenersPerNamespace": 1 } })).await;
    red.asks(&host, "first", 443, &["a.example.com"]).await;
    host.has_hostnames(&["a.example.com"]).await;
    red.asks(&host, "second", 443, &["b.example.com"]).await;
    blue.asks(&host, "other", 443, &["c.example.com"]).await;
    host.has_hostnames(&["a.example.com", "c.example.com"]).await;
    host.rejects(&[("second", "NamespaceQuotaReached")]).await;
    red.delete("HTTPRoute", "first").await;
    host.has_hostnames(&["c.example.com", "b.example.com"]).await;
    host.rejects(&[]).await;
}
