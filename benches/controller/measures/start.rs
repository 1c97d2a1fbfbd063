//! From exec to all Gateways right, and what that costs.

use std::time::Duration;

use crate::Outcome;
use crate::args::{Size, Subject};
use crate::cluster::{Cluster, PLAIN, gateways, right, work};
use crate::figures::{Figures, millis, number};
use crate::process::Process;
use crate::{plain, seen::Key};

/// How long what follows a start may take: statuses, events, a look at its own writes.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// What a program is before there is anything to do.
pub async fn empty(cluster: &Cluster, subject: &Subject, figures: &mut Figures) -> Outcome {
    let size = std::fs::metadata(subject.executable())?.len();
    figures.insert("binary".to_owned(), number(size) / 1024.0 / 1024.0);
    let process = Process::start(subject, cluster.plane.kubeconfig()).await?;
    figures.insert("ready, empty cluster".to_owned(), millis(process.ready_after));
    tokio::time::sleep(AFTERWARDS).await;
    figures.insert("resident, empty cluster".to_owned(), process.resident()?);
    process.end()
}

/// A first start makes all Gateways; a second one finds nothing to do.
pub async fn full(cluster: &Cluster, subject: &Subject, size: Size, figures: &mut Figures) -> Outcome<Process> {
    let process = Process::start(subject, cluster.plane.kubeconfig()).await?;
    let at = cluster.gateways.until_right(&right(&work(size))).await?;
    figures.insert("start".to_owned(), millis(at.saturating_duration_since(process.started)));
    tokio::time::sleep(AFTERWARDS).await;
    figures.insert("start, CPU".to_owned(), millis(process.computed()?));
    process.end()?;

    let before = cluster.plane.requests().await?;
    let process = Process::start(subject, cluster.plane.kubeconfig()).await?;
    figures.insert("ready".to_owned(), millis(process.ready_after));
    tokio::time::sleep(AFTERWARDS).await;
    let requests = cluster.plane.requests().await?.since(&before);
    figures.insert("restart, writes".to_owned(), number(requests.writes().total()));
    let resident = process.resident()?;
    figures.insert("resident".to_owned(), resident);
    figures.insert("peak".to_owned(), process.peak()?);
    let empty = figures.get("resident, empty cluster").copied().unwrap_or_default();
    figures.insert("memory for a route".to_owned(), (resident - empty) * 1024.0 / number(size.total()));
    Ok(process)
}

/// The plain client's start. Its Gateways go again.
pub async fn plain(cluster: &Cluster, size: Size, figures: &mut Figures) -> Outcome {
    let plains = |key: &Key| (PLAIN.to_owned(), key.1.clone());
    let wanted = right(&work(size)).iter().map(|(key, hosts)| (plains(key), hosts.clone())).collect();
    figures.insert("start".to_owned(), millis(plain::start(cluster, &wanted).await?));
    cluster.gateways.until_right(&wanted).await?;
    cluster.unwrap(&gateways(PLAIN, size.gateways)).await
}
