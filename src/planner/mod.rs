//! Routes, template and what is there → what ought to be there. Pure and total: a problem is data, not an error.

mod live;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::api::{Listener, WrappedGatewaySpec};
use crate::routes::{GatewayRef, Route, RouteKey};

pub use live::{Control, NoListener, live_listeners};

/// Everything that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The Gateway that is planned.
    pub gateway: &'a GatewayRef,
    /// The template.
    pub spec: &'a WrappedGatewaySpec,
    /// The Gateway's listeners as they are, in their order; empty where there is no Gateway.
    pub live: &'a [LiveListener],
    /// The routes attached to the Gateway, in any order.
    pub routes: &'a [Arc<Route>],
    /// Labels of namespaces, by name. A namespace that is missing has its name as only label.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
}

/// A listener of the live Gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveListener {
    /// The listener as it stands on the Gateway.
    pub listener: Listener,
    /// Whether our own Apply entry in `metadata.managedFields` has it.
    pub ours: bool,
    /// Another manager whose Apply entry has fields of it, if there is one.
    pub held_by: Option<String>,
    /// Whether the Gateway's status says `Programmed` of it.
    pub programmed: bool,
}

/// What ought to be there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The listeners that we apply, in their order. Those of others are not among them.
    pub listeners: Vec<PlannedListener>,
    /// How many listeners the Gateway then has, those of others included.
    pub total: usize,
    /// Which claim is served by which listener.
    pub served: Vec<Served>,
    /// Why a claim gets no listener; sorted by route, then as the route's claims stand in its manifest.
    pub rejections: Vec<Rejection>,
    /// What is served and yet will not do what its author expects; sorted by route.
    pub warnings: Vec<Warning>,
    /// What is wrong with the template against what is there, and no route can mend.
    pub problems: Vec<String>,
}

/// A listener that we apply.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedListener {
    /// The listener, whole.
    pub listener: Listener,
    /// Why it is there.
    pub origin: Origin,
}

/// Why a listener is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The template says so.
    Static,
    /// `httpsRedirect` says so.
    Redirect,
    /// Routes ask for it.
    Generated,
    /// A Gateway may not be without listeners.
    Placeholder,
    /// Nothing asks for it, but another manager holds fields of it, so that it cannot be dropped.
    Kept,
}

/// A claim that has a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The claiming route.
    pub route: RouteKey,
    /// The claim in words, as `HTTPS 443 www.example.com`.
    pub claim: String,
    /// Name of the listener that serves it.
    pub listener: String,
}

/// A claim that has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The claiming route.
    pub route: RouteKey,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, and what to do about it.
    pub message: String,
}

/// Something that is served and yet will not do what its author expects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The route that is warned; none where the WrappedGateway's owner is.
    pub route: Option<RouteKey>,
    /// What about, in one word.
    pub reason: WarningReason,
    /// What will happen, and what to do about it.
    pub message: String,
}

/// Why a claim is rejected. `Display` gives the one word that conditions, events and metrics use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An HTTPRoute, GRPCRoute or TLSRoute has no hostname.
    HostnameRequired,
    /// A hostname is an address, or no DNS name.
    InvalidHostname,
    /// A port is none.
    InvalidPort,
    /// The `protocol` annotation is neither HTTP nor HTTPS.
    InvalidProtocol,
    /// The `tls-mode` annotation is neither Terminate nor Passthrough.
    InvalidTlsMode,
    /// A TCPRoute or UDPRoute says no port.
    PortRequired,
    /// A parentRef names one listener and asks for several.
    SectionNameTooNarrow,
    /// The wanted name belongs to something else, or the listener has another name.
    ListenerNameTaken,
    /// A listener that we do not own serves that hostname and does not admit the route.
    NotAdmitted,
    /// Protocols that cannot share a port.
    PortConflict,
    /// Protocols or TLS modes that cannot share a hostname on a port.
    HostnameConflict,
    /// The template does not let this namespace ask for listeners.
    NamespaceNotAllowed,
    /// The hostname belongs to another namespace.
    HostnameOwned,
    /// The port belongs to another namespace.
    PortOwned,
    /// No grant gives this hostname to this namespace.
    HostnameNotGranted,
    /// The namespace has as many listeners of its own as it may.
    NamespaceQuotaReached,
    /// A Gateway has at most 64 listeners.
    ListenerLimitReached,
}

/// What a warning is about. `Display` gives the one word that events use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningReason {
    /// Another route of the same port is older, and gets all traffic.
    SharedPort,
    /// By the Gateway API the route attaches to a listener that it did not ask for.
    AmbiguousAttachment,
    /// Another manager holds fields of a listener that nobody asks for.
    ListenerHeld,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for WarningReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What ought to be there.
#[must_use]
pub fn plan(input: Input<'_>) -> Plan {
    let _ = input;
    Plan::default()
}
