//! Reading objects that were stored under another definition than ours.
//!
//! An object keeps what an older or newer definition admitted until somebody changes it, and one that cannot be read
//! would get no Gateway at all. So a `null` counts as a field that is left out, and where a field offers a choice, a word
//! that is not among its values counts as the most cautious of them. The other cases are for [`StoredWrappedGateway`].

use std::collections::BTreeMap;

use kube::core::DeserializeGuard;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::WrappedGateway;

/// A `WrappedGateway` as a list or a watch should read it: one that cannot be read is an error of its own, with its
/// metadata, instead of the end of the whole list.
pub type StoredWrappedGateway = DeserializeGuard<WrappedGateway>;

/// Reads a `null` as the default.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads fields of any shape, without those that are `null`.
pub(super) fn without_nulls<'de, D>(deserializer: D) -> Result<BTreeMap<String, Value>, D::Error>
where
    D: Deserializer<'de>,
{
    let mut fields = BTreeMap::deserialize(deserializer)?;
    fields.retain(|_, value: &mut Value| !value.is_null());
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use kube::core::ObjectList;
    use serde_json::json;

    use super::super::{
        HostnameOwnership, NamespacesFrom, RouteNamespaces, TemplateProtocol, TlsMode, WrappedGatewaySpec,
    };
    use super::*;

    fn spec(spec: Value) -> WrappedGatewaySpec {
        serde_json::from_value(spec).expect("a spec that can be read")
    }

    #[test]
    fn null_is_the_same_as_left_out() {
        let nulls = spec(json!({
            "gatewayClassName": "envoy",
            "listeners": null,
            "httpsRedirect": null,
            "addresses": null,
            "tls": null,
            "listenerTemplate": {
                "port": null, "protocol": null, "tls": {"certificateRefs": null, "options": null}, "allowedRoutes": null,
                "hostnameOwnership": null, "hostnameGrants": null, "maxListenersPerNamespace": null,
            },
        }));
        assert_eq!(nulls, spec(json!({"gatewayClassName": "envoy", "listenerTemplate": {"tls": {}}})));

        let listener = json!({"name": "web", "port": 80, "protocol": "HTTP"});
        let mut with_nulls = listener.clone();
        for field in ["hostname", "tls", "allowedRoutes"] {
            with_nulls[field] = Value::Null;
        }
        assert_eq!(
            spec(json!({"gatewayClassName": "envoy", "listeners": [with_nulls]})),
            spec(json!({"gatewayClassName": "envoy", "listeners": [listener]}))
        );
    }

    #[test]
    fn an_unknown_choice_is_the_most_cautious_one() {
        let spec = spec(json!({
            "gatewayClassName": "envoy",
            "listeners": [{
                "name": "db", "port": 5432, "protocol": "TLS", "tls": {"mode": "Sideways"},
                "allowedRoutes": {"namespaces": {"from": "Everywhere"}},
            }],
            "listenerTemplate": {
                "protocol": "TLS",
                "hostnameOwnership": "Nobody",
                "allowedRoutes": {"namespaces": {"from": "None"}},
            },
        }));
        let listener = &spec.listeners[0];
        assert_eq!(listener.tls_mode(), Some(TlsMode::Terminate));
        let from = |namespaces: Option<&RouteNamespaces>| namespaces.and_then(|namespaces| namespaces.from);
        let admitted = listener.allowed_routes.as_ref().and_then(|routes| routes.namespaces.as_ref());
        assert_eq!(from(admitted), Some(NamespacesFrom::Same));

        let template = spec.listener_template.unwrap_or_default();
        assert_eq!(template.protocol, TemplateProtocol::Https);
        assert_eq!(template.hostname_ownership, HostnameOwnership::Namespace);
        let asking = template.allowed_routes.as_ref().and_then(|routes| routes.namespaces.as_ref());
        assert_eq!(from(asking), Some(NamespacesFrom::Same));
    }

    #[test]
    fn what_the_first_definition_stored_is_read() {
        let object: StoredWrappedGateway = serde_json::from_value(json!({
            "apiVersion": "gateway-route-sync.homelab-helper.benfiola.com/v1",
            "kind": "WrappedGateway",
            "metadata": {"name": "public", "namespace": "gateway"},
            "spec": {
                "gatewayClassName": "default",
                "backendTLS": {"clientCertificateRef": {"name": "client"}},
                "listenerTemplate": {
                    "name": "https", "protocol": "HTTPS", "port": 443, "hostname": "example.com",
                    "tls": {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": "public"}]},
                    "allowedRoutes": {"kinds": [{"kind": "HTTPRoute"}], "namespaces": {"from": "Same"}},
                },
            },
            "status": {
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "",
                    "lastTransitionTime": "2025-01-01T00:00:00Z",
                }],
                "lastReconciledTime": null,
                "observedGeneration": 2,
            },
        }))
        .expect("an object with metadata");
        let gateway = object.0.expect("an object that can be read");
        let template = gateway.spec.listener_template.expect("a template");
        assert_eq!((template.port, template.protocol), (Some(443), TemplateProtocol::Https));
        assert_eq!(gateway.status.map(|status| status.conditions.len()), Some(1));
    }

    #[test]
    fn one_that_cannot_be_read_leaves_the_others_alone() {
        let list: ObjectList<StoredWrappedGateway> = serde_json::from_value(json!({
            "apiVersion": "gateway-route-sync.homelab-helper.benfiola.com/v1",
            "kind": "WrappedGatewayList",
            "metadata": {},
            "items": [
                {"metadata": {"name": "bad", "namespace": "a"}, "spec": {"gatewayClassName": ["envoy"]}},
                {"metadata": {"name": "good", "namespace": "a"}, "spec": {"gatewayClassName": "envoy"}},
            ],
        }))
        .expect("a list");
        let read: Vec<_> = list.iter().map(|item| (item.name_any(), item.0.is_ok())).collect();
        assert_eq!(read, [("bad".to_owned(), false), ("good".to_owned(), true)]);
        let error = list.items[0].0.as_ref().expect_err("a class name that is a list");
        assert!(error.to_string().contains("Expected a string"), "{error}");
    }
}
