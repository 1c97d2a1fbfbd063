//! Reconciles a WrappedGateway: observe, plan, apply, report.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::core::DeserializeGuard;
use kube::{Resource as _, ResourceExt as _};

use super::apply::{Applied, apply};
use super::error::{Error, Stage, within};
use super::observe::{Existing, observe};
use super::report::report;
use super::shared::Shared;
use super::standing::Standing;
use super::status::{Outcome, RESYNC};
use super::{finalizer, redirect, relics};
use crate::api::WrappedGateway;
use crate::planner::{Input, plan, reference};
use crate::routes::GatewayRef;

/// A WrappedGateway as the store has it. One that cannot be read hides no other.
pub type Stored = DeserializeGuard<WrappedGateway>;

/// How often a Gateway that changes meanwhile is observed anew before that is left to a later reconciliation.
const ATTEMPTS: usize = 5;
/// How long reading the Gateway may take. An API server that answers after ten seconds is slow, and not gone.
const READING: Duration = Duration::from_secs(15);
/// How long it may take to put the finalizer where it belongs, or to take away what it stands for and itself.
const FINALIZING: Duration = Duration::from_secs(15);
/// How long making the Gateway what it should be may take, all attempts together.
const SYNCING: Duration = Duration::from_secs(30);
/// How long making the redirect's HTTPRoute what it should be may take.
const REDIRECTING: Duration = Duration::from_secs(15);
/// How long writing a status may take.
const REPORTING: Duration = Duration::from_secs(15);

/// Reconciles one WrappedGateway. Returns after how long that is due again by itself.
///
/// # Errors
/// Why its Gateway is not what it should be, or why that could not be said.
pub async fn reconcile(stored: Arc<Stored>, shared: Arc<Shared>) -> Result<Option<Duration>, Error> {
    let (key, started) = (key(&stored), Instant::now());
    shared.queue.begin(&key);
    if !shared.context.may_begin() {
        // Whoever stands by is not late.
        shared.queue.done(&key);
        return Ok(None);
    }
    shared.looks.begin(&key);
    let result = within(Stage::Finalizer, FINALIZING, finalizer::settle(&key, &stored, &shared)).await;
    let result = if stored.meta().deletion_timestamp.is_some() {
        part(&key, &stored, &shared, result).await
    } else {
        let (wait, beside) = result.map_or_else(|error| (None, Some(error)), |wait| (wait, None));
        let told = work(&key, &stored, &shared, beside).await;
        told.map(|pause| [wait, pause, Some(RESYNC)].into_iter().flatten().min())
    };
    shared.looks.end(&key);
    shared.context.ended("wrapped_gateway", &key, &shared.failures, started, &result);
    let wait = result?;
    shared.failures.succeeded(&key);
    shared.queue.done(&key);
    Ok(wait)
}

/// Tells why a WrappedGateway that is being deleted has to stay, where it has to. Its Gateway gets no more applies.
async fn part(
    key: &GatewayRef,
    stored: &Stored,
    shared: &Shared,
    result: Result<Option<Duration>, Error>,
) -> Result<Option<Duration>, Error> {
    let failure = match result {
        Ok(wait) => return Ok(wait),
        Err(error) => Err(error),
    };
    // Of two errors the first one matters.
    let _ = within(Stage::Status, REPORTING, report(key, stored, shared, &failure)).await;
    failure.map(|_| None)
}

