//! Who attaches where by the Gateway API's own rules, whatever we planned; and what of it will surprise its author.

use std::collections::{BTreeMap, BTreeSet};

use super::Input;
use super::admit::listener_admits;
use super::hostname::Hostname;
use super::verdict::{Served, Warning, WarningReason};
use crate::api::Listener;
use crate::routes::{ParentRef, Route, RouteKey};

/// How many names a message lists before it only counts.
const NAMED: usize = 3;

/// Whether a route attaches to a listener of its Gateway through this parentRef.
#[must_use]
pub fn attaches(route: &Route, parent: &ParentRef, listener: &Listener, input: &Input<'_>) -> bool {
    parent.gateway == *input.gateway
        && parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
        && parent.port.is_none_or(|port| port == i32::from(listener.port))
        && route.key.kind.fits(&listener.protocol)
        && hostnames_meet(route, listener)
        && listener_admits(listener, &route.key, input)
}

fn hostnames_meet(route: &Route, listener: &Listener) -> bool {
    let Some(of_listener) = listener.hostname.as_deref().map(Hostname::of_listener) else { return true };
    route.hostnames.is_empty() || route.hostnames.iter().any(|host| Hostname::of_listener(host).overlaps(&of_listener))
}

/// The warnings for what is served all the same.
pub(super) fn warnings(
    input: &Input<'_>,
    routes: &[&Route],
    listeners: &[&Listener],
    served: &[Served],
) -> Vec<Warning> {
    let mut warnings = shared_ports(routes, served);
    warnings.extend(ambiguous(input, routes, listeners, served));
    warnings.sort();
    // A route may ask for the same listener twice.
    warnings.dedup();
    warnings
}

/// Several TCPRoutes or UDPRoutes on a listener are all accepted, and only the oldest gets traffic.
fn shared_ports(routes: &[&Route], served: &[Served]) -> Vec<Warning> {
    let mut oldest: BTreeMap<&str, &RouteKey> = BTreeMap::new();
    let mut warnings = Vec::new();
    // The routes come by age.
    for route in routes.iter().filter(|route| !route.key.kind.has_hostnames()) {
        for Served { slot, listener, .. } in of_route(served, &route.key) {
            let oldest = *oldest.entry(listener).or_insert(&route.key);
            if *oldest != route.key {
                warnings.push(Warning {
                    route: Some(route.key.clone()),
                    reason: WarningReason::SharedPort,
                    message: format!(
                        "{slot}: {oldest} is older and gets all traffic of the port; take another port, or remove one of \
                         the two"
                    ),
                });
            }
        }
    }
    warnings
}

/// What is served of a route. `served` is sorted by route.
fn of_route<'s>(served: &'s [Served], route: &'s RouteKey) -> impl Iterator<Item = &'s Served> {
    let first = served.partition_point(|served| served.route < *route);
    served[first..].iter().take_while(move |served| served.route == *route)
}

/// A parentRef with neither port nor sectionName attaches to every listener that admits it. Those on ports that it
/// did not ask for are a surprise to its author, and to the author for whom they were made.
fn ambiguous(input: &Input<'_>, routes: &[&Route], listeners: &[&Listener], served: &[Served]) -> Vec<Warning> {
    let mut intruders: BTreeMap<&str, BTreeSet<&RouteKey>> = BTreeMap::new();
    let mut warnings = Vec::new();
    for route in routes {
        let surprising = surprising(route, input, listeners, served);
        if surprising.is_empty() {
            continue;
        }
        for listener in &surprising {
            intruders.entry(&listener.name).or_default().insert(&route.key);
        }
        let names = surprising.iter().map(|listener| format!("{} (port {})", listener.name, listener.port));
        let message = format!(
            "the parentRef has neither port nor sectionName, so by the Gateway API the route also attaches to {}; set \
             parentRefs[].port",
            listed(names)
        );
        warnings.push(Warning { route: Some(route.key.clone()), reason: WarningReason::AmbiguousAttachment, message });
    }
    let mut intruded: BTreeMap<&RouteKey, BTreeSet<&RouteKey>> = BTreeMap::new();
    for served in served {
        if let Some(intruders) = intruders.get(served.listener.as_str()) {
            intruded.entry(&served.route).or_default().extend(intruders);
        }
    }
    warnings.extend(intruded.into_iter().map(|(key, intruders)| Warning {
        route: Some(key.clone()),
        reason: WarningReason::AmbiguousAttachment,
        message: format!(
            "by the Gateway API {} also attaches to a listener of this route, and the older of two gets the traffic; its \
             parentRefs[].port is not set",
            listed(intruders.iter().map(ToString::to_string))
        ),
    }));
    warnings
}

/// The listeners that a served route attaches to on ports that none of its claims is for.
fn surprising<'l>(
    route: &Route,
    input: &Input<'_>,
    listeners: &[&'l Listener],
    served: &[Served],
) -> Vec<&'l Listener> {
    let open = |parent: &&ParentRef| parent.section_name.is_none() && parent.port.is_none();
    let open: Vec<&ParentRef> = route.parent_refs.iter().filter(open).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let asked: BTreeSet<u16> = of_route(served, &route.key).map(|served| served.slot.port).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let strays = |listener: &Listener| open.iter().any(|parent| attaches(route, parent, listener, input));
    listeners.iter().copied().filter(|listener| !asked.contains(&listener.port) && strays(listener)).collect()
}

fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let first = items.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}
