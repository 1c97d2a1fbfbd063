use std::collections::{BTreeMap, BTreeSet};

use homelab_helper::api::{
    AllowedRoutes, HostnameGrant, HostnameOwnership, Listener, ListenerTemplate, ListenerTls, NamespacesFrom, Protocol,
    RejectedRoute, RouteGroupKind, RouteNamespaces, SecretReference, TemplateAllowedRoutes, TemplateProtocol,
    TemplateTls, TlsMode, WrappedGateway, WrappedGatewaySpec, WrappedGatewayStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, LabelSelectorRequirement, Time};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{properties, schema};

proptest! {
    /// Static listeners go to the Gateway exactly as they are written, so no field may get lost on the way.
    #[test]
    fn what_the_schema_admits_is_read_whole(object in admitted(&schema())) {
        let read: WrappedGateway = serde_json::from_value(with_metadata(&object)).expect("an admitted object");
        let written = serde_json::to_value(read).expect("JSON");
        for part in ["spec", "status"] {
            let lost = lost(&object[part], &written[part], part);
            prop_assert!(lost.is_empty(), "lost: {:?}\nof {:#}", lost, object);
        }
    }
}

/// A field that the schema lacks would vanish in the API server without a word.
#[test]
fn what_is_written_is_in_the_schema() {
    let schema = schema();
    let mut known = Vec::new();
    properties(&schema, "", &mut known);
    let known: BTreeSet<_> = known.into_iter().map(|(path, _)| path).collect();
    let mut written = Vec::new();
    field_paths(&json!({"spec": full_spec(), "status": full_status()}), "", &mut written);
    let unknown: Vec<_> = written.iter().filter(|path| !known.contains(*path) && !is_map_entry(path)).collect();
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
}

/// The structures are written out so that a new field does not compile before it stands here.
fn full_spec() -> WrappedGatewaySpec {
    let references = vec![SecretReference {
        group: Some(String::new()),
        kind: Some("Secret".to_owned()),
        name: "web".to_owned(),
        namespace: Some("certificates".to_owned()),
    }];
    let options: BTreeMap<_, _> = [("option".to_owned(), "value".to_owned())].into();
    let requirement = LabelSelectorRequirement {
        key: "team".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec!["web".to_owned()]),
    };
    let selector = LabelSelector {
        match_expressions: Some(vec![requirement]),
        match_labels: Some([("label".to_owned(), "value".to_owned())].into()),
    };
    let namespaces = RouteNamespaces { from: Some(NamespacesFrom::Selector), selector: Some(selector.clone()) };
    let kinds = vec![RouteGroupKind { group: Some("example.com".to_owned()), kind: "FooRoute".to_owned() }];
    WrappedGatewaySpec {
        gateway_class_name: "envoy".to_owned(),
        listeners: vec![Listener {
            name: "web".to_owned(),
            hostname: Some("example.com".to_owned()),
            port: 443,
            protocol: Protocol::Https,
            tls: Some(ListenerTls {
                mode: Some(TlsMode::Terminate),
                certificate_refs: references.clone(),
                options: options.clone(),
            }),
            allowed_routes: Some(AllowedRoutes { namespaces: Some(namespaces.clone()), kinds }),
        }],
        listener_template: Some(ListenerTemplate {
            port: Some(443),
            protocol: TemplateProtocol::Https,
            tls: Some(TemplateTls { certificate_refs: references, options }),
            allowed_routes: Some(TemplateAllowedRoutes { namespaces: Some(namespaces) }),
            hostname_ownership: HostnameOwnership::Namespace,
            hostname_grants: Some(vec![HostnameGrant {
                namespaces: selector,
                hostnames: vec!["example.com".to_owned()],
            }]),
            max_listeners_per_namespace: Some(1),
        }),
        https_redirect: true,
        passed_on: BTreeMap::new(),
    }
}

fn full_status() -> WrappedGatewayStatus {
    let now: Time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    WrappedGatewayStatus {
        observed_generation: Some(1),
        last_reconciled_time: Some(now.clone()),
        address: Some("192.0.2.1".to_owned()),
        listeners: 1,
        routes: 1,
        rejected: 1,
        rejected_routes: vec![RejectedRoute::default()],
        conditions: vec![Condition {
            last_transition_time: now,
            message: String::new(),
            observed_generation: Some(1),
            reason: "Reason".to_owned(),
            status: "True".to_owned(),
            type_: "Ready".to_owned(),
        }],
    }
}

/// Entries of maps are named by people.
fn is_map_entry(path: &str) -> bool {
    path.ends_with(".matchLabels.label") || path.ends_with(".options.option")
}

fn field_paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                field_paths(value, &path, found);
                found.push(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| field_paths(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

fn with_metadata(object: &Value) -> Value {
    json!({
        "apiVersion": "gateway-route-sync.homelab-helper.benfiola.com/v1",
        "kind": "WrappedGateway",
        "metadata": {"name": "public", "namespace": "gateway"},
        "spec": object["spec"],
        "status": object.get("status").unwrap_or(&Value::Null),
    })
}

/// The paths of what is in `before` and not in `after`. Empty lists and maps, and `false`, say nothing.
fn lost(before: &Value, after: &Value, path: &str) -> Vec<String> {
    match (before, after) {
        (Value::Object(fields), _) => fields
            .iter()
            .flat_map(|(name, value)| lost(value, after.get(name).unwrap_or(&Value::Null), &format!("{path}.{name}")))
            .collect(),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).flat_map(|(before, after)| lost(before, after, &format!("{path}[]"))).collect()
        }
        (Value::Null | Value::Bool(false), Value::Null) => Vec::new(),
        (Value::Array(items), Value::Null) if items.is_empty() => Vec::new(),
        _ if before == after => Vec::new(),
        _ => vec![format!("{path}: {before} became {after}")],
    }
}

/// Values that a schema admits as far as types go: what is read depends neither on patterns nor on rules.
fn admitted(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(choices) = schema["enum"].as_array() {
        return prop::sample::select(choices.clone()).boxed();
    }
    match schema["type"].as_str().expect("a type") {
        "object" if schema["additionalProperties"].is_object() => {
            let values = admitted(&schema["additionalProperties"]);
            prop::collection::btree_map("[a-z]{1,4}", values, 0..3).prop_map(|map| json!(map)).boxed()
        }
        "object" => admitted_object(schema),
        "array" => {
            let least = schema["minItems"].as_u64().map_or(0, |least| usize::try_from(least).expect("a small number"));
            prop::collection::vec(admitted(&schema["items"]), least..least + 3).prop_map(Value::Array).boxed()
        }
        "string" if schema["format"] == "date-time" => Just(json!("2026-01-01T00:00:00Z")).boxed(),
        "string" => "[ -~]{0,12}".prop_map(Value::String).boxed(),
        "integer" => {
            let largest = schema["maximum"].as_i64().unwrap_or(i64::from(i32::MAX));
            (schema["minimum"].as_i64().unwrap_or_default()..=largest).prop_map(|number| json!(number)).boxed()
        }
        "boolean" => any::<bool>().prop_map(Value::Bool).boxed(),
        other => panic!("no values of type {other} are made here"),
    }
}

fn admitted_object(schema: &Value) -> BoxedStrategy<Value> {
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, schema)| {
            let name = name.clone();
            let value = admitted(schema);
            let value = if is_required(&name) { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() };
            value.prop_map(move |value| Some((name.clone(), value?)))
        })
        .collect();
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect::<Map<_, _>>())).boxed()
}
