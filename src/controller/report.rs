//! The only writer of status: what a reconciliation came to, told to those whom it concerns.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Client, Resource as _};
use serde_json::json;

use super::conditions::Moment;
use super::error::{self, Error};
use super::events::News;
use super::reports::Reports;
use super::shared::Shared;
use super::status::{self, Outcome};
use super::wrapped_gateway::Stored;
use crate::api::{FIELD_MANAGER, WrappedGateway, WrappedGatewayStatus};
use crate::metrics::{GatewayNumbers, Metrics};
use crate::routes::GatewayRef;

/// Says what came of a reconciliation: to routes, in the status, in events. Returns how long it will be until what is left
/// unsaid is to be said, where anything is: numbers, where others were told a moment ago.
///
/// # Errors
/// Where the status cannot be written. It is given one that says so, if the API server takes that.
pub async fn report(
    key: &GatewayRef,
    stored: &Stored,
    shared: &Shared,
    result: &Result<Outcome, Error>,
) -> Result<Option<Duration>, Error> {
    let outcome = result.as_ref().ok();
    if let Some(outcome) = outcome {
        shared.context.publish(key, status::verdicts(&outcome.plan));
    }
    let metadata = stored.meta();
    let stored_status = stored.0.as_ref().ok().and_then(|wrapped| wrapped.status.as_ref());
    let before = shared.reports.current(key, metadata, stored_status);
    let notice = shared.predecessor.notice(tokio::time::Instant::now());
    let moment = Moment { generation: metadata.generation, now: now(), notice };
    let after = status::status(&before, &moment, result.as_ref());
    measure(&shared.context.metrics, key, outcome, &after);
    let written = outcome.filter(|outcome| outcome.written);
    if let Some(outcome) = written {
        let what = News::listeners_changed(&outcome.before, &status::listener_names(&outcome.gateway));
        tracing::info!(listeners = outcome.plan.total, what = what.as_ref().map(News::note), "the Gateway was written");
    }
    let is_due = status::is_due(&before, &after);
    if is_due
        && status::is_count(&before, &after)
        && let Some(pause) = shared.reports.pause(key, status::PACE)
    {
        if let Some(outcome) = written {
            shared.reports.postpone(key, &outcome.before);
        }
        return Ok(Some(pause + status::GRACE));
    }
    // What a failure left untold is told when it is over.
    let untold = outcome.and_then(|_| shared.reports.take_untold(key));
    if is_due {
        write(&shared.context.client, &shared.reports, key, metadata, &after).await?;
    }
    for news in news(outcome, untold.as_ref(), &before.conditions, &after.conditions) {
        // The next change of the Gateway is not to wait for them.
        shared.announcer.announce_later(stored.object_ref(&()), news);
    }
    Ok(None)
}

/// What is news for the WrappedGateway's owner. `untold` are the names of the listeners before the first change that was
/// not told yet, where one was left untold.
fn news(
    outcome: Option<&Outcome>,
    untold: Option<&Vec<String>>,
    before: &[Condition],
    after: &[Condition],
) -> Vec<News> {
    let mut news: Vec<News> = News::failure(before, after).into_iter().collect();
    let Some(outcome) = outcome else { return news };
    let adopted = outcome.written && outcome.adopted;
    news.extend(adopted.then(|| News::adopted(outcome.before.len())));
    if let Some(before) = untold.or(outcome.written.then_some(&outcome.before)) {
        news.extend(News::listeners_changed(before, &status::listener_names(&outcome.gateway)));
    }
    news.extend(News::warnings(before, after, &outcome.plan.warnings));
    news
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
    status: &WrappedGatewayStatus,
) -> Result<(), Error> {
    match patch(client, key, metadata, status).await {
        Ok(()) => {
            reports.record(key, metadata, status.clone());
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
