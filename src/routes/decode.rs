//! Wire object → [`Route`]. The only file that knows the shape of a route on the wire, and the wire's defaults.
//!
//! Whatever is not named here is skipped while it is read and never stored: `managedFields` but for a few names,
//! `status`, rules, and the annotations of others are most of a route's bytes.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::Deserialize;

use super::annotations::Annotations;
use super::lenient::{Lenient, lenient_struct};
use super::names::{Entry, names};
use super::{GatewayRef, ParentRef, Route, RouteKey, RouteKind};
use crate::api::{GATEWAY_GROUP, former};

/// Why an object is no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct Undecodable {
    field: &'static str,
    problem: &'static str,
}

/// Decodes one object as the API server or a manifest has it.
///
/// # Errors
///
/// Where a field that matters here is of another type than the Gateway API gives it, or name, namespace or spec is
/// missing. The error names the field.
pub fn decode(kind: RouteKind, object: serde_json::Value) -> Result<Route, Undecodable> {
    let wire: WireRoute = serde_json::from_value(object).map_err(|_| wrong("the object"))?;
    wire.decode(kind)
}

/// A route as it comes from the API server, less what does not matter here. To read one never fails: see [`Lenient`].
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Lenient<Object>")]
pub(super) struct WireRoute {
    /// Name, namespace and resourceVersion, which watching needs; nothing else is filled in.
    meta: ObjectMeta,
    object: Lenient<Object>,
}

impl WireRoute {
    /// Namespace and name, as far as the object has them.
    pub(super) fn key(&self, kind: RouteKind) -> Option<RouteKey> {
        let (namespace, name) = (self.meta.namespace.clone()?, self.meta.name.clone()?);
        Some(RouteKey { namespace, name, kind })
    }

    /// The route, with the wire's defaults.
    pub(super) fn decode(self, kind: RouteKind) -> Result<Route, Undecodable> {
        let object = self.object.required("the object")?;
        let metadata = object.metadata.required("metadata")?;
        let spec = object.spec.required("spec")?;
        let key = RouteKey {
            namespace: metadata.namespace.required("metadata.namespace")?,
            name: metadata.name.required("metadata.name")?,
            kind,
        };
        let mut annotations = metadata.annotations.or_default("metadata.annotations")?;
        let labels = metadata.labels.or_default("metadata.labels")?;
        let finalizers = metadata.finalizers.or_default("metadata.finalizers")?;
        let ignored = is_true(&annotations.ignore) || is_true(&labels.http01_solver);
        let parent_refs = if ignored { vec![] } else { parent_refs(spec.parent_refs, &key.namespace)? };
        Ok(Route {
            key,
            uid: metadata.uid.or_default("metadata.uid")?,
            created: metadata.creation_timestamp.optional("metadata.creationTimestamp")?,
            parent_refs,
            hostnames: strings(spec.hostnames, "spec.hostnames")?,
            relics: annotations.bears_relics || finalizers.iter().any(is_relic),
            wishes: annotations.wishes()?,
            // external-dns reads the names of other kinds from their hostnames.
            names: if kind.has_hostnames() {
                Box::default()
            } else {
                names(annotations.names, &metadata.managed_fields)
            },
        })
    }
}

fn parent_refs(
    wire: Lenient<Vec<Lenient<WireParentRef>>>,
    route_namespace: &str,
) -> Result<Vec<ParentRef>, Undecodable> {
    let mut parents = Vec::new();
    for parent in wire.or_default("spec.parentRefs")? {
        let parent = parent.required("spec.parentRefs")?;
        let group = parent.group.optional("spec.parentRefs.group")?;
        let kind = parent.kind.optional("spec.parentRefs.kind")?;
        if group.is_some_and(|group| group != GATEWAY_GROUP) || kind.is_some_and(|kind| kind != "Gateway") {
            continue;
        }
        let namespace = parent.namespace.optional("spec.parentRefs.namespace")?;
        parents.push(ParentRef {
            gateway: GatewayRef {
                namespace: namespace.unwrap_or_else(|| route_namespace.to_owned()),
                name: parent.name.required("spec.parentRefs.name")?,
            },
            section_name: parent.section_name.optional("spec.parentRefs.sectionName")?,
            port: parent.port.optional("spec.parentRefs.port")?,
        });
    }
    // Most routes have one parent, for which a vector that grows keeps room for four.
    parents.shrink_to_fit();
    Ok(parents)
}

