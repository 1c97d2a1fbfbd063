use std::sync::Arc;
use std::time::Duration;

use controlplane::GatewayApi;
use serde_json::json;

use super::world::{World, condition, is};

/// How long nothing may be written.
const REST: Duration = Duration::from_secs(30);
/// The part of that in which a processor may work for the controller, even as it is built for tests.
const WORK: Duration = Duration::from_millis(300);
/// How long what nobody needed may come after a change.
const AFTERWARDS: Duration = Duration::from_secs(2);

#[tokio::test]
async fn nothing_is_written_or_listed_or_computed_while_nothing_changes_and_one_write_a_change() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    let place = world.namespace("quiet").await;
    place.wrap(json!({ "addresses": [{ "value": "192.0.2.1" }], "infrastructure": { "labels": { "a": "b" } } })).await;
    for name in ["a", "b", "c"] {
        place.http(name, &[&format!("{name}.example.com")]).await;
    }
    place.route("TCPRoute", "greedy", json!({ "parentRefs": [{ "name": "edge", "port": 443 }] })).await;
    place.status_with("all is settled", |status| status.routes == 4 && status.listeners == 3).await;

    let (before, worked) = (world.requests().await, world.processor_time().await);
    assert!(worked > Duration::ZERO, "it has worked before");
    // This waits for time to pass, not for a condition: that nothing happens in it is the condition.
    tokio::time::sleep(REST).await;
    let asked = world.requests().await.since(&before);
    let worked = world.processor_time().await.saturating_sub(worked);
    println!("a processor worked for {worked:?} in {REST:?}; the API server was asked for\n{asked}");
    let written = asked.writes();
    assert_eq!(written.total(), 0, "{written}");
    let listed = asked.only(|key| key.verb == "LIST");
    assert_eq!(listed.total(), 0, "{listed}");
    assert!(worked <= WORK, "{worked:?} in {REST:?}\n{}", world.log().await);

    let before = world.requests().await;
    place.http("d", &["d.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 5).await;
    tokio::time::sleep(AFTERWARDS).await;
    let asked = world.requests().await.since(&before);
    let read = asked.only(|key| key.verb == "GET" && key.resource == "gateway.networking.k8s.io/gateways");
    assert_eq!(read.total(), 0, "it is as it was written, and its own write is no reason to look again: {asked}");
    let written = asked.writes();
    let of = |resource: &str| written.of(resource).total();
    assert_eq!(of("gateway.networking.k8s.io/gateways"), 1, "{written}");
    assert_eq!(of("gateway-route-sync.homelab-helper.benfiola.com/wrappedgateways/status"), 1, "{written}");
    assert_eq!(of("gateway.networking.k8s.io/httproutes"), 1, "the test's own, and none of the controller: {written}");
}

#[tokio::test]
async fn conditions_flip_and_flip_back_with_their_times_and_generation() {
    let place = World::shared().await.namespace("flip").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    let first = place.status_with("the route is seen", |status| status.routes == 1).await;
    let time = |status: &_, type_: &str| condition(status, type_).unwrap().last_transition_time.0;

    place.http("bad", &["192.0.2.7"]).await;
    let second = place.status_with("a route is rejected", |status| is(status, "RoutesAccepted", "False")).await;
    assert!(time(&second, "RoutesAccepted") >= time(&first, "RoutesAccepted"));
    assert_eq!(time(&second, "Ready"), time(&first, "Ready"), "what does not flip keeps its time");

    place.delete("HTTPRoute", "bad").await;
    let third = place.status_with("all are accepted", |status| is(status, "RoutesAccepted", "True")).await;
    assert!(time(&third, "RoutesAccepted") >= time(&second, "RoutesAccepted"));

    // A template of which a part has to be left out makes Ready flip, at a generation of its own.
    let in_the_way = json!([{ "name": "plain", "port": 80, "protocol": "HTTP" }]);
    place.wrap(json!({ "httpsRedirect": true, "listeners": in_the_way })).await;
    let fourth = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    assert!(time(&fourth, "Ready") >= time(&third, "Ready"));
    assert_eq!(condition(&fourth, "Ready").unwrap().observed_generation, fourth.observed_generation);
    assert!(fourth.observed_generation > third.observed_generation);
    place.wrap(json!({})).await;
    let fifth = place.is_ready().await;
    assert!(fifth.observed_generation > fourth.observed_generation);
    assert!(time(&fifth, "Ready") >= time(&fourth, "Ready"));
}
