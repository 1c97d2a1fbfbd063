//! What a data plane says in a Gateway's status, as far as it is repeated.

use serde::Deserialize;
use serde_json::Value;

/// A Gateway's status.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct GatewayStatus {
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default)]
    conditions: Vec<Said>,
    #[serde(default)]
    listeners: Vec<ListenerStatus>,
    /// The Gateway's class.
    #[serde(skip)]
    class: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    value: Option<String>,
}

/// What a data plane says of one listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    name: String,
    /// How many routes it has attached.
    pub attached_routes: Option<i64>,
    #[serde(default)]
    conditions: Vec<Said>,
}

impl ListenerStatus {
    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Said> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// The condition that says that the listener does not work. The more specific one is preferred: a listener is not
    /// programmed because another one is in its way, because it is not accepted, or because its certificate is missing.
    /// Of a conflict Envoy Gateway says nothing but that it is there.
    #[must_use]
    pub fn unhealthy(&self) -> Option<&Said> {
        let says = |type_: &str, status: &str| self.condition(type_).filter(|said| said.status == status);
        let fails = |type_: &&str| says(type_, "False");
        says("Conflicted", "True").or_else(|| ["Accepted", "ResolvedRefs", "Programmed"].iter().find_map(fails))
    }
}

/// A condition that someone else wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    #[serde(default)]
    pub reason: String,
    /// Why.
    #[serde(default)]
    pub message: String,
}

impl GatewayStatus {
    /// The status of a Gateway, without what it still says of listeners that the Gateway has no more.
    ///
    /// # Errors
    /// Where it is not of the Gateway API's form.
    pub fn read(gateway: &Value) -> Result<Self, serde_json::Error> {
        let mut status = match &gateway["status"] {
            Value::Null => Self::default(),
            status => Self::deserialize(status)?,
        };
        let listeners = gateway["spec"]["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
        gateway["spec"]["gatewayClassName"].as_str().unwrap_or_default().clone_into(&mut status.class);
        status.listeners.retain(|said| listeners.iter().any(|listener| listener["name"] == said.name.as_str()));
        Ok(status)
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.addresses.first()?.value.clone()
    }

    /// The condition of that type, of the Gateway as a whole.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Said> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// Whether the Gateway as a whole is programmed; none where no data plane has taken it up. The Gateway API's schema
    /// itself says something of a new Gateway, so that it is seen that nobody else has.
    #[must_use]
    pub fn programmed(&self) -> Option<&Said> {
        let is_default = |said: &&Said| said.status == "Unknown" && said.message == "Waiting for controller";
        self.condition("Programmed").filter(|said| !is_default(said))
    }

    /// What there is to say where no data plane has taken the Gateway up.
    #[must_use]
    pub fn untouched(&self) -> String {
        format!(
            "No data plane has taken up the Gateway yet. Is there a GatewayClass {}, and does its controller run?",
            self.class
        )
    }

    /// What is said of the listener of that name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&ListenerStatus> {
        self.listeners.iter().find(|listener| listener.name == name)
    }

    /// The first listener that does not work, and the condition that says so.
    #[must_use]
    pub fn first_unhealthy(&self) -> Option<(&str, &Said)> {
        self.listeners.iter().find_map(|listener| Some((listener.name.as_str(), listener.unhealthy()?)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway() -> Value {
        let said = |type_: &str, status: &str, reason: &str| json!({ "type": type_, "status": status, "reason": reason, "message": format!("{reason}.") });
        json!({
            "spec": { "listeners": [{ "name": "a" }, { "name": "b" }] },
            "status": {
                "addresses": [{ "type": "IPAddress", "value": "10.0.0.1" }, { "value": "10.0.0.2" }],
                "conditions": [said("Accepted", "True", "Accepted"), said("Programmed", "False", "ListenersNotReady")],
                "listeners": [
                    { "name": "gone", "conditions": [said("Programmed", "False", "Gone")] },
                    { "name": "a", "conditions": [said("Programmed", "True", "Programmed")] },
                    { "name": "b", "conditions": [
                        said("Programmed", "False", "Invalid"), said("ResolvedRefs", "False", "InvalidCertificateRef"),
                    ] },
                ],
            },
        })
    }

    #[test]
    fn the_first_address_counts() {
        assert_eq!(GatewayStatus::read(&gateway()).unwrap().address().as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn the_most_specific_condition_of_the_first_unhealthy_listener_counts() {
        let status = GatewayStatus::read(&gateway()).unwrap();
        let (listener, why) = status.first_unhealthy().unwrap();
        assert_eq!((listener, why.reason.as_str()), ("b", "InvalidCertificateRef"));
    }

    #[test]
    fn a_conflict_is_told_as_such() {
        let mut gateway = gateway();
        let conflict = json!({ "type": "Conflicted", "status": "True", "reason": "ProtocolConflict" });
        gateway["status"]["listeners"][1]["conditions"] =
            json!([conflict, { "type": "Programmed", "status": "False", "reason": "Invalid" }]);
        gateway["status"]["listeners"][2]["conditions"] =
            json!([{ "type": "Conflicted", "status": "False", "reason": "NoConflicts" }]);
        let status = GatewayStatus::read(&gateway).unwrap();
        let (listener, why) = status.first_unhealthy().unwrap();
        assert_eq!((listener, why.reason.as_str()), ("a", "ProtocolConflict"));
        assert_eq!(status.listener("b").and_then(ListenerStatus::unhealthy), None);
    }

    #[test]
    fn what_the_schema_says_of_a_new_gateway_is_nobodys_word() {
        let of = |message: &str| {
            let said = json!({ "type": "Programmed", "status": "Unknown", "reason": "Pending", "message": message });
            json!({ "spec": { "gatewayClassName": "envoy" }, "status": { "conditions": [said] } })
        };
        let untouched = GatewayStatus::read(&of("Waiting for controller")).unwrap();
        assert_eq!(untouched.programmed(), None);
        assert!(untouched.untouched().contains("GatewayClass envoy"));
        assert!(GatewayStatus::read(&of("Listeners are being set up")).unwrap().programmed().is_some());
    }

    #[test]
    fn a_gateway_that_nobody_looked_at_has_an_empty_status() {
        let status = GatewayStatus::read(&json!({ "spec": {} })).unwrap();
        assert_eq!((status.address(), status.condition("Programmed"), status.first_unhealthy()), (None, None, None));
    }
}
