//! The routes by their names and by the Gateways that they are attached to. A plain struct: events are fed to it, and it
//! says which Gateways and routes each of them concerns.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{GatewayRef, Route, RouteKey, RouteKind};

/// Every route that is known. What a change costs does not depend on how many there are.
#[derive(Debug, Default)]
pub struct Index {
    routes: BTreeMap<RouteKind, HashSet<ByKey>>,
    attached: HashMap<GatewayRef, HashSet<ByKey>>,
}

/// What a change of the index concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The Gateways that a changed route is, or was, attached to.
    pub gateways: BTreeSet<GatewayRef>,
    /// The routes that changed, came or went.
    pub routes: BTreeSet<RouteKey>,
}

impl Index {
    /// Takes in a route as it now is. A route that is already known just so is no change.
    pub fn apply(&mut self, route: Route) -> Change {
        let mut change = Change::default();
        self.apply_into(&mut change, Arc::new(route));
        change
    }

    /// Forgets a route.
    pub fn remove(&mut self, key: &RouteKey) -> Change {
        let mut change = Change::default();
        self.remove_into(&mut change, key);
        change
    }

    /// Takes in all routes of a kind at once: those that are not among them are gone. Routes of another kind are dropped.
    pub fn replace(&mut self, kind: RouteKind, routes: Vec<Arc<Route>>) -> Change {
        let mut change = Change::default();
        let gone: Vec<RouteKey> = {
            let kept: HashSet<&RouteKey> = routes.iter().map(|route| &route.key).collect();
            self.of_kind(kind).filter(|route| !kept.contains(&route.key)).map(|route| route.key.clone()).collect()
        };
        for key in gone {
            self.remove_into(&mut change, &key);
        }
        for route in routes.into_iter().filter(|route| route.key.kind == kind) {
            self.apply_into(&mut change, route);
        }
        change
    }

    /// The routes of which a parentRef names that Gateway, in no particular order.
    #[must_use]
    pub fn attached_to(&self, gateway: &GatewayRef) -> Vec<Arc<Route>> {
        self.attached.get(gateway).into_iter().flatten().map(|ByKey(route)| Arc::clone(route)).collect()
    }

    /// How many they are.
    #[must_use]
    pub fn count_attached_to(&self, gateway: &GatewayRef) -> usize {
        self.attached.get(gateway).map_or(0, HashSet::len)
    }

    /// Every route of a kind, in no particular order.
    #[must_use]
    pub fn all(&self, kind: RouteKind) -> Vec<Arc<Route>> {
        self.routes.get(&kind).into_iter().flatten().map(|ByKey(route)| Arc::clone(route)).collect()
    }

    /// The route of that name, if there is one.
    #[must_use]
    pub fn get(&self, key: &RouteKey) -> Option<Arc<Route>> {
        self.routes.get(&key.kind)?.get(key).map(|ByKey(route)| Arc::clone(route))
    }

    /// How many routes of a kind there are, attached or not.
    #[must_use]
    pub fn count(&self, kind: RouteKind) -> usize {
        self.routes.get(&kind).map_or(0, HashSet::len)
    }

    fn of_kind(&self, kind: RouteKind) -> impl Iterator<Item = &Route> {
        self.routes.get(&kind).into_iter().flatten().map(|ByKey(route)| route.as_ref())
    }

    fn apply_into(&mut self, change: &mut Change, route: Arc<Route>) {
        let routes = self.routes.entry(route.key.kind).or_default();
        if routes.get(&route.key).is_some_and(|ByKey(known)| *known == route) {
            return;
        }
        self.remove_into(change, &route.key);
        change.routes.insert(route.key.clone());
        for parent in &route.parent_refs {
            change.gateways.insert(parent.gateway.clone());
            // A route may name a Gateway more than once, with several ports: the set has it once.
            self.attached.entry(parent.gateway.clone()).or_default().insert(ByKey(Arc::clone(&route)));
        }
        self.routes.entry(route.key.kind).or_default().insert(ByKey(route));
    }

    fn remove_into(&mut self, change: &mut Change, key: &RouteKey) {
        let Some(ByKey(route)) = self.routes.get_mut(&key.kind).and_then(|routes| routes.take(key)) else {
            return;
        };
        change.routes.insert(key.clone());
        for parent in &route.parent_refs {
            change.gateways.insert(parent.gateway.clone());
            if let Some(attached) = self.attached.get_mut(&parent.gateway) {
                attached.remove(key);
                // Gateways come and go; one that nobody names must not stay in memory.
                if attached.is_empty() {
                    self.attached.remove(&parent.gateway);
                }
            }
        }
    }
}

/// A route that is found in a set by its key, so that no set holds a copy of the key.
#[derive(Debug)]
struct ByKey(Arc<Route>);

