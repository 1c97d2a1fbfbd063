use controlplane::{Channel, GatewayApi, Version};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::json;

use super::game::{FINALIZER, Game, NEW, OLD, own, shared};
use crate::world::GROUP;

#[tokio::test]
async fn a_name_comes_changes_and_goes_with_its_annotation_and_the_finalizer_with_it() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(None, &["edge"]).await;
    place.has_names(&["tcp-25565"]).await;
    place.has_finalizers("edge", &[]).await;

    game.apply(Some("play.example.com"), &["edge"]).await;
    let named = game.is_named("play.example.com").await;
    assert_eq!(place.finalizers_of("edge").await.unwrap(), [FINALIZER]);
    assert!(named.finalizers().is_empty() && named.labels().is_empty());
    let managers: Vec<_> = named.managed_fields().iter().filter_map(|entry| entry.manager.as_deref()).collect();
    for prefix in ["external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io"] {
        assert!(managers.contains(&format!("gateway-route-sync/{prefix}").as_str()), "{managers:?}");
    }

    game.apply(Some("b.example.com , a.example.com, *.play.example.com,a.example.com"), &["edge"]).await;
    game.is_named("b.example.com,a.example.com,*.play.example.com").await;

    game.apply(None, &["edge"]).await;
    let bare = game.is_not_named().await;
    place.has_finalizers("edge", &[]).await;
    assert!(
        !bare
            .managed_fields()
            .iter()
            .any(|entry| entry.manager.as_deref().is_some_and(|manager| manager.contains('/')))
    );
    place.is_ready().await;
}

async fn named_at(gateway_api: GatewayApi, version: &'static str) {
    let place = own(gateway_api).await;
    place.wrap(json!({})).await;
    for kind in ["TCPRoute", "UDPRoute"] {
        let game = Game { place: &place, kind, version };
        game.apply(Some("play.example.com"), &["edge"]).await;
        game.is_named("play.example.com").await;
    }
    place.has_names(&["tcp-25565", "udp-25565"]).await;
    place.delete_wrapped("edge").await;
    place.is_gone("edge").await;
    for kind in ["TCPRoute", "UDPRoute"] {
        Game { place: &place, kind, version }.is_not_named().await;
    }
}

#[tokio::test]
async fn tcp_and_udp_routes_of_the_newest_standard_channel_are_named() {
    named_at(GatewayApi { version: Version::V1_7_0, channel: Channel::Standard }, "v1").await;
}

#[tokio::test]
async fn tcp_and_udp_routes_of_an_experimental_channel_that_external_dns_reads_are_named() {
    named_at(GatewayApi { version: Version::V1_5_1, channel: Channel::Experimental }, "v1alpha2").await;
}

#[tokio::test]
async fn what_someone_else_set_stays_and_is_told_once() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(None, &["edge"]).await;
    game.edit(json!({ NEW: "theirs.example.com" })).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    let route = game.has(Some("play.example.com"), Some("theirs.example.com")).await;
    let told = place.is_told("ExternalDnsConflict", 1).await;
    for words in ["`theirs.example.com`", "`somebody`", "`play.example.com`", &format!("tcproutes game {NEW}-")] {
        assert!(told[0].contains(words), "{told:?}");
    }

    // Whatever makes the controller look again, nothing is written and nothing is said again.
    game.edit(json!({ "example.com/note": "x" })).await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["tcp-25565", "https-443-www-example-com"]).await;
    place.status_with("all is settled", |status| status.routes == 2).await;
    place.is_told("ExternalDnsConflict", 1).await;
    let ours = |route: &DynamicObject| {
        let entries = route.managed_fields().iter();
        entries.filter(|entry| entry.manager.as_deref().is_some_and(|manager| manager.contains('/'))).count()
    };
    assert_eq!((ours(&route), ours(&game.get().await)), (1, 1));

    // The way out that the event names.
    game.edit(json!({ NEW: null })).await;
    game.is_named("play.example.com").await;
    // Whoever changes ours later keeps it, and it is told; the same value is no reason to say anything.
    game.edit(json!({ OLD: "later.example.com" })).await;
    place.is_told("ExternalDnsConflict", 2).await;
    game.edit(json!({ OLD: "play.example.com" })).await;
    game.apply(None, &["edge"]).await;
    game.has(Some("play.example.com"), None).await;
    place.has_finalizers("edge", &[]).await;
    place.is_told("ExternalDnsConflict", 2).await;
}

