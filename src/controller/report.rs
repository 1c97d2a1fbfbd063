//! The only writer of status: what a reconciliation came to, told to those whom it concerns.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Client, Resource as _};
use serde_json::json;

use super::conditions::Moment;
use super::error::{self, Error};
use super::events::News;
use super::shared::Shared;
use super::status::{self, Outcome};
use super::wrapped_gateway::Stored;
use crate::api::{FIELD_MANAGER, WrappedGateway, WrappedGatewayStatus};
use crate::metrics::{GatewayNumbers, Metrics};
use crate::routes::GatewayRef;

/// Says what came of a reconciliation: to routes, in the status, in events.
///
/// # Errors
/// Where the status cannot be written. It is given one that says so, if the API server takes that.
pub async fn report(
    key: &GatewayRef,
    stored: &Stored,
    shared: &Shared,
    result: &Result<Outcome, Error>,
) -> Result<(), Error> {
    if let Ok(outcome) = result {
        shared.context.publish(key, status::verdicts(&outcome.plan));
    }
    let metadata = stored.meta();
    let stored_status = stored.0.as_ref().ok().and_then(|wrapped| wrapped.status.as_ref());
    let before = shared.reports.current(key, metadata, stored_status);
    let notice = shared.predecessor.notice(tokio::time::Instant::now());
    let moment = Moment { generation: metadata.generation, now: now(), notice };
    let after = status::status(&before, &moment, result.as_ref());
    measure(&shared.context.metrics, key, result.as_ref().ok(), &after);
    let mut news: Vec<News> = News::failure(&before.conditions, &after.conditions).into_iter().collect();
    if let Some(outcome) = result.as_ref().ok().filter(|outcome| outcome.written) {
        let changed = News::listeners_changed(&outcome.before, &status::listener_names(&outcome.gateway));
        let what = changed.as_ref().map(News::note);
        tracing::info!(listeners = outcome.plan.total, what, "the Gateway was written");
        news.extend(outcome.adopted.then(|| News::adopted(outcome.before.len())));
        news.extend(changed);
    }
    let warnings = result.as_ref().map(|outcome| outcome.plan.warnings.as_slice()).unwrap_or_default();
    news.extend(News::warnings(&before.conditions, &after.conditions, warnings));
    if status::is_due(&before, &after) {
        write(&shared.context.client, &shared.reports, key, metadata, after).await?;
    }
    for news in news {
        // The next change of the Gateway is not to wait for them.
        shared.announcer.announce_later(stored.object_ref(&()), news);
    }
    Ok(())
}

/// Counts what a status says, and by which reasons routes are rejected. What a failed reconciliation did not find out stays
/// as it was.
fn measure(metrics: &Metrics, key: &GatewayRef, outcome: Option<&Outcome>, status: &WrappedGatewayStatus) {
    let ready = |condition: &Condition| condition.type_ == "Ready" && condition.status == "True";
    metrics.gateway_ready(&key.namespace, &key.name, status.conditions.iter().any(ready));
    if let Some(outcome) = outcome {
        let rejected = status::rejected_by_reason(&outcome.plan);
        let numbers = GatewayNumbers { listeners: status.listeners, routes: status.routes, rejected };
        metrics.gateway_planned(&key.namespace, &key.name, &numbers);
    }
}

/// Writes a status. A WrappedGateway that is gone, or was made anew under its name, gets none.
async fn write(
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
                    notice: None,
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
fn now() -> Time {
    let seconds = k8s_openapi::jiff::Timestamp::now().as_second();
    Time(k8s_openapi::jiff::Timestamp::from_second(seconds).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_in_force_until_the_store_has_something_newer() {
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        let version = |version: &str| ObjectMeta {
            uid: Some("1".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let (stored, reports) = (WrappedGatewayStatus::default(), Reports::default());
        let written = WrappedGatewayStatus { routes: 7, ..WrappedGatewayStatus::default() };
        reports.record(&key, &version("1"), written.clone());
        assert_eq!(reports.current(&key, &version("1"), Some(&stored)), written);
        assert_eq!(reports.current(&key, &version("2"), Some(&stored)), stored);
    }
}
