//! The one type that the rest of the program knows of routes.

use std::fmt;

use k8s_openapi::jiff::Timestamp;

use super::kind::RouteKind;
use super::names::Names;

/// Identifies a Gateway, and so the WrappedGateway of the same namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayRef {
    /// Namespace of the Gateway.
    pub namespace: String,
    /// Name of the Gateway.
    pub name: String,
}

impl fmt::Display for GatewayRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Identifies a route. Its order (namespace, name, kind) is the tie-break between routes of the same age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// Namespace of the route.
    pub namespace: String,
    /// Name of the route.
    pub name: String,
    /// Kind of the route.
    pub kind: RouteKind,
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A route: what its manifest says that matters here, without defaults of ours and without verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it is called.
    pub key: RouteKey,
    /// `metadata.uid`; empty in manifests that no server has seen.
    pub uid: String,
    /// `metadata.creationTimestamp`. Absent in manifests: as if it were created after every other route.
    pub created: Option<Timestamp>,
    /// The `spec.parentRefs` entries that name Gateways, in the order written. Empty where the route asks to be ignored.
    pub parent_refs: Vec<ParentRef>,
    /// `spec.hostnames`, in the order written.
    pub hostnames: Vec<String>,
    /// The annotations of this project that it bears.
    pub wishes: Wishes,
    /// Whether it bears a finalizer or an annotation that only an earlier implementation wrote.
    pub relics: bool,
    /// Of a TCPRoute or UDPRoute: what external-dns may read of it, sorted by prefix. Most routes have nothing of it.
    pub names: Box<[Names]>,
}

/// One attachment of a route to a Gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRef {
    /// The Gateway.
    pub gateway: GatewayRef,
    /// Name of the listener that the route wants.
    pub section_name: Option<String>,
    /// Port of the listener that the route wants. The wire type is wider than a port, so that 0 and 65536 can be named when rejected.
    pub port: Option<i32>,
}

/// The values of a route's annotations as written; the planner judges them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `<group>/ports`, or else `<group>/port`.
    pub ports: Option<String>,
    /// `<group>/protocol`.
    pub protocol: Option<String>,
    /// `<group>/tls-mode`.
    pub tls_mode: Option<String>,
    /// `<group>/hostname`.
    pub hostname: Option<String>,
}
