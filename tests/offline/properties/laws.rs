//! The laws, one function each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use histories::generators::HOSTNAMES;
use histories::{World, rules};
use homelab_helper::api::Listener;
use homelab_helper::planner::attach::attaches;
use homelab_helper::planner::claim::Slot;
use homelab_helper::planner::{Input, LiveListener, Origin, Plan, Reason, Rejection, Served, WarningReason};
use homelab_helper::render::unified;
use homelab_helper::routes::{Route, RouteKey, RouteKind};
use proptest::prelude::*;

type Verdict = Result<(), TestCaseError>;

/// Name of the listener of a Gateway without any other.
const PLACEHOLDER: &str = "placeholder";

pub fn order_of_input_does_not_matter(world: &World, plan: &Plan) -> Verdict {
    let mut routes: Vec<_> = world.routes.values().rev().cloned().collect();
    prop_assert_eq!(&world.plan_of(&routes), plan, "routes backwards");
    let middle = routes.len() / 2;
    routes.rotate_left(middle);
    prop_assert_eq!(&world.plan_of(&routes), plan, "routes from the middle");
    Ok(())
}

/// Tells what changed in a list, one element a line.
fn same<T: Debug + PartialEq>(what: &str, old: &[T], new: &[T]) -> Verdict {
    if old == new {
        return Ok(());
    }
    let lines = |items: &[T]| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join("\n");
    let (old, new) = (lines(old), lines(new));
    Err(TestCaseError::fail(format!("{what}\n{}", unified(&old, &new))))
}

pub fn planning_again_changes_nothing(applied: &World, plan: &Plan) -> Verdict {
    let again = applied.plan();
    same("listeners", &plan.listeners, &again.listeners)?;
    same("served", &plan.served, &again.served)?;
    same("rejections", &plan.rejections, &again.rejections)?;
    same("warnings", &plan.warnings, &again.warnings)?;
    same("problems", &plan.problems, &again.problems)?;
    let mut twice = applied.clone();
    twice.apply(&again);
    same("what the server makes of it", &applied.live, &twice.live)
}

pub fn the_api_server_accepts(applied: &World, plan: &Plan) -> Verdict {
    let all: Vec<_> = applied.live.iter().map(|live| live.listener.clone()).collect();
    prop_assert_eq!(rules::broken(&all), None);
    prop_assert!(!all.is_empty(), "no listener at all");
    prop_assert_eq!(plan.total, all.len(), "total");
    for planned in plan.listeners.iter().filter(|planned| planned.origin == Origin::Generated) {
        let name = &planned.listener.name;
        // A sectionName is taken verbatim, and may have dots.
        prop_assert!(rules::is_label(name) || name.contains('.'), "{name} is no DNS label");
    }
    Ok(())
}

pub fn data_planes_accept(applied: &World, plan: &Plan) -> Verdict {
    for generated in plan.listeners.iter().filter(|planned| planned.origin == Origin::Generated) {
        for other in applied.live.iter().filter(|live| live.listener.name != generated.listener.name) {
            let (one, other) = (&generated.listener, &other.listener);
            prop_assert!(rules::fit_together(one, other), "{one:?} beside {other:?}");
        }
    }
    Ok(())
}

pub fn foreign_listeners_are_not_emitted(world: &World, plan: &Plan) -> Verdict {
    for foreign in world.live.iter().filter(|live| !live.ours) {
        let name = &foreign.listener.name;
        let same = plan.listeners.iter().find(|planned| planned.listener.name == *name);
        // The template's owner may take one over by its name; routes may not.
        prop_assert!(same.is_none_or(|planned| planned.origin == Origin::Static), "{name} is emitted");
    }
    Ok(())
}

pub fn static_listeners_are_as_written(world: &World, plan: &Plan) -> Verdict {
    let written = world.spec.listeners.iter();
    let planned: Vec<_> = plan.listeners.iter().filter(|planned| planned.origin == Origin::Static).collect();
    let missing = written.filter(|listener| !planned.iter().any(|planned| planned.listener == **listener)).count();
    prop_assert_eq!(planned.len() + missing, world.spec.listeners.len());
    prop_assert!(missing <= plan.problems.len(), "a static listener is left out without a word");
    Ok(())
}

pub fn held_listeners_stay(world: &World, plan: &Plan) -> Verdict {
    for held in world.live.iter().filter(|live| live.ours && live.held_by.is_some()) {
        let name = &held.listener.name;
        prop_assert!(plan.listeners.iter().any(|planned| planned.listener.name == *name), "{name} is dropped");
    }
    Ok(())
}

