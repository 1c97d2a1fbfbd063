//! A ReferenceGrant, as far as it lets Gateways use Secrets of its namespace.

use std::collections::BTreeSet;

use serde_json::Value;

use super::GATEWAY_GROUP;

/// Which Gateways may use which Secrets of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceGrant {
    /// Where it is, and the Secrets are.
    namespace: String,
    /// Namespaces of the Gateways.
    gateways: BTreeSet<String>,
    /// Names of the Secrets; none stands for all of them.
    secrets: BTreeSet<Option<String>>,
}

impl ReferenceGrant {
    /// Reads one of whatever version; none where it does not let any Gateway use any Secret.
    #[must_use]
    pub fn read(namespace: impl Into<String>, object: &Value) -> Option<Self> {
        let entries = |list: &str| object["spec"][list].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let is = |entry: &&Value, group: &str, kind: &str| entry["group"] == group && entry["kind"] == kind;
        let from = entries("from").filter(|entry| is(entry, GATEWAY_GROUP, "Gateway"));
        let to = entries("to").filter(|entry| is(entry, "", "Secret"));
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let grant = Self {
            namespace: namespace.into(),
            gateways: from.filter_map(|entry| text(&entry["namespace"])).collect(),
            secrets: to.map(|entry| text(&entry["name"])).collect(),
        };
        (!grant.gateways.is_empty() && !grant.secrets.is_empty()).then_some(grant)
    }

    /// Whether Gateways of a namespace may use a Secret.
    #[must_use]
    pub fn permits(&self, gateways: &str, namespace: &str, secret: &str) -> bool {
        self.namespace == namespace
            && self.gateways.contains(gateways)
            && (self.secrets.contains(&None) || self.secrets.contains(&Some(secret.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(to: &Value) -> Option<ReferenceGrant> {
        let from = json!([{ "group": GATEWAY_GROUP, "kind": "Gateway", "namespace": "infra" }]);
        ReferenceGrant::read("certs", &json!({ "spec": { "from": from, "to": to } }))
    }

    #[test]
    fn it_permits_what_it_names_and_without_a_name_everything_of_its_namespace() {
        let one = grant(&json!([{ "group": "", "kind": "Secret", "name": "wildcard" }])).unwrap();
        assert!(one.permits("infra", "certs", "wildcard"));
        assert!(!one.permits("infra", "certs", "other"));
        assert!(!one.permits("apps", "certs", "wildcard"));
        assert!(!one.permits("infra", "elsewhere", "wildcard"));
        for all in [json!([{ "group": "", "kind": "Secret" }]), json!([{ "group": "", "kind": "Secret", "name": "" }])]
        {
            assert!(grant(&all).unwrap().permits("infra", "certs", "other"), "{all}");
        }
    }

    #[test]
    fn what_is_for_others_or_makes_no_sense_permits_nothing() {
        for to in
            [json!([{ "group": "", "kind": "Service" }]), json!([{ "group": "x", "kind": "Secret" }]), json!("all")]
        {
            assert_eq!(grant(&to), None, "{to}");
        }
        let routes = json!([{ "group": GATEWAY_GROUP, "kind": "HTTPRoute", "namespace": "infra" }]);
        let secrets = json!([{ "group": "", "kind": "Secret" }]);
        assert_eq!(ReferenceGrant::read("certs", &json!({ "spec": { "from": routes, "to": secrets } })), None);
    }
}
