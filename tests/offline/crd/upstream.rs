use controlplane::GatewayApi;
use serde_json::{Value, json};

use super::{Difference, differences, schema};

/// Every way in which our `spec` differs from that of a Gateway: a path, what stands there, and what stands upstream.
fn on_purpose() -> Vec<Difference> {
    let schema = schema();
    let ours = |pointer: &str| schema["properties"]["spec"].pointer(pointer).map(without_descriptions);
    let added = |pointer: &str| Difference { path: pointer.to_owned(), left: ours(pointer), right: None };
    vec![
        // Fields of our own.
        added("/properties/httpsRedirect"),
        added("/properties/listenerTemplate"),
        // Routes bring listeners along, so none have to stand in the manifest. An empty list is what a template engine
        // makes of none, and it means the same.
        Difference { path: "/properties/listeners/minItems".to_owned(), left: None, right: Some(json!(1)) },
        Difference {
            path: "/required".to_owned(),
            left: Some(json!(["gatewayClassName"])),
            right: Some(json!(["gatewayClassName", "listeners"])),
        },
        // Rules between the fields of our own.
        added("/x-kubernetes-validations"),
    ]
}

#[test]
fn the_spec_is_that_of_a_gateway_but_for_what_is_named_here() {
    let gateway = gateway_crd();
    let versions = gateway["spec"]["versions"].as_array().expect("versions");
    let v1 = versions.iter().find(|version| version["name"] == "v1").expect("the version v1");
    let theirs = without_descriptions(&v1["schema"]["openAPIV3Schema"]["properties"]["spec"]);
    let ours = without_descriptions(&schema()["properties"]["spec"]);

    assert_eq!(differences(&ours, &theirs), on_purpose());
}

fn gateway_crd() -> Value {
    let crds = GatewayApi::NEWEST.crds().expect("the CRDs of the Gateway API");
    let is_gateway = |crd: &Value| crd["metadata"]["name"] == "gateways.gateway.networking.k8s.io";
    crds.into_iter().find(is_gateway).expect("the CRD of Gateway")
}

/// A field that is called `description` would be a schema, not a text.
fn without_descriptions(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, value)| !(*name == "description" && value.is_string()));
            kept.map(|(name, value)| (name.clone(), without_descriptions(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_descriptions).collect(),
        other => other.clone(),
    }
}