pub fn each_claim_has_one_verdict(world: &World, plan: &Plan) -> Verdict {
    for route in world.routes.values() {
        let served = plan.served.iter().filter(|served| served.route == route.key).count();
        let rejected = plan.rejections.iter().filter(|rejection| rejection.route == route.key).count();
        match claims(route) {
            Some(claims) => prop_assert_eq!(served + rejected, claims, "{}", route.key),
            None => prop_assert!(served + rejected > 0, "no word about {}", route.key),
        }
    }
    Ok(())
}

/// How many claims a route makes, where all that it says is good; none where it is not that simple.
fn claims(route: &Route) -> Option<usize> {
    let annotated = match route.wishes.ports.as_deref() {
        None => usize::from(route.key.kind.has_hostnames()),
        Some("53" | "443" | "8443" | "443,443") => 1,
        Some("80, 8443" | "443,53") => 2,
        Some(_) => return None,
    };
    let good = |value: &Option<String>, known: [&str; 2]| value.as_deref().is_none_or(|value| known.contains(&value));
    let hostnames = if route.key.kind.has_hostnames() { route.hostnames.len() } else { 1 };
    let is_simple = good(&route.wishes.protocol, ["HTTP", "HTTPS"])
        && good(&route.wishes.tls_mode, ["Terminate", "Passthrough"])
        && route.hostnames.iter().all(|host| HOSTNAMES.contains(&host.as_str()))
        && route
            .parent_refs
            .iter()
            .all(|parent| parent.section_name.is_none() && parent.port.is_none_or(|port| (1..=65_535).contains(&port)));
    let ports = |port: Option<i32>| if port.is_some() { 1 } else { annotated };
    let claims: usize = route.parent_refs.iter().map(|parent| hostnames * ports(parent.port)).sum();
    (is_simple && claims > 0).then_some(claims)
}

pub fn served_routes_attach(applied: &World, plan: &Plan) -> Verdict {
    let World { gateway, spec, live, namespaces, .. } = applied;
    let input = Input { gateway, spec, live, routes: &[], namespaces };
    for served in &plan.served {
        let route = &applied.routes[&served.route];
        let listener = find(live.iter().map(|live| &live.listener), &served.listener);
        let Some(listener) = listener else { return Err(TestCaseError::fail(format!("{served:?} by nothing"))) };
        let attached = route.parent_refs.iter().any(|parent| attaches(route, parent, listener, &input));
        prop_assert!(attached, "{} is served by {}, but does not attach to it", route.key, listener.name);
        prop_assert_eq!(served.slot.port, listener.port);
        prop_assert_eq!(&served.slot.protocol, &listener.protocol);
    }
    Ok(())
}

/// By the Gateway API a route may attach where it did not ask to. On a port that it did not ask for, it is told.
pub fn routes_that_attach_elsewhere_are_warned(applied: &World, plan: &Plan) -> Verdict {
    let World { gateway, spec, live, namespaces, .. } = applied;
    let input = Input { gateway, spec, live, routes: &[], namespaces };
    let rejected: BTreeSet<_> = plan.rejections.iter().map(|rejection| &rejection.route).collect();
    for route in applied.routes.values().filter(|route| !rejected.contains(&route.key)) {
        let asked: BTreeSet<_> =
            plan.served.iter().filter(|served| served.route == route.key).map(|served| served.slot.port).collect();
        let elsewhere = live.iter().map(|live| &live.listener).find(|listener| {
            !asked.contains(&listener.port)
                && route.parent_refs.iter().any(|parent| attaches(route, parent, listener, &input))
        });
        let told = is_warned(plan, &route.key, WarningReason::AmbiguousAttachment);
        prop_assert!(told || elsewhere.is_none(), "{} also attaches to {elsewhere:?}", route.key);
    }
    Ok(())
}

/// Of several TCPRoutes or UDPRoutes on a listener only the oldest gets traffic.
pub fn all_but_the_oldest_on_a_port_are_warned(applied: &World, plan: &Plan) -> Verdict {
    let sharing = |served: &&Served| matches!(served.route.kind, RouteKind::Tcp | RouteKind::Udp);
    let mut by_listener: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for served in plan.served.iter().filter(sharing) {
        let created = applied.routes[&served.route].created;
        let age = (created.is_none(), created, &served.route);
        by_listener.entry(&served.listener).or_default().insert(age);
    }
    let expected: BTreeSet<_> =
        by_listener.values().flat_map(|routes| routes.iter().skip(1)).map(|(_, _, route)| (*route).clone()).collect();
    let shared = plan.warnings.iter().filter(|warning| warning.reason == WarningReason::SharedPort);
    let told: BTreeSet<_> = shared.filter_map(|warning| warning.route.clone()).collect();
    prop_assert_eq!(told, expected);
    Ok(())
}

fn is_warned(plan: &Plan, route: &RouteKey, reason: WarningReason) -> bool {
    plan.warnings.iter().any(|warning| warning.route.as_ref() == Some(route) && warning.reason == reason)
}

