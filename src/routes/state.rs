//! The only mutable state that the watches and the controllers share: the index, and beside it what each Gateway's last
//! plan said of its routes. Each method holds the lock for its own length, and none awaits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::index::{Change, Index};
use super::{GatewayRef, Route, RouteKey, RouteKind, Verdict};

/// What is known of the cluster's routes.
#[derive(Debug, Default)]
pub struct State {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    index: Index,
    /// Only what is not empty: most routes have no verdict, and most Gateways have routes without one.
    verdicts: BTreeMap<GatewayRef, BTreeMap<RouteKey, Vec<Verdict>>>,
}

impl State {
    /// Takes in a route as it now is. A route that is already known just so is no change.
    pub fn apply(&self, route: Route) -> Change {
        self.write().index.apply(route)
    }

    /// Forgets a route.
    pub fn remove(&self, key: &RouteKey) -> Change {
        self.write().index.remove(key)
    }

    /// Takes in all routes of a kind at once: those that are not among them are gone.
    pub fn replace(&self, kind: RouteKind, routes: Vec<Arc<Route>>) -> Change {
        self.write().index.replace(kind, routes)
    }

    /// The routes of which a parentRef names that Gateway, in no particular order.
    #[must_use]
    pub fn attached_to(&self, gateway: &GatewayRef) -> Vec<Arc<Route>> {
        self.read().index.attached_to(gateway)
    }

    /// How many they are.
    #[must_use]
    pub fn count_attached_to(&self, gateway: &GatewayRef) -> usize {
        self.read().index.count_attached_to(gateway)
    }

    /// Every route of a kind, in no particular order.
    #[must_use]
    pub fn all(&self, kind: RouteKind) -> Vec<Arc<Route>> {
        self.read().index.all(kind)
    }

    /// The route of that name, if there is one.
    #[must_use]
    pub fn get(&self, key: &RouteKey) -> Option<Arc<Route>> {
        self.read().index.get(key)
    }

    /// How many routes of a kind there are, attached or not.
    #[must_use]
    pub fn count(&self, kind: RouteKind) -> usize {
        self.read().index.count(kind)
    }

    /// Takes in everything that a Gateway's plan says of routes, in the place of what its former plan said. Returns the
    /// routes of which something else is said now. An empty map forgets the Gateway.
    pub fn set_verdicts(
        &self,
        gateway: &GatewayRef,
        mut verdicts: BTreeMap<RouteKey, Vec<Verdict>>,
    ) -> BTreeSet<RouteKey> {
        verdicts.retain(|_, of_route| !of_route.is_empty());
        let mut inner = self.write();
        let former = inner.verdicts.remove(gateway).unwrap_or_default();
        let changed = former
            .keys()
            .chain(verdicts.keys())
            .filter(|route| former.get(*route) != verdicts.get(*route))
            .cloned()
            .collect();
        if !verdicts.is_empty() {
            inner.verdicts.insert(gateway.clone(), verdicts);
        }
        changed
    }

    /// What the last plans say of a route, by Gateway; Gateways that say nothing of it are left out.
    #[must_use]
    pub fn verdicts_of(&self, route: &RouteKey) -> BTreeMap<GatewayRef, Vec<Verdict>> {
        let said = |(gateway, of_gateway): (&GatewayRef, &BTreeMap<RouteKey, Vec<Verdict>>)| {
            Some((gateway.clone(), of_gateway.get(route)?.clone()))
        };
        self.read().verdicts.iter().filter_map(said).collect()
    }

    // A panic elsewhere cannot leave the maps half-written in a way that matters more than going on: whatever panicked
    // ends the process.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::VerdictKind;

    fn gateway(name: &str) -> GatewayRef {
        GatewayRef { namespace: "infra".into(), name: name.into() }
    }

    fn route(name: &str) -> RouteKey {
        RouteKey { namespace: "apps".into(), name: name.into(), kind: RouteKind::Http }
    }

    fn rejected(reason: &str) -> Vec<Verdict> {
        vec![Verdict { kind: VerdictKind::Rejected, reason: reason.into(), message: String::new() }]
    }

    #[test]
    fn verdicts_tell_the_routes_of_which_something_else_is_said_now() {
        let state = State::default();
        let first = [
            (route("mended"), rejected("PortConflict")),
            (route("other-reason"), rejected("PortConflict")),
            (route("same"), rejected("HostnameOwned")),
        ];
        assert_eq!(state.set_verdicts(&gateway("one"), first.into()).len(), 3);
        let second = [
            (route("new"), rejected("InvalidPort")),
            (route("other-reason"), rejected("HostnameOwned")),
            (route("same"), rejected("HostnameOwned")),
        ];
        let changed = state.set_verdicts(&gateway("one"), second.into());
        assert_eq!(changed, [route("mended"), route("new"), route("other-reason")].into());
    }

    #[test]
    fn each_gateway_has_its_own_verdicts_on_a_route() {
        let state = State::default();
        state.set_verdicts(&gateway("one"), [(route("a"), rejected("PortConflict"))].into());
        state.set_verdicts(&gateway("two"), [(route("a"), rejected("InvalidPort"))].into());
        let both = [(gateway("one"), rejected("PortConflict")), (gateway("two"), rejected("InvalidPort"))];
        assert_eq!(state.verdicts_of(&route("a")), both.into());
    }

    #[test]
    fn a_gateway_without_verdicts_is_forgotten() {
        let state = State::default();
        state.set_verdicts(&gateway("one"), [(route("a"), rejected("PortConflict"))].into());
        assert_eq!(state.set_verdicts(&gateway("one"), BTreeMap::new()), [route("a")].into());
        assert_eq!(state.verdicts_of(&route("a")), BTreeMap::new());
        assert!(state.read().verdicts.is_empty());
    }

    #[test]
    fn an_empty_list_of_verdicts_says_nothing() {
        let state = State::default();
        assert_eq!(state.set_verdicts(&gateway("one"), [(route("a"), vec![])].into()), BTreeSet::new());
    }
}
