//! The only writer of status: what a reconciliation came to, told to the WrappedGateway's owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::conditions::{Moment, since};
use super::error::{self, Error};
use super::mirror::GatewayStatus;
use super::observe::Unreadable;
use crate::api::{FIELD_MANAGER, RejectedRoute, WrappedGateway, WrappedGatewayStatus};
use crate::planner::Plan;
use crate::routes::{GatewayRef, RouteKey, Verdict, VerdictKind};

/// A status in which only a time would change is written no more often than this.
pub const RESYNC: Duration = Duration::from_mins(10);
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
}

/// The statuses written last. The store that a reconciliation reads may not have them yet.
#[derive(Debug, Default)]
pub struct Reports(Mutex<HashMap<GatewayRef, Report>>);

#[derive(Clone, Debug)]
struct Report {
    uid: Option<String>,
    /// Version of the WrappedGateway that the status was computed from.
    seen: Option<String>,
    status: WrappedGatewayStatus,
}

impl Reports {
    /// The status that is in force: the one in the store, unless that is older than what was written.
    #[must_use]
    pub fn current(
        &self,
        key: &GatewayRef,
        metadata: &ObjectMeta,
        stored: Option<&WrappedGatewayStatus>,
    ) -> WrappedGatewayStatus {
        let reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newer =
            reports.get(key).filter(|report| report.uid == metadata.uid && report.seen == metadata.resource_version);
        newer.map(|report| report.status.clone()).or_else(|| stored.cloned()).unwrap_or_default()
    }

    /// Every WrappedGateway that was reported on.
    #[must_use]
    pub fn all(&self) -> Vec<GatewayRef> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Forgets a WrappedGateway that is gone.
    pub fn forget(&self, key: &GatewayRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    fn record(&self, key: &GatewayRef, metadata: &ObjectMeta, status: WrappedGatewayStatus) {
        let report = Report { uid: metadata.uid.clone(), seen: metadata.resource_version.clone(), status };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), report);
    }
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
    let ready = match unreadable {
        Some(error) => moment.failed(&error),
        None if plan.problems.is_empty() => moment.ready(listeners, outcome.routes, &plan.warnings),
        None => moment.planned_with_problems(&plan.problems),
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

/// What the plan says of each route.
#[must_use]
pub fn verdicts(plan: &Plan) -> BTreeMap<RouteKey, Vec<Verdict>> {
    let rejected = plan.rejections.iter().map(|rejection| {
        let verdict = Verdict {
            kind: VerdictKind::Rejected,
            reason: rejection.reason.to_string(),
            message: rejection.message.clone(),
        };
        (rejection.route.clone(), verdict)
    });
    let warned = plan.warnings.iter().filter_map(|warning| {
        let verdict =
            Verdict { kind: VerdictKind::Warned, reason: warning.reason.to_string(), message: warning.message.clone() };
        Some((warning.route.clone()?, verdict))
    });
    let mut verdicts: BTreeMap<RouteKey, Vec<Verdict>> = BTreeMap::new();
    for (route, verdict) in rejected.chain(warned) {
        verdicts.entry(route).or_default().push(verdict);
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

/// Writes a status. A WrappedGateway that is gone, or was made anew under its name, gets none.
///
/// # Errors
/// Where the API server does not take it; then it is given one that says so, if it takes that.
pub async fn write(
    client: &Client,
    reports: &Reports,
    key: &GatewayRef,
    metadata: &ObjectMeta,
    status: WrappedGatewayStatus,
) -> Result<(), Error> {
    match patch(client, key, metadata, &status).await {
        Ok(()) => {
            reports.record(key, metadata, status);
            Ok(())
        }
        Err(source) if matches!(error::code(&source), Some(404 | 409)) => Ok(()),
        Err(source) => {
            let error = Error::Status(source);
            if error.is_permanent() {
                let moment = Moment {
                    generation: metadata.generation,
                    now: status.last_reconciled_time.clone().unwrap_or_else(now),
                };
                let only =
                    WrappedGatewayStatus { conditions: vec![moment.failed(&error)], ..WrappedGatewayStatus::default() };
                // The error that matters is the first one.
                let _ = patch(client, key, metadata, &only).await;
            }
            Err(error)
        }
    }
}

async fn patch(
    client: &Client,
    key: &GatewayRef,
    metadata: &ObjectMeta,
    status: &WrappedGatewayStatus,
) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<WrappedGateway>(&());
    let body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": { "namespace": key.namespace, "name": key.name, "uid": metadata.uid },
        "status": status,
    });
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &resource);
    api.patch_status(&key.name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&body)).await.map(|_| ())
}

/// The time, as precise as Kubernetes keeps it.
#[must_use]
pub fn now() -> Time {
    let seconds = k8s_openapi::jiff::Timestamp::now().as_second();
    Time(k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap_or_default())
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
