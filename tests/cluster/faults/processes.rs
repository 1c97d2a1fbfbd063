use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use tokio::time::sleep;

use super::stage::Stage;

#[tokio::test]
async fn the_api_server_is_killed_and_started_again() {
    let mut stage = Stage::set("crash").await;
    let world = std::sync::Arc::clone(&stage.place.world);
    let fault = stage.fault("API server killed, and started again");
    stage.change().await;
    world.cluster.stop_apiserver();
    sleep(Duration::from_secs(10)).await;
    world.cluster.start_apiserver().await.unwrap();
    stage.change().await;
    stage.is_over(fault).await;
}

#[tokio::test]
async fn etcd_stands_still_for_twenty_seconds() {
    let mut stage = Stage::set("still").await;
    let world = std::sync::Arc::clone(&stage.place.world);
    let fault = stage.fault("etcd stopped for 20 s");
    stage.change().await;
    world.cluster.pause_etcd().unwrap();
    // What is established may go on; whoever begins anew waits for etcd.
    stage.proxy.cut();
    sleep(Duration::from_secs(20)).await;
    world.cluster.resume_etcd().unwrap();
    stage.is_over(fault).await;
}

#[tokio::test]
async fn the_controller_is_killed_at_twenty_random_moments_during_a_hundred_changes() {
    let mut stage = Stage::set("killed").await;
    let fault = stage.fault("kill -9, twenty times during 100 changes");
    for _ in 0..20 {
        for _ in 0..5 {
            stage.change().await;
            sleep(Duration::from_millis(RandomState::new().hash_one(()) % 200)).await;
        }
        stage.kill_controller();
    }
    stage.is_over(fault).await;
}
