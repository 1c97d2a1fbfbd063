use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use super::super::generated::table_is_generated;
use super::chart;

const BEGIN: &str = "<!-- values: generated from values.yaml -->\n";
const END: &str = "<!-- end of values -->\n";

/// One value that values.yaml documents.
struct Documented {
    path: String,
    text: String,
}

fn text() -> String {
    fs::read_to_string(chart().join("values.yaml")).expect("values.yaml")
}

fn values() -> Value {
    serde_saphyr::from_str(&text()).expect("values.yaml is YAML")
}

/// Every key that has a comment `# -- ...` above it, with its path.
fn documented() -> Vec<Documented> {
    let (mut found, mut parents, mut comment) = (Vec::new(), Vec::<String>::new(), None::<String>);
    for line in text().lines() {
        let trimmed = line.trim_start();
        if let Some(begun) = trimmed.strip_prefix("# -- ") {
            comment = Some(begun.to_owned());
        } else if let (Some(more), Some(comment)) = (trimmed.strip_prefix("# "), comment.as_mut()) {
            let _ = write!(comment, " {more}");
        } else if let Some((key, _)) = trimmed.split_once(':').filter(|(key, _)| key.chars().all(char::is_alphanumeric))
        {
            parents.truncate((line.len() - trimmed.len()) / 2);
            parents.push(key.to_owned());
            if let Some(text) = comment.take() {
                found.push(Documented { path: parents.join("."), text });
            }
        }
    }
    found
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, key| &value[key])
}

/// The paths of all values that are no maps with keys of their own.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                leaves(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

fn table() -> String {
    let values = values();
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    for Documented { path, text } in documented() {
        let _ = writeln!(table, "| `{path}` | `{}` | {} |", at(&values, &path), text.replace('|', "\\|"));
    }
    table
}

#[test]
fn the_table_is_made_of_the_comments() {
    table_is_generated(&chart().join("README.md"), BEGIN, END, &table());
}

#[test]
fn every_value_is_documented_in_one_place() {
    let documented: Vec<_> = documented().into_iter().map(|value| value.path).collect();
    let mut all = BTreeSet::new();
    leaves(&values(), "", &mut all);
    for leaf in &all {
        let above = |path: &&String| leaf == *path || leaf.starts_with(&format!("{path}."));
        assert_eq!(documented.iter().filter(above).count(), 1, "{leaf} needs one comment that begins with `# -- `");
    }
    for path in &documented {
        let is_there = |leaf: &String| leaf == path || leaf.starts_with(&format!("{path}."));
        assert!(all.iter().any(is_there), "{path} is documented, and is no value");
    }
}

/// What the schema admits beside the values: what charts above have for their own use, and what Kubernetes has.
const BESIDE: [&str; 3] = ["enabled", "global", "deployment.resources.claims"];

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let text = fs::read_to_string(chart().join("values.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    compare(&schema, &values(), "");
}

/// Where the schema lists properties and admits no others, these are the keys of the values.
fn compare(schema: &Value, values: &Value, path: &str) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let Some(values) = values.as_object().filter(|values| !values.is_empty()) else { return };
    for (name, value) in values {
        let property = properties.get(name).unwrap_or_else(|| panic!("the schema does not know {path}{name}"));
        compare(property, value, &format!("{path}{name}."));
    }
    assert_eq!(schema["additionalProperties"], false, "a typo beside {path} would pass");
    for name in properties.keys() {
        let full = format!("{path}{name}");
        assert!(values.contains_key(name) || BESIDE.contains(&full.as_str()), "values.yaml does not have {full}");
    }
}
