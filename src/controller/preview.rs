//! What a reconciliation would make of a Gateway, without a write.

use serde_json::{Value, json};

use super::apply::claim::{handed_over, own_fields};
use super::apply::refuse;
use super::error::Error;
use super::fields;
use super::observe::Existing;
use super::wish::{Wish, shape};
use crate::api::WrappedGateway;
use crate::planner::Plan;
use crate::routes::GatewayRef;

/// The part of a Gateway that is ours. What others have on it is in neither.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// As it is; none where there is no Gateway.
    pub live: Option<Value>,
    /// As it would be.
    pub planned: Value,
}

/// Compares the Gateway that is there with the one that is planned.
///
/// # Errors
/// Where a reconciliation would leave the Gateway as it is, and why.
pub fn preview(
    key: &GatewayRef,
    wrapped: &WrappedGateway,
    existing: Option<&Existing>,
    plan: &Plan,
) -> Result<Preview, Error> {
    let mut planned = Wish::planned(wrapped, plan).named(key);
    let Some(existing) = existing else { return Ok(Preview { live: None, planned }) };
    refuse(existing)?;
    let before = match fields::own_entry(&existing.object) {
        _ if existing.has_unclaimed() => own_fields(existing),
        own => own.cloned().unwrap_or_else(|| json!({})),
    };
    // What is written for the first time may be there already, with another value.
    let after = fields::owned(shape(), &json!({ "metadata": planned["metadata"], "spec": planned["spec"] }));
    let ours = fields::union(&before, &after.unwrap_or_default());
    let mut live = fields::part(&ours, &existing.object.whole).unwrap_or_else(|| json!({}));
    planned = fields::with_defaults(shape(), &planned, &existing.object.whole);
    for name in ["apiVersion", "kind"] {
        live[name] = planned[name].clone();
    }
    for name in ["namespace", "name"] {
        live["metadata"][name] = planned["metadata"][name].clone();
    }
    // An apply adds an owner, and one that came before us gives way.
    let owners = existing.object.metadata.owner_references.clone().unwrap_or_default();
    let is_owned = owners.iter().any(|owner| Some(&owner.uid) == wrapped.metadata.uid.as_ref());
    let handed_over = if is_owned { owners.clone() } else { handed_over(existing, wrapped) };
    for (object, owners) in [(&mut live, owners), (&mut planned, handed_over)] {
        if let Some(metadata) = object["metadata"].as_object_mut().filter(|_| !owners.is_empty()) {
            metadata.insert("ownerReferences".to_owned(), json!(owners));
        }
    }
    Ok(Preview { live: Some(live), planned })
}
