//! Many routes of many Gateways: at an even pace, and all at once.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use crate::Outcome;
use crate::cluster::Wanted;
use crate::figures::{Figures, add_times, millis, number};
use crate::measures::side::Side;
use crate::measures::writes::gateway_writes;
use crate::seen::Key;

const GATEWAYS: usize = 20;
/// Listeners that each of them has before.
const BASE: usize = 5;
/// Routes that are added at an even pace, and the time between two changes.
const PACED: usize = 200;
const PACE: Duration = Duration::from_millis(20);
/// How often that is done where all of them stay.
const ROUNDS: usize = 3;
/// Changes between that which adds a route and that which takes it away again. The next route of the same Gateway comes
/// later, and changes at even numbers add.
const STAY: u32 = 21;
/// Routes that are added at once.
const AT_ONCE: usize = 1_000;
/// How long a write that nobody needed may come after the others.
const AFTERWARDS: Duration = Duration::from_secs(2);

pub async fn paced_and_at_once(side: &Side<'_>, figures: &mut Figures) -> Outcome {
    let gateways: Vec<_> = (0..GATEWAYS).map(|number| side.gateway(&format!("burst-{number}"))).collect();
    let base = routes(&gateways, "base", BASE * GATEWAYS);
    side.make(&gateways, &base).await?;
    coming_and_going(side, &gateways, &base, figures).await?;
    coming(side, &gateways, &base, figures).await?;
    let all = at_once(side, &gateways, &base, figures).await?;
    side.clean(&gateways, &all).await
}

/// Every other change takes a route away, so that no Gateway ever has more than one listener more than before.
async fn coming_and_going(side: &Side<'_>, gateways: &[Key], base: &[Wanted], figures: &mut Figures) -> Outcome {
    let further = routes(gateways, "steady", PACED);
    let (served, began) = (side.cluster.plane.processor_time().await?, tokio::time::Instant::now());
    let passing = (0..).step_by(2).zip(&further).map(async |(number, route)| {
        let answered = create(side, route, began + PACE * number).await?;
        let seen = side.cluster.gateways.until_host(&route.gateway, &route.host, true).await?;
        tokio::time::sleep_until(began + PACE * (number + STAY)).await;
        side.cluster.delete_one(route).await?;
        Outcome::Ok(seen.saturating_duration_since(answered))
    });
    let times = try_join_all(passing).await?;
    side.settle(base).await?;
    let served = side.cluster.plane.processor_time().await?.saturating_sub(served);
    tokio::time::sleep(AFTERWARDS).await;
    figures.insert("API server's CPU for a change".to_owned(), millis(served) / number(2 * PACED));
    add_times(figures, "latency at 50 changes a second, 5 listeners", times);
    Ok(())
}

/// The routes stay, so that each Gateway grows by ten listeners.
async fn coming(side: &Side<'_>, gateways: &[Key], base: &[Wanted], figures: &mut Figures) -> Outcome {
    let further = routes(gateways, "paced", PACED);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = tokio::time::Instant::now();
        let creating = (0..).zip(&further).map(|(number, route)| create(side, route, began + PACE * number));
        for (route, answered) in further.iter().zip(try_join_all(creating).await?) {
            let seen = side.cluster.gateways.until_host(&route.gateway, &route.host, true).await?;
            times.push(seen.saturating_duration_since(answered));
        }
        side.cluster.delete(further.clone()).await?;
        side.settle(base).await?;
        tokio::time::sleep(AFTERWARDS).await;
    }
    add_times(figures, "latency at 50 changes a second, 5 to 15 listeners", times);
    Ok(())
}

/// Returns all routes that there are then.
async fn at_once(side: &Side<'_>, gateways: &[Key], base: &[Wanted], figures: &mut Figures) -> Outcome<Vec<Wanted>> {
    let further = routes(gateways, "burst", AT_ONCE);
    let all: Vec<_> = base.iter().chain(&further).cloned().collect();
    let (before, began) = (side.cluster.plane.requests().await?, Instant::now());
    side.cluster.create(further).await?;
    let created = began.elapsed();
    let right = side.settle(&all).await?;
    tokio::time::sleep(AFTERWARDS).await;
    let applies = gateway_writes(&side.cluster.plane.requests().await?.since(&before));
    figures.insert("burst, created".to_owned(), millis(created));
    figures.insert("burst".to_owned(), millis(right.saturating_duration_since(began)));
    figures.insert("burst, applies for a Gateway".to_owned(), number(applies) / number(GATEWAYS));
    Ok(all)
}

/// So many routes, evenly over the Gateways.
fn routes(gateways: &[Key], name: &str, count: usize) -> Vec<Wanted> {
    gateways
        .iter()
        .cycle()
        .take(count)
        .enumerate()
        .map(|(number, gateway)| Wanted::new(gateway, number / gateways.len(), &format!("{name}-{number}")))
        .collect()
}

/// Creates a route at its time; when that was answered.
async fn create(side: &Side<'_>, route: &Wanted, at: tokio::time::Instant) -> Outcome<Instant> {
    tokio::time::sleep_until(at).await;
    side.cluster.create_one(route).await?;
    Ok(Instant::now())
}
