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
    assert_eq!(owned(&shape(), value).as_ref(), Some(fields), "{value}");
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
    assert_owned(&json!({ "labels": {}, "refs": [] }), &json!({ "f:labels": {}, "f:refs": {} }));
}

#[test]
fn an_empty_list_map_is_nobodys() {
    assert_eq!(owned(&shape(), &json!({ "listeners": [] })), None);
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
    assert_eq!(owned(&Shape::of_metadata(), &metadata), Some(fields));
}

#[test]
fn a_union_has_what_either_has() {
    let one = json!({ "f:a": {}, "f:b": { "f:c": {} }, "f:d": {} });
    let other = json!({ "f:b": { "f:e": {} }, "f:d": { "f:g": {} }, "f:h": {} });
    let both = json!({ "f:a": {}, "f:b": { "f:c": {}, "f:e": {} }, "f:d": { ".": {}, "f:g": {} }, "f:h": {} });
    assert_eq!(union(&one, &other), both);
    assert_eq!(union(&other, &one), both);
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
    let live =
        json!({ "listeners": [{ "name": "a", "port": 1 }, { "name": "x", "port": 9 }, { "name": "b", "port": 2 }] });
    assert_has(&wanted, &live, true);
    assert_has(&json!({ "listeners": [{ "name": "a", "port": 2 }] }), &live, false);
    assert_has(&json!({ "listeners": [{ "name": "c", "port": 1 }] }), &live, false);
}

#[test]
fn only_our_own_apply_entry_of_the_object_itself_counts() {
    let entry = |manager: &str, operation: &str, subresource: &str| json!({ "manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": { "f:x": {} } });
    let own = |entries: Vec<Value>| {
        own_entry(&Object::try_from(json!({ "metadata": { "managedFields": entries } })).unwrap()).is_some()
    };
    assert!(own(vec![entry("other", "Apply", ""), entry(FIELD_MANAGER, "Apply", "")]));
    assert!(!own(vec![
        entry("other", "Apply", ""),
        entry(FIELD_MANAGER, "Update", ""),
        entry(FIELD_MANAGER, "Apply", "status"),
    ]));
}
