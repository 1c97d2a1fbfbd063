//! The definition of `WrappedGateway` that a cluster is given.
//!
//! Its schema is written by hand, in `wrapped_gateway.schema.yaml`: deriving it from Rust types would lose most of the
//! Gateway API's patterns, limits, list types and CEL rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceValidation,
};
use kube::CustomResourceExt as _;
use serde::de::DeserializeOwned;

use super::WrappedGateway;

/// The schema of a whole `WrappedGateway`, as a person reads and edits it.
pub const SCHEMA: &str = include_str!("wrapped_gateway.schema.yaml");

/// What `kubectl get` shows: title, type, and where it stands in the object.
const COLUMNS: [(&str, &str, &str); 7] = [
    ("Class", "string", ".spec.gatewayClassName"),
    ("Address", "string", ".status.address"),
    ("Listeners", "integer", ".status.listeners"),
    ("Routes", "integer", ".status.routes"),
    ("Rejected", "integer", ".status.rejected"),
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Age", "date", ".metadata.creationTimestamp"),
];

/// Put above the generated file.
const HEADER: &str = "\
# The CustomResourceDefinition of WrappedGateway. Generated: edit src/api/wrapped_gateway.schema.yaml instead, and run
# `homelab-helper gateway-route-sync crd > crds/wrappedgateways.yaml`, or the tests, which do the same.
";

/// The definition of `WrappedGateway`.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = WrappedGateway::crd();
    // The API server would fill it in; saying it keeps what is applied equal to what is stored.
    crd.spec.names.list_kind = Some("WrappedGatewayList".to_owned());
    for version in &mut crd.spec.versions {
        version.additional_printer_columns = Some(COLUMNS.map(column).to_vec());
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(schema()) });
    }
    crd
}

fn column((name, type_, json_path): (&str, &str, &str)) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: json_path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}

/// The definition of `WrappedGateway` as a YAML document, the same bytes each time.
///
/// # Panics
/// Never: the schema is part of the program, and the tests read it.
#[must_use]
pub fn crd_yaml() -> String {
    let mut crd = serde_json::to_value(crd()).expect("a definition is JSON");
    // The types have limits as floating point numbers, and `65535.0` is not how anybody writes a port.
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema();
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_with_options(&crd, options).expect("JSON is YAML");
    format!("{HEADER}{yaml}")
}

/// The schema as whatever type is asked for.
pub(super) fn schema<T: DeserializeOwned>() -> T {
    serde_saphyr::from_str(SCHEMA).expect("the schema is valid, as the tests show")
}
