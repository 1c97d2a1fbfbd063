use std::collections::BTreeMap;

use controlplane::eventually;
use homelab_helper::api::annotation;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::world::{GROUP, Place, WITHIN, World, is, listeners};

impl Place {
    async fn events_of(&self, name: &str) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let mut events = events.list(&ListParams::default()).await.expect("events").items;
        events.retain(|event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name));
        events
    }

    /// Waits until an object has these events, each as often as that, and none of those reasons more often. Events of other
    /// reasons do not count.
    pub async fn has_events(&self, name: &str, wanted: &[(&str, i32)]) {
        eventually(&format!("{name} has the events {wanted:?}"), WITHIN, async || {
            let mut said: BTreeMap<String, i32> = BTreeMap::new();
            for event in self.events_of(name).await {
                let count = event.series.as_ref().map_or(1, |series| series.count);
                *said.entry(event.reason.unwrap_or_default()).or_default() += count;
            }
            let as_wanted = wanted.iter().all(|(reason, count)| said.get(*reason).copied().unwrap_or(0) == *count);
            if as_wanted { Ok(()) } else { Err(format!("{said:?}")) }
        })
        .await
        .unwrap();
    }

    /// Waits until an event tells that listeners changed, in words that begin so.
    async fn listeners_are_told(&self, beginning: &str) {
        eventually("it is told", WITHIN, async || {
            let notes = self.notes("edge", "ListenersChanged").await;
            if notes.iter().any(|note| note.starts_with(beginning)) { Ok(()) } else { Err(format!("{notes:?}")) }
        })
        .await
        .unwrap();
    }

    /// What the events of that reason say, in the order of their words.
    async fn notes(&self, name: &str, reason: &str) -> Vec<String> {
        let events = self.events_of(name).await.into_iter().filter(|event| event.reason.as_deref() == Some(reason));
        let mut notes: Vec<_> = events.filter_map(|event| event.note).collect();
        notes.sort();
        notes
    }
}

#[tokio::test]
async fn what_came_and_what_went_is_told_once_for_each_change() {
    let place = World::shared().await.namespace("came").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    place.listeners_are_told("Listeners of the Gateway: added https-443-www-example-com").await;
    place.http("web", &["new.example.com"]).await;
    place.has_names(&["https-443-new-example-com"]).await;
    place.wrap(json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    place.is_ready().await;
    // An address is no listener.
    place
        .listeners_are_told(
            "Listeners of the Gateway: added https-443-new-example-com; removed https-443-www-example-com.",
        )
        .await;
    let told = place.notes("edge", "ListenersChanged").await.len();
    place.is_looked_at_again().await;
    let added = "Listeners of the Gateway: added https-443-another-example-com.".to_owned();
    eventually("the next change is told, and nothing else", WITHIN, async || {
        let notes = place.notes("edge", "ListenersChanged").await;
        if notes.len() == told + 1 && notes.contains(&added) { Ok(()) } else { Err(format!("{notes:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_failure_is_told_once_until_another_one_comes() {
    let place = World::shared().await.namespace("failed").await;
    place.gateway_of_somebody("theirs").await;
    place.wrap(json!({})).await;
    place.has_events("edge", &[("SyncFailed", 1)]).await;
    let notes = place.notes("edge", "SyncFailed").await;
    assert!(notes[0].starts_with("GatewaySyncFailed: A Gateway of this name exists"), "{notes:?}");
    // The same failure of another generation is no news.
    place.wrap(json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    place.status_with("it was looked at again", |status| is(status, "Ready", "False")).await;
    place.has_events("edge", &[("SyncFailed", 1), ("Adopted", 0)]).await;
}

#[tokio::test]
async fn a_gateway_that_was_there_is_adopted_with_its_listeners_and_that_is_told_once() {
    let place = World::shared().await.namespace("adopted").await;
    let before = place.gateway_of_somebody("example").await;
    place.http("web", &["www.example.com"]).await;
    place
        .apply(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
            "metadata": { "name": "edge", "namespace": place.name, "annotations": { annotation::ADOPT: "true" } },
            "spec": { "gatewayClassName": "example" },
        }))
        .await;
    let after = place.has_names(&["theirs", "https-443-www-example-com"]).await;
    assert_eq!(after.metadata.uid, before.metadata.uid, "it is the same Gateway");
    assert_eq!(listeners(&after)[0], listeners(&before)[0]);
    assert_eq!(after.metadata.owner_references.as_ref().map(|owners| owners[0].controller), Some(Some(true)));
    place.has_events("edge", &[("Adopted", 1), ("SyncFailed", 0)]).await;
    let note =
        "The Gateway was there before. It is controlled by this WrappedGateway now; its listener stays as it was.";
    assert_eq!(place.notes("edge", "Adopted").await, [note]);
    place.is_looked_at_again().await;
    place.has_events("edge", &[("Adopted", 1), ("ListenersChanged", 2)]).await;
}

#[tokio::test]
async fn each_warning_of_a_route_is_told_once_on_the_route() {
    let place = World::shared().await.namespace("warned").await;
    place.wrap(json!({})).await;
    let port = |port: u16| json!({ "parentRefs": [{ "name": "edge", "port": port }] });
    place.route("TCPRoute", "first", port(5432)).await;
    place.has_names(&["tcp-5432"]).await;
    place.route("TCPRoute", "second", port(5432)).await;
    place.has_events("second", &[("SharedPort", 1)]).await;

    place.http("exact", &["www.example.com"]).await;
    place.http_to("anywhere", &["any.example.com"], json!([{ "name": "edge" }])).await;
    place.http_to("elsewhere", &["any.example.com"], json!([{ "name": "edge", "port": 8443 }])).await;
    place.has_events("anywhere", &[("AmbiguousAttachment", 1)]).await;

    place.http("bad", &["192.0.2.7"]).await;
    place.has_events("bad", &[("ListenerRejected", 1)]).await;
    let note = place.notes("bad", "ListenerRejected").await;
    assert!(note[0].starts_with(&format!("Gateway {}/edge: InvalidHostname: ", place.name)), "{note:?}");

    place.is_looked_at_again().await;
    place.has_events("second", &[("SharedPort", 1)]).await;
    place.has_events("anywhere", &[("AmbiguousAttachment", 1)]).await;
    place.has_events("bad", &[("ListenerRejected", 1)]).await;
    place.has_events("exact", &[("ListenerRejected", 0), ("SharedPort", 0), ("AmbiguousAttachment", 0)]).await;
}
