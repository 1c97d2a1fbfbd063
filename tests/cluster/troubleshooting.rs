use std::process::Command;
use std::sync::Arc;

use controlplane::{Channel, ControlPlane, GatewayApi, Version};
use serde_json::json;

use super::chart::granted;
use super::world::{GROUP, Place, World, condition, is};

const README: &str = include_str!("../../README.md");

/// A text as one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes care that the README has a message word by word. It calls the places by the names given here.
fn is_in_readme(message: &str, places: &[(&Place, &str)]) {
    let mut message = flat(message);
    for (place, name) in places {
        message = message.replace(&place.name, name);
    }
    let (_, troubles) = README.split_once("## Troubleshooting").expect("the section");
    assert!(flat(troubles).contains(&message), "the README does not have: {message}");
}

/// What `RoutesAccepted` says once so many routes are rejected.
async fn rejection(place: &Place, rejected: u32) -> String {
    let status = place.status_with("routes are rejected", |status| status.rejected == rejected).await;
    condition(&status, "RoutesAccepted").expect("the condition").message.clone()
}

async fn failure(place: &Place) -> String {
    let status = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    condition(&status, "Ready").expect("the condition").message.clone()
}

/// What `status` prints of a namespace, or complains of.
fn shown(cluster: &ControlPlane, namespace: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.args(["gateway-route-sync", "status", "-n", namespace]).env("KUBECONFIG", cluster.kubeconfig());
    let output = command.output().expect("a program that runs");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text")).concat()
}

#[tokio::test]
async fn without_a_data_plane_certificates_and_consent() {
    let world = World::shared().await;
    let (place, certs) = (world.namespace("infra").await, world.namespace("certs").await);
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    let status = place.status_with("the route is seen", |status| status.routes == 1).await;
    is_in_readme(&condition(&status, "Programmed").expect("the condition").message, &[]);
    let shown = flat(&shown(&world.cluster, &place.name)).replace(&place.name, "infra");
    for line in [
        "There is no Secret infra/edge.https-443-www-example-com.",
        "cert-manager makes no certificates for it: it has neither annotation cert-manager.io/cluster-issuer nor \
         cert-manager.io/issuer.",
    ] {
        assert!(shown.contains(line), "{shown}");
        is_in_readme(line, &[]);
    }

    let tls = json!({ "certificateRefs": [{ "name": "wildcard", "namespace": certs.name }] });
    place.wrap(json!({ "listenerTemplate": { "tls": tls } })).await;
    let is_warned = |status: &homelab_helper::api::WrappedGatewayStatus| {
        condition(status, "Ready").is_some_and(|ready| ready.message.contains("RefNotPermitted"))
    };
    let status = place.status_with("it is warned", is_warned).await;
    let message = &condition(&status, "Ready").expect("the condition").message;
    let (_, warning) = message.split_once("attached route. ").expect("a warning");
    is_in_readme(warning, &[(&place, "infra"), (&certs, "certs")]);
}

#[tokio::test]
async fn routes_that_ask_for_what_they_cannot_have() {
    let world = World::shared().await;
    let (place, alpha, beta) =
        (world.namespace("infra").await, world.namespace("alpha").await, world.namespace("beta").await);
    let calls = [(&place, "infra"), (&alpha, "alpha"), (&beta, "beta")];
    let parents = json!([{ "name": "edge", "namespace": place.name, "port": 443 }]);
    place.wrap(json!({})).await;
    alpha.http_to("web", &["www.example.com"], parents.clone()).await;
    place.has_hostnames(&["www.example.com"]).await;
    beta.http_to("web", &["www.example.com"], parents).await;
    is_in_readme(&rejection(&place, 1).await, &calls);

    alpha.delete("HTTPRoute", "web").await;
    place.wrap(json!({ "listenerTemplate": { "allowedRoutes": { "namespaces": { "from": "Same" } } } })).await;
    is_in_readme(&rejection(&place, 1).await, &calls);
    beta.delete("HTTPRoute", "web").await;

    let taken = json!({ "name": "web", "port": 8080, "protocol": "HTTP" });
    place.wrap(json!({ "listeners": [taken] })).await;
    let named = json!([{ "name": "edge", "port": 443, "sectionName": "web" }]);
    place.http_to("web", &["www.example.com"], named).await;
    is_in_readme(&rejection(&place, 1).await, &calls);
}

#[tokio::test]
async fn routes_that_say_too_little() {
    let place = World::shared().await.namespace("infra").await;
    place.wrap(json!({})).await;
    place.route("TCPRoute", "db", json!({ "parentRefs": [{ "name": "edge" }] })).await;
    let rules = json!([{ "backendRefs": [{ "name": "backend", "port": 80 }] }]);
    place
        .apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "TCPRoute",
            "metadata": {
                "name": "smtp", "namespace": place.name, "annotations": { format!("{GROUP}/ports"): "25, smtp" },
            },
            "spec": { "parentRefs": [{ "name": "edge" }], "rules": rules },
        }))
        .await;
    place.http("web", &[]).await;
    let message = rejection(&place, 3).await;
    let (shown, _) = message.split_once(" By the Gateway API").expect("the three");
    is_in_readme(shown, &[(&place, "infra")]);
}

#[tokio::test]
async fn a_gateway_that_is_full_and_one_of_somebody_else() {
    let place = World::shared().await.namespace("infra").await;
    place.wrap(json!({})).await;
    for batch in 0..4 {
        let hosts: Vec<_> = (0..16).map(|host| format!("h{batch}-{host}.example.com")).collect();
        place.http(&format!("batch-{batch}"), &hosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    place.status_with("it is full", |status| status.listeners == 64).await;
    place.http("late", &["late.example.com"]).await;
    is_in_readme(&rejection(&place, 1).await, &[(&place, "infra")]);

    let place = World::shared().await.namespace("infra").await;
    place.gateway_of_somebody("theirs").await;
    place.wrap(json!({})).await;
    is_in_readme(&failure(&place).await, &[]);
}

#[tokio::test]
async fn a_gateway_api_that_is_too_old() {
    let world = World::start(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }).await;
    let place = Arc::new(world).namespace("infra").await;
    place.wrap(json!({ "tls": { "backend": { "clientCertificateRef": { "name": "client" } } } })).await;
    is_in_readme(&failure(&place).await, &[]);
}

#[tokio::test]
async fn a_controller_without_a_right() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    world.stop_controller().await;
    let place = world.namespace("infra").await;
    let mut rules = granted::rules();
    for rule in rules.iter_mut().filter(|rule| rule["resources"][0] == "gateways") {
        rule["verbs"] = json!(["get", "list", "watch"]);
    }
    granted::start_with(&place, &rules).await;
    place.wrap(json!({})).await;
    is_in_readme(&failure(&place).await, &[(&place, "infra")]);
    // No restart is needed.
    granted::grant(&place, &granted::rules()).await;
    place.is_ready().await;
}

#[tokio::test]
async fn a_cluster_without_the_definition() {
    let cluster = ControlPlane::start().await.expect("a control plane");
    cluster.install(GatewayApi::chosen()).await.expect("the Gateway API");
    let shown = shown(&cluster, "default");
    assert!(shown.starts_with("error: "), "{shown}");
    is_in_readme(&shown, &[]);
}
