//! Certificates of other namespaces: a Gateway may use them only where a ReferenceGrant there says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::verdict::{Warning, WarningReason};
use crate::api::{Listener, ReferenceGrant, SecretReference, WrappedGatewaySpec};
use crate::routes::GatewayRef;

/// How many Secrets of a namespace a warning names.
const NAMED: usize = 3;

/// Whether the template or a static listener names a certificate of another namespace.
#[must_use]
pub fn needs_grants(gateway: &GatewayRef, spec: &WrappedGatewaySpec) -> bool {
    !elsewhere(gateway, spec).is_empty()
}

/// What the owner of a WrappedGateway is warned of, where these are all ReferenceGrants that there are: one warning for
/// each namespace. The grant is that namespace's to give, so that nothing more is done about it.
#[must_use]
pub fn warnings(gateway: &GatewayRef, spec: &WrappedGatewaySpec, grants: &[ReferenceGrant]) -> Vec<Warning> {
    let mut forbidden: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (namespace, secret) in elsewhere(gateway, spec) {
        if !grants.iter().any(|grant| grant.permits(&gateway.namespace, namespace, secret)) {
            forbidden.entry(namespace).or_default().push(secret);
        }
    }
    forbidden.iter().map(|(namespace, secrets)| warning(gateway, namespace, secrets)).collect()
}

/// Namespace and name of each Secret in another namespace than the Gateway's.
fn elsewhere<'a>(gateway: &GatewayRef, spec: &'a WrappedGatewaySpec) -> BTreeSet<(&'a str, &'a str)> {
    let template = spec.listener_template.as_ref().and_then(|template| template.tls.as_ref());
    let shared = template.into_iter().flat_map(|tls| &tls.certificate_refs).filter(|reference| reference.is_secret());
    let of_static = spec.listeners.iter().flat_map(Listener::secrets);
    let place = |reference: &'a SecretReference| Some((reference.namespace.as_deref()?, reference.name.as_str()));
    shared.chain(of_static).filter_map(place).filter(|(namespace, _)| *namespace != gateway.namespace).collect()
}

fn warning(gateway: &GatewayRef, namespace: &str, secrets: &[&str]) -> Warning {
    let mut named =
        secrets.iter().take(NAMED).map(|secret| format!("{namespace}/{secret}")).collect::<Vec<_>>().join(", ");
    if let Some(more) = secrets.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(named, " and {more} more");
    }
    let noun = if secrets.len() == 1 { "Secret" } else { "Secrets" };
    let message = format!(
        "no ReferenceGrant in namespace {namespace} lets Gateways of namespace {} use {noun} {named}, so that listeners \
         with that certificate are not served; create one there",
        gateway.namespace
    );
    Warning { route: None, reason: WarningReason::RefNotPermitted, message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn here() -> GatewayRef {
        GatewayRef { namespace: "here".to_owned(), name: "edge".to_owned() }
    }

    fn using(secrets: &[(&str, &str)]) -> WrappedGatewaySpec {
        let references: Vec<_> =
            secrets.iter().map(|(namespace, name)| json!({ "namespace": namespace, "name": name })).collect();
        let template = json!({ "tls": { "certificateRefs": references } });
        serde_json::from_value(json!({ "gatewayClassName": "example", "listenerTemplate": template })).unwrap()
    }

    #[test]
    fn only_what_is_elsewhere_needs_a_grant() {
        assert!(!needs_grants(&here(), &using(&[])));
        assert!(!needs_grants(&here(), &using(&[("here", "own")])));
        assert!(needs_grants(&here(), &using(&[("here", "own"), ("there", "theirs")])));
    }

    #[test]
    fn at_most_three_secrets_are_named() {
        let all = [("there", "a"), ("there", "b"), ("there", "c"), ("there", "d")];
        for (number, said) in [
            (1, "Secret there/a, so"),
            (3, "Secrets there/a, there/b, there/c, so"),
            (4, "there/b, there/c and 1 more, so"),
        ] {
            let warnings = warnings(&here(), &using(&all[..number]), &[]);
            assert!(warnings[0].message.contains(said), "{}", warnings[0].message);
        }
    }
}
