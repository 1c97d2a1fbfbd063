//! The definition of `WrappedGateway` that a cluster is given.
//!
//! Its schema is written by hand, in `wrapped_gateway.schema.yaml`: deriving it from Rust types would lose most of the
//! Gateway API's patterns, limits, list types and CEL rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceValidation, JSONSchemaProps,
};
use kube::CustomResourceExt as _;

use super::WrappedGateway;

/// The schema of a whole `WrappedGateway`, as a person reads and edits it.
pub const SCHEMA: &str = include_str!("wrapped_gateway.schema.yaml");

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
        version.schema = Some(CustomResourceValidation { open_api_v3_schema: Some(schema()) });
    }
    crd
}

/// The definition of `WrappedGateway` as a YAML document, the same bytes each time.
#[must_use]
pub fn crd_yaml() -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_with_options(&crd(), options).expect("a definition has nothing that YAML lacks");
    format!("{HEADER}{yaml}")
}

fn schema() -> JSONSchemaProps {
    serde_saphyr::from_str(SCHEMA).expect("the schema is part of the program, and the tests read it")
}
