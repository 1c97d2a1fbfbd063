//! What a program does when there is nothing to do.

use std::time::Duration;

use crate::Outcome;
use crate::cluster::Cluster;
use crate::figures::{Figures, millis, number};
use crate::measures::writes::of_program;
use crate::process::Process;

pub async fn rest(cluster: &Cluster, process: &Process, seconds: u64, figures: &mut Figures) -> Outcome {
    let (before, computed) = (cluster.plane.requests().await?, process.computed()?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let computed = process.computed()?.saturating_sub(computed);
    let requests = of_program(cluster, &before, 0).await?;
    figures.insert("at rest, writes".to_owned(), number(requests.writes().total()));
    figures.insert("at rest, requests".to_owned(), number(requests.total()));
    figures.insert("at rest, CPU".to_owned(), millis(computed) / number(seconds));
    Ok(())
}
