//! The events of one kind's watch → changes of the state.

use std::collections::HashSet;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use tracing::warn;

use super::decode::WireRoute;
use super::{Change, Route, RouteKey, RouteKind, State};
use crate::api::REDIRECT_SUFFIX;

/// What has to be remembered between the events of a watch.
#[derive(Debug)]
pub(super) struct Feed {
    kind: RouteKind,
    /// The routes of a list that is under way.
    listed: Vec<Arc<Route>>,
    /// Routes of which it was said that they cannot be decoded, so that it is said once.
    undecodable: HashSet<RouteKey>,
}

impl Feed {
    pub(super) fn new(kind: RouteKind) -> Self {
        Self { kind, listed: Vec::new(), undecodable: HashSet::new() }
    }

    /// Takes in an event. A list changes nothing until it is whole, and then everything at once.
    pub(super) fn take(&mut self, event: Event<WireRoute>, state: &State) -> Change {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(wire) => {
                let route = match self.decode(wire) {
                    // A list of what is known already must not have it in memory twice.
                    Ok(route) => {
                        let known = state.get(&route.key).filter(|known| **known == route);
                        Some(known.unwrap_or_else(|| Arc::new(route)))
                    }
                    Err(key) => key.and_then(|key| state.get(&key)),
                };
                self.listed.extend(route);
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut self.listed);
                let told: Vec<RouteKey> =
                    listed.iter().map(|route| &route.key).filter(|key| is_always_told(key)).cloned().collect();
                let mut change = state.replace(self.kind, listed);
                change.routes.extend(told);
                return change;
            }
            Event::Apply(wire) => {
                if let Ok(route) = self.decode(wire) {
                    let told = is_always_told(&route.key).then(|| route.key.clone());
                    let mut change = state.apply(route);
                    change.routes.extend(told);
                    return change;
                }
            }
            Event::Delete(wire) => {
                if let Some(key) = wire.key(self.kind) {
                    self.undecodable.remove(&key);
                    return state.remove(&key);
                }
            }
        }
        Change::default()
    }

    /// The route, or else its name, if it has one: it then keeps the state that it was last known in.
    fn decode(&mut self, wire: WireRoute) -> Result<Route, Option<RouteKey>> {
        let key = wire.key(self.kind);
        let problem = match wire.decode(self.kind) {
            Ok(route) => {
                self.undecodable.remove(&route.key);
                return Ok(route);
            }
            Err(problem) => problem,
        };
        match &key {
            Some(key) if self.undecodable.insert(key.clone()) => {
                warn!(route = %key, %problem, "a route cannot be read, and stays as it was last known");
            }
            Some(_) => {}
            None => warn!(kind = %self.kind, %problem, "a route without a name is skipped"),
        }
        Err(key)
    }
}

/// Whether each change of a route is told, also of what is not looked at here. The redirect of a Gateway is written by this
/// program, and whatever someone else changes of it is to be changed back.
fn is_always_told(key: &RouteKey) -> bool {
    key.name.ends_with(REDIRECT_SUFFIX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::routes::GatewayRef;

    fn wire(name: &str, spec: &Value) -> WireRoute {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "apps"}, "spec": spec})).unwrap()
    }

    fn good(name: &str) -> WireRoute {
        wire(name, &json!({"parentRefs": [{"name": "public"}]}))
    }

    fn bad(name: &str) -> WireRoute {
        wire(name, &json!({"parentRefs": "public"}))
    }

    fn known(state: &State) -> Vec<String> {
        let public = GatewayRef { namespace: "apps".into(), name: "public".into() };
        let mut names: Vec<_> = state.attached_to(&public).iter().map(|route| route.key.name.clone()).collect();
        names.sort();
        names
    }

    fn fed(feed: &mut Feed, state: &State, events: Vec<Event<WireRoute>>) -> Vec<usize> {
        events.into_iter().map(|event| feed.take(event, state).routes.len()).collect()
    }

    #[test]
    fn a_list_counts_when_it_is_whole() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        let list = vec![Event::Init, Event::InitApply(good("a")), Event::InitApply(good("b")), Event::InitDone];
        assert_eq!(fed(&mut feed, &state, list), [0, 0, 0, 2]);
        assert_eq!(known(&state), ["a", "b"]);
    }

    #[test]
    fn each_change_of_what_may_be_a_redirect_is_told() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        let redirect = || good("public-https-redirect");
        let events = vec![Event::Apply(redirect()), Event::Apply(redirect()), Event::Init];
        assert_eq!(fed(&mut feed, &state, events), [1, 1, 0]);
        let list = vec![Event::InitApply(redirect()), Event::InitApply(good("a")), Event::InitDone];
        assert_eq!(fed(&mut feed, &state, list), [0, 0, 2]);
        let list = vec![Event::Init, Event::InitApply(redirect()), Event::InitApply(good("a")), Event::InitDone];
        assert_eq!(fed(&mut feed, &state, list), [0, 0, 0, 1]);
    }

    #[test]
    fn a_list_that_breaks_off_changes_nothing() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        fed(&mut feed, &state, vec![Event::Apply(good("a"))]);
        let list =
            vec![Event::Init, Event::InitApply(good("b")), Event::Init, Event::InitApply(good("a")), Event::InitDone];
        assert_eq!(fed(&mut feed, &state, list), [0, 0, 0, 0, 0]);
        assert_eq!(known(&state), ["a"]);
    }

    #[test]
    fn a_list_forgets_what_was_deleted_meanwhile() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        fed(&mut feed, &state, vec![Event::Apply(good("a")), Event::Apply(good("b")), Event::Delete(good("b"))]);
        fed(
            &mut feed,
            &state,
            vec![Event::Apply(good("c")), Event::Init, Event::InitApply(good("c")), Event::InitDone],
        );
        assert_eq!(known(&state), ["c"]);
    }

    #[test]
    fn a_list_of_what_is_known_has_it_in_memory_once() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        fed(&mut feed, &state, vec![Event::Apply(good("a")), Event::Init, Event::InitApply(good("a"))]);
        assert!(Arc::ptr_eq(&feed.listed[0], &state.all(RouteKind::Http)[0]));
    }

    #[test]
    fn a_route_that_cannot_be_decoded_keeps_its_former_state() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        fed(&mut feed, &state, vec![Event::Apply(good("a")), Event::Apply(bad("a"))]);
        assert_eq!(known(&state), ["a"]);
        fed(
            &mut feed,
            &state,
            vec![Event::Init, Event::InitApply(bad("a")), Event::InitApply(bad("b")), Event::InitDone],
        );
        assert_eq!(known(&state), ["a"]);
        fed(&mut feed, &state, vec![Event::Delete(bad("a"))]);
        assert_eq!(known(&state), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_decoded_is_said_again_only_after_it_could() {
        let (mut feed, state) = (Feed::new(RouteKind::Http), State::default());
        fed(&mut feed, &state, vec![Event::Apply(bad("a"))]);
        assert_eq!(feed.undecodable.len(), 1);
        fed(&mut feed, &state, vec![Event::Apply(good("a"))]);
        assert!(feed.undecodable.is_empty());
    }
}
