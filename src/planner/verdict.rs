//! What a plan says of claims: served, rejected, warned. The reasons are the words that people see.

use std::fmt;

use super::claim::Slot;
use super::refusal::Refusal;
use crate::routes::{Route, RouteKey};

/// A claim that has a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The claiming route.
    pub route: RouteKey,
    /// What it claims.
    pub slot: Slot,
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
    /// A listener that is not ours to change serves that hostname or port, and does not admit the route.
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
    /// By the Gateway API a route attaches to a listener that it did not ask for.
    AmbiguousAttachment,
    /// The annotation that names a TCPRoute or UDPRoute in DNS is empty, or no list of names.
    InvalidDnsName,
    /// Another manager holds fields of a listener that nobody asks for.
    ListenerHeld,
    /// A certificate is in another namespace, and no ReferenceGrant lets the Gateway use it. The data plane gives such a
    /// listener this reason too.
    RefNotPermitted,
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

/// Verdicts while they are collected, each with the claim's place in its route's manifest.
#[derive(Debug, Default)]
pub(super) struct Verdicts<'a> {
    served: Vec<(&'a RouteKey, usize, Slot, String)>,
    rejected: Vec<(&'a RouteKey, usize, Refusal)>,
}

impl<'a> Verdicts<'a> {
    pub fn serve(&mut self, route: &'a Route, order: usize, slot: Slot, listener: &str) {
        self.served.push((&route.key, order, slot, listener.to_owned()));
    }

    pub fn reject(&mut self, route: &'a Route, order: usize, refusal: Refusal) {
        self.rejected.push((&route.key, order, refusal));
    }

    pub fn append(&mut self, mut other: Self) {
        self.served.append(&mut other.served);
        self.rejected.append(&mut other.rejected);
    }

    /// Sorted by route, then as the claims stand in its manifest.
    pub fn finish(mut self) -> (Vec<Served>, Vec<Rejection>) {
        self.served.sort_by_key(|(route, order, ..)| (*route, *order));
        self.rejected.sort_by_key(|(route, order, ..)| (*route, *order));
        let served =
            self.served.into_iter().map(|(route, _, slot, listener)| Served { route: route.clone(), slot, listener });
        let rejected = self.rejected.into_iter().map(|(route, _, Refusal { reason, message })| Rejection {
            route: route.clone(),
            reason,
            message,
        });
        (served.collect(), rejected.collect())
    }
}
