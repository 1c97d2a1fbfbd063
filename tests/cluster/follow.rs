use serde_json::json;

use super::world::{World, is, listeners, names};

#[tokio::test]
async fn a_new_route_appears_in_its_gateway() {
    let place = World::shared().await.namespace("new").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com", "example.com"]).await;
    let gateway = place.has_hostnames(&["example.com", "www.example.com"]).await;
    let listener = &listeners(&gateway)[0];
    assert_eq!(listener["name"], "https-443-example-com");
    assert_eq!(listener["protocol"], "HTTPS");
    assert_eq!(listener["port"], 443);
    assert_eq!(listener["tls"]["certificateRefs"][0]["name"], "edge.https-443-example-com");
    let admitted = &listener["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"][0];
    assert_eq!(*admitted, json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": [place.name] }));
    let status = place.status_with("the route is reported", |status| status.routes == 1).await;
    assert_eq!((status.listeners, status.routes, status.rejected), (2, 1, 0));
    assert!(is(&status, "Ready", "True"));
}

#[tokio::test]
async fn a_changed_hostname_moves() {
    let place = World::shared().await.namespace("moved").await;
    place.wrap(json!({})).await;
    place.http("web", &["old.example.com"]).await;
    place.has_hostnames(&["old.example.com"]).await;
    place.http("web", &["new.example.com"]).await;
    place.has_hostnames(&["new.example.com"]).await;
}

#[tokio::test]
async fn a_removed_route_takes_its_listener_and_its_neighbours_stay_as_they_are() {
    let place = World::shared().await.namespace("removed").await;
    place.wrap(json!({})).await;
    for name in ["a", "b", "c"] {
        place.http(name, &[&format!("{name}.example.com")]).await;
        place
            .gateway_with("edge", "it has the listener", |gateway| {
                names(gateway).contains(&format!("https-443-{name}-example-com"))
            })
            .await;
    }
    let before = place.has_hostnames(&["a.example.com", "b.example.com", "c.example.com"]).await;
    place.delete("HTTPRoute", "b").await;
    let after = place.has_hostnames(&["a.example.com", "c.example.com"]).await;
    assert_eq!(listeners(&after)[0], listeners(&before)[0]);
    assert_eq!(listeners(&after)[1], listeners(&before)[2]);
    let generation = |gateway: &kube::api::DynamicObject| gateway.metadata.generation.unwrap_or_default();
    assert_eq!(generation(&after), generation(&before) + 1, "one removal is one change");
}

#[tokio::test]
async fn a_route_that_moves_changes_both_gateways() {
    let place = World::shared().await.namespace("between").await;
    place.wrap(json!({})).await;
    place.wrap_as("other", json!({})).await;
    place.http("web", &["www.example.com"]).await;
    place.has_hostnames(&["www.example.com"]).await;
    place.http_to("web", &["www.example.com"], json!([{ "name": "other", "port": 443 }])).await;
    place.has_names(&["placeholder"]).await;
    place.gateway_with("other", "the other has it", |gateway| names(gateway) == ["https-443-www-example-com"]).await;
}

#[tokio::test]
async fn the_last_route_leaves_and_the_gateway_stays_with_its_placeholder() {
    let place = World::shared().await.namespace("last").await;
    place.wrap(json!({})).await;
    let first = place.has_names(&["placeholder"]).await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["https-443-www-example-com"]).await;
    place.delete("HTTPRoute", "web").await;
    let last = place.has_names(&["placeholder"]).await;
    assert_eq!(last.metadata.uid, first.metadata.uid, "the same Gateway, with the same address");
}

#[tokio::test]
async fn a_route_deleted_while_the_controller_was_down_is_gone_when_it_is_back() {
    let world = std::sync::Arc::new(World::start(controlplane::GatewayApi::chosen()).await);
    let place = world.namespace("down").await;
    place.wrap(json!({})).await;
    place.http("stays", &["stays.example.com"]).await;
    place.http("goes", &["goes.example.com"]).await;
    place.gateway_with("edge", "both are there", |gateway| listeners(gateway).len() == 2).await;
    world.stop_controller().await;
    place.delete("HTTPRoute", "goes").await;
    place.http("comes", &["comes.example.com"]).await;
    world.start_controller().await;
    place.has_hostnames(&["stays.example.com", "comes.example.com"]).await;
}

#[tokio::test]
async fn deleting_the_wrapped_gateway_deletes_the_gateway() {
    let place = World::shared().await.namespace("deleted").await;
    place.wrap(json!({})).await;
    place.has_names(&["placeholder"]).await;
    place.wrapped().delete("edge", &kube::api::DeleteParams::default()).await.unwrap();
    controlplane::eventually("the Gateway is gone", super::world::WITHIN, async || {
        match place.gateways().get_opt("edge").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_change_of_the_template_reaches_the_gateway() {
    let place = World::shared().await.namespace("template").await;
    place.wrap(json!({})).await;
    place.http_to("web", &["www.example.com"], json!([{ "name": "edge" }])).await;
    place.has_names(&["https-443-www-example-com"]).await;
    place
        .wrap(json!({
            "addresses": [{ "value": "192.0.2.1" }],
            "infrastructure": { "labels": { "tier": "edge" } },
            "listenerTemplate": { "port": 8443, "tls": { "options": { "example.com/level": "modern" } } },
        }))
        .await;
    let gateway = place.has_names(&["https-8443-www-example-com"]).await;
    assert_eq!(gateway.data["spec"]["addresses"][0]["value"], "192.0.2.1");
    assert_eq!(gateway.data["spec"]["infrastructure"]["labels"]["tier"], "edge");
    assert_eq!(listeners(&gateway)[0]["tls"]["options"]["example.com/level"], "modern");
    place.wrap(json!({})).await;
    let gateway = place.has_names(&["https-443-www-example-com"]).await;
    assert!(gateway.data["spec"]["addresses"].is_null(), "what the template no longer says is gone");
}
