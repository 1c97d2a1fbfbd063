//! The status of a WrappedGateway after a reconciliation, and whether it is worth writing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::conditions::{Moment, since};
use super::error::Error;
use super::mirror::GatewayStatus;
use super::observe::Unreadable;
use crate::api::{RejectedRoute, WrappedGatewayStatus};
use crate::planner::Plan;
use crate::routes::{RouteKey, Verdict, VerdictKind};

/// A status in which only a time would change is written no more often than this.
pub const RESYNC: Duration = Duration::from_mins(10);
/// A status in which only numbers would change is written no more often than this, so that where routes keep coming the API
/// server has time for their listeners.
pub const PACE: Duration = Duration::from_secs(2);
/// So long after it may be written it waits for the next change of the Gateway, to be told with that: it takes a
/// reconciliation of its own otherwise.
pub const GRACE: Duration = Duration::from_secs(1);
/// How many rejections a status lists.
const LISTED_REJECTIONS: usize = 32;

/// The types of the conditions that are written here.
const OWN_CONDITIONS: [&str; 3] = ["Ready", "RoutesAccepted", "Programmed"];

/// What a reconciliation that reached its end found and did.
#[derive(Debug)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// How many routes are attached.
    pub routes: usize,
    /// Names of the listeners before.
    pub before: Vec<String>,
    /// The Gateway after.
    pub gateway: Value,
    /// Whether it was written.
    pub written: bool,
    /// Whether somebody else had made it, and it was taken over.
    pub adopted: bool,
    /// What went wrong beside the Gateway.
    pub beside: Option<Error>,
}

/// The status after a reconciliation. What a failed one did not find out stays as it was.
#[must_use]
pub fn status(
    before: &WrappedGatewayStatus,
    moment: &Moment,
    result: Result<&Outcome, &Error>,
) -> WrappedGatewayStatus {
    let mut status = match result {
        Ok(outcome) => succeeded(moment, outcome),
        Err(error) => failed(before, moment, error),
    };
    status.observed_generation = moment.generation;
    status.last_reconciled_time = Some(moment.now.clone());
    status.conditions = status.conditions.into_iter().map(|condition| since(&before.conditions, condition)).collect();
    status
}

fn succeeded(moment: &Moment, outcome: &Outcome) -> WrappedGatewayStatus {
    let plan = &outcome.plan;
    let listeners = listener_names(&outcome.gateway).len();
    let (mirrored, unreadable) = match GatewayStatus::read(&outcome.gateway) {
        Ok(mirrored) => (mirrored, None),
        Err(source) => (GatewayStatus::default(), Some(Error::Unreadable(Unreadable::Status(source)))),
    };
    let ready = match unreadable.as_ref().or(outcome.beside.as_ref()) {
        Some(error) => moment.failed(error),
        None if plan.problems.is_empty() => moment.ready(listeners, outcome.routes, &plan.warnings),
        None => moment.planned_with_problems(&plan.problems, &plan.warnings),
    };
    let rejected: BTreeSet<&RouteKey> = plan.rejections.iter().map(|rejection| &rejection.route).collect();
    WrappedGatewayStatus {
        address: mirrored.address(),
        listeners: count(listeners),
        routes: count(outcome.routes),
        rejected: count(rejected.len()),
        rejected_routes: rejected_routes(plan),
        conditions: vec![ready, moment.routes_accepted(plan), moment.programmed(&mirrored)],
        ..WrappedGatewayStatus::default()
    }
}

fn failed(before: &WrappedGatewayStatus, moment: &Moment, error: &Error) -> WrappedGatewayStatus {
    let mut status = before.clone();
    let stays = |type_: &str| type_ != "Ready" && OWN_CONDITIONS.contains(&type_);
    status.conditions.retain(|condition| stays(&condition.type_));
    status.conditions.insert(0, moment.failed(error));
    if !status.conditions.iter().any(|condition| condition.type_ == "Programmed") {
        status.conditions.push(moment.not_yet_programmed());
    }
    status
}

