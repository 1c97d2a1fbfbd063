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
/// Routes that are added at an even pace, how often that is done, and the time between two of them.
const PACED: usize = 200;
const ROUNDS: usize = 3;
const PACE: Duration = Duration::from_millis(20);
/// Routes that are added at once.
const AT_ONCE: usize = 1_000;
/// How long a write that nobody needed may come after the others.
const AFTERWARDS: Duration = Duration::from_secs(2);

pub async fn paced_and_at_once(side: &Side<'_>, figures: &mut Figures) -> Outcome {
    let gateways: Vec<_> = (0..GATEWAYS).map(|number| side.gateway(&format!("burst-{number}"))).collect();
    let base = routes(&gateways, "base", BASE * GATEWAYS);
    side.make(&gateways, &base).await?;

    let further = routes(&gateways, "paced", PACED);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = tokio::time::Instant::now();
        let answers = (0..).zip(&further).map(|(number, route)| answer(side, route, began + PACE * number));
        for (route, answered) in try_join_all(answers).await? {
            let seen = side.cluster.gateways.until_host(&route.gateway, &route.host, true).await?;
            times.push(seen.saturating_duration_since(answered));
        }
        side.cluster.delete(further.clone()).await?;
        side.settle(&gateways, &base).await?;
        tokio::time::sleep(AFTERWARDS).await;
    }
    add_times(figures, "latency at 50 changes a second", times);

    let further = routes(&gateways, "burst", AT_ONCE);
    let all: Vec<_> = base.iter().chain(&further).cloned().collect();
    let (before, began) = (side.cluster.plane.requests().await?, Instant::now());
    side.cluster.create(further.clone()).await?;
    let created = began.elapsed();
    let right = side.settle(&gateways, &all).await?;
    tokio::time::sleep(AFTERWARDS).await;
    let applies = gateway_writes(&side.cluster.plane.requests().await?.since(&before));
    figures.insert("burst, created".to_owned(), millis(created));
    figures.insert("burst".to_owned(), millis(right.saturating_duration_since(began)));
    figures.insert("burst, applies for a Gateway".to_owned(), number(applies) / number(GATEWAYS));
    side.clean(&gateways, &all).await
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
async fn answer<'r>(side: &Side<'_>, route: &'r Wanted, at: tokio::time::Instant) -> Outcome<(&'r Wanted, Instant)> {
    tokio::time::sleep_until(at).await;
    side.cluster.create_one(route).await?;
    Ok((route, Instant::now()))
}
