//! Why a claim gets nothing: one constructor a reason, with what its author reads: what is in the way, and the way out.

use std::borrow::Cow;
use std::fmt::Display;

use super::MAX_LISTENERS;
use super::claim::Slot;
use super::verdict::Reason;
use crate::api::{Listener, annotation};
use crate::routes::{GatewayRef, Route, RouteKind};

/// So many characters of what an author wrote are repeated in a message.
const LONGEST_QUOTE: usize = 100;

/// A reason and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub reason: Reason,
    pub message: String,
}

/// The beginning of what an author wrote. Annotations may be so long that nobody else would find room for their words.
pub(super) fn quoted(written: &str) -> Cow<'_, str> {
    match written.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => Cow::Owned(format!("{}…", &written[..end])),
        None => Cow::Borrowed(written),
    }
}

const fn refusal(reason: Reason, message: String) -> Refusal {
    Refusal { reason, message }
}

pub(super) fn parent_port() -> Refusal {
    refusal(Reason::InvalidPort, "parentRefs[].port is not between 1 and 65535".to_owned())
}

pub(super) fn annotated_port(written: &str, entry: &str) -> Refusal {
    let message = format!(
        "annotation {} is `{}`, and `{}` is no port; write numbers from 1 to 65535 with commas between them, as \
         \"8443, 8444\"",
        annotation::PORTS,
        quoted(written),
        quoted(entry)
    );
    refusal(Reason::InvalidPort, message)
}

pub(super) fn too_many_ports(written: &str) -> Refusal {
    let message = format!(
        "annotation {} is `{}`, and has more than {MAX_LISTENERS} ports, as many as a Gateway has listeners",
        annotation::PORTS,
        quoted(written)
    );
    refusal(Reason::InvalidPort, message)
}

pub(super) fn asks_too_much() -> Refusal {
    let message = format!(
        "the route asks for more than {MAX_LISTENERS} listeners of this Gateway, as many as it may have; what comes after \
         these in the route's manifest is not looked at"
    );
    refusal(Reason::ListenerLimitReached, message)
}

pub(super) fn port_required(kind: RouteKind) -> Refusal {
    let kind = kind.with_article();
    let message = format!("{kind} must say its port: set parentRefs[].port, or annotation {}", annotation::PORTS);
    refusal(Reason::PortRequired, message)
}

pub(super) fn unknown_mode(reason: Reason, annotation: &str, value: &str, [one, other]: [&str; 2]) -> Refusal {
    refusal(reason, format!("annotation {annotation} is `{}`; it may be {one} or {other}", quoted(value)))
}

pub(super) fn hostname_required(kind: RouteKind) -> Refusal {
    let message = format!(
        "{} without spec.hostnames asks for no listener; list its hostnames. By the Gateway API it attaches to every \
         listener that admits its namespace",
        kind.with_article()
    );
    refusal(Reason::HostnameRequired, message)
}

pub(super) fn invalid_hostname(written: &str, problem: &str) -> Refusal {
    refusal(Reason::InvalidHostname, format!("`{written}` {problem}"))
}

pub(super) fn section_name_too_narrow(slot: &Slot, wanted: &str, first: &Slot) -> Refusal {
    let message = format!(
        "{slot}: sectionName `{wanted}` can stand for one listener only, and stands for {first}; use a parentRef without \
         sectionName, or one for each listener"
    );
    refusal(Reason::SectionNameTooNarrow, message)
}

/// The fixed listener that sectionName names is not what the route asks for.
pub(super) fn section_misfit(wanted: &str, slot: &Slot, misfit: impl Display) -> Refusal {
    let message =
        format!("sectionName `{wanted}` is a listener for {slot}, and {misfit}; take another sectionName, or none");
    refusal(Reason::ListenerNameTaken, message)
}

