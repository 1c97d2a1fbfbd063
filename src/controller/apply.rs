//! The only writer of Gateways.

use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use serde_json::{Value, json};

use super::error::{self, Error};
use super::fields;
use super::ledger::{Ledger, Permit};
use super::observe::{Existing, Standing, gateway_resource, gateways};
use super::wish::{Wish, owned_listeners};
use crate::api::{FIELD_MANAGER, WrappedGateway};
use crate::planner::Plan;
use crate::routes::GatewayRef;

/// What came of an apply.
#[derive(Debug)]
pub enum Applied {
    /// The Gateway is as planned, and was so before.
    Unchanged(Value),
    /// The Gateway is as planned now.
    Written(Value),
    /// What was observed is no longer so: observe and plan again.
    Outdated,
}

/// Makes the Gateway what the plan says, with no write where it is so already.
///
/// # Errors
/// Where the Gateway is not ours to write, or the API server does not take it.
pub async fn apply(
    client: &Client,
    ledger: &Ledger,
    key: &GatewayRef,
    wrapped: &WrappedGateway,
    existing: Option<&Existing>,
    plan: &Plan,
) -> Result<Applied, Error> {
    if let Some(existing) = existing {
        refuse(existing)?;
        if existing.has_unclaimed() {
            return claim(client, key, existing).await;
        }
    }
    let listeners = plan.listeners.iter().map(|planned| serde_json::json!(planned.listener)).collect();
    let wish = Wish::new(wrapped, listeners);
    let version = existing.and_then(|existing| existing.metadata.resource_version.as_deref());
    let permit = ledger.permit(key, &wish, version);
    if let Some(existing) = existing.filter(|existing| permit == Permit::Futile || wish.is_fulfilled(existing)) {
        return Ok(Applied::Unchanged(existing.object.clone()));
    }
    if permit == Permit::Wait {
        return Err(Error::Contended(FOUGHT_OVER));
    }
    let Some(written) = write(client, key, existing, &wish).await? else { return Ok(Applied::Outdated) };
    let new_version = written["metadata"]["resourceVersion"].as_str();
    ledger.record(key, &wish, new_version, new_version == version);
    Ok(if new_version == version { Applied::Unchanged(written) } else { Applied::Written(written) })
}

const FOUGHT_OVER: &str = "Someone else keeps undoing what is written to the Gateway, so it is written less often. \
                           metadata.managedFields of the Gateway names who writes it.";

fn refuse(existing: &Existing) -> Result<(), Error> {
    if let Standing::Foreign(why) = &existing.standing {
        return Err(Error::Refused(why.clone()));
    }
    if existing.metadata.deletion_timestamp.is_some() {
        return Err(Error::Refused("The Gateway is being deleted; it is made anew when it is gone.".to_owned()));
    }
    Ok(())
}

/// Makes the listeners that count as ours our own: an apply removes only what an earlier apply of ours had.
///
/// This writes the field set itself. An apply could not do it: to a Gateway of which it is forgotten who owns what, the API
/// server would add an entry that holds every field for the time before.
async fn claim(client: &Client, key: &GatewayRef, existing: &Existing) -> Result<Applied, Error> {
    let all = existing.object["spec"]["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours: Vec<&Value> =
        all.iter().zip(&existing.listeners).filter(|(_, live)| live.ours).map(|(listener, _)| listener).collect();
    let own = fields::own_entry(&existing.metadata).cloned().unwrap_or_else(|| json!({}));
    let entry = json!({
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": gateway_resource().api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields::union(&own, &owned_listeners(&ours)),
    });
    let mut entries = existing.object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    entries.retain(|other| !fields::is_own(other));
    entries.push(entry);
    let body = json!({ "metadata": {
        "uid": existing.metadata.uid,
        "resourceVersion": existing.metadata.resource_version,
        "managedFields": entries,
    } });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match gateways(client, &key.namespace).patch(&key.name, &parameters, &Patch::Merge(&body)).await {
        Ok(_) => Ok(Applied::Outdated),
        Err(source) if error::api_status(&source).is_some_and(is_outdated) => Ok(Applied::Outdated),
        Err(source) => Err(Error::Apply(source)),
    }
}

/// One guarded apply; none where someone else was faster.
async fn write(
    client: &Client,
    key: &GatewayRef,
    existing: Option<&Existing>,
    wish: &Wish,
) -> Result<Option<Value>, Error> {
    let body = wish.guarded(key, existing);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match gateways(client, &key.namespace).patch(&key.name, &parameters, &Patch::Apply(&body)).await {
        Ok(object) => Ok(Some(serde_json::to_value(object).unwrap_or_default())),
        Err(source) if error::api_status(&source).is_some_and(is_outdated) => Ok(None),
        Err(source) => Err(Error::Apply(source)),
    }
}

/// Whether the guard of an apply did not hold: another version, or another object of the same name.
fn is_outdated(status: &Status) -> bool {
    let names_uid =
        || status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.field == "metadata.uid");
    status.code == 409 || (status.code == 422 && names_uid())
}
