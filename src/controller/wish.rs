//! What is applied: the part of a Gateway that is ours, as a type of its own.
//!
//! A typed Gateway would not do: it writes fields that we do not own, and cannot leave out those that we do not want.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};

use super::fields::{self, Shape};
use super::observe::Existing;
use super::standing::MANAGED_BY;
use crate::api::{FIELD_MANAGER, GATEWAY_GROUP, GROUP, WrappedGateway, former};
use crate::planner::Plan;
use crate::routes::GatewayRef;

/// Keys that are not copied from a WrappedGateway to its Gateway: with them, the tool that put them there would take the
/// Gateway for one of its own objects, and delete it because its manifests do not have it.
const BOOKKEEPING: [&str; 7] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    // Argo CD where it tracks by label, by default and in its early versions. Helm charts use the first key as well.
    "app.kubernetes.io/instance",
    "applications.argoproj.io/app-name",
    // kapp.
    "kapp.k14s.io/app",
    "kapp.k14s.io/association",
    // kpt and other users of the inventory library of kubectl's authors.
    "config.k8s.io/owning-inventory",
    "cli-utils.sigs.k8s.io/inventory-id",
];

/// The same, for everything below a domain.
const BOOKKEEPING_DOMAINS: [&str; 8] = [
    // Our own annotations speak of the WrappedGateway.
    GROUP,
    former::LATER_GROUP,
    "helm.sh",
    "argocd.argoproj.io",
    "fluxcd.io",
    "fluxcd.controlplane.io",
    "applyset.kubernetes.io",
    // Rancher Fleet.
    "objectset.rio.cattle.io",
];

/// The part of a Gateway that is ours, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Wish(Value);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    owner_references: Vec<OwnerReference>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a, L> {
    gateway_class_name: &'a str,
    #[serde(skip_serializing_if = "<[L]>::is_empty")]
    listeners: &'a [L],
    #[serde(flatten)]
    passed_on: BTreeMap<String, Value>,
}

impl Wish {
    /// What `wrapped` says, with these listeners.
    #[must_use]
    pub fn new(wrapped: &WrappedGateway, listeners: &[impl Serialize]) -> Self {
        let mut labels = copied(wrapped.labels());
        labels.insert(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned());
        let metadata = Metadata {
            annotations: copied(wrapped.annotations()),
            labels,
            owner_references: owner(wrapped).into_iter().collect(),
        };
        let mut passed_on = wrapped.spec.passed_on.clone();
        passed_on.values_mut().for_each(drop_nulls);
        passed_on.retain(|_, value| !value.is_null());
        let spec = Spec { gateway_class_name: &wrapped.spec.gateway_class_name, listeners, passed_on };
        Self(json!({ "metadata": metadata, "spec": spec }))
    }

    /// What `wrapped` says, with the listeners of a plan.
    #[must_use]
    pub fn planned(wrapped: &WrappedGateway, plan: &Plan) -> Self {
        Self::new(wrapped, &plan.listeners.iter().map(|planned| &planned.listener).collect::<Vec<_>>())
    }

    /// Whether the Gateway is already as wished: every wished field has its value, and our Apply entry owns these fields
    /// and no others. Then an apply would change nothing.
    #[must_use]
    pub fn is_fulfilled(&self, existing: &Existing) -> bool {
        let entry = fields::own_entry(&existing.object);
        entry == fields::owned(shape(), &self.0).as_ref() && fields::has(shape(), &self.0, &existing.object.whole)
    }

    /// The body of an apply that succeeds only on that very Gateway in that very version, or only where there is none.
    #[must_use]
    pub fn guarded(&self, key: &GatewayRef, existing: Option<&Existing>) -> Value {
        let mut body = self.named(key);
        let metadata = &mut body["metadata"];
        guard(metadata, existing.map(|existing| &existing.object.metadata));
        body
    }

    /// The Gateway as a manifest: without the reference to its owner, which means nothing outside of the owner's cluster.
    #[must_use]
    pub fn manifest(&self, key: &GatewayRef) -> Value {
        let mut manifest = self.named(key);
        if let Some(metadata) = manifest["metadata"].as_object_mut() {
            metadata.remove("ownerReferences");
        }
        manifest
    }

    /// The object, with its name.
    pub(super) fn named(&self, key: &GatewayRef) -> Value {
        let mut object = self.0.clone();
        object["apiVersion"] = json!(format!("{GATEWAY_GROUP}/v1"));
        object["kind"] = json!("Gateway");
        object["metadata"]["namespace"] = json!(key.namespace);
        object["metadata"]["name"] = json!(key.name);
        object
    }
}

/// Makes an apply succeed only on that very object in that very version, or only where there is none.
pub(super) fn guard(metadata: &mut Value, existing: Option<&ObjectMeta>) {
    if let Some(existing) = existing {
        metadata["uid"] = json!(existing.uid);
        metadata["resourceVersion"] = json!(existing.resource_version);
    } else {
        // No object has this version, so what someone else created in between is not seized: the answer is 409.
        metadata["resourceVersion"] = json!("1");
    }
}

/// What says that an object is controlled by the WrappedGateway. Where that is deleted in the foreground, it stays until
/// the object is gone.
pub(super) fn owner(wrapped: &WrappedGateway) -> Option<OwnerReference> {
    let owner = wrapped.controller_owner_ref(&())?;
    Some(OwnerReference { block_owner_deletion: Some(true), ..owner })
}

