use controlplane::eventually;
use homelab_helper::api::{WrappedGateway, annotation};
use homelab_helper::controller::apply::Applied;
use homelab_helper::controller::standing::Standing;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::desk::{Desk, ours_of, rich_listeners};
use super::world::{WITHIN, names};

#[tokio::test]
async fn listeners_of_others_survive_and_ours_go_when_nothing_asks_for_them() {
    let mut desk = Desk::new(json!({ "listeners": rich_listeners() })).await;
    desk.is_written_once().await;
    desk.apply_as(
        "kay",
        json!({ "gatewayClassName": "example", "listeners": [{ "name": "theirs", "port": 7000, "protocol": "TCP" }] }),
    )
    .await;
    desk.is_as_wished().await;
    desk.wrap(json!({}), json!({ "listeners": [rich_listeners()[1]] })).await;
    desk.is_written_once().await;
    assert_eq!(names(&desk.gateway().await), ["plain", "theirs"]);
}

#[tokio::test]
async fn a_listener_that_another_manager_holds_is_kept_and_the_rest_follows() {
    let mut desk = Desk::new(json!({ "listeners": rich_listeners() })).await;
    desk.is_written_once().await;
    let hold = json!({ "gatewayClassName": "example", "listeners": [{ "name": "plain", "port": 80, "protocol": "HTTP", "hostname": "h.example.com" }] });
    desk.apply_as("kay", hold).await;
    desk.wrap(json!({}), json!({ "listeners": [rich_listeners()[2]] })).await;
    assert!(matches!(desk.reconcile().await, Ok(Applied::Written(_))));
    assert_eq!(names(&desk.gateway().await), ["plain", "same"]);
    assert!(matches!(desk.reconcile().await, Ok(Applied::Unchanged(_))));
}

#[tokio::test]
async fn what_we_made_and_nobody_controls_is_owned_again() {
    let desk = Desk::new(json!({ "listeners": rich_listeners() })).await;
    desk.is_written_once().await;
    desk.merge_as("restore", json!({ "metadata": { "ownerReferences": null } })).await;
    let existing = desk.observe().await.unwrap();
    assert_eq!(existing.standing, Standing::Orphaned);
    assert_eq!(ours_of(&existing).len(), 5);
    assert!(matches!(desk.reconcile().await, Ok(Applied::Written(_))));
    assert_eq!(desk.observe().await.unwrap().standing, Standing::Controlled);
    desk.is_as_wished().await;
}

#[tokio::test]
async fn what_others_made_is_not_taken_over() {
    let desk = Desk::new(json!({})).await;
    let before = desk.create_foreign().await;
    let refused = desk.reconcile().await.expect_err("a refusal");
    assert!(refused.explain().contains(annotation::ADOPT), "{}", refused.explain());
    assert_eq!(desk.gateway().await.metadata.resource_version, before.metadata.resource_version);
}

#[tokio::test]
async fn what_is_handed_over_is_adopted_with_its_listeners_left_to_others() {
    let mut desk = Desk::new(json!({})).await;
    desk.create_foreign().await;
    let mut annotations = json!({});
    annotations[annotation::ADOPT] = json!("true");
    desk.wrap(json!({ "annotations": annotations }), json!({ "listeners": [rich_listeners()[1]] })).await;
    desk.is_written_once().await;
    let existing = desk.observe().await.unwrap();
    assert_eq!(existing.standing, Standing::Controlled);
    assert_eq!(ours_of(&existing), ["plain"]);
    assert_eq!(names(&desk.gateway().await), ["theirs", "plain"]);
    assert_eq!(desk.gateway().await.data["spec"]["gatewayClassName"], "example");
}

#[tokio::test]
async fn where_it_is_forgotten_who_owns_what_stale_listeners_of_ours_still_go() {
    let mut desk = Desk::new(json!({ "listeners": rich_listeners() })).await;
    desk.is_written_once().await;
    desk.merge_as("restore", json!({ "metadata": { "managedFields": [{}] } })).await;
    let existing = desk.observe().await.unwrap();
    assert_eq!(ours_of(&existing).len(), 5);
    desk.wrap(json!({}), json!({ "listeners": [rich_listeners()[1]] })).await;
    let claimed = desk.reconcile().await.expect("a claim");
    assert!(matches!(claimed, Applied::Outdated), "{claimed:?}");
    assert_eq!(desk.observe().await.unwrap().listeners.len(), 5, "a claim changes no listener");
    desk.is_written_once().await;
    assert_eq!(names(&desk.gateway().await), ["plain"]);
}

#[tokio::test]
async fn the_gateway_goes_with_its_wrapped_gateway() {
    let desk = Desk::new(json!({})).await;
    desk.is_written_once().await;
    let api: Api<WrappedGateway> = Api::namespaced(desk.client.clone(), &desk.key.namespace);
    api.delete("edge", &DeleteParams::default()).await.expect("a deletion");
    let gateways = desk.gateways();
    eventually("the Gateway is gone", WITHIN, async || match gateways.get_opt("edge").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
}
