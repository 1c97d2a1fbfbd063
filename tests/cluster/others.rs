use std::sync::Arc;

use controlplane::{Channel, GatewayApi, Version};
use serde_json::json;

use super::world::{GROUP, World, condition, is, listeners, names, reason};

#[tokio::test]
async fn a_listener_of_another_manager_survives_ten_changes_of_routes() {
    let place = World::shared().await.namespace("foreign").await;
    place.wrap(json!({})).await;
    place.has_names(&["placeholder"]).await;
    let theirs = json!({ "name": "theirs", "port": 9999, "protocol": "TCP", "allowedRoutes": { "namespaces": { "from": "Same" } } });
    place.listener_of_somebody(&theirs).await;
    for round in 0..10 {
        let host = format!("r{round}.example.com");
        place.http("web", &[&host]).await;
        let gateway = place.gateway_with("edge", "the change has arrived", |gateway| {
            listeners(gateway).iter().any(|listener| listener["hostname"] == host.as_str())
        });
        let gateway = gateway.await;
        assert!(listeners(&gateway).contains(&theirs), "{:#}", gateway.data["spec"]);
        assert_eq!(listeners(&gateway).len(), 2, "{:#}", gateway.data["spec"]);
    }
    place.status_with("those of others are counted", |status| status.listeners == 2).await;
}

#[tokio::test]
async fn a_gateway_that_was_there_before_is_left_alone_and_the_condition_says_why_and_how_to_adopt_it() {
    let place = World::shared().await.namespace("before").await;
    let before = place.gateway_of_somebody("theirs").await;
    place.wrap(json!({})).await;
    let status = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    assert_eq!(reason(&status, "Ready"), "GatewaySyncFailed");
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.contains(&format!("{GROUP}/adopt")), "{message}");
    let after = place.gateway("edge").await;
    assert_eq!(after.metadata.resource_version, before.metadata.resource_version);
}

#[tokio::test]
async fn a_field_that_the_served_gateway_crd_does_not_know_ends_in_a_condition_that_names_it() {
    let world = World::start(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }).await;
    let place = Arc::new(world).namespace("older").await;
    place.wrap(json!({ "tls": { "backend": { "clientCertificateRef": { "name": "client" } } } })).await;
    let status = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    assert_eq!(reason(&status, "Ready"), "GatewaySyncFailed");
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.contains(".spec.tls"), "{message}");
    place.wrap(json!({})).await;
    place.is_ready().await;
}

#[tokio::test]
async fn labels_and_annotations_are_copied_and_the_bookkeeping_of_others_is_not() {
    let place = World::shared().await.namespace("labels").await;
    place
        .apply(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
            "metadata": {
                "name": "edge", "namespace": place.name,
                "labels": { "team": "edge", "app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "x" },
                "annotations": { "cert-manager.io/cluster-issuer": "ca", "meta.helm.sh/release-name": "x" },
            },
            "spec": { "gatewayClassName": "example" },
        }))
        .await;
    let gateway = place.has_names(&["placeholder"]).await;
    let labels = gateway.metadata.labels.clone().unwrap_or_default();
    assert_eq!(labels.get("team").map(String::as_str), Some("edge"));
    assert_eq!(labels.get("app.kubernetes.io/managed-by").map(String::as_str), Some("gateway-route-sync"));
    assert_eq!(labels.len(), 2, "{labels:?}");
    let annotations = gateway.metadata.annotations.clone().unwrap_or_default();
    assert_eq!(annotations.keys().map(String::as_str).collect::<Vec<_>>(), ["cert-manager.io/cluster-issuer"]);
    let owner = &gateway.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.controller), ("WrappedGateway", Some(true)));
    assert_eq!(names(&gateway), ["placeholder"]);
}