#[tokio::test]
async fn an_annotation_that_is_no_list_of_names_changes_nothing_and_an_empty_one_names_nothing() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(Some("not a name"), &["edge"]).await;
    assert!(place.is_told("InvalidDnsName", 1).await[0].contains("`not a name` is no DNS name"));
    game.is_not_named().await;
    assert_eq!(place.finalizers_of("edge").await.unwrap(), [""; 0]);

    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    game.apply(Some("play.example.com, 192.0.2.7"), &["edge"]).await;
    place.is_told("InvalidDnsName", 2).await;
    game.is_named("play.example.com").await;
    place.has_finalizers("edge", &[FINALIZER]).await;

    game.apply(Some(""), &["edge"]).await;
    place.is_told("InvalidDnsName", 3).await;
    game.is_not_named().await;
    place.has_finalizers("edge", &[]).await;
}

#[tokio::test]
async fn the_names_go_with_the_attachment_and_the_finalizer_with_the_route() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    game.apply(Some("play.example.com"), &["elsewhere"]).await;
    game.is_not_named().await;
    place.has_finalizers("edge", &[]).await;

    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    game.edit(json!({ format!("{GROUP}/ignore"): "true" })).await;
    game.is_not_named().await;
    game.edit(json!({ format!("{GROUP}/ignore"): null })).await;
    game.is_named("play.example.com").await;
    place.has_finalizers("edge", &[FINALIZER]).await;
    place.delete("TCPRoute", "game").await;
    place.has_finalizers("edge", &[]).await;
    place.has_names(&["placeholder"]).await;
}

#[tokio::test]
async fn a_route_that_gets_no_listener_is_named_all_the_same() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({ "listeners": [{ "name": "web", "port": 25565, "protocol": "HTTP" }] })).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    place.status_with("the route is rejected", |status| status.rejected == 1).await;
    game.is_named("play.example.com").await;
}

#[tokio::test]
async fn names_need_no_rights_but_those_that_the_chart_gives() {
    let place = own(GatewayApi::chosen()).await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    game.edit(json!({ NEW: "theirs.example.com" })).await;
    place.is_told("ExternalDnsConflict", 1).await;
    place.is_ready().await;
    place.delete_wrapped("edge").await;
    place.is_gone("edge").await;
    game.has(None, Some("theirs.example.com")).await;
    let log = place.world.log().await;
    assert!(!log.contains("forbidden"), "{log}");
}

#[tokio::test]
async fn nothing_is_written_at_rest_and_a_new_name_costs_four_writes() {
    let place = own(GatewayApi::chosen()).await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(None, &["edge"]).await;
    place.status_with("all is settled", |status| status.routes == 1 && status.listeners == 1).await;

    let before = place.world.requests().await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    // What the controller does to what it has written itself is over when it has seen a later change.
    place.http("web", &["www.example.com"]).await;
    place.status_with("the later change is told", |status| status.routes == 2).await;
    let written = place.world.requests().await.since(&before).writes();
    let of = |resource: &str| written.of(resource).total();
    assert_eq!(of("gateway.networking.k8s.io/tcproutes"), 3, "the author's own, and one a prefix: {written}");
    let wrapped = "gateway-route-sync.homelab-helper.benfiola.com/wrappedgateways";
    assert_eq!(of(wrapped) - of(&format!("{wrapped}/status")), 1, "{written}");

    game.edit(json!({ NEW: "theirs.example.com" })).await;
    place.is_told("ExternalDnsConflict", 1).await;
    let before = place.world.requests().await;
    // This waits for time to pass, not for a condition: that nothing happens in it is the condition.
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    let written = place.world.requests().await.since(&before).writes();
    assert_eq!(written.total(), 0, "{written}");
}