fn rejected_routes(plan: &Plan) -> Vec<RejectedRoute> {
    let listed = plan.rejections.iter().take(LISTED_REJECTIONS);
    listed
        .map(|rejection| RejectedRoute {
            kind: rejection.route.kind.name().to_owned(),
            namespace: rejection.route.namespace.clone(),
            name: rejection.route.name.clone(),
            reason: rejection.reason.to_string(),
            message: rejection.message.clone(),
        })
        .collect()
}

/// How many routes are rejected for each reason.
#[must_use]
pub fn rejected_by_reason(plan: &Plan) -> BTreeMap<String, u32> {
    // A route may have several hostnames that are rejected alike.
    let routes: BTreeSet<_> = plan.rejections.iter().map(|rejection| (rejection.reason, &rejection.route)).collect();
    let mut rejected = BTreeMap::new();
    for (reason, _) in routes {
        *rejected.entry(reason.to_string()).or_default() += 1;
    }
    rejected
}

/// What the plan says of each route.
#[must_use]
pub fn verdicts(plan: &Plan) -> BTreeMap<RouteKey, Vec<Verdict>> {
    let rejected = plan.rejections.iter().map(|rejection| {
        let verdict = Verdict {
            kind: VerdictKind::Rejected,
            reason: rejection.reason.to_string(),
            message: rejection.message.clone(),
        };
        (&rejection.route, verdict)
    });
    let warned = plan.warnings.iter().filter_map(|warning| {
        let verdict =
            Verdict { kind: VerdictKind::Warned, reason: warning.reason.to_string(), message: warning.message.clone() };
        Some((warning.route.as_ref()?, verdict))
    });
    let mut verdicts: BTreeMap<RouteKey, Vec<Verdict>> = BTreeMap::new();
    for (route, verdict) in rejected.chain(warned) {
        // An entry would clone the key for each of what may be tens of thousands of rejections of few routes.
        match verdicts.get_mut(route) {
            Some(of_route) => of_route.push(verdict),
            None => drop(verdicts.insert(route.clone(), vec![verdict])),
        }
    }
    verdicts
}

/// Whether `after` says anything that `before` does not, or is a sign of life that is due.
#[must_use]
pub fn is_due(before: &WrappedGatewayStatus, after: &WrappedGatewayStatus) -> bool {
    let says_something = said(before) != said(after);
    let seconds = |time: &Option<Time>| time.as_ref().map(|time| time.0.as_second());
    let is_old = match (seconds(&before.last_reconciled_time), seconds(&after.last_reconciled_time)) {
        (Some(before), Some(after)) => after.saturating_sub(before).unsigned_abs() >= RESYNC.as_secs(),
        _ => true,
    };
    says_something || is_old
}

/// Whether a status says how many, and nothing else, in another way than before: nobody waits for that.
#[must_use]
pub fn is_count(before: &WrappedGatewayStatus, after: &WrappedGatewayStatus) -> bool {
    let beside = |status| {
        let mut said = WrappedGatewayStatus { listeners: 0, routes: 0, ..said(status) };
        for ready in said.conditions.iter_mut().filter(|one| one.type_ == "Ready" && one.status == "True") {
            ready.message.clear();
        }
        said
    };
    beside(before) == beside(after)
}

/// What of a status is our word, and says something. Someone else may have added conditions, and the API server keeps them
/// in an order of its own.
fn said(status: &WrappedGatewayStatus) -> WrappedGatewayStatus {
    let mut said = WrappedGatewayStatus { last_reconciled_time: None, ..status.clone() };
    said.conditions.retain(|condition| OWN_CONDITIONS.contains(&condition.type_.as_str()));
    said.conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    said
}

/// Names of a Gateway's listeners, in their order.
#[must_use]
pub fn listener_names(gateway: &Value) -> Vec<String> {
    let listeners = gateway["spec"]["listeners"].as_array().into_iter().flatten();
    listeners.filter_map(|listener| listener["name"].as_str().map(str::to_owned)).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
