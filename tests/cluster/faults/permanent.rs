use std::time::Duration;

use controlplane::Harm;
use homelab_helper::api::WrappedGatewayStatus;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::stage::Stage;
use crate::chart::granted;
use crate::world::{Place, condition, is, reason};

const GATEWAYS: &str = "gateway.networking.k8s.io/gateways";

/// A while in which what is not permanent would be tried four times.
const A_WHILE: Duration = Duration::from_secs(9);

/// Waits until the status says so, and then asserts that it is tried seldom, and said once by each: condition, event,
/// metric and log.
async fn is_said_once(stage: &Stage, place: &Place, because: &str) {
    let says = |status: &WrappedGatewayStatus| {
        is(status, "Ready", "False") && condition(status, "Ready").is_some_and(|ready| ready.message.contains(because))
    };
    let status = place.status_with(&format!("the status says: {because}"), says).await;
    assert_eq!(reason(&status, "Ready"), "GatewaySyncFailed");
    let attempts =
        || stage.proxy.requests().only(|key| key.verb == "APPLY" && key.resource == GATEWAYS && key.code >= 400);
    let before = attempts();
    sleep(A_WHILE).await;
    // One more may have been under way for the other route of the change.
    assert!(attempts().since(&before).total() <= 1, "it is tried seldom");

    let events: Api<Event> = Api::namespaced(place.client.clone(), &place.name);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let said = events.iter().filter(|event| event.note.as_ref().is_some_and(|note| note.contains(because)));
    let counts: Vec<_> = said.map(|event| event.series.as_ref().map_or(1, |series| series.count)).collect();
    assert_eq!(counts, [1], "{events:#?}");
    let log = stage.controller.log();
    let logged = log.lines().filter(|line| line.contains("WARN") && line.contains(because)).count();
    assert_eq!(logged, 1, "{log}");
    let metrics = stage.controller.metrics().await.unwrap();
    let counted = r#"controller="wrapped_gateway",reason="GatewaySyncFailed",result="error"} "#;
    assert!(metrics.contains(counted), "{metrics}");
}

/// A policy of the cluster, in CEL, that refuses the Gateways of a namespace.
fn policy(place: &Place) -> [Value; 2] {
    let rule = json!({ "apiGroups": ["gateway.networking.k8s.io"], "apiVersions": ["*"], "resources": ["gateways"], "operations": ["CREATE", "UPDATE"] });
    let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": place.name } });
    [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": { "name": place.name },
            "spec": {
                "matchConstraints": { "resourceRules": [rule] },
                "validations": [{ "expression": "!object.spec.listeners.exists(l, has(l.hostname) && l.hostname == 'new-1.example.com')", "message": "this name is reserved" }],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": place.name },
            "spec": { "policyName": place.name, "validationActions": ["Deny"], "matchResources": { "namespaceSelector": selector } },
        }),
    ]
}

#[tokio::test]
async fn what_a_rule_in_cel_refuses_is_said_once_and_tried_seldom_until_something_changes() {
    let mut stage = Stage::set("cel").await;
    for object in policy(&stage.place) {
        stage.place.apply(object).await;
    }
    // A policy is in force a moment after it was made.
    let gateways = stage.place.gateways();
    controlplane::eventually("the policy is in force", Duration::from_mins(1), async || {
        let dry = kube::api::PatchParams::apply("test").dry_run().force();
        let listener = json!({ "name": "x", "port": 1, "protocol": "HTTPS", "hostname": "new-1.example.com", "tls": { "certificateRefs": [{ "name": "x" }] } });
        let object = json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": "edge" }, "spec": { "gatewayClassName": "example", "listeners": [listener] } });
        match gateways.patch("edge", &dry, &kube::api::Patch::Apply(object)).await {
            Err(error) => Ok(error),
            Ok(_) => Err("not yet"),
        }
    })
    .await
    .unwrap();
    let fault = stage.fault("Gateway refused by a rule in CEL");
    stage.change().await;
    is_said_once(&stage, &stage.place, "this name is reserved").await;
    stage.change().await;
    stage.is_over(fault).await;
    stage.place.is_ready().await;
}

#[tokio::test]
async fn what_is_forbidden_is_said_once_and_tried_seldom() {
    let mut stage = Stage::set_as("forbidden", async |place| {
        granted::grant(place, &granted::rules()).await;
        json!({ "token": place.world.cluster.service_account_token(&place.name, "controller").await.unwrap() })
    })
    .await;
    let mut rules = granted::rules();
    for rule in rules.iter_mut().filter(|rule| rule["resources"][0] == "gateways") {
        rule["verbs"] = json!(["get", "list", "watch", "create"]);
    }
    let fault = stage.fault("RBAC to write Gateways taken away");
    granted::grant(&stage.place, &rules).await;
    stage.change().await;
    is_said_once(&stage, &stage.place, "cannot patch resource").await;
    granted::grant(&stage.place, &granted::rules()).await;
    stage.change().await;
    stage.is_over(fault).await;
}

#[tokio::test]
async fn one_gateway_that_cannot_be_written_does_not_slow_another() {
    let mut stage = Stage::set("beside").await;
    let ill = stage.place.world.namespace("ill").await;
    let namespace = ill.name.clone();
    stage.proxy.harm(
        move |asked| asked.is("APPLY", GATEWAYS) && asked.namespace.as_ref() == Some(&namespace),
        Harm::Refuse { code: 500, retry_after: None },
    );
    ill.wrap(json!({})).await;
    ill.http("web", &["ill.example.com"]).await;
    let failing = |status: &WrappedGatewayStatus| is(status, "Ready", "False");
    ill.status_with("it cannot be written", failing).await;
    for _ in 0..5 {
        let fault = stage.fault("another Gateway cannot be written");
        stage.change().await;
        stage.is_over(fault).await;
    }
    stage.proxy.heal();
    ill.has_names(&["https-443-ill-example-com"]).await;
}
