use std::mem;
use std::time::{Duration, Instant};

use controlplane::{Harm, Program, eventually};

use super::stage::{ELECTED, Stage};
use crate::world::WITHIN;

const GATEWAYS: &str = "gateway.networking.k8s.io/gateways";
const LEASES: &str = "coordination.k8s.io/leases";

async fn until_leading(controller: &Program) {
    eventually("it leads", WITHIN, async || {
        let metrics = controller.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("gateway_route_sync_leader 1") { Ok(()) } else { Err(String::from("it does not")) }
    })
    .await
    .unwrap();
}

/// Waits until it has ended by itself.
async fn exit_code(controller: &mut Program) -> Option<i32> {
    let ended = eventually("it has ended", WITHIN, || {
        let ended = controller.ended();
        async move {
            match ended {
                Ok(Some(status)) => Ok(status),
                other => Err(format!("{other:?}")),
            }
        }
    });
    ended.await.unwrap().code()
}

#[tokio::test]
async fn whoever_stands_by_is_ready_before_and_leads_within_a_second_after_the_leader_was_told_to_end() {
    let mut stage = Stage::set_with("succession", ELECTED).await;
    let standby = stage.another();
    standby.ready().await.unwrap();
    assert!(standby.metrics().await.unwrap().contains("gateway_route_sync_leader 0"));

    let fault = stage.fault("leader told to end (SIGTERM)");
    let told = Instant::now();
    assert!(mem::replace(&mut stage.controller, standby).terminate().unwrap().success());
    until_leading(&stage.controller).await;
    let took = told.elapsed();
    stage.change().await;
    stage.is_over(fault).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_leader_that_cannot_renew_ends_before_another_leads_and_its_last_apply_is_refused_however_late_it_comes() {
    let mut stage = Stage::set_with("lost", ELECTED).await;
    let standby = stage.another();
    standby.ready().await.unwrap();

    let fault = stage.fault("lease lost in the middle of an apply");
    stage.proxy.harm(|asked| asked.is("APPLY", GATEWAYS), Harm::Hold);
    stage.change().await;
    stage.proxy.until_held(1).await;
    stage.proxy.harm(|asked| asked.resource == LEASES, Harm::HangUp);
    assert_eq!(exit_code(&mut stage.controller).await, Some(1));
    assert!(standby.metrics().await.unwrap().contains("gateway_route_sync_leader 0"), "the leader ends first");

    until_leading(&standby).await;
    stage.controller = standby;
    stage.is_right_already().await;
    stage.proxy.heal();
    let late = |code: u16| {
        stage.proxy.forwarded().only(|key| key.verb == "APPLY" && key.resource == GATEWAYS && key.code == code).total()
    };
    eventually("the late apply is refused", WITHIN, async || if late(409) == 1 { Ok(()) } else { Err("not yet") })
        .await
        .unwrap();
    stage.is_over(fault).await;
}

#[tokio::test]
async fn a_leader_that_stood_still_longer_than_its_lease_writes_nothing_when_it_goes_on() {
    let mut stage = Stage::set_with("frozen", ELECTED).await;
    let standby = stage.another();
    standby.ready().await.unwrap();

    let fault = stage.fault("leader stopped (SIGSTOP) for longer than its lease");
    stage.controller.signal("STOP").unwrap();
    until_leading(&standby).await;
    stage.change().await;
    let mut frozen = mem::replace(&mut stage.controller, standby);
    stage.is_right_already().await;
    let before = stage.proxy.requests();
    frozen.signal("CONT").unwrap();
    assert_eq!(exit_code(&mut frozen).await, Some(1));
    let written = stage.proxy.requests().since(&before).writes().only(|key| key.code / 100 == 2);
    assert_eq!(written.total(), 0, "{written}");
    stage.is_over(fault).await;
}
