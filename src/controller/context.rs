//! What the controllers are given.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::{BuildHasher as _, Hash, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Instant;

use futures::channel::mpsc::UnboundedSender;
use kube::Client;
use tokio::sync::watch;
use tracing::Span;

use super::error::{Error, reason};
use super::failures::Failures;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::routes::{GatewayRef, Listing, RouteKey, Served, State, Verdict};

/// What every reconciliation may use.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// The cluster's routes, and what the last plans said of them.
    pub routes: Arc<State>,
    /// Takes the routes of which something else is said now.
    pub route_events: UnboundedSender<RouteKey>,
    /// Which kinds the cluster serves; nothing before that is known.
    pub served: watch::Receiver<Option<Served>>,
    /// Whether this process is the one that reconciles.
    pub leading: watch::Receiver<bool>,
    /// Whether all routes are known.
    pub listing: watch::Receiver<Listing>,
    /// Takes the gates that are passed.
    pub readiness: Arc<Readiness>,
    /// Takes what is to be counted.
    pub metrics: Arc<Metrics>,
    /// What stands before `/hostname` in the annotations that external-dns reads.
    pub external_dns_prefixes: Vec<String>,
}

impl Context {
    /// Whether reconciling makes sense yet. Everything is reconciled when this changes.
    pub(super) fn may_begin(&self) -> bool {
        *self.leading.borrow() && *self.listing.borrow() != Listing::Pending
    }

    /// An error where routes cannot be listed: with some of them missing, a plan would remove listeners.
    pub(super) fn routes_listed(&self) -> Result<(), Error> {
        match &*self.listing.borrow() {
            Listing::Complete => Ok(()),
            Listing::Failing(why) => Err(Error::Routes(why.clone())),
            Listing::Pending => Err(Error::Routes("not all of them have been listed yet".to_owned())),
        }
    }

    /// Takes in what a Gateway's plan says of routes, and has those looked at of which it says something else than before.
    pub(super) fn publish(&self, gateway: &GatewayRef, verdicts: BTreeMap<RouteKey, Vec<Verdict>>) {
        for route in self.routes.set_verdicts(gateway, verdicts) {
            self.log_verdicts(&route);
            // Nobody listens when the process is ending.
            let _ = self.route_events.unbounded_send(route);
        }
    }

    /// Logs why a route gets no listener, or another one than its author may expect.
    fn log_verdicts(&self, route: &RouteKey) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let verdicts = self.routes.verdicts_of(route);
        for (gateway, Verdict { kind, reason, message }) in
            verdicts.iter().flat_map(|(gateway, verdicts)| verdicts.iter().map(move |verdict| (gateway, verdict)))
        {
            tracing::debug!(%route, %gateway, ?kind, reason, why = message, "the plan says of a route");
        }
        if verdicts.is_empty() {
            tracing::debug!(%route, "the plan has nothing to say of a route any more");
        }
    }

    /// Logs and counts the end of a reconciliation. What fails again as it did before is not logged again.
    pub(super) fn ended<T, K: Eq + Hash + Clone>(
        &self,
        controller: &'static str,
        object: &K,
        failures: &Failures<K>,
        started: Instant,
        result: &Result<T, Error>,
    ) {
        let category = match result {
            Ok(_) => reason::SUCCEEDED,
            Err(error) => error.category(),
        };
        match result {
            Ok(_) => tracing::debug!("reconciled"),
            Err(error) => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                let error = error.explain();
                if failures.is_news(object, &error) {
                    tracing::warn!(category, source, error, "reconciliation failed");
                } else {
                    tracing::debug!(category, source, error, "reconciliation failed as before");
                }
            }
        }
        self.metrics.reconciled(controller, category, started.elapsed());
    }
}

/// What each line of the log that belongs to one reconciliation says: which one, and of what.
///
/// At the level of errors, so that a log in which there is nothing but errors says it too.
pub(super) fn span(controller: &'static str, object: &impl Display) -> Span {
    // Each `RandomState` has other keys, which is random enough to tell reconciliations apart.
    let random = RandomState::new().build_hasher().finish();
    tracing::error_span!("reconcile", controller, %object, id = format_args!("{:08x}", random >> 32))
}