impl Borrow<RouteKey> for ByKey {
    fn borrow(&self) -> &RouteKey {
        &self.0.key
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{ParentRef, Wishes};

    fn key(kind: RouteKind, name: &str) -> RouteKey {
        RouteKey { namespace: "apps".into(), name: name.into(), kind }
    }

    fn gateway(name: &str) -> GatewayRef {
        GatewayRef { namespace: "infra".into(), name: name.into() }
    }

    fn attached(kind: RouteKind, name: &str, gateways: &[&str]) -> Route {
        let parent = |name: &&str| ParentRef { gateway: gateway(name), section_name: None, port: None };
        Route {
            key: key(kind, name),
            uid: String::new(),
            created: None,
            parent_refs: gateways.iter().map(parent).collect(),
            hostnames: vec![format!("{name}.example.com")],
            wishes: Wishes::default(),
            relics: false,
            names: Box::default(),
        }
    }

    fn http(name: &str, gateways: &[&str]) -> Route {
        attached(RouteKind::Http, name, gateways)
    }

    fn list<const N: usize>(routes: [Route; N]) -> Vec<Arc<Route>> {
        routes.map(Arc::new).into()
    }

    fn gateways(change: &Change) -> Vec<&str> {
        change.gateways.iter().map(|gateway| gateway.name.as_str()).collect()
    }

    fn names(routes: &[Arc<Route>]) -> BTreeSet<&str> {
        routes.iter().map(|route| route.key.name.as_str()).collect()
    }

    #[test]
    fn a_new_route_concerns_the_gateways_it_names() {
        let mut index = Index::default();
        let change = index.apply(http("a", &["one", "two"]));
        assert_eq!(gateways(&change), ["one", "two"]);
        assert_eq!(change.routes, [key(RouteKind::Http, "a")].into());
        assert_eq!(names(&index.attached_to(&gateway("two"))), ["a"].into());
    }

    #[test]
    fn a_route_that_moves_concerns_the_old_gateway_and_the_new() {
        let mut index = Index::default();
        index.apply(http("a", &["old"]));
        assert_eq!(gateways(&index.apply(http("a", &["new"]))), ["new", "old"]);
        assert!(index.attached_to(&gateway("old")).is_empty());
        assert_eq!(names(&index.attached_to(&gateway("new"))), ["a"].into());
    }

    #[test]
    fn a_route_that_is_unchanged_concerns_nobody() {
        let mut index = Index::default();
        index.apply(http("a", &["one"]));
        assert_eq!(index.apply(http("a", &["one"])), Change::default());
    }

    #[test]
    fn a_change_of_the_route_itself_concerns_its_gateways() {
        let mut index = Index::default();
        index.apply(http("a", &["one"]));
        let change = index.apply(Route { hostnames: vec!["b.example.com".into()], ..http("a", &["one"]) });
        assert_eq!(gateways(&change), ["one"]);
        assert_eq!(index.attached_to(&gateway("one"))[0].hostnames, ["b.example.com"]);
    }

    #[test]
    fn a_route_without_gateways_is_known_and_concerns_no_gateway() {
        let mut index = Index::default();
        let change = index.apply(http("a", &[]));
        assert!(change.gateways.is_empty());
        assert_eq!(change.routes, [key(RouteKind::Http, "a")].into());
        assert!(index.get(&key(RouteKind::Http, "a")).is_some());
    }

    #[test]
    fn a_gateway_that_is_named_twice_has_the_route_once() {
        let mut index = Index::default();
        index.apply(http("a", &["one", "one"]));
        assert_eq!(index.attached_to(&gateway("one")).len(), 1);
        index.remove(&key(RouteKind::Http, "a"));
        assert!(index.attached_to(&gateway("one")).is_empty());
    }

    #[test]
    fn a_removed_route_concerns_the_gateways_it_named() {
        let mut index = Index::default();
        index.apply(http("a", &["one"]));
        index.apply(http("b", &["one"]));
        assert_eq!(gateways(&index.remove(&key(RouteKind::Http, "a"))), ["one"]);
        assert_eq!(names(&index.attached_to(&gateway("one"))), ["b"].into());
    }

    #[test]
    fn removing_what_is_not_there_concerns_nobody() {
        assert_eq!(Index::default().remove(&key(RouteKind::Http, "a")), Change::default());
    }

    #[test]
    fn routes_of_one_name_and_different_kinds_are_different_routes() {
        let mut index = Index::default();
        index.apply(attached(RouteKind::Http, "a", &["one"]));
        index.apply(attached(RouteKind::Tcp, "a", &["one"]));
        index.apply(attached(RouteKind::Http, "b", &["one"]));
        assert_eq!(index.attached_to(&gateway("one")).len(), 3);
        let counts = [RouteKind::Http, RouteKind::Tcp, RouteKind::Udp].map(|kind| index.count(kind));
        assert_eq!(counts, [2, 1, 0]);
    }

    #[test]
    fn a_list_concerns_only_what_it_changes() {
        let mut index = Index::default();
        index.replace(
            RouteKind::Http,
            list([http("same", &["same"]), http("changed", &["before"]), http("gone", &["abandoned"])]),
        );
        let change = index.replace(
            RouteKind::Http,
            list([http("same", &["same"]), http("changed", &["after"]), http("new", &["joined"])]),
        );
        assert_eq!(gateways(&change), ["abandoned", "after", "before", "joined"]);
        let changed: Vec<_> = change.routes.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(changed, ["changed", "gone", "new"]);
    }

    #[test]
    fn a_list_of_one_kind_leaves_the_others_alone() {
        let mut index = Index::default();
        index.apply(attached(RouteKind::Tcp, "a", &["one"]));
        assert_eq!(index.replace(RouteKind::Http, vec![]), Change::default());
        assert_eq!(index.attached_to(&gateway("one")).len(), 1);
    }

    #[test]
    fn gateways_that_nobody_names_any_more_are_forgotten() {
        let mut index = Index::default();
        index.apply(http("a", &["one"]));
        index.apply(http("a", &["two"]));
        index.replace(RouteKind::Http, vec![]);
        assert!(index.attached.is_empty());
    }
}
