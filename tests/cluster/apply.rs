use controlplane::{Channel, GatewayApi, Version};
use homelab_helper::controller::apply::Applied;
use homelab_helper::controller::error::Error;
use homelab_helper::planner::{Origin, Plan, PlannedListener};
use kube::api::{DeleteParams, DynamicObject};
use serde_json::json;

use super::desk::{Desk, listeners, rich_listeners, rich_spec, start};

#[tokio::test]
async fn every_field_that_can_be_wished_is_written_once_and_then_left_alone() {
    Desk::new(rich_spec()).await.is_written_once().await;
    Desk::new(json!({})).await.is_written_once().await;
    Desk::new(
        json!({ "infrastructure": {}, "addresses": [], "tls": { "frontend": { "default": {}, "perPort": [] } } }),
    )
    .await
    .is_written_once()
    .await;
}

#[tokio::test]
async fn each_change_of_a_wish_is_one_write() {
    let mut desk = Desk::new(rich_spec()).await;
    desk.is_written_once().await;
    for path in [
        "/addresses",
        "/infrastructure/labels",
        "/allowedListeners",
        "/tls/frontend/perPort",
        "/tls",
        "/infrastructure",
    ] {
        let mut spec = json!(desk.wrapped.spec);
        let (parent, field) = path.rsplit_once('/').unwrap();
        spec.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        desk.wrap(json!({}), spec).await;
        desk.is_written_once().await;
        assert_eq!(desk.gateway().await.data["spec"].pointer(path), None, "{path} is gone");
    }
    desk.wrap(json!({ "labels": { "a": "b" }, "annotations": { "c": "d" } }), json!({})).await;
    desk.is_written_once().await;
    desk.wrap(json!({}), json!({})).await;
    desk.is_written_once().await;
    let metadata = desk.gateway().await.metadata;
    assert_eq!(metadata.annotations, None);
    assert_eq!(metadata.labels.unwrap().len(), 1, "the label that says who manages it stays");
}

#[tokio::test]
async fn what_others_change_of_ours_is_changed_back() {
    let desk = Desk::new(rich_spec()).await;
    desk.is_written_once().await;
    let selector = json!({ "matchLabels": { "z": "z" } });
    let changes = [
        json!({ "spec": { "gatewayClassName": "other" } }),
        json!({ "spec": { "infrastructure": { "labels": { "example.com/tier": "other" } } } }),
        json!({ "spec": { "addresses": [{ "type": "IPAddress", "value": "192.0.2.1" }] } }),
        json!({ "spec": { "allowedListeners": { "namespaces": { "selector": selector } } } }),
        json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "other" } } }),
    ];
    for change in changes {
        desk.ledger.forget(&desk.key);
        desk.merge_as("meddler", change.clone()).await;
        let applied = desk.reconcile().await.expect("an apply");
        assert!(matches!(applied, Applied::Written(_)), "{change}: {applied:?}");
        desk.is_as_wished().await;
    }
}

#[tokio::test]
async fn what_others_add_beside_ours_stays_and_is_no_reason_to_write() {
    let desk = Desk::new(json!({ "infrastructure": { "labels": { "a": "b" } } })).await;
    desk.is_written_once().await;
    let theirs = json!({ "infrastructure": { "labels": { "c": "d" } } });
    desk.merge_as(
        "meddler",
        json!({ "metadata": { "labels": { "team": "x" }, "finalizers": ["example.com/x"] }, "spec": theirs }),
    )
    .await;
    desk.is_as_wished().await;
    assert_eq!(desk.gateway().await.data["spec"]["infrastructure"]["labels"]["c"], "d");
    desk.merge_as("meddler", json!({ "metadata": { "finalizers": null } })).await;
}

#[tokio::test]
async fn a_gateway_made_in_between_is_not_seized() {
    let desk = Desk::new(json!({})).await;
    assert!(desk.observe().await.is_none());
    let theirs = desk.create_foreign().await;
    let applied = desk.apply(None, &Plan::default()).await.expect("no error");
    assert!(matches!(applied, Applied::Outdated), "{applied:?}");
    assert_eq!(desk.gateway().await.metadata.resource_version, theirs.metadata.resource_version);
}

#[tokio::test]
async fn a_gateway_changed_in_between_is_observed_anew() {
    let mut desk = Desk::new(json!({})).await;
    desk.is_written_once().await;
    let stale = desk.observe().await;
    desk.merge_as("meddler", json!({ "metadata": { "labels": { "a": "b" } } })).await;
    let before = desk.gateway().await;
    desk.wrap(json!({}), json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    let applied = desk.apply(stale.as_ref(), &placeholder(&before)).await.expect("no error");
    assert!(matches!(applied, Applied::Outdated), "{applied:?}");
    assert_eq!(desk.gateway().await.metadata.resource_version, before.metadata.resource_version);
    desk.is_written_once().await;
}

#[tokio::test]
async fn a_gateway_that_went_or_was_replaced_in_between_is_observed_anew() {
    let mut desk = Desk::new(json!({})).await;
    desk.is_written_once().await;
    let (stale, before) = (desk.observe().await, desk.gateway().await);
    desk.wrap(json!({}), json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    desk.gateways().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    let applied = desk.apply(stale.as_ref(), &placeholder(&before)).await.expect("no error");
    assert!(matches!(applied, Applied::Outdated), "{applied:?}");
    assert!(desk.observe().await.is_none(), "it is not made anew from what was");

    desk.create_foreign().await;
    let applied = desk.apply(stale.as_ref(), &placeholder(&before)).await.expect("no error");
    assert!(matches!(applied, Applied::Outdated), "{applied:?}");
    assert_eq!(desk.gateway().await.data["spec"]["gatewayClassName"], "theirs");
}

/// The plan of a Gateway that stays as it is.
fn placeholder(gateway: &DynamicObject) -> Plan {
    let planned = |listener| PlannedListener { listener, origin: Origin::Placeholder };
    Plan { listeners: listeners(gateway).into_iter().map(planned).collect(), ..Plan::default() }
}

#[tokio::test]
async fn a_gateway_that_is_being_deleted_is_left_to_go() {
    let mut desk = Desk::new(json!({})).await;
    desk.is_written_once().await;
    desk.merge_as("meddler", json!({ "metadata": { "finalizers": ["example.com/x"] } })).await;
    desk.gateways().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    desk.wrap(json!({}), json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    assert!(matches!(desk.reconcile().await, Err(Error::Refused(why)) if why.contains("being deleted")));
    desk.merge_as("meddler", json!({ "metadata": { "finalizers": null } })).await;
    desk.is_written_once().await;
}

#[tokio::test]
async fn what_an_older_gateway_api_lacks_is_named_and_nothing_is_written() {
    let older = start(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }).await;
    let mut desk =
        Desk::on(&older, json!({ "tls": { "backend": { "clientCertificateRef": { "name": "client" } } } })).await;
    let refused = desk.reconcile().await.expect_err("a refusal");
    assert!(refused.is_permanent());
    assert!(refused.explain().contains("too old for .spec.tls,"), "{}", refused.explain());
    desk.wrap(json!({}), json!({ "addresses": [{ "value": "192.0.2.1" }], "listeners": rich_listeners() })).await;
    desk.is_written_once().await;
}