fn strings(wire: Lenient<Vec<Lenient<String>>>, field: &'static str) -> Result<Vec<String>, Undecodable> {
    let mut strings: Vec<_> =
        wire.or_default(field)?.into_iter().map(|text| text.required(field)).collect::<Result<_, _>>()?;
    strings.shrink_to_fit();
    Ok(strings)
}

fn is_true(value: &Lenient<String>) -> bool {
    matches!(value, Lenient::Is(value) if value == "true")
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Lenient<Metadata>,
    spec: Lenient<Spec>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: Lenient<String>,
    namespace: Lenient<String>,
    uid: Lenient<String>,
    resource_version: Lenient<String>,
    creation_timestamp: Lenient<Timestamp>,
    labels: Lenient<Labels>,
    annotations: Lenient<Annotations>,
    finalizers: Lenient<Vec<Lenient<String>>>,
    managed_fields: Lenient<Vec<Lenient<Entry>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Labels {
    /// On the routes that cert-manager makes for a moment, to answer a challenge.
    #[serde(rename = "acme.cert-manager.io/http01-solver")]
    http01_solver: Lenient<String>,
}

/// Whether it is the finalizer that one of the Go implementations put on every route.
fn is_relic(finalizer: &Lenient<String>) -> bool {
    matches!(finalizer, Lenient::Is(finalizer) if matches!(
        finalizer.as_str(),
        former::FINALIZER | former::LATER_FINALIZER
    ))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    parent_refs: Lenient<Vec<Lenient<WireParentRef>>>,
    hostnames: Lenient<Vec<Lenient<String>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireParentRef {
    group: Lenient<String>,
    kind: Lenient<String>,
    namespace: Lenient<String>,
    name: Lenient<String>,
    section_name: Lenient<String>,
    port: Lenient<i32>,
}

lenient_struct!(Object, Metadata, Labels, Spec, WireParentRef);

impl<T> Lenient<T> {
    pub(super) fn optional(self, field: &'static str) -> Result<Option<T>, Undecodable> {
        match self {
            Self::Absent => Ok(None),
            Self::Is(value) => Ok(Some(value)),
            Self::IsNot => Err(wrong(field)),
        }
    }

    fn required(self, field: &'static str) -> Result<T, Undecodable> {
        self.optional(field)?.ok_or(Undecodable { field, problem: "is missing" })
    }
}

impl<T: Default> Lenient<T> {
    fn or_default(self, field: &'static str) -> Result<T, Undecodable> {
        self.optional(field).map(Option::unwrap_or_default)
    }
}

fn wrong(field: &'static str) -> Undecodable {
    Undecodable { field, problem: "is not of the type that the Gateway API gives it" }
}

impl From<Lenient<Object>> for WireRoute {
    fn from(object: Lenient<Object>) -> Self {
        let meta = match &object {
            Lenient::Is(Object { metadata: Lenient::Is(metadata), .. }) => ObjectMeta {
                name: metadata.name.text(),
                namespace: metadata.namespace.text(),
                resource_version: metadata.resource_version.text(),
                ..ObjectMeta::default()
            },
            _ => ObjectMeta::default(),
        };
        Self { meta, object }
    }
}

impl Lenient<String> {
    fn text(&self) -> Option<String> {
        match self {
            Self::Is(text) => Some(text.clone()),
            Self::Absent | Self::IsNot => None,
        }
    }
}

impl kube::Resource for WireRoute {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.kind)
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.group)
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.version)
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&resource.plural)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
