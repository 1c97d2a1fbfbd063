//! Routes, template and what is there → what ought to be there. Pure and total: a problem is data, not an error.

mod admit;
pub mod attach;
pub mod claim;
mod conflict;
mod demand;
mod dns;
mod fixed;
pub mod hostname;
mod listener;
mod live;
mod mode;
pub mod name;
mod outcome;
mod owners;
mod pass;
pub mod reference;
mod refusal;
mod residue;
mod resolve;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::{Listener, WrappedGatewaySpec};
use crate::routes::{GatewayRef, Route};
use demand::Demand;
pub use dns::Naming;
use fixed::Fixed;
use resolve::Settled;
use verdict::Verdicts;
pub use verdict::{Reason, Rejection, Served, Warning, WarningReason};

/// Most listeners of a Gateway, by its schema.
pub const MAX_LISTENERS: usize = 64;

pub use live::{Control, NoListener, listener_names, live_listeners};

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

/// How often a plan is made anew of the Gateway that the last one makes, to come to one that stays.
const ATTEMPTS: usize = 3;

/// Plans a Gateway. Total: whatever is wrong is in the plan.
///
/// A plan that changes the Gateway is explained by the Gateway that it makes, so that the next plan says the same of each
/// route and nobody is told twice. Where that one would change the Gateway again, as when a listener that another manager
/// holds becomes free for somebody else, the change is made at once.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let routes = claim::by_age(input.routes);
    let mut plan = plan_once(input, &routes);
    for _ in 0..ATTEMPTS {
        if outcome::stays(input.live, &plan.listeners) {
            return plan;
        }
        // Of many routes there may be much to say, and no room to say it twice: what is dropped here is seldom planned again.
        let listeners = std::mem::take(&mut plan.listeners);
        drop(plan);
        let after = outcome::after(input.live, &listeners);
        plan = plan_once(&Input { live: &after, ..*input }, &routes);
        if plan.listeners == listeners {
            return plan;
        }
    }
    plan_once(input, &routes)
}

/// The routes are the oldest first.
fn plan_once(input: &Input<'_>, routes: &[&Route]) -> Plan {
    let mut kept = BTreeSet::new();
    loop {
        let fixed = Fixed::gather(input, &kept);
        let mut verdicts = Verdicts::default();
        let demand = Demand::of(routes, input, &fixed, &mut verdicts);
        let (settled, resolved) = resolve::resolve(input, &fixed, &demand);
        verdicts.append(resolved);
        let held = held_and_unasked(input, &fixed, &settled);
        if held.is_empty() {
            return assemble(input, routes, &fixed, &settled, verdicts);
        }
        kept.extend(held);
    }
}

/// The live places of listeners of ours that would go although another manager holds fields of them. The server would
/// refuse what remained of such a listener, and with it the whole Gateway.
fn held_and_unasked(input: &Input<'_>, fixed: &Fixed, settled: &[Settled<'_>]) -> Vec<usize> {
    let planned = |place: usize| {
        let name = &input.live[place].listener.name;
        fixed.named(name).is_some()
            || settled.iter().any(|settled| settled.live == Some(place) && settled.name == *name)
    };
    let held = |place: &usize| input.live[*place].ours && input.live[*place].held_by.is_some();
    (0..input.live.len()).filter(held).filter(|place| !planned(*place)).collect()
}

fn assemble(
    input: &Input<'_>,
    routes: &[&Route],
    fixed: &Fixed,
    settled: &[Settled<'_>],
    verdicts: Verdicts<'_>,
) -> Plan {
    let listeners = listener::in_order(input, fixed, settled);
    let foreign = fixed.listeners.iter().filter(|fixed| fixed.origin.is_none());
    let all: Vec<&Listener> =
        foreign.map(|fixed| &fixed.listener).chain(listeners.iter().map(|planned| &planned.listener)).collect();
    let (served, rejections) = verdicts.finish();
    let mut warnings = held_warnings(input, fixed);
    warnings.extend(attach::warnings(input, routes, &all, &served));
    warnings.extend(dns::warnings(routes));
    warnings.sort();
    let total = all.len();
    Plan { listeners, total, served, rejections, warnings, problems: fixed.problems.clone() }
}

fn held_warnings(input: &Input<'_>, fixed: &Fixed) -> Vec<Warning> {
    let kept = fixed.listeners.iter().filter(|fixed| fixed.origin == Some(Origin::Kept));
    kept.map(|kept| {
        let manager = kept.live.and_then(|place| input.live[place].held_by.as_deref()).unwrap_or_default();
        let message = format!(
            "no route asks for listener `{}` any more, but it cannot be removed while field manager `{manager}` has fields \
             of it; have that manager let go of them",
            kept.listener.name
        );
        Warning { route: None, reason: WarningReason::ListenerHeld, message }
    })
    .collect()
}