fn find<'a>(mut listeners: impl Iterator<Item = &'a Listener>, name: &str) -> Option<&'a Listener> {
    listeners.find(|listener| listener.name == name)
}

/// A rejected claim excludes nobody and adds no namespace.
pub fn a_rejected_route_changes_nothing(world: &World, plan: &Plan) -> Verdict {
    let served: BTreeSet<_> = plan.served.iter().map(|served| &served.route).collect();
    // A route whose listener is displaced by a new static one is what the choice of the newest was made among.
    let displaced = |rejection: &&Rejection| rejection.reason == Reason::ListenerLimitReached;
    let displaced: BTreeSet<_> = plan.rejections.iter().filter(displaced).map(|rejection| &rejection.route).collect();
    let mut routes = plan.rejections.iter().map(|rejection| &rejection.route);
    let Some(rejected) = routes.find(|route| !served.contains(route) && !displaced.contains(route)) else {
        return Ok(());
    };
    let others: Vec<_> = world.routes.values().filter(|route| route.key != *rejected).cloned().collect();
    let without = world.plan_of(&others);
    same(&format!("listeners without {rejected}"), &plan.listeners, &without.listeners)?;
    same(&format!("served without {rejected}"), &plan.served, &without.served)
}

/// Of two listeners in this order, what routes see.
fn face(listener: &Listener) -> (&str, Slot, Option<&homelab_helper::api::ListenerTls>) {
    (&listener.name, Slot::of(listener), listener.tls.as_ref())
}

pub fn adding_moves_nothing(before: &World, after: &World) -> Verdict {
    // What is there only because someone holds it is nobody's, until the route that comes asks for it.
    let stays = |live: &&LiveListener| live.listener.name != PLACEHOLDER && live.held_by.is_none();
    let old: Vec<_> = before.live.iter().filter(stays).map(|live| face(&live.listener)).collect();
    let names: BTreeSet<_> = old.iter().map(|(name, ..)| *name).collect();
    let new = after.live.iter().map(|live| face(&live.listener)).filter(|(name, ..)| names.contains(name));
    same("listeners that exist", &old, &new.collect::<Vec<_>>())
}

pub fn removing_adds_only_what_waited(before: &Plan, after: &Plan) -> Verdict {
    let slots = |plan: &Plan| plan.listeners.iter().map(|planned| Slot::of(&planned.listener)).collect::<BTreeSet<_>>();
    let old = slots(before);
    let waited: BTreeSet<_> = before.rejections.iter().map(|rejection| &rejection.route).collect();
    for new in after.listeners.iter().filter(|planned| !old.contains(&Slot::of(&planned.listener))) {
        let name = &new.listener.name;
        let mut claimants = after.served.iter().filter(|served| served.listener == *name).map(|served| &served.route);
        prop_assert!(
            new.origin == Origin::Placeholder || claimants.all(|route| waited.contains(route)),
            "{name} comes when a route goes"
        );
    }
    Ok(())
}

/// Whatever a route does, listeners that serve others stay what and where they are.
pub fn other_routes_keep_their_listeners(
    before: &World,
    before_plan: &Plan,
    after: &World,
    plan: &Plan,
    touched: &RouteKey,
) -> Verdict {
    let generated: BTreeSet<_> = before_plan
        .listeners
        .iter()
        .filter(|planned| planned.origin == Origin::Generated)
        .map(|planned| planned.listener.name.as_str())
        .collect();
    // What a fixed listener covers may join a listener for its very hostname, and goes back when it is left alone there.
    let goes_back = |old: &Served| {
        let now = plan.served.iter().find(|now| now.route == old.route && now.slot == old.slot);
        now.is_some_and(|now| {
            !plan
                .listeners
                .iter()
                .any(|planned| planned.origin == Origin::Generated && planned.listener.name == now.listener)
        })
    };
    let is_anothers = |served: &&Served| {
        served.route != *touched && generated.contains(served.listener.as_str()) && !goes_back(served)
    };
    let others: Vec<_> = before_plan.served.iter().filter(is_anothers).collect();
    for served in &others {
        prop_assert!(plan.served.contains(served), "{served:?} is lost when {touched} changes");
    }
    let names: BTreeSet<_> = others.iter().map(|served| served.listener.as_str()).collect();
    let listeners = |world: &World| {
        let listeners =
            world.live.iter().map(|live| &live.listener).filter(|listener| names.contains(listener.name.as_str()));
        listeners.cloned().collect::<Vec<_>>()
    };
    let (old, new) = (listeners(before), listeners(after));
    same("listeners of others", &old.iter().map(face).collect::<Vec<_>>(), &new.iter().map(face).collect::<Vec<_>>())
}
