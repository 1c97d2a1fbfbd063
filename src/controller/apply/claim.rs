//! Makes a Gateway that counts as ours our own, before the first apply to it.
//!
//! An apply removes only what an earlier apply of ours had, and cannot take the place of another controller. Both are a
//! matter of metadata, which is written here. An apply could not do it: to a Gateway without an Apply entry, the API server
//! would add an entry that holds every field for the time before.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::{Applied, is_outdated};
use crate::api::{FIELD_MANAGER, WrappedGateway};
use crate::controller::error::{self, Error};
use crate::controller::fields;
use crate::controller::observe::{Existing, gateway_resource, gateways};
use crate::controller::standing::{Standing, is_former_owner};
use crate::controller::wish::{owned_listeners, owner};
use crate::routes::GatewayRef;

/// One guarded patch that touches nothing but metadata. Then everything is to be observed anew.
pub(super) async fn claim(
    client: &Client,
    key: &GatewayRef,
    wrapped: &WrappedGateway,
    existing: &Existing,
) -> Result<Applied, Error> {
    let mut metadata = json!({
        "uid": existing.object.metadata.uid,
        "resourceVersion": existing.object.metadata.resource_version,
        "managedFields": claimed(existing),
    });
    // Who owns an orphan has to be said at once: without the entries that go, nothing would tell any more whose it is.
    if matches!(existing.standing, Standing::Inherited | Standing::Orphaned) {
        metadata["ownerReferences"] = json!(handed_over(existing, wrapped));
    }
    let body = Patch::Merge(json!({ "metadata": metadata }));
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    match gateways(client, &key.namespace).patch(&key.name, &parameters, &body).await {
        Ok(_) => Ok(Applied::Outdated),
        Err(source) if error::api_status(&source).is_some_and(is_outdated) => Ok(Applied::Outdated),
        Err(source) => Err(Error::Apply(source)),
    }
}

/// The owners, with the WrappedGateway in the place of the one that came before it, if there was one.
pub(in crate::controller) fn handed_over(existing: &Existing, wrapped: &WrappedGateway) -> Vec<OwnerReference> {
    let mut owners = existing.object.metadata.owner_references.clone().unwrap_or_default();
    let Some(ours) = owner(wrapped) else { return owners };
    owners.retain(|owner| owner.uid != ours.uid && !is_former_owner(owner, wrapped));
    owners.push(ours);
    owners
}

/// The entries of `managedFields`, with everything that is ours in one Apply entry.
fn claimed(existing: &Existing) -> Vec<Value> {
    let (own, mut claimed) = parted_entries(existing);
    if !is_empty(&own) {
        claimed.push(json!({
            "manager": FIELD_MANAGER,
            "operation": "Apply",
            "apiVersion": gateway_resource().api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": own,
        }));
    }
    claimed
}

/// The field set of everything that counts as ours, whoever's entry has it.
pub(in crate::controller) fn own_fields(existing: &Existing) -> Value {
    parted_entries(existing).0
}

/// What of `managedFields` is ours, as one field set, and the entries of others.
fn parted_entries(existing: &Existing) -> (Value, Vec<Value>) {
    let entries = existing.object.managed_fields();
    let mut own = json!({});
    let mut others = Vec::new();
    for entry in entries {
        if fields::is_own(entry) {
            own = fields::union(&own, &entry["fieldsV1"]);
        } else if fields::is_former(entry) {
            let (taken, left) = parted(&entry["fieldsV1"]);
            own = fields::union(&own, &taken);
            if !is_empty(&left) {
                let mut entry = entry.clone();
                entry["fieldsV1"] = left;
                others.push(entry);
            }
        } else {
            others.push(entry.clone());
        }
    }
    own = fields::union(&own, &unclaimed(existing, &own));
    (own, others)
}

/// The field set of the listeners that count as ours and are in no entry that is.
fn unclaimed(existing: &Existing, own: &Value) -> Value {
    let claimed = fields::listener_names(own);
    let all = existing.object.whole["spec"]["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_unclaimed = |name: &String| !claimed.contains(name);
    let live = all.iter().zip(&existing.listeners);
    let unclaimed: Vec<&Value> =
        live.filter(|(_, live)| live.ours && is_unclaimed(&live.listener.name)).map(|(listener, _)| listener).collect();
    owned_listeners(&unclaimed)
}

/// Parts a field set into the fields that an apply of ours may have, and all others: finalizers, say, which an apply that
/// does not name them would take away.
fn parted(fields: &Value) -> (Value, Value) {
    let (mut taken, mut left) = (json!({}), fields.clone());
    if let Some(mut spec) = remove(&mut left, "f:spec") {
        // The spec and the list of listeners as such are nobody's: an apply owns what is in them.
        let _ = remove(&mut spec, ".");
        let _ = spec.get_mut("f:listeners").map(|listeners| remove(listeners, "."));
        taken["f:spec"] = spec;
    }
    if let Some(metadata) = left.get_mut("f:metadata") {
        for part in ["f:labels", "f:annotations"] {
            if let Some(mut keys) = remove(metadata, part) {
                let _ = remove(&mut keys, ".");
                taken["f:metadata"][part] = keys;
            }
        }
        if is_empty(metadata) {
            let _ = remove(&mut left, "f:metadata");
        }
    }
    (taken, left)
}

fn remove(fields: &mut Value, name: &str) -> Option<Value> {
    fields.as_object_mut()?.remove(name)
}

/// Whether nothing is in a field set but what holds its parts together.
fn is_empty(fields: &Value) -> bool {
    fields.as_object().is_none_or(|fields: &Map<String, Value>| fields.keys().all(|name| name == "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_update_only_spec_labels_and_annotations_are_taken() {
        let update = json!({
            "f:metadata": {
                ".": {},
                "f:annotations": { ".": {}, "f:a": {} },
                "f:labels": { ".": {}, "f:l": {} },
                "f:finalizers": { ".": {}, r#"v:"f""#: {} },
            },
            "f:spec": {
                ".": {},
                "f:gatewayClassName": {},
                "f:listeners": { ".": {}, r#"k:{"name":"a"}"#: { ".": {}, "f:name": {} } },
            },
        });
        let (taken, left) = parted(&update);
        assert_eq!(
            taken,
            json!({
                "f:metadata": { "f:annotations": { "f:a": {} }, "f:labels": { "f:l": {} } },
                "f:spec": {
                    "f:gatewayClassName": {},
                    "f:listeners": { r#"k:{"name":"a"}"#: { ".": {}, "f:name": {} } },
                },
            })
        );
        assert_eq!(left, json!({ "f:metadata": { ".": {}, "f:finalizers": { ".": {}, r#"v:"f""#: {} } } }));
    }

    #[test]
    fn of_an_update_without_anything_else_nothing_is_left() {
        let update = json!({
            "f:metadata": { "f:labels": { ".": {}, "f:l": {} } },
            "f:spec": { "f:gatewayClassName": {} },
        });
        assert_eq!(parted(&update).1, json!({}));
    }
}
