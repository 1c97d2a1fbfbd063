//! The `WrappedGateway` resource.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gateway::{Listener, RouteNamespaces, SecretReference};
use super::lenient::{null_as_default, without_nulls};

/// What is wanted of one Gateway: its template, its static listeners, and the rules for generated ones.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gateway-route-sync.homelab-helper.benfiola.com",
    version = "v1",
    kind = "WrappedGateway",
    plural = "wrappedgateways",
    shortname = "wgw",
    namespaced,
    status = "WrappedGatewayStatus",
    // `crd` adds what no derive could make.
    schema = "disabled",
)]
#[serde(rename_all = "camelCase")]
pub struct WrappedGatewaySpec {
    /// The GatewayClass of the Gateway.
    pub gateway_class_name: String,
    /// Static listeners, kept on the Gateway exactly as written.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// What generated listeners look like, and who may ask for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_template: Option<ListenerTemplate>,
    /// Whether plain HTTP on port 80 is answered with a redirect to https.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_false")]
    pub https_redirect: bool,
    /// Every other field of `Gateway.spec`, passed on as it is: `addresses`, `infrastructure`, `allowedListeners`, `tls`.
    #[serde(flatten, deserialize_with = "without_nulls")]
    pub passed_on: BTreeMap<String, Value>,
}

// serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

/// What generated listeners look like, and who may ask for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTemplate {
    /// Port of the listeners of HTTPRoutes, GRPCRoutes and TLSRoutes; absent: 443, or 80 where `protocol` is HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Protocol of the listeners of HTTPRoutes and GRPCRoutes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub protocol: TemplateProtocol,
    /// TLS block of generated listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TemplateTls>,
    /// Whose routes may ask for listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<TemplateAllowedRoutes>,
    /// Whether a hostname belongs to the namespace that has it first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub hostname_ownership: HostnameOwnership,
    /// Where present, a hostname goes only to namespaces that a grant names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname_grants: Option<Vec<HostnameGrant>>,
    /// How many listeners one namespace may be the only claimant of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_listeners_per_namespace: Option<u32>,
}

/// Protocol of generated listeners for HTTPRoutes and GRPCRoutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemplateProtocol {
    /// No TLS.
    #[serde(rename = "HTTP")]
    Http,
    /// TLS, terminated at the Gateway. The first definition of this resource took any protocol; all but HTTP mean this.
    #[default]
    #[serde(rename = "HTTPS", other)]
    Https,
}

/// TLS block of generated listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateTls {
    /// Used instead of a Secret per hostname.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<SecretReference>,
    /// Copied to each generated TLS block.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Whose routes may ask for listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateAllowedRoutes {
    /// Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
}

/// Whether a hostname belongs to one namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostnameOwnership {
    /// Namespaces share it.
    Shared,
    /// It belongs to the namespace that has it first.
    #[default]
    #[serde(other)]
    Namespace,
}

/// Hostnames that some namespaces may have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostnameGrant {
    /// The namespaces, by their labels; empty: all.
    pub namespaces: LabelSelector,
    /// Each exact, or `*.suffix` for any depth below the suffix.
    pub hostnames: Vec<String>,
}

/// What the controller did, and what it could not do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrappedGatewayStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the last reconciliation that is recorded here ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconciled_time: Option<Time>,
    /// The Gateway's first address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Listeners of the Gateway, those of others included.
    #[serde(default, deserialize_with = "null_as_default")]
    pub listeners: u32,
    /// Routes attached to the Gateway.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routes: u32,
    /// Routes of which at least one claim is rejected.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rejected: u32,
    /// The first rejections, sorted, at most 32.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub rejected_routes: Vec<RejectedRoute>,
    /// `Ready`, `RoutesAccepted` and `Programmed`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// One rejection, as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRoute {
    /// Kind of the route.
    pub kind: String,
    /// Namespace of the route.
    pub namespace: String,
    /// Name of the route.
    pub name: String,
    /// One word, as `PortConflict`.
    pub reason: String,
    /// What is wrong and what to do.
    pub message: String,
}
