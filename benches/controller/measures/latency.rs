//! From the answer to a route's creation to the Gateway's watch event that has it, one change at a time.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cluster::Wanted;
use crate::figures::{Figures, add_times, millis, number};
use crate::measures::side::Side;
use crate::process::Process;

/// So many routes are added one after another before all of them go again at once: each takes one write and not two. So
/// the Gateway has at most half of this fewer or more listeners than it is said to have.
const BATCH: usize = 5;

/// Adds the times at about so many listeners, and what a change costs a process.
pub async fn at(
    side: &Side<'_>,
    listeners: usize,
    samples: usize,
    process: Option<&Process>,
    figures: &mut Figures,
) -> Outcome {
    let gateway = side.gateway(&format!("latency-{listeners}"));
    let base: Vec<Wanted> =
        (0..listeners - BATCH / 2).map(|number| Wanted::new(&gateway, number, &format!("host-{number}"))).collect();
    let keys = [gateway.clone()];
    side.make(&keys, &base).await?;
    let computed = process.map(Process::computed).transpose()?;
    let mut times = Vec::new();
    while times.len() < samples {
        let batch = (0..BATCH).map(|one| times.len() + one);
        let batch: Vec<_> = batch.map(|number| Wanted::new(&gateway, number, &format!("sample-{number}"))).collect();
        for route in &batch {
            times.push(one(side, route).await?);
        }
        side.cluster.delete(batch).await?;
        side.settle(&base).await?;
    }
    if let (Some(process), Some(before)) = (process, computed) {
        let changes = number(2 * times.len());
        figures.insert(
            format!("CPU for a change, {listeners} listeners"),
            millis(process.computed()?.saturating_sub(before)) / changes,
        );
    }
    add_times(figures, &format!("latency, {listeners} listeners"), times);
    side.clean(&keys, &base).await
}

async fn one(side: &Side<'_>, route: &Wanted) -> Outcome<Duration> {
    side.cluster.create_one(route).await?;
    let answered = Instant::now();
    let seen = side.cluster.gateways.until_host(&route.gateway, &route.host, true).await?;
    side.rest(seen).await;
    Ok(seen.saturating_duration_since(answered))
}
