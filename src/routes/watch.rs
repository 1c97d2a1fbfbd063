//! Watches → decode → index → triggers, for whatever kinds the cluster serves while it serves them.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::stream::{BoxStream, StreamExt};
use kube::core::ApiResource;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::decode::WireRoute;
use super::discover::{self, Absence, Looks, Required, Served, discover};
use super::feed::Feed;
use super::listing::{Listing, Progress};
use super::{Change, GatewayRef, RouteKey, RouteKind, State};
use crate::backoff::Backoff;
use crate::metrics::Metrics;
use crate::watching::{self, Failure};

/// How often the cluster is asked what it serves.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How soon it is asked again where a kind seems to be absent, or its watch fails as if it were.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How soon it is asked again where a kind is missing without which there is nothing to do: whoever installs the CRD waits.
const LOOK_FOR_MISSING: Duration = Duration::from_secs(5);
/// Between failed attempts to ask it, at first and at last.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// A page is held in memory whole, once as text and once as objects, and a route may bear 256 kB of annotations: with pages
/// of 100 a few hundred such routes cost more than the 64 MiB that the process is to live in. With pages of 20 a list of
/// 100,000 routes takes longer than all that comes after it, since the API server counts for each page what is left.
const PAGE_SIZE: u32 = 50;

/// Whom the watches tell what.
#[derive(Debug)]
pub struct Outputs {
    /// The routes as they are.
    pub state: Arc<State>,
    /// The Gateways, old and new, that a changed route names.
    pub gateways: UnboundedSender<GatewayRef>,
    /// The routes that changed, came or went.
    pub routes: UnboundedSender<RouteKey>,
    /// What the cluster serves; none until it is known.
    pub served: watch::Sender<Option<Served>>,
    /// The kinds that still have to be listed once. It starts with all of them.
    pub awaited: watch::Sender<BTreeSet<RouteKind>>,
    /// The same in short, with what stands in the way.
    pub listing: watch::Sender<Listing>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Watches every kind of route that the cluster serves, and what it serves, for ever.
pub async fn run(client: Client, outputs: Outputs) {
    let mut watches = Watches::new(client.clone(), outputs);
    let mut looks = Looks::default();
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let mut next_look = Box::pin(look(client.clone(), Duration::ZERO));
    let mut looks_soon = true;
    loop {
        tokio::select! {
            (kind, event) = poll_fn(|context| watches.poll_next(context)) => {
                let may_be_absent = event.as_ref().is_err_and(Failure::may_mean_absence);
                watches.take(kind, event);
                // Until it has looked, retries do not put it off.
                if may_be_absent && !std::mem::replace(&mut looks_soon, true) {
                    next_look = Box::pin(look(client.clone(), LOOK_AGAIN));
                }
            }
            served = &mut next_look => {
                looks_soon = false;
                let wait = match served {
                    Ok(served) => {
                        let absence = looks.look(&served);
                        let wait = match &absence {
                            absence if absence.doubtful => LOOK_AGAIN,
                            absence if !absence.missing.is_empty() => LOOK_FOR_MISSING,
                            _ => LOOK_EVERY,
                        };
                        backoff.reset();
                        watches.follow(served, &absence);
                        wait
                    }
                    Err(error) => {
                        watches.cannot_look(&error);
                        backoff.delay(Instant::now())
                    }
                };
                next_look = Box::pin(look(client.clone(), wait));
            }
        }
    }
}

async fn look(client: Client, wait: Duration) -> Result<Served, discover::Error> {
    sleep(wait).await;
    discover(&client).await
}

/// The watches that run, one for each kind. All of them are polled by one task, so that a watch that is let go cannot be
/// in the middle of a change.
struct Watches {
    client: Client,
    state: Arc<State>,
    gateways: UnboundedSender<GatewayRef>,
    routes: UnboundedSender<RouteKey>,
    served: watch::Sender<Option<Served>>,
    metrics: Arc<Metrics>,
    progress: Progress,
    running: BTreeMap<RouteKind, Running>,
    absent: BTreeSet<RouteKind>,
    missing: BTreeSet<Required>,
    cannot_look: Option<String>,
}

struct Running {
    resource: ApiResource,
    events: BoxStream<'static, Result<Event<WireRoute>, Failure>>,
    feed: Feed,
}

impl Watches {
    fn new(client: Client, outputs: Outputs) -> Self {
        let Outputs { state, gateways, routes, served, awaited, listing, metrics } = outputs;
        let progress = Progress::new(awaited, listing);
        let (running, absent, missing, cannot_look) = Default::default();
        Self { client, state, gateways, routes, served, metrics, progress, running, absent, missing, cannot_look }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<(RouteKind, Result<Event<WireRoute>, Failure>)> {
        for (kind, running) in &mut self.running {
            if let Poll::Ready(Some(event)) = running.events.poll_next_unpin(context) {
                return Poll::Ready((*kind, event));
            }
        }
        Poll::Pending
    }

    fn take(&mut self, kind: RouteKind, event: Result<Event<WireRoute>, Failure>) {
        let Some(running) = self.running.get_mut(&kind) else {
            return;
        };
        match event {
            Ok(event) => {
                let listed = matches!(event, Event::InitDone);
                let change = running.feed.take(event, &self.state);
                self.tell(kind, change);
                if listed {
                    self.metrics.routes_known(kind.name(), self.state.count(kind));
                    self.progress.settled(kind);
                }
            }
            Err(failure) => self.progress.failed(kind, failure.to_string()),
        }
    }

    /// Goes by what the cluster serves now.
    fn follow(&mut self, served: Served, absence: &Absence) {
        if self.cannot_look.take().is_some() {
            info!("the cluster says again what it serves");
        }
        self.progress.discovered(None);
        for (kind, resource) in &served.routes {
            if self.running.get(kind).is_none_or(|running| running.resource != *resource) {
                self.begin(*kind, resource.clone());
            }
        }
        for kind in &absence.believed {
            self.let_go(*kind);
        }
        self.miss(absence.missing.clone());
        self.served.send_if_modified(|known| {
            let changed = known.as_ref() != Some(&served);
            *known = Some(served);
            changed
        });
    }

    /// Says what is missing without which there is nothing to do, and when it has come.
    fn miss(&mut self, missing: BTreeSet<Required>) {
        for required in missing.difference(&self.missing) {
            warn!(kind = required.kind(), "not served, so there is nothing to do: {}", required.remedy());
        }
        for required in self.missing.difference(&missing) {
            info!(kind = required.kind(), "served now");
        }
        for required in Required::ALL {
            self.metrics.kind_served(required.kind(), !missing.contains(&required));
        }
        self.missing = missing;
    }

    /// The routes that are known stay known until the new watch has listed them.
    fn begin(&mut self, kind: RouteKind, resource: ApiResource) {
        info!(%kind, version = resource.version, "watching");
        let api = Api::all_with(self.client.clone(), &resource);
        let config = Config::default().page_size(PAGE_SIZE);
        let events = watching::watch(api, config, kind.name(), Arc::clone(&self.metrics)).boxed();
        self.absent.remove(&kind);
        self.metrics.kind_served(kind.name(), true);
        self.progress.forgiven(kind);
        self.running.insert(kind, Running { resource, events, feed: Feed::new(kind) });
    }

    fn let_go(&mut self, kind: RouteKind) {
        if self.absent.insert(kind) {
            info!(%kind, "not served");
            self.running.remove(&kind);
            let change = self.state.replace(kind, vec![]);
            self.tell(kind, change);
            self.metrics.kind_gone(kind.name());
            self.metrics.kind_served(kind.name(), false);
            self.progress.settled(kind);
        }
    }

    fn cannot_look(&mut self, error: &discover::Error) {
        self.metrics.watch_failed("APIGroup");
        let text = error.to_string();
        if self.cannot_look.as_ref() != Some(&text) {
            warn!(%error, "the cluster does not say what it serves, trying again");
            self.cannot_look = Some(text.clone());
        }
        self.progress.discovered(Some(text));
    }

    fn tell(&self, kind: RouteKind, change: Change) {
        if !change.routes.is_empty() {
            self.metrics.routes_known(kind.name(), self.state.count(kind));
        }
        // Whoever followed is gone only where the process ends.
        for gateway in change.gateways {
            let _ = self.gateways.unbounded_send(gateway);
        }
        for route in change.routes {
            let _ = self.routes.unbounded_send(route);
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