/// Whether a label or annotation of the WrappedGateway is meant for the Gateway as well.
fn is_copied(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let below = |parent: &str| domain.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !BOOKKEEPING.contains(&key) && !BOOKKEEPING_DOMAINS.iter().any(|parent| below(parent))
}

fn copied(from: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    from.iter().filter(|(key, _)| is_copied(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// To the API server a null is a field without value, to an apply it is an error.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The field set of an apply of these listeners alone.
pub(super) fn owned_listeners(listeners: &[&Value]) -> Value {
    fields::owned(shape(), &json!({ "spec": { "listeners": listeners } })).unwrap_or_else(|| json!({}))
}

/// How the API server merges what is wished. The spec's own part has the schema of the same fields of the WrappedGateway.
pub(super) fn shape() -> &'static Shape {
    static SHAPE: OnceLock<Shape> = OnceLock::new();
    SHAPE.get_or_init(|| {
        let crd = crate::api::crd();
        let schema = crd.spec.versions.iter().find_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        let spec = schema.and_then(|schema| schema.properties.as_ref()?.get("spec")).map_or(Shape::Atomic, Shape::of);
        Shape::Object(BTreeMap::from([("metadata".to_owned(), Shape::of_metadata()), ("spec".to_owned(), spec)]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped() -> WrappedGateway {
        serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "WrappedGateway",
            "metadata": { "namespace": "infra", "name": "public", "uid": "1" },
            "spec": { "gatewayClassName": "x", "addresses": [{ "value": "10.0.0.1", "type": null }], "tls": null },
        }))
        .unwrap()
    }

    const NO_LISTENERS: &[Value] = &[];

    #[test]
    fn keys_of_tools_that_prune_are_not_copied() {
        for key in [
            "kubectl.kubernetes.io/last-applied-configuration",
            "gateway-route-sync.homelab-helper.benfiola.com/adopt",
            "gateway-route-sync.homelab-images.benfiola.com/previous-parent-refs",
            "helm.sh/chart",
            "meta.helm.sh/release-name",
            "argocd.argoproj.io/tracking-id",
            "app.kubernetes.io/instance",
            "kustomize.toolkit.fluxcd.io/name",
            "resourceset.fluxcd.controlplane.io/name",
            "applyset.kubernetes.io/part-of",
        ] {
            assert!(!is_copied(key), "{key}");
        }
    }

    #[test]
    fn keys_that_speak_of_the_gateway_are_copied() {
        for key in [
            "cert-manager.io/cluster-issuer",
            "external-dns.alpha.kubernetes.io/target",
            "app.kubernetes.io/part-of",
            "team",
            "nothelm.sh/x",
        ] {
            assert!(is_copied(key), "{key}");
        }
    }

    #[test]
    fn the_wrapped_gateway_controls_its_gateway() {
        let wish = json!(Wish::new(&wrapped(), NO_LISTENERS));
        assert_eq!(
            wish["metadata"],
            json!({
                "labels": { "app.kubernetes.io/managed-by": "gateway-route-sync" },
                "ownerReferences": [{
                    "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway", "name": "public", "uid": "1",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            })
        );
    }

    #[test]
    fn fields_are_passed_on_without_nulls_and_an_empty_list_is_left_out() {
        let wish = json!(Wish::new(&wrapped(), NO_LISTENERS));
        assert_eq!(wish["spec"], json!({ "gatewayClassName": "x", "addresses": [{ "value": "10.0.0.1" }] }));
    }

    #[test]
    fn a_manifest_is_what_is_applied_less_what_only_a_cluster_knows() {
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        let manifest = Wish::planned(&wrapped(), &Plan::default()).manifest(&key);
        let labels = json!({ "app.kubernetes.io/managed-by": "gateway-route-sync" });
        assert_eq!(manifest["metadata"], json!({ "namespace": "infra", "name": "public", "labels": labels }));
        assert_eq!(
            (&manifest["apiVersion"], &manifest["kind"]),
            (&json!("gateway.networking.k8s.io/v1"), &json!("Gateway"))
        );
    }

    #[test]
    fn what_is_to_be_created_has_a_version_that_no_object_has() {
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        let body = Wish::new(&wrapped(), NO_LISTENERS).guarded(&key, None);
        assert_eq!((&body["metadata"]["resourceVersion"], &body["metadata"]["uid"]), (&json!("1"), &Value::Null));
    }

    #[test]
    fn the_spec_is_merged_as_the_gateway_api_says() {
        let spec = json!({ "spec": {
            "addresses": [{ "value": "10.0.0.1" }],
            "allowedListeners": { "namespaces": { "selector": { "matchLabels": { "a": "b" } } } },
            "tls": { "frontend": { "perPort": [{ "port": 443, "tls": {} }] } },
            "listeners": [{ "name": "a", "tls": { "certificateRefs": [{ "name": "s" }], "options": { "o": "p" } } }],
        } });
        let listener =
            json!({ ".": {}, "f:name": {}, "f:tls": { "f:certificateRefs": {}, "f:options": { "f:o": {} } } });
        assert_eq!(
            fields::owned(shape(), &spec).unwrap()["f:spec"],
            json!({
                "f:addresses": {},
                "f:allowedListeners": { "f:namespaces": { "f:selector": {} } },
                "f:tls": { "f:frontend": { "f:perPort": { r#"k:{"port":443}"#: { ".": {}, "f:port": {}, "f:tls": {} } } } },
                "f:listeners": { r#"k:{"name":"a"}"#: listener },
            })
        );
    }
}
