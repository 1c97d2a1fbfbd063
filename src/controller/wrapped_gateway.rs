//! Reconciles a WrappedGateway: observe, plan, apply, report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};

use super::apply::{Applied, apply};
use super::conditions::Moment;
use super::context::Context;
use super::error::{Error, Stage};
use super::events::{Announcer, News};
use super::failures::Failures;
use super::ledger::Ledger;
use super::namespaces::Namespaces;
use super::observe::observe;
use super::report::{self, Outcome, RESYNC, Reports};
use crate::api::WrappedGateway;
use crate::planner::{Input, plan};
use crate::routes::GatewayRef;

/// A WrappedGateway as the store has it. One that cannot be read hides no other.
pub type Stored = DeserializeGuard<WrappedGateway>;

/// What reconciliations share.
pub struct Shared {
    /// What the controllers are given.
    pub context: Arc<Context>,
    /// Labels of namespaces.
    pub namespaces: Namespaces,
    announcer: Arc<Announcer>,
    ledger: Ledger,
    reports: Reports,
    failures: Failures<GatewayRef>,
}

/// How often a Gateway that changes meanwhile is observed anew before that is left to a later reconciliation.
const ATTEMPTS: usize = 5;
/// How long reading the Gateway may take.
const READING: Duration = Duration::from_secs(10);
/// How long making the Gateway what it should be may take, all attempts together.
const SYNCING: Duration = Duration::from_secs(30);
/// How long writing a status may take.
const REPORTING: Duration = Duration::from_secs(15);

impl Shared {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(context: Arc<Context>, announcer: Arc<Announcer>) -> Self {
        Self {
            context,
            announcer,
            namespaces: Namespaces::default(),
            ledger: Ledger::default(),
            reports: Reports::default(),
            failures: Failures::default(),
        }
    }

    /// Forgets a WrappedGateway that is gone.
    pub fn forget(&self, key: &GatewayRef) {
        self.context.publish(key, BTreeMap::new());
        self.namespaces.forget(key);
        self.ledger.forget(key);
        self.reports.forget(key);
        self.failures.succeeded(key);
    }

    /// Forgets every WrappedGateway but these.
    pub fn retain(&self, is_there: impl Fn(&GatewayRef) -> bool) {
        for key in self.reports.all().iter().filter(|key| !is_there(key)) {
            self.forget(key);
        }
    }
}

/// Reconciles one WrappedGateway.
///
/// # Errors
/// Why its Gateway is not what it should be, or why that could not be said.
pub async fn reconcile(stored: Arc<Stored>, shared: Arc<Shared>) -> Result<Action, Error> {
    if stored.meta().deletion_timestamp.is_some() || !shared.context.may_begin() {
        return Ok(Action::await_change());
    }
    let (key, started) = (key(&stored), Instant::now());
    let result = within(Stage::Sync, SYNCING, sync(&key, &stored, &shared)).await;
    let told = within(Stage::Status, REPORTING, tell(&key, &stored, &shared, &result)).await;
    let result = result.and(told);
    shared.context.ended("wrapped_gateway", &key, started, &result);
    result?;
    shared.failures.succeeded(&key);
    Ok(Action::requeue(RESYNC))
}

/// When to try again.
#[must_use]
pub fn error_policy(stored: &Stored, error: &Error, shared: &Shared) -> Action {
    Action::requeue(shared.failures.failed(&key(stored), error.is_permanent()))
}

/// Makes the Gateway what the template and the routes say.
async fn sync(key: &GatewayRef, stored: &Stored, shared: &Shared) -> Result<Outcome, Error> {
    shared.context.routes_listed()?;
    let wrapped = supported(stored)?;
    for _ in 0..ATTEMPTS {
        let existing = within(Stage::Fetch, READING, observe(&shared.context.client, key, wrapped)).await?;
        let live = existing.as_ref().map(|existing| existing.listeners.as_slice()).unwrap_or_default();
        let namespaces = shared.namespaces.labels(key, &wrapped.spec, live).await?;
        let routes = shared.context.routes.attached_to(key);
        let input = Input { gateway: key, spec: &wrapped.spec, live, routes: &routes, namespaces: &namespaces };
        let plan = plan(&input);
        let (gateway, written) =
            match apply(&shared.context.client, &shared.ledger, key, wrapped, existing.as_ref(), &plan).await? {
                Applied::Unchanged(gateway) => (gateway, false),
                Applied::Written(gateway) => (gateway, true),
                Applied::Outdated => continue,
            };
        let before = live.iter().map(|live| live.listener.name.clone()).collect();
        return Ok(Outcome { plan, routes: routes.len(), before, gateway, written });
    }
    Err(Error::Contended("The Gateway changes faster than it can be read and written."))
}

/// Says what came of it: to routes, in the status, in events.
async fn tell(
    key: &GatewayRef,
    stored: &Stored,
    shared: &Shared,
    result: &Result<Outcome, Error>,
) -> Result<(), Error> {
    if let Ok(outcome) = result {
        shared.context.publish(key, report::verdicts(&outcome.plan));
    }
    let metadata = stored.meta();
    let status = stored.0.as_ref().ok().and_then(|wrapped| wrapped.status.as_ref());
    let before = shared.reports.current(key, metadata, status);
    let moment = Moment { generation: metadata.generation, now: report::now() };
    let after = report::status(&before, &moment, result.as_ref());
    let mut news: Vec<News> = News::failure(&before.conditions, &after.conditions).into_iter().collect();
    if let Some(outcome) = result.as_ref().ok().filter(|outcome| outcome.written) {
        shared.context.metrics.gateway_written();
        tracing::info!(gateway = %key, listeners = outcome.plan.total, "the Gateway was written");
        news.extend(News::listeners_changed(&outcome.before, &report::listener_names(&outcome.gateway)));
    }
    if report::is_due(&before, &after) {
        report::write(&shared.context.client, &shared.reports, key, metadata, after).await?;
    }
    for news in news {
        // News are a service; what they tell stands in the status too.
        if let Err(error) = shared.announcer.announce(&stored.object_ref(&()), &news).await {
            tracing::warn!(gateway = %key, error = %error.explain(), "an event was not taken");
        }
    }
    Ok(())
}

/// The WrappedGateway, if it can be read and asks for nothing that is still to come.
fn supported(stored: &Stored) -> Result<&WrappedGateway, Error> {
    let wrapped = stored.0.as_ref().map_err(|invalid| Error::Invalid(invalid.error.clone()))?;
    if wrapped.spec.https_redirect {
        return Err(Error::Unsupported(
            "The field spec.httpsRedirect is not supported yet, so the Gateway is left as it is. Take the field away.",
        ));
    }
    Ok(wrapped)
}

async fn within<T>(stage: Stage, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::Timeout { stage, within: limit }))
}

/// The Gateway of a WrappedGateway.
#[must_use]
pub fn key(stored: &Stored) -> GatewayRef {
    GatewayRef { namespace: stored.namespace().unwrap_or_default(), name: stored.name_any() }
}

#[cfg(test)]
#[path = "wrapped_gateway_tests.rs"]
mod tests;
