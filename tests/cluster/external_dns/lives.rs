use controlplane::{GatewayApi, eventually};
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::game::{FINALIZER, Game, own, shared};
use crate::world::{WITHIN, condition, is, names, reason};

#[tokio::test]
async fn of_two_wrapped_gateways_the_last_takes_the_names_with_it() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    place.wrap_as("other", json!({})).await;
    game.apply(Some("play.example.com"), &["edge", "other"]).await;
    let before = game.is_named("play.example.com").await;
    place.has_finalizers("edge", &[FINALIZER]).await;
    place.has_finalizers("other", &[FINALIZER]).await;

    place.delete_wrapped("edge").await;
    place.is_gone("edge").await;
    let after = game.is_named("play.example.com").await;
    assert_eq!(after.resource_version(), before.resource_version(), "nobody wrote it");

    place.delete_wrapped("other").await;
    place.is_gone("other").await;
    game.is_not_named().await;
    // What comes back brings the names back.
    place.wrap(json!({})).await;
    game.is_named("play.example.com").await;
}

#[tokio::test]
async fn finalizers_of_others_survive_and_keep_a_gateway_that_is_not_written_any_more() {
    let place = shared().await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    place.guard_wrapped(json!(["example.com/guard"])).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    place.has_finalizers("edge", &["example.com/guard", FINALIZER]).await;
    place.guard_wrapped(json!([FINALIZER, "example.com/guard", "example.com/other"])).await;

    place.delete_wrapped("edge").await;
    game.is_not_named().await;
    place.has_finalizers("edge", &["example.com/guard", "example.com/other"]).await;
    let before = place.gateway("edge").await;
    // Another Gateway follows this route, so that it is known when the controller has seen it.
    place.wrap_as("other", json!({})).await;
    place
        .http_to(
            "web",
            &["www.example.com"],
            json!([{ "name": "edge", "port": 443 }, { "name": "other", "port": 443 }]),
        )
        .await;
    place
        .gateway_with("other", "the route has arrived", |gateway| names(gateway) == ["https-443-www-example-com"])
        .await;
    assert_eq!(place.gateway("edge").await.resource_version(), before.resource_version());
    assert_eq!(place.finalizers_of("edge").await.unwrap(), ["example.com/guard", "example.com/other"]);

    place.guard_wrapped(json!([])).await;
    place.is_gone("edge").await;
}

#[tokio::test]
async fn what_was_missed_while_no_controller_ran_is_made_up_for() {
    let place = own(GatewayApi::chosen()).await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    let named = game.is_named("play.example.com").await;
    place.is_ready().await;

    // Nothing was missed: nothing is written.
    place.world.stop_controller().await;
    place.world.start_controller().await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["tcp-25565", "https-443-www-example-com"]).await;
    assert_eq!(game.get().await.resource_version(), named.resource_version());

    // The annotation is gone.
    place.world.stop_controller().await;
    game.apply(None, &["edge"]).await;
    place.world.start_controller().await;
    game.is_not_named().await;
    place.has_finalizers("edge", &[]).await;

    // The attachment is gone, and with it whoever could have had a reason to look at the route.
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    place.world.stop_controller().await;
    game.apply(Some("play.example.com"), &["elsewhere"]).await;
    place.world.start_controller().await;
    game.is_not_named().await;

    // The WrappedGateway is gone by force.
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    place.world.stop_controller().await;
    place.guard_wrapped(json!([])).await;
    place.delete_wrapped("edge").await;
    place.is_gone("edge").await;
    place.world.start_controller().await;
    game.is_not_named().await;
}

#[tokio::test]
async fn the_finalizer_waits_for_the_controller_and_only_where_there_are_names() {
    let place = own(GatewayApi::chosen()).await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    place.wrap_as("plain", json!({})).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    let spec = json!({ "parentRefs": [{ "name": "plain", "port": 9000 }] });
    place.route("TCPRoute", "nameless", spec).await;
    game.is_named("play.example.com").await;
    place.gateway_with("plain", "it is there", |gateway| names(gateway) == ["tcp-9000"]).await;

    place.world.stop_controller().await;
    place.delete_wrapped("plain").await;
    place.is_gone("plain").await;
    place.delete_wrapped("edge").await;
    assert_eq!(place.finalizers_of("edge").await.unwrap(), [FINALIZER]);
    place.world.start_controller().await;
    place.is_gone("edge").await;
    game.is_not_named().await;
}

#[tokio::test]
async fn a_wrapped_gateway_that_has_to_stay_says_why() {
    let place = own(GatewayApi::chosen()).await;
    let game = Game::tcp(&place);
    place.wrap(json!({})).await;
    game.apply(Some("play.example.com"), &["edge"]).await;
    game.is_named("play.example.com").await;
    place.is_ready().await;
    // Somebody's policy forbids every change of the route.
    let policy = json!({ "name": "frozen" });
    place
        .apply(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": policy,
            "spec": {
                "matchConstraints": { "resourceRules": [{
                    "apiGroups": ["gateway.networking.k8s.io"], "apiVersions": ["*"], "operations": ["UPDATE"],
                    "resources": ["tcproutes"],
                }] },
                "validations": [{ "expression": "false", "message": "The season is over." }],
            },
        }))
        .await;
    place
        .apply(json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": policy, "spec": { "policyName": "frozen", "validationActions": ["Deny"] },
        }))
        .await;
    eventually("the policy is in force", WITHIN, async || match game.try_note("x").await {
        Err(_) => Ok(()),
        Ok(()) => Err("the route can be changed"),
    })
    .await
    .unwrap();

    place.delete_wrapped("edge").await;
    let status = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    assert_eq!(reason(&status, "Ready"), "FinalizerFailed");
    let message = &condition(&status, "Ready").unwrap().message;
    let route = format!("TCPRoute {}/game", place.name);
    assert!(message.contains(&route) && message.contains("The season is over."), "{message}");

    let bindings: Api<DynamicObject> = Api::all_with(
        place.client.clone(),
        &ApiResource::from_gvk(&GroupVersionKind::gvk(
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingAdmissionPolicyBinding",
        )),
    );
    bindings.delete("frozen", &DeleteParams::default()).await.expect("a deletion");
    // What only a change can mend is tried again after a change.
    eventually("the policy is lifted", WITHIN, async || game.try_note("y").await).await.unwrap();
    let change = json!({ "metadata": { "annotations": { "example.com/note": "x" } } });
    place.wrapped().patch("edge", &PatchParams::default(), &Patch::Merge(&change)).await.expect("an edit");
    place.is_gone("edge").await;
    game.is_not_named().await;
}
