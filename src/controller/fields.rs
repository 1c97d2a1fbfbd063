//! Field sets, as the API server keeps them in `metadata.managedFields`: which paths an apply owns.
//!
//! The server walks an applied object along its schema. A scalar, an atomic list or map, and an empty object or list are
//! owned as a whole; an object is owned through its fields; an element of a list map is owned itself and through its
//! fields. The same walk here tells what our Apply entry has to look like once our wish is applied.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::core::ObjectMeta;
use serde_json::{Map, Value};

use crate::api::FIELD_MANAGER;

/// How server-side apply merges a value: what of a schema matters to a field set.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Owned as a whole.
    Atomic,
    /// Owned through its fields. A field that is not among them is atomic where it is a list or scalar.
    Object(BTreeMap<String, Shape>),
    /// A map from any key, owned through its values.
    Map(Box<Shape>),
    /// A list whose elements are told apart by these fields.
    ListMap(Vec<String>, Box<Shape>),
}

impl Shape {
    /// The shape that a structural schema gives.
    #[must_use]
    pub fn of(schema: &JSONSchemaProps) -> Self {
        if schema.x_kubernetes_map_type.as_deref() == Some("atomic") {
            return Self::Atomic;
        }
        if let Some(properties) = &schema.properties {
            return Self::Object(properties.iter().map(|(name, field)| (name.clone(), Self::of(field))).collect());
        }
        if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
            return Self::Map(Box::new(Self::of(values)));
        }
        match (schema.x_kubernetes_list_type.as_deref(), &schema.items) {
            (Some("map"), Some(JSONSchemaPropsOrArray::Schema(element))) => {
                let keys = schema.x_kubernetes_list_map_keys.clone().unwrap_or_default();
                Self::ListMap(keys, Box::new(Self::of(element)))
            }
            _ => Self::Atomic,
        }
    }

    /// The part of every object's metadata that we apply. Its schema is the API server's own.
    #[must_use]
    pub fn of_metadata() -> Self {
        let text = || Self::Map(Box::new(Self::Atomic));
        let owners = Self::ListMap(vec!["uid".to_owned()], Box::new(Self::Atomic));
        let fields = [("annotations", text()), ("labels", text()), ("ownerReferences", owners)];
        Self::Object(fields.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect())
    }
}

/// The field set, as `fieldsV1` writes it, of an apply of `value`.
#[must_use]
pub fn owned(shape: &Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Object(fields), Value::Object(object)) => {
            owned_fields(object, |name| fields.get(name).unwrap_or(&Shape::Atomic))
        }
        (Shape::Map(values), Value::Object(object)) => owned_fields(object, |_| values),
        (Shape::ListMap(keys, element), Value::Array(elements)) => {
            let members = elements.iter().map(|item| (element_key(keys, item), owned_element(element, item)));
            Value::Object(members.collect())
        }
        _ => empty(),
    }
}

fn owned_fields<'a>(object: &Map<String, Value>, shape: impl Fn(&str) -> &'a Shape) -> Value {
    Value::Object(object.iter().map(|(name, value)| (format!("f:{name}"), owned(shape(name), value))).collect())
}

/// An element of a list map is owned itself, which `.` says wherever something below it is owned as well.
fn owned_element(shape: &Shape, element: &Value) -> Value {
    let mut fields = owned(shape, element);
    if let Some(fields) = fields.as_object_mut().filter(|fields| !fields.is_empty()) {
        fields.insert(".".to_owned(), empty());
    }
    fields
}

fn element_key(keys: &[String], element: &Value) -> String {
    let key: BTreeMap<&String, &Value> = keys.iter().map(|key| (key, &element[key.as_str()])).collect();
    format!("k:{}", serde_json::json!(key))
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// Whether every field of `wanted` has its value in `live`.
///
/// What `live` has besides is tolerated: it is a default of the server, or belongs to someone else. Whether it is ours to
/// remove is a question of field sets, which [`owned`] answers.
#[must_use]
pub fn has(shape: &Shape, wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().all(|(name, value)| {
            let field = match shape {
                Shape::Object(fields) => fields.get(name).unwrap_or(&Shape::Atomic),
                Shape::Map(values) => values,
                Shape::Atomic | Shape::ListMap(..) => &Shape::Atomic,
            };
            live.get(name).is_some_and(|live| has(field, value, live))
        }),
        (Value::Array(wanted), Value::Array(live)) => match shape {
            Shape::ListMap(keys, element) => wanted.iter().all(|wanted| {
                let key = element_key(keys, wanted);
                live.iter().any(|live| element_key(keys, live) == key && has(element, wanted, live))
            }),
            _ => wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| has(shape, wanted, live)),
        },
        _ => wanted == live,
    }
}

/// The field set of our own Apply entry, if there is one. Entries of subresources speak of status.
#[must_use]
pub fn own_entry(metadata: &ObjectMeta) -> Option<&Value> {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let own = entries.iter().find(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    })?;
    own.fields_v1.as_ref().map(|fields| &fields.0)
}

