//! A Gateway with all that a plan depends on, and the API server's part: what a write makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use homelab_helper::api::{Listener, ListenerTemplate, WrappedGatewaySpec};
use homelab_helper::planner::{self, Input, LiveListener, Plan};
use homelab_helper::routes::{GatewayRef, ParentRef, Route, RouteKey, Wishes};

use crate::rules;

/// The state of the world.
#[derive(Clone, Debug)]
pub struct World {
    /// The Gateway that all of it is about.
    pub gateway: GatewayRef,
    /// The template.
    pub spec: WrappedGatewaySpec,
    /// What is on the Gateway, in its order.
    pub live: Vec<LiveListener>,
    /// The routes that there are.
    pub routes: BTreeMap<RouteKey, Arc<Route>>,
    /// Labels of the namespaces that are known.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// Something that happens to it.
#[derive(Clone)]
pub enum Step {
    /// A route comes, or takes the place of the one of the same key.
    Put(Route),
    /// One of the routes goes.
    Remove(usize),
    /// A static listener comes, or takes the place of the one of that name.
    PutStatic(Listener),
    /// One of the static listeners goes.
    RemoveStatic(usize),
    /// Someone else puts a listener on the Gateway.
    PutForeign(Listener),
    /// One of the listeners of others goes.
    RemoveForeign(usize),
    /// Someone else applies a field of a listener, or lets go of it.
    Hold(usize),
    /// The data plane changes its mind about a listener.
    Programmed(usize),
    /// The template changes.
    Template(ListenerTemplate),
    /// The redirect comes or goes.
    Redirect(bool),
}

/// A history that fails is printed; on one line a step it can be read.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = |listener: &Listener| serde_json::to_string(listener).unwrap_or_default();
        match self {
            Self::Put(Route { key, created, parent_refs, hostnames, wishes, .. }) => {
                write!(f, "Put({key}, created {}, ", created.map_or("never".to_owned(), |time| time.to_string()))?;
                for ParentRef { section_name, port, .. } in parent_refs {
                    write!(f, "parent {} {}, ", section_name.as_deref().unwrap_or("-"), port.unwrap_or(-1))?;
                }
                write!(f, "{hostnames:?}, ")?;
                let Wishes { ports, protocol, tls_mode, .. } = wishes;
                let told = [ports, protocol, tls_mode].map(|wish| wish.as_deref().unwrap_or("-"));
                write!(f, "{told:?})")
            }
            Self::PutStatic(listener) => write!(f, "PutStatic({})", json(listener)),
            Self::PutForeign(listener) => write!(f, "PutForeign({})", json(listener)),
            Self::Template(template) => {
                write!(f, "Template({})", serde_json::to_string(template).unwrap_or_default())
            }
            Self::Redirect(redirect) => write!(f, "Redirect({redirect})"),
            Self::Remove(nth) => write!(f, "Remove({nth})"),
            Self::RemoveStatic(nth) => write!(f, "RemoveStatic({nth})"),
            Self::RemoveForeign(nth) => write!(f, "RemoveForeign({nth})"),
            Self::Hold(nth) => write!(f, "Hold({nth})"),
            Self::Programmed(nth) => write!(f, "Programmed({nth})"),
        }
    }
}

impl Default for World {
    /// Two teams, and a Gateway without listeners.
    fn default() -> Self {
        let team = |namespace: &str, team: &str| {
            let labels = [("kubernetes.io/metadata.name", namespace), ("team", team)];
            let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
            (namespace.to_owned(), BTreeMap::from(labels))
        };
        Self {
            gateway: GatewayRef { namespace: "infra".to_owned(), name: "web".to_owned() },
            spec: WrappedGatewaySpec { gateway_class_name: "any".to_owned(), ..WrappedGatewaySpec::default() },
            live: Vec::new(),
            routes: BTreeMap::new(),
            // The namespace `shop` is not known, as in manifests without it.
            namespaces: BTreeMap::from([team("infra", "red"), team("apps", "blue")]),
        }
    }
}