/// The wanted name belongs to a listener for something else.
pub(super) fn name_taken(slot: &Slot, wanted: &str, bearer: &Slot) -> Refusal {
    let message = format!(
        "{slot}: sectionName `{wanted}` cannot be had, because it is the listener for {bearer}; take another sectionName, \
         or none"
    );
    refusal(Reason::ListenerNameTaken, message)
}

/// The listener that serves the claim has another name.
pub(super) fn misnamed(slot: &Slot, wanted: &str, name: &str) -> Refusal {
    let message = format!(
        "{slot}: sectionName `{wanted}` cannot be had, because the listener for that is called `{name}`; name that one, or \
         none"
    );
    refusal(Reason::ListenerNameTaken, message)
}

pub(super) fn not_admitted(listener: &Listener, route: &Route) -> Refusal {
    let message = format!(
        "listener `{}` serves {}, and its allowedRoutes do not admit {} of namespace {}; widen them, or ask for something \
         else",
        listener.name,
        Slot::of(listener),
        route.key.kind.with_article(),
        route.key.namespace
    );
    refusal(Reason::NotAdmitted, message)
}

pub(super) fn conflict(reason: Reason, slot: &Slot, name: &str, other: &Slot) -> Refusal {
    let hint = if reason == Reason::PortConflict { "another port" } else { "another hostname or port" };
    refusal(reason, format!("{slot}: listener `{name}` is {other}, and the two cannot stand side by side; take {hint}"))
}

pub(super) fn namespace_not_allowed(slot: &Slot, gateway: &GatewayRef, namespace: &str) -> Refusal {
    let message = format!(
        "{slot}: spec.listenerTemplate.allowedRoutes of WrappedGateway {gateway} does not let routes of namespace \
         {namespace} ask for listeners; have the namespace admitted there, or take another Gateway"
    );
    refusal(Reason::NamespaceNotAllowed, message)
}

pub(super) fn hostname_not_granted(slot: &Slot, gateway: &GatewayRef, namespace: &str) -> Refusal {
    let message = format!(
        "{slot}: no entry of spec.listenerTemplate.hostnameGrants of WrappedGateway {gateway} gives the hostname to \
         namespace {namespace}; have it granted, or take another hostname"
    );
    refusal(Reason::HostnameNotGranted, message)
}

pub(super) fn hostname_owned(slot: &Slot, hostname: impl Display, owner: &str) -> Refusal {
    let message = format!(
        "{slot}: {hostname} belongs to namespace {owner}, which had it first; take another hostname, or have \
         hostnameOwnership set to Shared"
    );
    refusal(Reason::HostnameOwned, message)
}

pub(super) fn port_owned(slot: &Slot, owner: &str) -> Refusal {
    let message = format!(
        "{slot}: the port belongs to namespace {owner}, which had it first; take another port, or have hostnameOwnership \
         set to Shared"
    );
    refusal(Reason::PortOwned, message)
}

pub(super) fn quota_reached(slot: &Slot, namespace: &str) -> Refusal {
    let message = format!(
        "{slot}: namespace {namespace} has as many listeners of its own as maxListenersPerNamespace admits; give up another one, or have the number raised"
    );
    refusal(Reason::NamespaceQuotaReached, message)
}

pub(super) fn limit_reached(slot: &Slot) -> Refusal {
    let message = format!(
        "{slot}: the Gateway has {MAX_LISTENERS} listeners, which is the limit; let a static wildcard listener stand for \
         many hostnames, or use ListenerSets"
    );
    refusal(Reason::ListenerLimitReached, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_words_the_beginning_is_repeated() {
        assert_eq!(quoted("22, ssh"), "22, ssh");
        assert_eq!(quoted(&"é".repeat(100)), "é".repeat(100));
        assert_eq!(quoted(&"é".repeat(101)), "é".repeat(100) + "…");
        let longest = annotated_port(&"x".repeat(200_000), &"x".repeat(200_000)).message;
        assert!(longest.len() < 500, "{longest}");
    }
}
