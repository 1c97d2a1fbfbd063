//! The only writer of Gateways.

pub(super) mod claim;

use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use serde_json::Value;

use super::error::{self, Error};
use super::ledger::{Ledger, Permit};
use super::observe::{Existing, gateways};
use super::standing::Standing;
use super::wish::Wish;
use crate::api::{FIELD_MANAGER, Object, WrappedGateway};
use crate::planner::Plan;
use crate::routes::GatewayRef;
use claim::claim;

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
            return claim(client, key, wrapped, existing).await;
        }
    }
    let wish = Wish::planned(wrapped, plan);
    let version = existing.and_then(|existing| existing.object.metadata.resource_version.as_deref());
    let permit = ledger.permit(key, &wish, version);
    if let Some(existing) = existing.filter(|existing| permit == Permit::Futile || wish.is_fulfilled(existing)) {
        return Ok(Applied::Unchanged(existing.object.whole.clone()));
    }
    if permit == Permit::Wait {
        return Err(Error::Contended(FOUGHT_OVER));
    }
    let Some(written) = write(client, key, existing, &wish).await? else { return Ok(Applied::Outdated) };
    let new_version = written.metadata.resource_version.as_deref();
    ledger.record(key, &wish, new_version, new_version == version);
    Ok(if new_version == version { Applied::Unchanged(written.whole) } else { Applied::Written(written.whole) })
}

const FOUGHT_OVER: &str = "Someone else keeps undoing what is written to the Gateway, so it is written less often. \
                           metadata.managedFields of the Gateway names who writes it.";

/// An error where the Gateway is not ours to write.
pub(super) fn refuse(existing: &Existing) -> Result<(), Error> {
    if let Standing::Foreign(why) = &existing.standing {
        return Err(Error::Refused(why.clone()));
    }
    if existing.object.metadata.deletion_timestamp.is_some() {
        return Err(Error::Refused("The Gateway is being deleted; it is made anew when it is gone.".to_owned()));
    }
    Ok(())
}

/// One guarded apply; none where someone else was faster.
async fn write(
    client: &Client,
    key: &GatewayRef,
    existing: Option<&Existing>,
    wish: &Wish,
) -> Result<Option<Object>, Error> {
    let body = wish.guarded(key, existing);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match gateways(client, &key.namespace).patch(&key.name, &parameters, &Patch::Apply(&body)).await {
        Ok(object) => Ok(Some(object)),
        Err(source) if error::api_status(&source).is_some_and(is_outdated) => Ok(None),
        Err(source) => Err(Error::Apply(source)),
    }
}

/// Whether the guard of an apply did not hold: another version, or another object of the same name.
pub(super) fn is_outdated(status: &Status) -> bool {
    let names_uid =
        || status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.field == "metadata.uid");
    status.code == 409 || (status.code == 422 && names_uid())
}
