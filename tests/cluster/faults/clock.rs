use std::mem;

use controlplane::{WallClock, eventually};
use k8s_openapi::jiff::Timestamp;

use super::leaders::{leads, lease, until_leading};
use super::stage::{ELECTED, Stage};
use crate::world::WITHIN;

const HOUR: i64 = 60 * 60;
/// So far from the time that a test goes by may be what the controller wrote a while ago.
const ABOUT: i64 = 5 * 60;

/// Waits until the Lease is renewed by a clock that is so many seconds ahead.
async fn until_renewed(stage: &Stage, ahead: i64) {
    eventually(&format!("the lease is renewed {ahead} seconds ahead"), WITHIN, async || {
        let renewed = lease(stage).await.renew_time.expect("a time").0;
        let found = renewed.as_second() - Timestamp::now().as_second();
        if (found - ahead).abs() < ABOUT { Ok(()) } else { Err(format!("{found} seconds ahead")) }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\nThe controller's log:\n{}", stage.controller.log()));
}

#[tokio::test]
async fn the_clock_is_stepped_an_hour_forward_and_back() {
    let Some(clock) = WallClock::find().unwrap() else {
        println!("skipped: no program can be given a clock of its own here; Debian's package libfaketime does that");
        return;
    };
    let elected = ELECTED.map(|(name, value)| (name, value.to_owned()));
    let mut stage = Stage::set_with("clock", elected.into_iter().chain(clock.environment())).await;
    // Its clock is right.
    let standby = stage.standby();
    standby.ready().await.unwrap();
    let first = lease(&stage).await;

    for (name, ahead) in [
        ("clock stepped an hour forward", HOUR),
        ("clock stepped two hours back", -HOUR),
        ("clock stepped an hour forward, and right again", 0),
    ] {
        let fault = stage.fault(name);
        clock.set(ahead).unwrap();
        stage.change().await;
        until_renewed(&stage, ahead).await;
        stage.change().await;
        stage.is_over(fault).await;
        let leaders = [leads(&stage.controller).await, leads(&standby).await];
        assert_eq!(leaders, [true, false], "{name}\n{}", stage.controller.log());
    }
    let last = lease(&stage).await;
    assert_eq!(last.holder_identity, first.holder_identity);
    assert_eq!(last.lease_transitions, first.lease_transitions, "the lease was never lost");

    // Whoever waits for the end of a lease goes by a steady clock too, and not by the times written on it.
    let fault = stage.fault("leader killed whose clock is an hour ahead");
    clock.set(HOUR).unwrap();
    until_renewed(&stage, HOUR).await;
    drop(mem::replace(&mut stage.controller, standby));
    until_leading(&stage.controller).await;
    stage.change().await;
    stage.is_over(fault).await;
}
