use serde_json::json;

use super::world::{World, condition, is, listeners, names, reason};

#[tokio::test]
async fn seventy_hostnames_give_64_listeners_and_6_rejections_and_the_first_64_stay() {
    let place = World::shared().await.namespace("seventy").await;
    place.wrap(json!({})).await;
    for batch in 0..7 {
        let hosts: Vec<_> = (0..10).map(|host| format!("h{batch}{host}.example.com")).collect();
        place.http(&format!("batch-{batch}"), &hosts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let full = place.gateway_with("edge", "it has 64 listeners", |gateway| listeners(gateway).len() == 64).await;
    let status = place.status_with("all seven routes are seen", |status| status.routes == 7).await;
    assert_eq!(reason(&status, "RoutesAccepted"), "RoutesRejected");
    assert_eq!(status.rejected_routes.len(), 6, "{:#?}", status.rejected_routes);
    assert!(status.rejected_routes.iter().all(|rejected| rejected.reason == "ListenerLimitReached"));

    place.http("later", &["later.example.com"]).await;
    let status = place.status_with("the later route is seen", |status| status.routes == 8).await;
    assert_eq!(status.rejected_routes.len(), 7);
    assert_eq!(names(&place.gateway("edge").await), names(&full), "the first 64 stay");
}

#[tokio::test]
async fn a_route_that_no_rule_can_serve_leaves_all_others_served() {
    let place = World::shared().await.namespace("greedy").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["https-443-www-example-com"]).await;
    let greedy = json!({ "parentRefs": [{ "name": "edge", "port": 443 }] });
    place.route("TCPRoute", "greedy", greedy).await;
    let status = place.status_with("it is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "PortConflict");
    assert!(is(&status, "Ready", "True"), "one bad route is not the Gateway's fault");
    place.http("more", &["more.example.com"]).await;
    place.has_names(&["https-443-www-example-com", "https-443-more-example-com"]).await;
}

#[tokio::test]
async fn a_hostname_belongs_to_the_namespace_that_has_it_first() {
    let world = World::shared().await;
    let (place, rival) = (world.namespace("owner").await, world.namespace("rival").await);
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    let before = place.has_names(&["https-443-www-example-com"]).await;
    let parents = json!([{ "name": "edge", "namespace": place.name, "port": 8443 }]);
    rival.http_to("web", &["www.example.com"], parents).await;
    let status = place.status_with("the rival is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "HostnameOwned");
    assert_eq!(place.listeners().await, listeners(&before));

    place.delete("HTTPRoute", "web").await;
    place.has_names(&["https-8443-www-example-com"]).await;
    let status = place.status_with("nobody is rejected", |status| status.rejected == 0).await;
    assert!(is(&status, "RoutesAccepted", "True"));
}

#[tokio::test]
async fn a_static_listener_that_no_data_plane_wants_is_refused_with_the_servers_own_words() {
    let place = World::shared().await.namespace("static").await;
    let twins = json!([
        { "name": "a", "port": 80, "protocol": "HTTP" },
        { "name": "b", "port": 80, "protocol": "HTTP" },
    ]);
    let wrapped = json!({
        "apiVersion": format!("{}/v1", super::world::GROUP), "kind": "WrappedGateway",
        "metadata": { "name": "edge", "namespace": place.name },
        "spec": { "gatewayClassName": "example", "listeners": twins },
    });
    let refused = place.world.cluster.apply([wrapped]).await.expect_err("twins are refused");
    let causes = std::iter::successors(Some(&refused as &dyn std::error::Error), |error| error.source());
    let text: Vec<_> = causes.map(ToString::to_string).collect();
    assert!(text.join(": ").contains("Combination of port, protocol and hostname must be unique"), "{text:?}");
}

#[tokio::test]
async fn a_template_that_admits_one_namespace_rejects_routes_of_others_until_it_is_widened() {
    let world = World::shared().await;
    let (place, guest) = (world.namespace("host").await, world.namespace("guest").await);
    place.wrap(json!({ "listenerTemplate": { "allowedRoutes": { "namespaces": { "from": "Same" } } } })).await;
    let parents = json!([{ "name": "edge", "namespace": place.name, "port": 443 }]);
    guest.http_to("web", &["guest.example.com"], parents).await;
    let status = place.status_with("the guest is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "NamespaceNotAllowed");
    assert!(condition(&status, "RoutesAccepted").unwrap().message.contains("guest"));
    place.wrap(json!({})).await;
    place.has_names(&["https-443-guest-example-com"]).await;
}
