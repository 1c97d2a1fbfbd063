use std::mem;
use std::time::{Duration, Instant};

use controlplane::{Harm, Program, eventually};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;

use super::stage::{ELECTED, Stage};
use crate::world::WITHIN;

const GATEWAYS: &str = "gateway.networking.k8s.io/gateways";
const LEASES: &str = "coordination.k8s.io/leases";

/// The Lease that is fought for.
pub async fn lease(stage: &Stage) -> LeaseSpec {
    let leases: Api<Lease> = Api::namespaced(stage.place.client.clone(), "kube-public");
    leases.get("elected").await.unwrap().spec.unwrap_or_default()
}

/// Whether it says that it leads.
pub async fn leads(controller: &Program) -> bool {
    let metrics = controller.metrics().await.expect("its metrics");
    let mut values = metrics.lines().filter_map(|line| line.strip_prefix("gateway_route_sync_leader "));
    values.next().expect("the metric") == "1"
}

pub async fn until_leading(controller: &Program) {
    eventually("it leads", WITHIN, async || if leads(controller).await { Ok(()) } else { Err("it does not") })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", controller.log()));
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
    let standby = stage.standby();
    standby.ready().await.unwrap();
    assert!(!leads(&standby).await);
    let first = lease(&stage).await;
    assert_eq!(first.lease_duration_seconds, Some(6));

    let fault = stage.fault("leader told to end (SIGTERM)");
    let told = Instant::now();
    assert!(mem::replace(&mut stage.controller, standby).terminate().unwrap().success());
    until_leading(&stage.controller).await;
    let took = told.elapsed();
    let of_pod = |spec: &LeaseSpec| spec.holder_identity.clone().filter(|identity| identity.starts_with("replica_"));
    let (first, second) = (of_pod(&first).expect("the pod's name"), of_pod(&lease(&stage).await).expect("the same"));
    assert_ne!(first, second, "each process has an identity of its own, of one pod too");
    stage.change().await;
    // The lease of a leader that is killed ends later, however busy the machine is.
    let within = stage.on_this_machine(Duration::from_secs(1)).await;
    stage.is_over(fault).await;
    println!("the next one led {took:?} after the signal");
    assert!(took < within, "{took:?}, and not within {within:?}");
}

#[tokio::test]
async fn a_leader_that_cannot_renew_ends_before_another_leads_and_its_last_apply_is_refused_however_late_it_comes() {
    let mut stage = Stage::set_with("lost", ELECTED).await;
    let standby = stage.standby();
    standby.ready().await.unwrap();

    let fault = stage.fault("lease lost in the middle of an apply");
    stage.proxy.harm(|asked| asked.is("APPLY", GATEWAYS), Harm::Hold);
    stage.change().await;
    stage.proxy.until_held(1).await;
    stage.proxy.harm(|asked| asked.resource == LEASES, Harm::HangUp);
    assert_eq!(exit_code(&mut stage.controller).await, Some(1));
    assert!(!leads(&standby).await, "the leader ends first");

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
    let standby = stage.standby();
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
