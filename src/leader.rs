//! Which of several replicas works: whoever holds the Lease.
//!
//! Every write compares resourceVersions, so that of two that write at once one is refused. A Lease has expired when this
//! process has seen it unchanged for its whole duration: clocks of other machines are not trusted. Whoever cannot renew
//! gives up well before that, and the process then ends, because nothing else stops what is under way for certain.

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

/// Name of the Lease, in the namespace of the process.
const NAME: &str = "gateway-route-sync";
/// After this long without renewal another may take the Lease, in seconds.
const DURATION_SECONDS: i32 = 15;
/// After this long without renewal its holder gives up.
const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// Between attempts to win or renew it.
const RETRY: Duration = Duration::from_secs(2);
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Why the Lease is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another process has it.
    #[error("the lease {NAME} belongs to {0} now")]
    Taken(String),
    /// It could not be renewed in time, and another process may have it any moment.
    #[error("the lease {NAME} could not be renewed within {} s", RENEW_WITHIN.as_secs())]
    Expired,
}

/// One process's part in the election.
#[derive(Debug)]
pub struct Election {
    api: Api<Lease>,
    identity: String,
    /// The Lease as it was last seen, and since when it has been just so.
    seen: Option<(Lease, Instant)>,
    holds: bool,
    failing: bool,
}

impl Election {
    /// Takes part in the election of that namespace. The client must not retry by itself: a request that is answered late
    /// is worse than one that fails.
    #[must_use]
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, seen: None, holds: false, failing: false }
    }

    /// Waits until the Lease is won.
    pub async fn win(&mut self) {
        info!(identity = self.identity, "waiting for the lease {NAME}");
        let mut pace = Backoff::new(RETRY, RETRY);
        loop {
            match self.try_to_win().await {
                Ok(true) => break,
                Ok(false) => self.recovered(),
                Err(error) => self.failed(&error),
            }
            sleep(pace.delay(Instant::now())).await;
        }
        self.recovered();
        info!(identity = self.identity, "won the lease {NAME}");
    }

    /// Renews the Lease until it is lost. Call it only after [`Election::win`].
    pub async fn hold(&mut self) -> Lost {
        let mut deadline = Instant::now() + RENEW_WITHIN;
        loop {
            sleep(RETRY).await;
            let began = Instant::now();
            tokio::select! {
                renewed = self.renew() => match renewed {
                    Ok(None) => {
                        self.recovered();
                        deadline = began + RENEW_WITHIN;
                    }
                    Ok(Some(lost)) => return self.lose(lost),
                    Err(error) => self.failed(&error),
                },
                () = sleep_until(deadline) => {}
            }
            if Instant::now() >= deadline {
                return self.lose(Lost::Expired);
            }
        }
    }

    /// Lets another have the Lease at once. Does nothing where it is not held, and gives up at the first error: it then
    /// expires.
    pub async fn give_back(&mut self) {
        if !std::mem::take(&mut self.holds) {
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
            info!("gave back the lease {NAME}");
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
        now.duration_since(since) > Duration::from_secs(duration.unwrap_or(DURATION_SECONDS.unsigned_abs().into()))
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
            lease_duration_seconds: Some(DURATION_SECONDS),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        match within(self.api.get(NAME)).await {
            Ok(lease) => Ok(Some(lease)),
            Err(error) if error.code() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&mut self) -> Result<bool, Error> {
        let mut lease = Lease { spec: Some(self.spec()), ..Lease::default() };
        lease.metadata.name = Some(NAME.to_owned());
        let created = within(self.api.create(&PostParams::default(), &lease)).await;
        self.wrote(created)
    }

    async fn try_to_write(&mut self, lease: Lease) -> Result<bool, Error> {
        let written = self.replace(&lease).await;
        self.wrote(written)
    }

    async fn replace(&self, lease: &Lease) -> Result<Lease, Error> {
        within(self.api.replace(NAME, &PostParams::default(), lease)).await
    }

    /// Whether it was written; not where somebody else was faster, or deleted it.
    fn wrote(&mut self, written: Result<Lease, Error>) -> Result<bool, Error> {
        match written {
            Ok(lease) => {
                self.seen = Some((lease, Instant::now()));
                self.holds = true;
                Ok(true)
            }
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lose(&mut self, lost: Lost) -> Lost {
        self.holds = false;
        lost
    }

    fn failed(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.failing, true) {
            warn!(%error, "cannot read or write the lease {NAME}, trying again");
        }
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            info!("the lease {NAME} can be read and written again");
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
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Timeout,
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

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    timeout(TIMEOUT, request).await.map_err(|_| Error::Timeout)?.map_err(Error::Request)
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
