//! Which of several replicas works: whoever holds the Lease.
//!
//! Every write compares resourceVersions, so that of two that write at once one is refused. A Lease has expired when this
//! process has seen it unchanged for its whole duration: clocks of other machines are not trusted. Whoever cannot renew
//! gives up well before that, and the process then ends, because nothing else stops what is under way for certain.

mod args;

use std::env;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::explain::explain;
pub use args::{Args, Senseless, Terms};

/// How often whoever stands by looks at the Lease: one that was given back is taken within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the Lease is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another process has it.
    #[error("the lease belongs to {0} now")]
    Taken(String),
    /// It could not be renewed in time, and another process may have it any moment.
    #[error("the lease could not be renewed in time")]
    Expired,
}

/// One process's part in the election.
#[derive(Debug)]
pub struct Election {
    api: Api<Lease>,
    terms: Terms,
    identity: String,
    /// The Lease as it was last seen, and since when it has been just so.
    seen: Option<(Lease, Instant)>,
    /// When the last write that made this process its holder was begun.
    held_since: Option<Instant>,
    failing: bool,
}

impl Election {
    /// Takes part in an election. The client must not retry by itself: a request that is answered late is worse than one
    /// that fails.
    #[must_use]
    pub fn new(client: Client, terms: Terms, identity: String) -> Self {
        let api = Api::namespaced(client, &terms.namespace);
        Self { api, terms, identity, seen: None, held_since: None, failing: false }
    }

    /// Waits until the Lease is won.
    pub async fn win(&mut self) {
        info!(identity = self.identity, lease = self.terms.name, "waiting for the lease");
        let look_every = LOOK_EVERY.min(self.terms.retry);
        let mut pace = Backoff::new(look_every, look_every);
        loop {
            match self.try_to_win().await {
                Ok(true) => break,
                Ok(false) => self.recovered(),
                Err(error) => self.failed(&error),
            }
            sleep(pace.delay(Instant::now())).await;
        }
        self.recovered();
        info!(identity = self.identity, lease = self.terms.name, "won the lease");
    }

    /// Renews the Lease until it is lost. Call it only after [`Election::win`].
    pub async fn hold(&mut self) -> Lost {
        loop {
            let Some(deadline) = self.held_since.map(|since| since + self.terms.renew_within) else {
                return Lost::Expired;
            };
            sleep_until(deadline.min(Instant::now() + self.terms.retry)).await;
            tokio::select! {
                // Where both are so, it is too late.
                biased;
                () = sleep_until(deadline) => return self.lose(Lost::Expired),
                renewed = self.renew() => match renewed {
                    Ok(None) => self.recovered(),
                    Ok(Some(lost)) => return self.lose(lost),
                    Err(error) => self.failed(&error),
                },
            }
        }
    }

    /// Lets another have the Lease at once. Does nothing where it is not held, and gives up at the first error: it then
    /// expires.
    pub async fn give_back(&mut self) {
        if self.held_since.take().is_none() {
            return;
        }
        // A renewal may have been under way, so that what was last seen need not be what is there.
        let Ok(Some(mut lease)) = self.read().await else {
            return;
        };
        if holder(&lease) != Some(&self.identity) {
            return;
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        if self.replace(&lease).await.is_ok() {
            info!(lease = self.terms.name, "gave back the lease");
        }
    }

    async fn try_to_win(&mut self) -> Result<bool, Error> {
        let Some(lease) = self.read().await? else {
            return self.create().await;
        };
        if !self.is_free(&lease, Instant::now()) {
            return Ok(false);
        }
        let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
        let spec = LeaseSpec { lease_transitions: Some(transitions.saturating_add(1)), ..self.spec() };
        self.try_to_write(Lease { spec: Some(spec), ..lease }).await
    }

    /// What was seen unchanged for as long as its holder promised to renew it is nobody's any more.
    fn is_free(&mut self, lease: &Lease, now: Instant) -> bool {
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref().unwrap_or_default().is_empty() {
            return true;
        }
        let since = match &self.seen {
            Some((seen, since)) if seen.spec == lease.spec => *since,
            _ => now,
        };
        self.seen = Some((lease.clone(), since));
        let duration = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        now.duration_since(since)
            > Duration::from_secs(duration.unwrap_or(self.terms.lease_seconds.unsigned_abs().into()))
    }

    async fn renew(&mut self) -> Result<Option<Lost>, Error> {
        let Some((mut lease, _)) = self.seen.clone() else {
            return Ok(Some(Lost::Expired));
        };
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
        if self.try_to_write(lease).await? {
            return Ok(None);
        }
        // Somebody wrote or deleted it. That is no loss as long as nobody else is its holder.
        let Some(lease) = self.read().await? else {
            let created = self.create().await?;
            return if created { Ok(None) } else { Err(Error::Contended) };
        };
        match holder(&lease) {
            Some(holder) if *holder == self.identity => {
                self.seen = Some((lease, Instant::now()));
                Err(Error::Contended)
            }
            other => Ok(Some(Lost::Taken(other.cloned().unwrap_or_else(|| "nobody".to_owned())))),
        }
    }

    fn spec(&self) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(self.terms.lease_seconds),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        match self.within(self.api.get(&self.terms.name)).await {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.code() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&mut self) -> Result<bool, Error> {
        let mut lease = Lease { spec: Some(self.spec()), ..Lease::default() };
        lease.metadata.name = Some(self.terms.name.clone());
        let began = Instant::now();
        let created = self.within(self.api.create(&PostParams::default(), &lease)).await;
        self.wrote(created, began)
    }

    async fn try_to_write(&mut self, lease: Lease) -> Result<bool, Error> {
        let began = Instant::now();
        let written = self.replace(&lease).await;
        self.wrote(written, began)
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, Error> {
        self.within(self.api.replace(&self.terms.name, &PostParams::default(), lease)).await
    }

    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
        let limit = self.terms.request_timeout();
        timeout(limit, request).await.map_err(|_| Error::Timeout(limit))?.map_err(Error::Request)
    }

    /// Whether it was written; not where somebody else was faster, or deleted it.
    fn wrote(&mut self, written: Result<Lease, Error>, began: Instant) -> Result<bool, Error> {
        match written {
            Ok(lease) => {
                self.seen = Some((lease, Instant::now()));
                // The API server may have taken it as soon as that, and others count from then.
                self.held_since = Some(began);
                Ok(true)
            }
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lose(&mut self, lost: Lost) -> Lost {
        self.held_since = None;
        lost
    }

    fn failed(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(%error, lease = self.terms.name, "cannot read or write the lease, trying again");
        }
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!(lease = self.terms.name, "the lease can be read and written again");
        }
    }
}

/// A name that no other process has, not even one of the same pod or machine: the pod's or the host's, and something
/// random.
#[must_use]
pub fn identity() -> String {
    let mut names = ["POD_NAME", "HOSTNAME"].into_iter().filter_map(|variable| env::var(variable).ok());
    let name = names.find(|name| !name.is_empty()).unwrap_or_else(|| "homelab-helper".to_owned());
    let mut random = RandomState::new().build_hasher();
    random.write_u32(std::process::id());
    format!("{name}_{:016x}", random.finish())
}

fn holder(lease: &Lease) -> Option<&String> {
    lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}", explain(.0))]
    Request(#[source] kube::Error),
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    #[error("somebody else writes it at the same time")]
    Contended,
}

impl Error {
    fn code(&self) -> Option<u16> {
        match self {
            Self::Request(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
