//! Whose Gateways are looked at: the program's, or the plain client's. Both get the same changes.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cluster::{Cluster, EDGE, PLAIN, Wanted, right};
use crate::plain::Plain;
use crate::seen::Key;

/// How long a report on a change is waited for, so that the next change is not measured beside it.
const REPORTED_WITHIN: Duration = Duration::from_millis(200);
/// How long a request of a client that was dropped may still be under way.
const IN_FLIGHT: Duration = Duration::from_secs(1);

pub struct Side<'a> {
    pub cluster: &'a Cluster,
    pub namespace: &'static str,
    plain: Mutex<Option<Plain>>,
}

impl<'a> Side<'a> {
    pub fn program(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: EDGE, plain: Mutex::default() }
    }

    /// The plain client works as long as this is there.
    pub fn plain(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: PLAIN, plain: Mutex::new(Some(Plain::start(&cluster.client))) }
    }

    pub fn gateway(&self, name: &str) -> Key {
        (self.namespace.to_owned(), name.to_owned())
    }

    /// Has Gateways made for these routes, and waits until they are right.
    pub async fn make(&self, gateways: &[Key], routes: &[Wanted]) -> Outcome {
        self.cluster.wrap(gateways).await?;
        self.cluster.create(routes.to_vec()).await?;
        self.settle(gateways, routes).await.map(drop)
    }

    /// Waits until these Gateways are right for these routes, and that has been reported; when they were right.
    pub async fn settle(&self, gateways: &[Key], routes: &[Wanted]) -> Outcome<Instant> {
        let at = self.cluster.gateways.until_right(&right(routes)).await?;
        for gateway in gateways {
            self.reported(gateway, at).await?;
        }
        Ok(at)
    }

    /// Waits until the Gateway's state since then is reported, where anybody reports.
    pub async fn reported(&self, gateway: &Key, since: Instant) -> Outcome {
        if self.namespace == PLAIN {
            return Ok(());
        }
        let left = REPORTED_WITHIN.saturating_sub(since.elapsed());
        self.cluster.reports.until_changed(gateway, since, left).await
    }

    /// Takes everything away again.
    pub async fn clean(&self, gateways: &[Key], routes: &[Wanted]) -> Outcome {
        // The plain client would make its Gateways again.
        let plain = self.plain.lock().map(|mut plain| plain.take()).unwrap_or_default();
        if plain.is_some() {
            drop(plain);
            tokio::time::sleep(IN_FLIGHT).await;
        }
        self.cluster.delete(routes.to_vec()).await?;
        self.cluster.unwrap(gateways).await
    }
}