/// Names of a Gateway's listeners that a field set has.
#[must_use]
pub fn listener_names(fields: &Value) -> BTreeSet<String> {
    let keys = fields["f:spec"]["f:listeners"].as_object().into_iter().flat_map(Map::keys);
    keys.filter_map(|key| {
        let element: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
        element["name"].as_str().map(str::to_owned)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A field of each sort that a Gateway has.
    fn shape() -> Shape {
        let schema = json!({
            "type": "object",
            "properties": {
                "class": { "type": "string" },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                "refs": {
                    "type": "array",
                    "x-kubernetes-list-type": "atomic",
                    "items": { "type": "object", "properties": { "name": { "type": "string" } } },
                },
                "unmarked": { "type": "array", "items": { "type": "string" } },
                "selector": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": { "matchLabels": { "type": "object" } },
                },
                "listeners": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": { "type": "string" },
                            "port": { "type": "integer" },
                            "tls": { "type": "object", "properties": { "mode": { "type": "string" } } },
                        },
                    },
                },
            },
        });
        Shape::of(&serde_json::from_value(schema).unwrap())
    }

    fn assert_owned(value: &Value, fields: &Value) {
        assert_eq!(owned(&shape(), value), *fields, "{value}");
    }

    #[test]
    fn an_object_is_owned_through_its_fields() {
        assert_owned(
            &json!({ "class": "x", "labels": { "a/b": "c" } }),
            &json!({ "f:class": {}, "f:labels": { "f:a/b": {} } }),
        );
    }

    #[test]
    fn what_is_empty_is_owned_as_a_whole() {
        assert_owned(&json!({ "labels": {}, "listeners": [] }), &json!({ "f:labels": {}, "f:listeners": {} }));
    }

    #[test]
    fn what_is_atomic_is_owned_as_a_whole() {
        assert_owned(
            &json!({ "refs": [{ "name": "a" }], "unmarked": ["a"], "selector": { "matchLabels": { "a": "b" } } }),
            &json!({ "f:refs": {}, "f:unmarked": {}, "f:selector": {} }),
        );
    }

    #[test]
    fn an_element_of_a_list_map_is_owned_itself_and_through_its_fields() {
        assert_owned(
            &json!({ "listeners": [{ "name": "a", "port": 80, "tls": { "mode": "Terminate" } }] }),
            &json!({ "f:listeners": { r#"k:{"name":"a"}"#: {
                ".": {}, "f:name": {}, "f:port": {}, "f:tls": { "f:mode": {} },
            } } }),
        );
    }

    #[test]
    fn an_owner_reference_is_owned_by_its_uid() {
        let metadata = json!({ "ownerReferences": [{ "uid": "1", "name": "a" }] });
        let fields = json!({ "f:ownerReferences": { r#"k:{"uid":"1"}"#: {} } });
        assert_eq!(owned(&Shape::of_metadata(), &metadata), fields);
    }

    fn assert_has(wanted: &Value, live: &Value, expected: bool) {
        assert_eq!(has(&shape(), wanted, live), expected, "{wanted} in {live}");
    }

    #[test]
    fn what_the_server_adds_is_tolerated() {
        assert_has(&json!({ "class": "x" }), &json!({ "class": "x", "labels": {} }), true);
        assert_has(
            &json!({ "refs": [{ "name": "a" }] }),
            &json!({ "refs": [{ "group": "", "kind": "Secret", "name": "a" }] }),
            true,
        );
    }

    #[test]
    fn a_value_that_differs_or_lacks_is_not_had() {
        assert_has(&json!({ "class": "x" }), &json!({ "class": "y" }), false);
        assert_has(&json!({ "class": "x" }), &json!({}), false);
        assert_has(&json!({ "labels": {} }), &json!({}), false);
    }

    #[test]
    fn an_atomic_list_is_had_element_by_element() {
        let wanted = json!({ "refs": [{ "name": "a" }, { "name": "b" }] });
        assert_has(&wanted, &json!({ "refs": [{ "name": "b" }, { "name": "a" }] }), false);
        assert_has(&wanted, &json!({ "refs": [{ "name": "a" }] }), false);
        assert_has(&wanted, &json!({ "refs": [{ "name": "a" }, { "name": "b" }, { "name": "c" }] }), false);
    }

    #[test]
    fn elements_of_a_list_map_are_found_by_their_keys() {
        let wanted = json!({ "listeners": [{ "name": "b", "port": 2 }, { "name": "a", "port": 1 }] });
        let live = json!({ "listeners": [{ "name": "a", "port": 1 }, { "name": "x", "port": 9 }, { "name": "b", "port": 2 }] });
        assert_has(&wanted, &live, true);
        assert_has(&json!({ "listeners": [{ "name": "a", "port": 2 }] }), &live, false);
        assert_has(&json!({ "listeners": [{ "name": "c", "port": 1 }] }), &live, false);
    }

    #[test]
    fn only_our_own_apply_entry_of_the_object_itself_counts() {
        let entry = |manager: &str, operation: &str, subresource: &str| json!({ "manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": { "f:x": {} } });
        let own = |entries: Vec<Value>| {
            let metadata: ObjectMeta = serde_json::from_value(json!({ "managedFields": entries })).unwrap();
            own_entry(&metadata).is_some()
        };
        assert!(own(vec![entry("other", "Apply", ""), entry(FIELD_MANAGER, "Apply", "")]));
        assert!(!own(vec![
            entry("other", "Apply", ""),
            entry(FIELD_MANAGER, "Update", ""),
            entry(FIELD_MANAGER, "Apply", "status"),
        ]));
    }
}
