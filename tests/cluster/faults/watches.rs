use std::time::Duration;

use controlplane::Harm;
use tokio::time::{interval, sleep};

use super::stage::Stage;

#[tokio::test]
async fn watches_are_cut_every_second_for_a_minute() {
    let mut stage = Stage::set("cut").await;
    let fault = stage.fault("watches cut every second for a minute");
    let mut seconds = interval(Duration::from_secs(1));
    for second in 0..60 {
        seconds.tick().await;
        stage.proxy.cut();
        if second % 10 == 5 {
            stage.change().await;
        }
    }
    stage.is_over(fault).await;
}

#[tokio::test]
async fn a_version_is_too_old_when_a_watch_starts() {
    let mut stage = Stage::set("expired").await;
    let fault = stage.fault("410 at the start of watches");
    stage.proxy.harm(|asked| asked.verb == "WATCH", Harm::Refuse { code: 410, retry_after: None });
    stage.proxy.cut();
    stage.change().await;
    sleep(Duration::from_secs(5)).await;
    stage.proxy.heal();
    stage.is_over(fault).await;
}

#[tokio::test]
async fn a_version_is_too_old_in_the_middle_of_a_watch() {
    let mut stage = Stage::set("expires").await;
    let fault = stage.fault("410 in the middle of watches, five times");
    for _ in 0..5 {
        stage.proxy.expire_watches();
        stage.change().await;
        sleep(Duration::from_secs(1)).await;
    }
    stage.is_over(fault).await;
}

#[tokio::test]
async fn one_kind_that_cannot_be_watched_holds_up_no_other() {
    let mut stage = Stage::set("one-kind").await;
    let fault = stage.fault("no watch of TCPRoutes");
    let tcp = |asked: &controlplane::Asked| asked.resource.ends_with("/tcproutes");
    stage.proxy.harm(tcp, Harm::HangUp);
    stage.proxy.cut();
    sleep(Duration::from_secs(2)).await;
    stage.change().await;
    stage.is_right_already().await;
    stage.proxy.heal();
    stage.is_over(fault).await;
}
