//! Whose Gateways are looked at: the program's, or the plain client's. Both get the same changes.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use controlplane::Program;

use crate::Outcome;
use crate::cluster::{Cluster, EDGE, PLAIN, Wanted, right};
use crate::plain;
use crate::seen::Key;

/// From a change to the next one, so that this is not measured beside the report on that. The plain client reports nothing and
/// rests as long: an API server that rested needs a quarter more for the same write than one that writes without a pause.
const REST: Duration = Duration::from_millis(200);
/// How long a request of a client that was dropped may still be under way.
const IN_FLIGHT: Duration = Duration::from_secs(1);

pub struct Side<'a> {
    pub cluster: &'a Cluster,
    pub namespace: &'static str,
    plain: Mutex<Option<Program>>,
}

impl<'a> Side<'a> {
    pub fn program(cluster: &'a Cluster) -> Self {
        Self { cluster, namespace: EDGE, plain: Mutex::default() }
    }

    /// The plain client works as long as this is there.
    pub fn plain(cluster: &'a Cluster) -> Outcome<Self> {
        Ok(Self { cluster, namespace: PLAIN, plain: Mutex::new(Some(plain::start_process(cluster)?)) })
    }

    pub fn gateway(&self, name: &str) -> Key {
        (self.namespace.to_owned(), name.to_owned())
    }

    /// Has Gateways made for these routes, and waits until they are right.
    pub async fn make(&self, gateways: &[Key], routes: &[Wanted]) -> Outcome {
        self.cluster.wrap(gateways).await?;
        self.cluster.create(routes.to_vec()).await?;
        self.settle(routes).await.map(drop)
    }

    /// Waits until these Gateways are right for these routes, and have had their rest; when they were right.
    pub async fn settle(&self, routes: &[Wanted]) -> Outcome<Instant> {
        let at = self.cluster.gateways.until_right(&right(routes)).await?;
        self.rest(at).await;
        Ok(at)
    }

    /// Waits until the API server has rested since then.
    pub async fn rest(&self, since: Instant) {
        tokio::time::sleep_until((since + REST).into()).await;
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