/// Makes the Gateway what it should be, and tells what came of that and of what was done beside it. Returns how long it will
/// be until the rest may be told, where something is left.
async fn work(
    key: &GatewayRef,
    stored: &Stored,
    shared: &Shared,
    beside: Option<Error>,
) -> Result<Option<Duration>, Error> {
    let result = within(Stage::Sync, SYNCING, sync(key, stored, shared)).await;
    let result = match (result, stored.0.as_ref()) {
        (Ok(mut outcome), Ok(wrapped)) => {
            if let Some(grants) = shared.grants.of(key, &wrapped.spec).await {
                outcome.plan.warnings.extend(reference::warnings(key, &wrapped.spec, &grants));
            }
            let redirect = redirect::settle(shared, key, wrapped, &outcome.plan);
            match within(Stage::Redirect, REDIRECTING, redirect).await {
                Ok(problem) => outcome.plan.problems.extend(problem),
                Err(error) => outcome.beside = Some(error),
            }
            Ok(Outcome { beside: outcome.beside.or(beside), ..outcome })
        }
        (result, _) => result,
    };
    let told = within(Stage::Status, REPORTING, report(key, stored, shared, &result)).await;
    let outcome = result?;
    let pause = outcome.beside.map_or(told, Err)?;
    shared.looks.settled(key, outcome.gateway["metadata"]["resourceVersion"].as_str());
    shared.kept.keep(key, &outcome.gateway);
    Ok(pause)
}

/// How long to wait before it is tried again.
#[must_use]
pub fn retry_after(stored: &Stored, error: &Error, shared: &Shared) -> Duration {
    shared.failures.failed(&key(stored), error.is_permanent())
}

/// Makes the Gateway what the template and the routes say.
async fn sync(key: &GatewayRef, stored: &Stored, shared: &Shared) -> Result<Outcome, Error> {
    shared.context.routes_listed()?;
    let wrapped = stored.0.as_ref().map_err(|invalid| Error::Invalid(invalid.error.clone()))?;
    let mut seen = shared.looks.seen(key);
    let mut former_owner = None;
    for _ in 0..ATTEMPTS {
        // What turns out to be outdated is not to be read from the same place again.
        let seen = seen.take();
        let existing = if let Some(gateway) = shared.kept.take(key, seen.as_deref()) {
            Some(Existing::read(gateway, wrapped)?)
        } else {
            let observing = observe(&shared.context.client, key, wrapped, seen);
            within(Stage::Fetch, READING, observing).await?
        };
        former_owner = existing.as_ref().and_then(|existing| existing.former_owner(wrapped).cloned()).or(former_owner);
        let live = existing.as_ref().map(|existing| existing.listeners.as_slice()).unwrap_or_default();
        let namespaces = shared.namespaces.labels(key, &wrapped.spec, live).await?;
        let routes = shared.context.routes.attached_to(key);
        let input = Input { gateway: key, spec: &wrapped.spec, live, routes: &routes, namespaces: &namespaces };
        let planning = Instant::now();
        let plan = plan(&input);
        shared.context.metrics.planned(planning.elapsed());
        let adopted = existing.as_ref().is_some_and(|existing| existing.standing == Standing::Adopted);
        let applying = Instant::now();
        let applied = apply(&shared.context.client, &shared.ledger, key, wrapped, existing.as_ref(), &plan).await;
        if matches!(applied, Ok(Applied::Written(_) | Applied::Outdated) | Err(Error::Apply(_))) {
            shared.context.metrics.applied(applying.elapsed());
        }
        let (gateway, written) = match applied? {
            Applied::Unchanged(gateway) => (gateway, false),
            Applied::Written(gateway) => {
                shared.context.metrics.gateway_written(shared.queue.done(key));
                (gateway, true)
            }
            Applied::Outdated => continue,
        };
        if let Some(owner) = former_owner {
            relics::release(&shared.context.client, key, &owner, &shared.predecessor).await;
        }
        let before = live.iter().map(|live| live.listener.name.clone()).collect();
        return Ok(Outcome { plan, routes: routes.len(), before, gateway, written, adopted, beside: None });
    }
    Err(Error::Contended("The Gateway changes faster than it can be read and written."))
}

/// The Gateway of a WrappedGateway.
#[must_use]
pub fn key(stored: &Stored) -> GatewayRef {
    GatewayRef { namespace: stored.namespace().unwrap_or_default(), name: stored.name_any() }
}

#[cfg(test)]
#[path = "wrapped_gateway_tests.rs"]
mod tests;
