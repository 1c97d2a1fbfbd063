//! One watch that goes on whatever happens: kube's watcher with what it lacks.
//!
//! It waits after failures, logs a change of state once and not each retry, begins anew where the watcher would repeat a
//! refused resourceVersion for ever, and gives up a list that hangs.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use futures::{Stream, TryStreamExt};
use kube::Api;
use kube::runtime::watcher::{self, Config, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::explain::{explain, refusal};
use crate::metrics::Metrics;

/// Between retries, at first and at last. However long a fault lasted, its end is noticed so soon.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// A page of a list that takes longer than this does not come.
const PAGE_TIMEOUT: Duration = Duration::from_mins(1);
/// A watch says nothing when it is established; after this long without an error it is taken to be.
const QUIET: Duration = Duration::from_secs(30);

/// Why a list or a watch failed. Each of them is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused, or cannot be reached.
    #[error("{}", told(.0))]
    Watcher(#[source] Box<watcher::Error>),
    /// The API server does not answer.
    #[error("no page of the list within {} s", PAGE_TIMEOUT.as_secs())]
    Timeout,
}

/// Lists and watches, for ever. After a failure the stream waits by itself before it tries again. `kind` is for the log and
/// the metrics.
pub fn watch<K>(
    api: Api<K>,
    config: Config,
    kind: &'static str,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = Result<Event<K>, Failure>> + Send
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let make = move || watcher(api.clone(), config.clone()).map_err(|error| Failure::Watcher(Box::new(error))).boxed();
    unfold(Watch::new(make, kind, metrics), |mut watch| async move {
        let event = watch.next().await;
        Some((event, watch))
    })
}

struct Watch<K, F> {
    make: F,
    events: BoxStream<'static, Result<Event<K>, Failure>>,
    kind: &'static str,
    metrics: Arc<Metrics>,
    listing: bool,
    /// Whether a list was completed since the last one began.
    listed: bool,
    health: Health,
    backoff: Backoff,
    wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    /// With the HTTP status of the last failure, if it had one: another is worth another line in the log.
    Failing(Option<u16>),
}

impl<K, F> Watch<K, F>
where
    F: Fn() -> BoxStream<'static, Result<Event<K>, Failure>>,
{
    fn new(make: F, kind: &'static str, metrics: Arc<Metrics>) -> Self {
        metrics.watch_begun(kind);
        let backoff = Backoff::new(RETRY.0, RETRY.1);
        Self {
            events: make(),
            make,
            kind,
            metrics,
            listing: true,
            listed: false,
            health: Health::Well,
            backoff,
            wait: None,
        }
    }

    async fn next(&mut self) -> Result<Event<K>, Failure> {
        if let Some(wait) = self.wait.take() {
            sleep(wait).await;
        }
        loop {
            let patience = match self.health {
                _ if self.listing => PAGE_TIMEOUT,
                Health::Failing(_) => QUIET,
                Health::Well => Duration::MAX,
            };
            match timeout(patience, self.events.next()).await {
                Ok(Some(Ok(event))) => {
                    self.succeeded(&event);
                    return Ok(event);
                }
                Ok(Some(Err(failure))) => return Err(self.failed(failure)),
                // kube's watcher does not end; if it did, it would have to begin anew.
                Ok(None) => self.events = (self.make)(),
                Err(_) if self.listing => return Err(self.failed(Failure::Timeout)),
                Err(_) => self.recovered(),
            }
        }
    }

    fn succeeded(&mut self, event: &Event<K>) {
        match event {
            // This one comes before anything is asked for, and says nothing.
            Event::Init => {
                if std::mem::replace(&mut self.listed, false) {
                    self.metrics.watch_restarted(self.kind);
                }
                self.listing = true;
            }
            Event::InitApply(_) => {}
            Event::InitDone => {
                self.listing = false;
                self.listed = true;
                self.recovered();
            }
            Event::Apply(_) | Event::Delete(_) => self.recovered(),
        }
    }

    fn recovered(&mut self) {
        if std::mem::replace(&mut self.health, Health::Well) != Health::Well {
            info!(kind = self.kind, "watching again");
        }
    }

    fn failed(&mut self, failure: Failure) -> Failure {
        let code = failure.code();
        self.metrics.watch_failed(self.kind);
        let health = Health::Failing(code);
        if std::mem::replace(&mut self.health, health) != health {
            warn!(kind = self.kind, error = %failure, "trying again");
        }
        // At the start of a watch the watcher takes a 410 for any other error and repeats the resourceVersion that was
        // refused; a page that hangs it would await for ever.
        if code == Some(410) || matches!(failure, Failure::Timeout) {
            self.events = (self.make)();
            self.listing = true;
        }
        self.wait = Some(self.backoff.delay(Instant::now()));
        failure
    }
}

impl Failure {
    /// Whether the reason may be that the kind is not served any more, or not at this version.
    #[must_use]
    pub fn may_mean_absence(&self) -> bool {
        // The client takes the text `404 page not found` in the place of a watch for an event that makes no sense.
        self.code() == Some(404) || matches!(self, Self::Watcher(error) if is_no_event(error))
    }

    /// The HTTP status with which the API server refused, if it did.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        use watcher::Error;
        let Self::Watcher(error) = self else {
            return None;
        };
        match error.as_ref() {
            Error::InitialListFailed(kube::Error::Api(status))
            | Error::WatchStartFailed(kube::Error::Api(status))
            | Error::WatchFailed(kube::Error::Api(status))
            | Error::WatchError(status) => Some(status.code),
            _ => None,
        }
    }
}

fn is_no_event(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchFailed(kube::Error::SerdeError(_)))
}

/// The watcher's own words would repeat those of the client, which show types.
fn told(error: &watcher::Error) -> String {
    use watcher::Error;
    match error {
        error if is_no_event(error) => {
            "cannot watch: the answer is no watch; is the kind still served, and may this account watch it?".to_owned()
        }
        Error::InitialListFailed(error) => format!("cannot list: {}", explain(error)),
        Error::WatchStartFailed(error) | Error::WatchFailed(error) => format!("cannot watch: {}", explain(error)),
        Error::WatchError(status) => format!("cannot watch: {}", refusal(&status.message, status.code)),
        Error::NoResourceVersion => "the answer has no resourceVersion".to_owned(),
    }
}

#[cfg(test)]
#[path = "watching_tests.rs"]
mod tests;
