use std::time::Duration;

use controlplane::{Asked, Harm};
use serde_json::json;
use tokio::time::sleep;

use super::stage::Stage;
use crate::world::{condition, is, reason};

const GATEWAYS: &str = "gateway.networking.k8s.io/gateways";

/// How long a fault lasts that is not over at once.
const A_WHILE: Duration = Duration::from_secs(11);

/// Everything comes to harm for a while, the watches that are established too.
async fn harmed(word: &str, name: &'static str, harm: Harm) {
    let mut stage = Stage::set(word).await;
    let fault = stage.fault(name);
    stage.proxy.harm(|_| true, harm);
    stage.proxy.cut();
    stage.change().await;
    sleep(A_WHILE).await;
    stage.proxy.heal();
    stage.is_over(fault).await;
}

#[tokio::test]
async fn every_request_is_answered_with_429_and_retry_after() {
    harmed("busy", "429 with Retry-After: 2", Harm::Refuse { code: 429, retry_after: Some(2) }).await;
}

#[tokio::test]
async fn every_request_is_answered_with_500() {
    harmed("broken", "500", Harm::Refuse { code: 500, retry_after: None }).await;
}

#[tokio::test]
async fn every_request_is_answered_with_503() {
    harmed("unavailable", "503", Harm::Refuse { code: 503, retry_after: None }).await;
}

#[tokio::test]
async fn every_connection_ends_without_an_answer() {
    harmed("silent", "no answer", Harm::HangUp).await;
}

#[tokio::test]
async fn answers_that_come_ten_seconds_late_are_waited_for() {
    let mut stage = Stage::set("late").await;
    let fault = stage.fault("answers delayed by 10 s");
    stage.proxy.harm(|_| true, Harm::Delay(Duration::from_secs(10)));
    stage.change().await;
    stage.is_right_already().await;
    stage.proxy.heal();
    stage.change().await;
    stage.is_over(fault).await;
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_and_said_and_holds_up_no_other_gateway() {
    let mut stage = Stage::set("never").await;
    let ill = stage.place.world.namespace("ill").await;
    ill.wrap(json!({})).await;
    ill.is_ready().await;
    let fault = stage.fault("requests for one Gateway never answered");
    let namespace = ill.name.clone();
    let is_ill = move |asked: &Asked| asked.resource == GATEWAYS && asked.namespace.as_ref() == Some(&namespace);
    stage.proxy.harm(is_ill, Harm::Delay(Duration::from_hours(1)));
    ill.http("web", &["ill.example.com"]).await;
    stage.change().await;
    stage.is_right_already().await;
    let said = ill.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    // It was written a moment ago, so that it is not read first.
    assert_eq!(reason(&said, "Ready"), "GatewaySyncFailed");
    let message = &condition(&said, "Ready").expect("the condition").message;
    assert!(message.contains("within 30 s"), "{message}");
    stage.proxy.heal();
    ill.has_names(&["https-443-ill-example-com"]).await;
    stage.is_over(fault).await;
}

#[tokio::test]
async fn a_list_that_is_cut_in_the_middle_takes_nothing_away() {
    let mut stage = Stage::set("half").await;
    let fault = stage.fault("lists cut in the middle");
    stage.proxy.harm(|asked| asked.verb == "LIST", Harm::Half);
    // The one that runs has to list anew, and so has one that starts.
    stage.proxy.expire_watches();
    sleep(A_WHILE / 5).await;
    stage.kill_controller();
    stage.change().await;
    sleep(A_WHILE / 5).await;
    stage.proxy.heal();
    stage.is_over(fault).await;
}
