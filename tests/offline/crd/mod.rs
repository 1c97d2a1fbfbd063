use std::collections::BTreeSet;

use homelab_helper::api;
use serde_json::Value;

// The schema admits in `spec` what the Gateway API admits there.
mod upstream;
// Everything that the schema admits can be read, and nothing of it is lost.
mod decoding;
// The checked-in file is the one that the program prints.
mod generated;
// Every field is described, in our own words.
mod prose;

/// The schema of a whole `WrappedGateway`.
fn schema() -> Value {
    serde_saphyr::from_str(api::SCHEMA).expect("the schema is YAML")
}

/// A schema's own properties, each with the path to it, and those of all schemas below it.
fn properties<'a>(schema: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        properties(property, &path, found);
        found.push((path, property));
    }
    if let Some(items) = schema.get("items") {
        properties(items, &format!("{path}[]"), found);
    }
    if let Some(values @ Value::Object(_)) = schema.get("additionalProperties") {
        properties(values, &format!("{path}{{}}"), found);
    }
}

/// A place where two values differ.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    path: String,
    left: Option<Value>,
    right: Option<Value>,
}

/// The innermost places where two values differ, sorted by path.
pub(super) fn differences(left: &Value, right: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(left), Some(right), &mut found);
    found
}

fn compare(path: &str, left: Option<&Value>, right: Option<&Value>, found: &mut Vec<Difference>) {
    match (left, right) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for name in names {
                compare(&format!("{path}/{name}"), left.get(name), right.get(name), found);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}/{index}"), Some(left), Some(right), found);
            }
        }
        // Limits are floating point numbers in some hands.
        (Some(Value::Number(left)), Some(Value::Number(right))) if left.as_f64() == right.as_f64() => {}
        _ if left == right => {}
        _ => found.push(Difference { path: path.to_owned(), left: left.cloned(), right: right.cloned() }),
    }
}
