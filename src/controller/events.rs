//! Events: news for the owners of WrappedGateways and routes, said once for each change.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use k8s_openapi::jiff::Timestamp;
use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};

use super::external_dns::Left;
use crate::api::FIELD_MANAGER;
use crate::planner::Warning;
use crate::routes::{GatewayRef, RouteKey, Verdict, VerdictKind};

/// What an event's note may have.
const LONGEST_NOTE: usize = 1024;
/// How many listeners are named that came, and how many that went: names have up to 63 characters.
const NAMED: usize = 7;

/// Something to be said of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    type_: &'static str,
    reason: String,
    action: &'static str,
    note: String,
}

impl News {
    /// On a WrappedGateway: which listeners came and went; nothing where neither did.
    #[must_use]
    pub fn listeners_changed(before: &[String], after: &[String]) -> Option<Self> {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (before.iter().collect(), after.iter().collect());
        let names = |what: &str, names: Vec<&&String>| {
            let named: Vec<&str> = names.iter().take(NAMED).map(|name| name.as_str()).collect();
            let more = names.len().checked_sub(NAMED).filter(|more| *more > 0);
            let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
            (!names.is_empty()).then(|| format!("{what} {}{more}", named.join(", ")))
        };
        let added = names("added", new.difference(&old).collect());
        let removed = names("removed", old.difference(&new).collect());
        let parts: Vec<String> = added.into_iter().chain(removed).collect();
        if parts.is_empty() {
            return None;
        }
        let note = format!("Listeners of the Gateway: {}.", parts.join("; "));
        Some(Self { type_: "Normal", reason: "ListenersChanged".to_owned(), action: "Sync", note })
    }

    /// On a WrappedGateway: a Gateway that somebody else had made is its Gateway now.
    #[must_use]
    pub fn adopted(listeners: usize) -> Self {
        let stay = match listeners {
            1 => "its listener stays as it was".to_owned(),
            several => format!("its {several} listeners stay as they were"),
        };
        let note = format!("The Gateway was there before. It is controlled by this WrappedGateway now; {stay}.");
        Self { type_: "Normal", reason: "Adopted".to_owned(), action: "Sync", note }
    }

    /// On a WrappedGateway: why its Gateway is not what it should be, where that was not said before.
    #[must_use]
    pub fn failure(before: &[Condition], after: &[Condition]) -> Option<Self> {
        let ready = |conditions: &'_ [Condition]| conditions.iter().position(|condition| condition.type_ == "Ready");
        let now = &after[ready(after)?];
        let said = ready(before).map(|place| &before[place]);
        let is_news = said.is_none_or(|said| (&said.reason, &said.message) != (&now.reason, &now.message));
        (now.status == "False" && is_news).then(|| Self {
            type_: "Warning",
            reason: "SyncFailed".to_owned(),
            action: "Sync",
            note: format!("{}: {}", now.reason, now.message),
        })
    }

    /// On a WrappedGateway: what its owner is warned of, where that was not said before.
    #[must_use]
    pub fn warnings(before: &[Condition], after: &[Condition], warnings: &[Warning]) -> Vec<Self> {
        let says = |conditions: &[Condition], warning: &Warning| {
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
            ready.is_some_and(|ready| ready.message.contains(&warning.message))
        };
        // What the condition has no place for would be news each time.
        let is_news = |warning: &&Warning| says(after, warning) && !says(before, warning);
        let owners = warnings.iter().filter(|warning| warning.route.is_none());
        let news = |warning: &Warning| Self {
            type_: "Warning",
            reason: warning.reason.to_string(),
            action: "Plan",
            note: warning.message.clone(),
        };
        owners.filter(is_news).map(news).collect()
    }

    /// On a route: what a Gateway's plan says of it.
    #[must_use]
    pub fn verdict(gateway: &GatewayRef, verdict: &Verdict) -> Self {
        let (reason, note) = match verdict.kind {
            VerdictKind::Rejected => {
                ("ListenerRejected", format!("Gateway {gateway}: {}: {}", verdict.reason, verdict.message))
            }
            VerdictKind::Warned => (verdict.reason.as_str(), format!("Gateway {gateway}: {}", verdict.message)),
        };
        Self { type_: "Warning", reason: reason.to_owned(), action: "Plan", note }
    }

    /// On a route: an annotation that external-dns reads is left to somebody else.
    #[must_use]
    pub fn left(route: &RouteKey, left: &Left, manager: Option<&str>) -> Self {
        let annotation = format!("{}/hostname", left.prefix);
        let manager = manager.map_or_else(String::new, |manager| format!(" (field manager `{manager}`)"));
        let note = format!(
            "Annotation {annotation} is `{}`, set by somebody else{manager}, and stays so; the route asks for `{}`. To hand \
             it over: kubectl annotate -n {} {} {} {annotation}-",
            left.there,
            left.wanted,
            route.namespace,
            route.kind.plural(),
            route.name,
        );
        Self { type_: "Warning", reason: "ExternalDnsConflict".to_owned(), action: "Name", note }
    }

