//! From what was settled to the listeners that are written, in their order.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::claim::Slot;
use super::fixed::Fixed;
use super::name;
use super::resolve::Settled;
use super::{Input, Origin, PlannedListener};
use crate::api::{
    AllowedRoutes, GATEWAY_GROUP, Listener, ListenerTls, NAMESPACE_NAME_LABEL, NamespacesFrom, Protocol,
    RouteGroupKind, RouteNamespaces, SecretReference, TlsMode,
};
use crate::routes::RouteKind;

/// Name of the listener of a Gateway that would have none.
const PLACEHOLDER: &str = "placeholder";

/// The listeners to write: those that exist in the order they have, then new fixed ones as written, then new
/// generated ones by name. An unrelated change so never moves one, which would drain its port's connections.
pub(super) fn in_order(input: &Input<'_>, fixed: &Fixed, settled: &[Settled<'_>]) -> Vec<PlannedListener> {
    let ours = fixed.listeners.iter().filter_map(|fixed| {
        let planned = PlannedListener { listener: fixed.listener.clone(), origin: fixed.origin? };
        Some((fixed.live, planned))
    });
    let mut generated: Vec<_> = settled
        .iter()
        .map(|settled| {
            let listener = generated(input, settled);
            (settled.live, PlannedListener { listener, origin: Origin::Generated })
        })
        .collect();
    generated.sort_by(|(_, a), (_, b)| a.listener.name.cmp(&b.listener.name));
    let mut all: Vec<_> = ours.chain(generated).collect();
    if all.is_empty() && fixed.listeners.is_empty() {
        all.push((None, PlannedListener { listener: placeholder(), origin: Origin::Placeholder }));
    }
    all.sort_by_key(|(live, _)| (live.is_none(), *live));
    all.into_iter().map(|(_, planned)| planned).collect()
}

fn generated(input: &Input<'_>, settled: &Settled<'_>) -> Listener {
    let slot = &settled.slot;
    let namespaces: BTreeSet<_> = settled.claims.iter().map(|claim| claim.route.key.namespace.clone()).collect();
    let requirement = LabelSelectorRequirement {
        key: NAMESPACE_NAME_LABEL.to_owned(),
        operator: "In".to_owned(),
        values: Some(namespaces.into_iter().collect()),
    };
    Listener {
        name: settled.name.clone(),
        hostname: slot.hostname.as_ref().map(ToString::to_string),
        port: slot.port,
        protocol: slot.protocol.clone(),
        tls: tls(input, settled),
        allowed_routes: Some(AllowedRoutes { namespaces: Some(selector(requirement)), kinds: kinds(slot) }),
    }
}

fn tls(input: &Input<'_>, settled: &Settled<'_>) -> Option<ListenerTls> {
    let mode = settled.slot.tls?;
    let template = input.spec.listener_template.as_ref().and_then(|template| template.tls.as_ref());
    let shared = template.map(|tls| tls.certificate_refs.as_slice()).filter(|refs| !refs.is_empty());
    let certificate_refs = match (mode, shared) {
        (TlsMode::Passthrough, _) => Vec::new(),
        (TlsMode::Terminate, Some(shared)) => shared.to_vec(),
        (TlsMode::Terminate, None) => {
            vec![SecretReference { name: secret(input, settled), ..SecretReference::default() }]
        }
    };
    let options = template.map(|tls| tls.options.clone()).unwrap_or_default();
    Some(ListenerTls { mode: Some(mode), certificate_refs, options })
}

/// A listener of the Go implementation keeps the Secret that it has, so that no certificate is issued anew.
fn secret(input: &Input<'_>, settled: &Settled<'_>) -> String {
    let tls = settled.live.and_then(|live| input.live[live].listener.tls.as_ref());
    match tls.map(|tls| tls.certificate_refs.as_slice()) {
        Some([only]) if name::is_legacy_secret(&only.name, &settled.slot) => only.name.clone(),
        _ => name::secret(input.gateway, &settled.slot),
    }
}

/// Left out for HTTP and HTTPS: naming GRPCRoute where the data plane has none would make the listener invalid, and
/// some data planes merge the kinds of a port.
fn kinds(slot: &Slot) -> Vec<RouteGroupKind> {
    let kind = match slot.protocol {
        Protocol::Tls => RouteKind::Tls,
        Protocol::Tcp => RouteKind::Tcp,
        Protocol::Udp => RouteKind::Udp,
        Protocol::Http | Protocol::Https | Protocol::Other(_) => return Vec::new(),
    };
    vec![RouteGroupKind { group: Some(GATEWAY_GROUP.to_owned()), kind: kind.name().to_owned() }]
}

/// A Gateway may not be without listeners; this one gives it an address and admits no route.
fn placeholder() -> Listener {
    let requirement = LabelSelectorRequirement {
        key: NAMESPACE_NAME_LABEL.to_owned(),
        operator: "DoesNotExist".to_owned(),
        values: None,
    };
    Listener {
        name: PLACEHOLDER.to_owned(),
        hostname: None,
        port: 80,
        protocol: Protocol::Http,
        tls: None,
        allowed_routes: Some(AllowedRoutes { namespaces: Some(selector(requirement)), kinds: Vec::new() }),
    }
}

fn selector(requirement: LabelSelectorRequirement) -> RouteNamespaces {
    let selector = LabelSelector { match_labels: None, match_expressions: Some(vec![requirement]) };
    RouteNamespaces { from: Some(NamespacesFrom::Selector), selector: Some(selector) }
}
