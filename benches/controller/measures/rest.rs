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
    let seconds = number(usize::try_from(seconds)?);
    let total = |requests: &controlplane::Requests| usize::try_from(requests.total()).map(number);
    figures.insert("at rest, writes".to_owned(), total(&requests.writes())?);
    figures.insert("at rest, requests".to_owned(), total(&requests)?);
    figures.insert("at rest, CPU".to_owned(), millis(computed) / seconds);
    Ok(())
}