    /// What it says.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The event that says it of the object, for the first time.
    #[must_use]
    pub fn event(&self, regarding: &ObjectReference, instance: &str) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(self.name(regarding)),
                namespace: regarding.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(self.action.to_owned()),
            event_time: Some(MicroTime(Timestamp::now())),
            note: Some(cut(&self.note)),
            reason: Some(self.reason.clone()),
            regarding: Some(regarding.clone()),
            reporting_controller: Some(FIELD_MANAGER.to_owned()),
            reporting_instance: Some(instance.to_owned()),
            type_: Some(self.type_.to_owned()),
            ..Event::default()
        }
    }

    /// A name that the same news of the same object always has, so that a controller that starts anew repeats nothing.
    #[must_use]
    pub fn name(&self, regarding: &ObjectReference) -> String {
        let mut hash = Sha256::new();
        for part in [regarding.uid.as_deref().unwrap_or_default(), self.reason.as_str(), self.note.as_str()] {
            hash.update(part);
            hash.update([0]);
        }
        let digest = hash.finalize();
        let object: String = regarding.name.as_deref().unwrap_or_default().chars().take(200).collect();
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{}.{number:016x}", object.trim_end_matches(['.', '-']))
    }
}

/// The limit counts bytes.
fn cut(note: &str) -> String {
    let mut end = note.len().min(LONGEST_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::WarningReason;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of_ready(status: &str, message: &str) -> Condition {
        Condition {
            type_: "Ready".to_owned(),
            status: status.to_owned(),
            reason: "GatewaySyncFailed".to_owned(),
            message: message.to_owned(),
            observed_generation: None,
            last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn listeners_that_came_and_went_are_named() {
        let news = News::listeners_changed(&names(&["a", "b", "c"]), &names(&["d", "b"])).unwrap();
        assert_eq!(news.note, "Listeners of the Gateway: added d; removed a, c.");
        assert_eq!(News::listeners_changed(&names(&["a", "b"]), &names(&["b", "a"])), None);
        let many: Vec<String> = (0..64).map(|number| format!("{number:063}")).collect();
        let news = News::listeners_changed(&many, &names(&["a"])).unwrap();
        assert!(news.note.ends_with(" and 57 more.") && cut(&news.note) == news.note, "{}", news.note);
        let (old, new) = many.split_at(32);
        let news = News::listeners_changed(old, new).unwrap();
        assert!(news.note.ends_with(" and 25 more.") && cut(&news.note) == news.note, "{}", news.note);
    }

    #[test]
    fn a_failure_is_news_only_where_it_was_not_said_before() {
        let ready = |status: &str, message: &str| vec![of_ready(status, message)];
        assert!(News::failure(&[], &ready("False", "a")).is_some());
        assert!(News::failure(&ready("False", "a"), &ready("False", "b")).is_some());
        assert_eq!(News::failure(&ready("False", "a"), &ready("False", "a")), None);
        assert_eq!(News::failure(&ready("False", "a"), &ready("True", "b")), None);
    }

    #[test]
    fn a_warning_is_news_only_where_it_was_not_said_before_and_is_said_now() {
        let warning = Warning { route: None, reason: WarningReason::RefNotPermitted, message: "No.".to_owned() };
        let said = [of_ready("True", "All is well. RefNotPermitted: No.")];
        let unsaid = [of_ready("True", "All is well.")];
        let news = |before: &[Condition], after: &[Condition]| {
            News::warnings(before, after, std::slice::from_ref(&warning)).len()
        };
        assert_eq!(news(&unsaid, &said), 1);
        assert_eq!(news(&[], &said), 1);
        assert_eq!(news(&said, &said), 0);
        assert_eq!(news(&unsaid, &unsaid), 0);
    }

    #[test]
    fn the_same_news_of_the_same_object_has_the_same_name() {
        let object = |uid: &str| ObjectReference {
            name: Some("public".to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let news = |listener: &str| News::listeners_changed(&[], &names(&[listener])).unwrap();
        assert_eq!(news("a").name(&object("1")), news("a").name(&object("1")));
        assert_ne!(news("a").name(&object("1")), news("b").name(&object("1")));
        assert_ne!(news("a").name(&object("1")), news("a").name(&object("2")));
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(600)).len(), LONGEST_NOTE);
        assert_eq!(cut(&format!("a{}", "é".repeat(600))).len(), LONGEST_NOTE - 1);
    }
}
