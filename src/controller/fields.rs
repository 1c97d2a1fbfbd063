//! Field sets, as the API server keeps them in `metadata.managedFields`: which paths an apply owns.
//!
//! The server walks an applied object along its schema. A scalar, an atomic list or map, and an empty object or list are
//! owned as a whole; an object is owned through its fields; an element of a list map is owned itself and through its
//! fields. The same walk here tells what our Apply entry has to look like once our wish is applied.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

use crate::api::{FIELD_MANAGER, Object, former};
pub use crate::planner::listener_names;

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

    /// The shape of an object's field.
    fn of_field(&self, name: &str) -> &Self {
        match self {
            Self::Object(fields) => fields.get(name).unwrap_or(&Self::Atomic),
            Self::Map(values) => values,
            Self::Atomic | Self::ListMap(..) => &Self::Atomic,
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

/// The field set, as `fieldsV1` writes it, of an apply of `value`; none where it owns nothing.
#[must_use]
pub fn owned(shape: &Shape, value: &Value) -> Option<Value> {
    match (shape, value) {
        (Shape::Object(_) | Shape::Map(_), Value::Object(object)) if object.is_empty() => Some(empty()),
        (Shape::Object(fields), Value::Object(object)) => set(object.iter().map(|(name, value)| {
            let shape = fields.get(name).unwrap_or(&Shape::Atomic);
            (format!("f:{name}"), owned(shape, value))
        })),
        // A key that no schema declares is owned itself.
        (Shape::Map(shape), Value::Object(object)) => {
            set(object.iter().map(|(key, value)| (format!("f:{key}"), Some(member(shape, value)))))
        }
        // An empty list map is nobody's.
        (Shape::ListMap(keys, shape), Value::Array(elements)) => {
            set(elements.iter().map(|element| (element_key(keys, element), Some(member(shape, element)))))
        }
        _ => Some(empty()),
    }
}

fn set(members: impl Iterator<Item = (String, Option<Value>)>) -> Option<Value> {
    let set: Map<_, _> = members.filter_map(|(name, fields)| Some((name, fields?))).collect();
    (!set.is_empty()).then_some(Value::Object(set))
}

/// What is owned itself has a `.` wherever something below it is owned as well.
fn member(shape: &Shape, value: &Value) -> Value {
    let mut fields = owned(shape, value).unwrap_or_else(empty);
    if let Some(fields) = fields.as_object_mut().filter(|fields| !fields.is_empty()) {
        fields.insert(".".to_owned(), empty());
    }
    fields
}

/// Both field sets together.
#[must_use]
pub fn union(one: &Value, other: &Value) -> Value {
    let mut both = one.as_object().cloned().unwrap_or_default();
    for (name, fields) in other.as_object().into_iter().flatten() {
        // What is owned as a whole in one of them, and through its fields in the other, is owned in both ways.
        let joined = match both.get(name) {
            Some(known) if is_leaf(known) != is_leaf(fields) => {
                let mut joined = union(known, fields);
                joined["."] = empty();
                joined
            }
            Some(known) => union(known, fields),
            None => fields.clone(),
        };
        both.insert(name.clone(), joined);
    }
    Value::Object(both)
}

fn is_leaf(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
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
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(name, value)| live.get(name).is_some_and(|live| has(shape.of_field(name), value, live)))
        }
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

/// `wanted`, with the values of `live` wherever these are the same but for defaults of the server.
#[must_use]
pub fn with_defaults(shape: &Shape, wanted: &Value, live: &Value) -> Value {
    match (shape, wanted) {
        (Shape::Object(_) | Shape::Map(_), Value::Object(wanted)) if !wanted.is_empty() => {
            let field = |(name, wanted): (&String, &Value)| {
                let value = live.get(name).map(|live| with_defaults(shape.of_field(name), wanted, live));
                (name.clone(), value.unwrap_or_else(|| wanted.clone()))
            };
            Value::Object(wanted.iter().map(field).collect())
        }
        (Shape::ListMap(keys, shape), Value::Array(wanted)) => {
            let elements = live.as_array().map(Vec::as_slice).unwrap_or_default();
            let element = |wanted: &Value| {
                let key = element_key(keys, wanted);
                let live = elements.iter().find(|live| element_key(keys, live) == key);
                live.map_or_else(|| wanted.clone(), |live| with_defaults(shape, wanted, live))
            };
            Value::Array(wanted.iter().map(element).collect())
        }
        _ if has(shape, wanted, live) => live.clone(),
        _ => wanted.clone(),
    }
}

/// The part of `value` that a field set owns; none where it has none of it.
#[must_use]
pub fn part(fields: &Value, value: &Value) -> Option<Value> {
    if is_leaf(fields) {
        return Some(value.clone());
    }
    let paths = || fields.as_object().into_iter().flatten();
    let part = match value {
        Value::Object(object) => {
            let member = |(path, fields): (&String, &Value)| {
                let name = path.strip_prefix("f:")?;
                Some((name.to_owned(), part(fields, object.get(name)?)?))
            };
            Value::Object(paths().filter_map(member).collect())
        }
        Value::Array(elements) => {
            Value::Array(elements.iter().filter_map(|element| part_of_element(fields, element)).collect())
        }
        scalar => scalar.clone(),
    };
    // What holds only parts of others' is not there for us.
    let is_empty = part.as_object().is_some_and(Map::is_empty) || part.as_array().is_some_and(Vec::is_empty);
    (!is_empty || fields.get(".").is_some()).then_some(part)
}

/// The same of an element of a list map, with the fields by which it is told apart.
fn part_of_element(fields: &Value, element: &Value) -> Option<Value> {
    fields.as_object()?.iter().find_map(|(path, fields)| {
        let key: Map<String, Value> = serde_json::from_str(path.strip_prefix("k:")?).ok()?;
        if !key.iter().all(|(name, value)| element.get(name) == Some(value)) {
            return None;
        }
        let mut part = part(fields, element)?;
        part.as_object_mut()?.extend(key);
        Some(part)
    })
}

/// The field set of our own Apply entry, if there is one.
#[must_use]
pub fn own_entry(object: &Object) -> Option<&Value> {
    object.managed_fields().iter().find(|entry| is_own(entry))?.get("fieldsV1")
}

/// Whether an entry of `managedFields` is our own Apply entry. Entries of subresources speak of status.
#[must_use]
pub fn is_own(entry: &Value) -> bool {
    entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" && is_of_itself(entry)
}

/// Whether an entry speaks of the object itself and not of a subresource.
fn is_of_itself(entry: &Value) -> bool {
    entry["subresource"].as_str().unwrap_or_default().is_empty()
}

/// Whether an entry of `managedFields` is one that an implementation that came before left on a Gateway: a plain update that
/// has listeners.
#[must_use]
pub fn is_former(entry: &Value) -> bool {
    let is_update = entry["operation"] == "Update" && is_of_itself(entry);
    let is_theirs = entry["manager"].as_str().is_some_and(|manager| former::MANAGERS.contains(&manager));
    is_update && is_theirs && !listener_names(&entry["fieldsV1"]).is_empty()
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
