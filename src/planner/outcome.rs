//! What becomes of the Gateway's listeners when a plan is applied.

use super::admit::named_namespaces;
use super::claim::Slot;
use super::{LiveListener, PlannedListener};

/// The listeners as they are when a plan has been applied. Those of somebody else come last: to claims it does not matter
/// where they stand among ours.
pub(super) fn after(live: &[LiveListener], planned: &[PlannedListener]) -> Vec<LiveListener> {
    let is_planned = |name: &str| planned.iter().any(|planned| planned.listener.name == name);
    let theirs = live.iter().filter(|live| !live.ours && !is_planned(&live.listener.name)).cloned();
    planned.iter().map(|planned| applied(live, planned)).chain(theirs).collect()
}

fn applied(live: &[LiveListener], planned: &PlannedListener) -> LiveListener {
    let listener = planned.listener.clone();
    let before = live.iter().find(|live| live.listener.name == listener.name);
    let as_before = |before: &&LiveListener| Slot::of(&before.listener) == Slot::of(&listener);
    LiveListener {
        ours: true,
        held_by: before.and_then(|before| before.held_by.clone()),
        programmed: before.filter(as_before).is_some_and(|before| before.programmed),
        listener,
    }
}

/// Whether a plan leaves each listener where it is, what it is for and for whom: then the Gateway that it makes means to
/// claims what the present one means.
pub(super) fn stays(live: &[LiveListener], planned: &[PlannedListener]) -> bool {
    let replaced = |name: &str| planned.iter().any(|planned| planned.listener.name == name);
    let before = live.iter().filter(|live| live.ours || replaced(&live.listener.name)).map(|live| &live.listener);
    let before: Vec<_> = before.collect();
    before.len() == planned.len()
        && before.iter().zip(planned).all(|(before, planned)| {
            let after = &planned.listener;
            before.name == after.name
                && Slot::of(before) == Slot::of(after)
                && named_namespaces(before).eq(named_namespaces(after))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Origin;
    use super::*;
    use crate::api::Listener;

    fn listener(name: &str, port: u16, namespace: &str) -> Listener {
        let requirement = json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace] });
        let selector: Value = json!({ "matchExpressions": [requirement] });
        let allowed = json!({ "namespaces": { "from": "Selector", "selector": selector } });
        serde_json::from_value(json!({ "name": name, "port": port, "protocol": "TCP", "allowedRoutes": allowed }))
            .unwrap()
    }

    fn live(name: &str, ours: bool) -> LiveListener {
        LiveListener { listener: listener(name, 1, "apps"), ours, held_by: Some(name.to_owned()), programmed: true }
    }

    fn planned(name: &str, port: u16, namespace: &str) -> PlannedListener {
        PlannedListener { listener: listener(name, port, namespace), origin: Origin::Generated }
    }

    #[test]
    fn ours_that_are_not_planned_go_and_those_of_others_stay() {
        let before = [live("dropped", false), live("gone", true), live("kept", true), live("taken", false)];
        let planned = [planned("kept", 1, "blog"), planned("taken", 2, "apps"), planned("new", 3, "apps")];
        let after = after(&before, &planned);
        let told: Vec<_> = after
            .iter()
            .map(|live| (live.listener.name.as_str(), live.ours, live.held_by.as_deref(), live.programmed))
            .collect();
        // Whatever serves another port has to be programmed anew.
        let expected = [
            ("kept", true, Some("kept"), true),
            ("taken", true, Some("taken"), false),
            ("new", true, None, false),
            ("dropped", false, Some("dropped"), true),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_plan_stays_while_each_listener_has_its_place_slot_and_namespaces() {
        let before = [live("a", true), live("theirs", false), live("b", true)];
        let (a, b) = (|| planned("a", 1, "apps"), || planned("b", 1, "apps"));
        assert!(stays(&before, &[a(), b()]));
        let changes = [
            vec![a()],
            vec![b(), a()],
            vec![a(), b(), planned("c", 1, "apps")],
            vec![a(), planned("c", 1, "apps")],
            vec![a(), planned("b", 2, "apps")],
            vec![a(), planned("b", 1, "blog")],
            vec![a(), planned("theirs", 2, "apps"), b()],
        ];
        for (nth, planned) in changes.iter().enumerate() {
            assert!(!stays(&before, planned), "change {nth}");
        }
    }
}