impl World {
    /// Does what the step says, where the API server lets it happen.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Put(route) => drop(self.routes.insert(route.key.clone(), Arc::new(route))),
            Step::Remove(nth) => {
                if let Some(key) = self.nth_route(nth) {
                    self.routes.remove(&key);
                }
            }
            Step::PutStatic(listener) => {
                let mut listeners = self.spec.listeners.clone();
                listeners.retain(|other| other.name != listener.name);
                listeners.push(listener);
                if rules::broken(&listeners).is_none() {
                    self.spec.listeners = listeners;
                }
            }
            Step::RemoveStatic(nth) => drop(take_nth(&mut self.spec.listeners, nth, |_| true)),
            Step::PutForeign(listener) => {
                let live =
                    LiveListener { listener, ours: false, held_by: Some("someone".to_owned()), programmed: true };
                let all: Vec<_> = self.live.iter().chain([&live]).map(|live| live.listener.clone()).collect();
                if rules::broken(&all).is_none() {
                    self.live.push(live);
                }
            }
            Step::RemoveForeign(nth) => drop(take_nth(&mut self.live, nth, |live| !live.ours)),
            Step::Hold(nth) => {
                if let Some(live) = nth_mut(&mut self.live, nth, |live| live.ours) {
                    live.held_by = if live.held_by.is_none() { Some("tuner".to_owned()) } else { None };
                }
            }
            Step::Programmed(nth) => {
                if let Some(live) = nth_mut(&mut self.live, nth, |_| true) {
                    live.programmed = !live.programmed;
                }
            }
            Step::Template(template) => self.spec.listener_template = Some(template),
            Step::Redirect(redirect) => self.spec.https_redirect = redirect,
        }
        if rules::redirect_is_refused(&self.spec) {
            self.spec.https_redirect = false;
        }
    }

    /// The key of the nth route, counted round and round.
    #[must_use]
    pub fn nth_route(&self, nth: usize) -> Option<RouteKey> {
        self.routes.keys().nth(nth % self.routes.len().max(1)).cloned()
    }

    /// What the planner makes of it.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let routes: Vec<_> = self.routes.values().cloned().collect();
        self.plan_of(&routes)
    }

    /// Plans with the routes in that order.
    #[must_use]
    pub fn plan_of(&self, routes: &[Arc<Route>]) -> Plan {
        let Self { gateway, spec, live, namespaces, .. } = self;
        planner::plan(&Input { gateway, spec, live, routes, namespaces })
    }

    /// Makes of the Gateway what server-side apply would.
    pub fn apply(&mut self, plan: &Plan) {
        let applied: BTreeSet<_> = plan.listeners.iter().map(|planned| planned.listener.name.as_str()).collect();
        let merged = merge(&self.live, plan);
        self.live =
            merged.into_iter().filter(|live| !live.ours || applied.contains(live.listener.name.as_str())).collect();
    }
}

/// The order in which server-side apply leaves a list: the applied elements in the order applied, and each other one as
/// early as its place allows.
fn merge(live: &[LiveListener], plan: &Plan) -> Vec<LiveListener> {
    let find = |name: &str| live.iter().find(|live| live.listener.name == name);
    let is_applied = |name: &str| plan.listeners.iter().any(|planned| planned.listener.name == name);
    let merged_with = |listener: &Listener| LiveListener {
        listener: listener.clone(),
        ours: true,
        held_by: find(&listener.name).and_then(|live| live.held_by.clone()),
        // A listener that changed is a new one to the data plane.
        programmed: find(&listener.name).is_some_and(|live| live.programmed && live.listener == *listener),
    };
    let mut merged: Vec<LiveListener> = Vec::new();
    let (mut left, mut right) = (live.iter().peekable(), plan.listeners.iter().peekable());
    while left.peek().is_some() || right.peek().is_some() {
        if let Some(old) = left.peek() {
            let name = &old.listener.name;
            if right.peek().is_some_and(|new| new.listener.name == *name) {
                left.next();
            } else if !is_applied(name) {
                merged.extend(left.next().cloned());
                continue;
            } else if merged.iter().any(|live| live.listener.name == *name) {
                left.next();
                continue;
            }
        }
        merged.extend(right.next().map(|new| merged_with(&new.listener)));
    }
    merged
}

/// The nth, counted round and round, of the elements that are meant.
fn nth_mut<T>(items: &mut [T], nth: usize, is_meant: impl Fn(&T) -> bool) -> Option<&mut T> {
    let meant: Vec<_> = (0..items.len()).filter(|&at| is_meant(&items[at])).collect();
    meant.get(nth % meant.len().max(1)).map(|&at| &mut items[at])
}

fn take_nth<T>(items: &mut Vec<T>, nth: usize, is_meant: impl Fn(&T) -> bool) -> Option<T> {
    let meant: Vec<_> = (0..items.len()).filter(|&at| is_meant(&items[at])).collect();
    meant.get(nth % meant.len().max(1)).map(|&at| items.remove(at))
}
