//! Whose a Gateway is.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::{fields, status};
use crate::api::{FIELD_MANAGER, Object, WrappedGateway, annotation, former};

/// Label that says who manages an object.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Whose a Gateway is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The WrappedGateway controls it.
    Controlled,
    /// The WrappedGateway of the same name that an implementation before us read controls it.
    Inherited,
    /// We made it, or what came before us did, and nobody controls it: a restore, or a deletion of its WrappedGateway that
    /// left it behind.
    Orphaned,
    /// It belongs to nobody, and the WrappedGateway says to take it over.
    Adopted,
    /// It is not ours to touch, and why.
    Foreign(String),
}

/// Whether an owner is the WrappedGateway of the same name that an implementation before us read.
pub(super) fn is_former_owner(owner: &OwnerReference, wrapped: &WrappedGateway) -> bool {
    let group = owner.api_version.split_once('/').map(|(group, _)| group);
    group == Some(former::LATER_GROUP)
        && owner.kind == WrappedGateway::kind(&())
        && owner.name == wrapped.name_any()
        && owner.controller == Some(true)
}

/// Whether every listener was written by us or by what came before us, and some by that.
fn is_formers_work(gateway: &Object) -> bool {
    let entries = gateway.managed_fields();
    let ours = entries.iter().filter(|entry| fields::is_own(entry) || fields::is_former(entry));
    let known: BTreeSet<String> = ours.flat_map(|entry| fields::listener_names(&entry["fieldsV1"])).collect();
    let names = status::listener_names(&gateway.whole);
    entries.iter().any(fields::is_former) && names.iter().all(|name| known.contains(name))
}

/// Whose a Gateway is.
pub(super) fn standing(gateway: &Object, wrapped: &WrappedGateway) -> Standing {
    let owners = gateway.metadata.owner_references.as_deref().unwrap_or_default();
    if let Some(controller) = owners.iter().find(|owner| owner.controller == Some(true)) {
        return if Some(&controller.uid) == wrapped.meta().uid.as_ref() {
            Standing::Controlled
        } else if is_former_owner(controller, wrapped) {
            Standing::Inherited
        } else {
            Standing::Foreign(format!(
                "A Gateway of this name exists and is controlled by {} {} (uid {}), so it is left alone.",
                controller.kind, controller.name, controller.uid
            ))
        };
    }
    let labelled = gateway.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY));
    let applied = labelled.is_some_and(|manager| manager == FIELD_MANAGER) && fields::own_entry(gateway).is_some();
    if applied || is_formers_work(gateway) {
        return Standing::Orphaned;
    }
    if wrapped.annotations().get(annotation::ADOPT).is_some_and(|adopt| adopt == "true") {
        return Standing::Adopted;
    }
    Standing::Foreign(format!(
        "A Gateway of this name exists and was not made by gateway-route-sync, so it is left alone. To hand it over, set \
         the annotation {}: \"true\" on the WrappedGateway.",
        annotation::ADOPT
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::GROUP;

    fn wrapped(annotations: &Value) -> WrappedGateway {
        serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "WrappedGateway",
            "metadata": { "namespace": "infra", "name": "public", "uid": "us", "annotations": annotations },
            "spec": { "gatewayClassName": "x" },
        }))
        .unwrap()
    }

    fn gateway(metadata: &Value) -> Object {
        Object::try_from(json!({ "metadata": metadata })).unwrap()
    }

    fn of(metadata: &Value) -> Standing {
        standing(&gateway(metadata), &wrapped(&json!({})))
    }

    fn controlled_by(uid: &str) -> Value {
        let owner = json!({ "apiVersion": "v1", "kind": "Thing", "name": "t", "uid": uid, "controller": true });
        json!({ "ownerReferences": [owner] })
    }

    fn made_by_us() -> Value {
        json!({
            "labels": { "app.kubernetes.io/managed-by": "gateway-route-sync" },
            "managedFields": [{ "manager": "gateway-route-sync", "operation": "Apply", "fieldsV1": { "f:spec": {} } }],
        })
    }

    #[test]
    fn the_controller_reference_decides() {
        assert_eq!(of(&controlled_by("us")), Standing::Controlled);
        assert!(matches!(of(&controlled_by("them")), Standing::Foreign(why) if why.contains("Thing t (uid them)")));
    }

    #[test]
    fn what_we_made_and_nobody_controls_is_an_orphan() {
        assert_eq!(of(&made_by_us()), Standing::Orphaned);
    }

    #[test]
    fn neither_our_label_nor_our_entry_alone_makes_an_orphan() {
        for missing in ["labels", "managedFields"] {
            let mut metadata = made_by_us();
            metadata.as_object_mut().unwrap().remove(missing);
            assert!(matches!(of(&metadata), Standing::Foreign(_)), "without {missing}");
        }
    }

    #[test]
    fn what_someone_else_made_is_foreign_unless_it_is_handed_over() {
        assert!(matches!(of(&json!({})), Standing::Foreign(why) if why.contains(annotation::ADOPT)));
        let adopting = |value: &str| standing(&gateway(&json!({})), &wrapped(&json!({ annotation::ADOPT: value })));
        assert_eq!(adopting("true"), Standing::Adopted);
        assert!(matches!(adopting("yes"), Standing::Foreign(_)));
    }

    #[test]
    fn what_someone_else_controls_cannot_be_handed_over() {
        let adopting = wrapped(&json!({ annotation::ADOPT: "true" }));
        let theirs = gateway(&controlled_by("them"));
        assert!(matches!(standing(&theirs, &adopting), Standing::Foreign(_)));
    }

    #[test]
    fn what_the_wrapped_gateway_of_the_later_group_controls_is_inherited_where_the_name_is_the_same() {
        let controlled_by = |group: &str, kind: &str, name: &str| {
            let owner = json!({
                "apiVersion": format!("{group}/v1"), "kind": kind, "name": name, "uid": "them", "controller": true,
            });
            of(&json!({ "ownerReferences": [owner] }))
        };
        let later = former::LATER_GROUP;
        assert_eq!(controlled_by(later, "WrappedGateway", "public"), Standing::Inherited);
        for foreign in [
            controlled_by(later, "WrappedGateway", "other"),
            controlled_by(later, "Thing", "public"),
            controlled_by("example.com", "WrappedGateway", "public"),
        ] {
            assert!(matches!(foreign, Standing::Foreign(_)), "{foreign:?}");
        }
    }

    #[test]
    fn what_came_before_us_made_alone_and_nobody_controls_is_an_orphan() {
        let by = |manager: &str, listener: &str| {
            let key = format!(r#"k:{{"name":"{listener}"}}"#);
            let fields = json!({ "f:spec": { "f:listeners": { key: { ".": {} } } } });
            json!({ "manager": manager, "operation": "Update", "fieldsV1": fields })
        };
        let made = |entries: Value| {
            let metadata = json!({ "managedFields": entries });
            let whole = json!({ "metadata": metadata, "spec": { "listeners": [{ "name": "a" }, { "name": "b" }] } });
            standing(&Object::try_from(whole).unwrap(), &wrapped(&json!({})))
        };
        let theirs = json!([by("homelab-helper", "a"), by("gateway-route-sync", "b")]);
        assert_eq!(made(theirs), Standing::Orphaned);
        let mixed = json!([by("homelab-helper", "a"), by("kubectl", "b")]);
        assert!(matches!(made(mixed), Standing::Foreign(_)));
    }
}
