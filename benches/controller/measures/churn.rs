//! Thousands of changes: whether memory grows, and what a change costs when many come.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::cluster::{Cluster, Wanted, right, work};
use crate::figures::{Figures, millis, number};
use crate::measures::Scope;
use crate::process::Process;

/// How long what follows may take before memory is looked at.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Every change gives a route of the work another hostname.
pub async fn churn(cluster: &Cluster, process: &Process, scope: Scope<'_>, figures: &mut Figures) -> Outcome {
    let routes = work(scope.size);
    let rounds = (scope.args.changes / routes.len()).max(2);
    let (computed, began) = (process.computed()?, Instant::now());
    for round in 0..rounds {
        let changed: Vec<_> = routes.iter().map(|route| renamed(route, round)).collect();
        let change = async |route: Wanted| cluster.change(&route, json!({ "spec": route.asks() })).await;
        cluster.many(changed.clone(), change).await?;
        let half = round + 1 == rounds / 2;
        if half || round + 1 == rounds {
            cluster.gateways.until_right(&right(&changed)).await?;
            tokio::time::sleep(AFTERWARDS).await;
            let when = if half { "half of the changes" } else { "all changes" };
            figures.insert(format!("resident after {when}"), process.resident()?);
        }
    }
    let changes = number(rounds * routes.len());
    figures.insert("changes".to_owned(), changes);
    figures.insert("changes a second".to_owned(), changes / began.elapsed().as_secs_f64());
    figures.insert("peak after all changes".to_owned(), process.peak()?);
    figures.insert(
        "CPU for a change, many at once".to_owned(),
        millis(process.computed()?.saturating_sub(computed)) / changes,
    );
    Ok(())
}

/// The same route with the hostname that it has in a round.
fn renamed(route: &Wanted, round: usize) -> Wanted {
    Wanted { host: format!("round-{}.{}", round % 2, route.host), ..route.clone() }
}
