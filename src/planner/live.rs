//! A Gateway as the API server gives it → its listeners, and which of them are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::LiveListener;
use crate::api::{FIELD_MANAGER, Listener, former};

/// Whether the Gateway is one that we control. It matters where `metadata.managedFields` is silent about listeners, or knows
/// them from an implementation that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// We do; a listener that nobody is known to own is ours, and so is one that was written by what came before us.
    Ours,
    /// We do not; only what we applied is ours.
    NotOurs,
}

/// A listener that is none.
#[derive(Debug)]
pub struct NoListener {
    /// Its place in `spec.listeners`, from 0.
    pub position: usize,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

impl fmt::Display for NoListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spec.listeners[{}] is no listener: {}", self.position, self.source)
    }
}

impl std::error::Error for NoListener {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The listeners of a Gateway, in their order. `gateway` is the whole object, with metadata and status.
///
/// # Errors
/// Where an entry of `spec.listeners` cannot be read. A server that knows the Gateway CRD gives no such object.
pub fn live_listeners(gateway: &Value, control: Control) -> Result<Vec<LiveListener>, NoListener> {
    let owners = Owners::read(&gateway["metadata"]["managedFields"]);
    let programmed = programmed(gateway);
    let entries = gateway["spec"]["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let decode = |(position, entry): (usize, &Value)| {
        let listener: Listener =
            serde::Deserialize::deserialize(entry).map_err(|source| NoListener { position, source })?;
        Ok(LiveListener {
            ours: owners.ours(&listener.name, control),
            held_by: owners.held_by(&listener.name),
            programmed: programmed.contains(listener.name.as_str()),
            listener,
        })
    };
    entries.iter().enumerate().map(decode).collect()
}

/// What `metadata.managedFields` says of listeners.
#[derive(Default)]
struct Owners {
    /// Names of the listeners that our own Apply entry has.
    applied_by_us: BTreeSet<String>,
    /// Names of the listeners that an implementation that came before wrote with a plain update.
    updated_before_us: BTreeSet<String>,
    /// For each listener in the Apply entry of someone else, the first of those managers by name.
    applied_by_others: BTreeMap<String, String>,
    /// Whether any entry, of whomever, has any listener.
    known: bool,
}

impl Owners {
    fn read(managed_fields: &Value) -> Self {
        let mut owners = Self::default();
        // What is written through a subresource is status, which makes nobody the owner of a listener.
        let entries =
            managed_fields.as_array().into_iter().flatten().filter(|entry| text(&entry["subresource"]).is_empty());
        for entry in entries {
            let names = listener_names(&entry["fieldsV1"]);
            owners.known |= !names.is_empty();
            let manager = text(&entry["manager"]);
            // Only an Apply entry keeps a listener when another manager drops it, and only ours lets us drop it.
            if entry["operation"] != "Apply" {
                if former::MANAGERS.contains(&manager) {
                    owners.updated_before_us.extend(names);
                }
                continue;
            }
            if manager == FIELD_MANAGER {
                owners.applied_by_us.extend(names);
                continue;
            }
            for name in names {
                let first = owners.applied_by_others.entry(name).or_insert_with(|| manager.to_owned());
                if manager < first.as_str() {
                    manager.clone_into(first);
                }
            }
        }
        owners
    }

    fn ours(&self, name: &str, control: Control) -> bool {
        let is_ours = || !self.known || self.updated_before_us.contains(name);
        self.applied_by_us.contains(name) || (control == Control::Ours && is_ours())
    }

    fn held_by(&self, name: &str) -> Option<String> {
        self.applied_by_others.get(name).cloned()
    }
}

/// Names of a Gateway's listeners that a field set has. A list map's element has the key `k:` and its key fields as JSON.
#[must_use]
pub fn listener_names(fields: &Value) -> BTreeSet<String> {
    let keys = fields["f:spec"]["f:listeners"].as_object().into_iter().flat_map(serde_json::Map::keys);
    keys.filter_map(|key| {
        let element: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
        element["name"].as_str().map(str::to_owned)
    })
    .collect()
}

/// Names of the listeners of which the status says, about the present generation, that they are programmed.
fn programmed(gateway: &Value) -> BTreeSet<&str> {
    let generation = gateway["metadata"]["generation"].as_i64();
    let is_current = |condition: &Value| match (condition["observedGeneration"].as_i64(), generation) {
        (Some(observed), Some(generation)) => observed >= generation,
        // Some data planes leave it out; their word is all there is.
        _ => true,
    };
    let is_programmed = |listener: &&Value| {
        let mut conditions = listener["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| {
            condition["type"] == "Programmed" && condition["status"] == "True" && is_current(condition)
        })
    };
    let listeners = gateway["status"]["listeners"].as_array().into_iter().flatten();
    listeners.filter(is_programmed).filter_map(|listener| listener["name"].as_str()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway(managed_fields: &Value) -> Value {
        let listener = |name: &str| json!({ "name": name, "port": 80, "protocol": "HTTP" });
        json!({
            "metadata": { "generation": 2, "managedFields": managed_fields },
            "spec": { "listeners": [listener("b"), listener("a")] },
        })
    }

    fn entry(manager: &str, operation: &str, listener: &str) -> Value {
        let key = format!(r#"k:{{"name":"{listener}"}}"#);
        let fields = json!({ "f:spec": { "f:listeners": { key: { ".": {}, "f:name": {} } } } });
        json!({ "manager": manager, "operation": operation, "fieldsV1": fields })
    }

    fn ours(gateway: &Value, control: Control) -> Vec<String> {
        let live = live_listeners(gateway, control).unwrap();
        live.into_iter().filter(|live| live.ours).map(|live| live.listener.name).collect()
    }

    #[test]
    fn only_our_apply_entry_makes_a_listener_ours() {
        let fields = json!([entry(FIELD_MANAGER, "Apply", "a"), entry("kubectl", "Update", "b")]);
        assert_eq!(ours(&gateway(&fields), Control::Ours), ["a"]);
    }

    #[test]
    fn what_came_before_us_wrote_for_us_where_the_gateway_is_ours() {
        for manager in former::MANAGERS {
            let fields = json!([entry(FIELD_MANAGER, "Apply", "a"), entry(manager, "Update", "b")]);
            assert_eq!(ours(&gateway(&fields), Control::Ours), ["b", "a"]);
            assert_eq!(ours(&gateway(&fields), Control::NotOurs), ["a"]);
        }
    }

    #[test]
    fn an_entry_of_a_subresource_makes_nothing_ours() {
        let mut status = entry(FIELD_MANAGER, "Apply", "a");
        status["subresource"] = json!("status");
        assert_eq!(ours(&gateway(&json!([status, entry("kubectl", "Update", "b")])), Control::Ours), [""; 0]);
    }

    #[test]
    fn where_no_owner_is_known_control_decides() {
        for fields in [Value::Null, json!([]), json!([{ "manager": "kubectl", "operation": "Update", "fieldsV1": {} }])]
        {
            assert_eq!(ours(&gateway(&fields), Control::Ours), ["b", "a"]);
            assert_eq!(ours(&gateway(&fields), Control::NotOurs), [""; 0]);
        }
    }

    #[test]
    fn a_listener_is_held_by_the_first_other_manager_that_applies_it() {
        let fields = json!([
            entry(FIELD_MANAGER, "Apply", "a"),
            entry("zoe", "Apply", "a"),
            entry("kay", "Apply", "a"),
            entry("abe", "Update", "a"),
        ]);
        let live = live_listeners(&gateway(&fields), Control::Ours).unwrap();
        let held: Vec<_> = live.iter().map(|live| live.held_by.as_deref()).collect();
        assert_eq!(held, [None, Some("kay")]);
    }

    #[test]
    fn a_listener_is_programmed_where_the_status_says_so_of_this_generation() {
        let condition = |status: &str, observed: Value| {
            json!([{ "type": "Accepted", "status": "True" },
                   { "type": "Programmed", "status": status, "observedGeneration": observed }])
        };
        let programmed = |conditions: Value| {
            let mut gateway = gateway(&Value::Null);
            gateway["status"] = json!({ "listeners": [{ "name": "a", "conditions": conditions }] });
            let live = live_listeners(&gateway, Control::Ours).unwrap();
            (live[0].programmed, live[1].programmed)
        };
        assert_eq!(programmed(condition("True", json!(2))), (false, true));
        assert_eq!(programmed(condition("True", Value::Null)), (false, true));
        assert_eq!(programmed(condition("True", json!(1))), (false, false));
        assert_eq!(programmed(condition("False", json!(2))), (false, false));
    }

    #[test]
    fn an_entry_that_is_no_listener_is_named_by_its_place() {
        let gateway =
            json!({ "spec": { "listeners": [{ "name": "a", "port": 80, "protocol": "HTTP" }, { "name": "b" }] } });
        let error = live_listeners(&gateway, Control::Ours).unwrap_err();
        assert_eq!(error.to_string(), "spec.listeners[1] is no listener: missing field `port`");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("missing field `port`"));
    }
}
