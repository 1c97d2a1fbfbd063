//! Which namespaces and kinds a listener or a template admits.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::Input;
use crate::api::{GATEWAY_GROUP, Listener, NAMESPACE_NAME_LABEL, NamespacesFrom, RouteNamespaces};
use crate::routes::RouteKey;

/// Whether a listener admits a route's namespace and kind.
pub(super) fn listener_admits(listener: &Listener, route: &RouteKey, input: &Input<'_>) -> bool {
    let allowed = listener.allowed_routes.as_ref();
    let kinds = allowed.map(|allowed| allowed.kinds.as_slice()).unwrap_or_default();
    let kind_admitted = kinds.is_empty()
        || kinds.iter().any(|kind| {
            kind.kind == route.kind.name() && kind.group.as_deref().unwrap_or(GATEWAY_GROUP) == GATEWAY_GROUP
        });
    let namespaces = allowed.and_then(|allowed| allowed.namespaces.as_ref());
    kind_admitted && chosen(namespaces, NamespacesFrom::Same, &route.namespace, input)
}

/// Whether a choice of namespaces holds that one. `default` is what an absent `from` means.
pub(super) fn chosen(
    namespaces: Option<&RouteNamespaces>,
    default: NamespacesFrom,
    namespace: &str,
    input: &Input<'_>,
) -> bool {
    match namespaces.and_then(|namespaces| namespaces.from).unwrap_or(default) {
        NamespacesFrom::All => true,
        NamespacesFrom::Same => namespace == input.gateway.namespace,
        NamespacesFrom::Selector => namespaces
            .and_then(|namespaces| namespaces.selector.as_ref())
            .is_some_and(|selector| selects(selector, namespace, input.namespaces)),
    }
}

/// Whether a selector matches a namespace. Of a namespace whose labels are not known, the name is its only label.
pub(super) fn selects(
    selector: &LabelSelector,
    namespace: &str,
    labels: &BTreeMap<String, BTreeMap<String, String>>,
) -> bool {
    let known = labels.get(namespace);
    let value = |key: &str| match known.and_then(|labels| labels.get(key)) {
        Some(value) => Some(value.as_str()),
        None if key == NAMESPACE_NAME_LABEL => Some(namespace),
        None => None,
    };
    selector.match_labels.iter().flatten().all(|(key, wanted)| value(key) == Some(wanted))
        && selector.match_expressions.iter().flatten().all(|requirement| holds(requirement, value(&requirement.key)))
}

/// An operator that Kubernetes does not know matches nothing, so that a typing error admits nobody.
fn holds(requirement: &LabelSelectorRequirement, value: Option<&str>) -> bool {
    let listed = |value: &str| requirement.values.iter().flatten().any(|listed| listed == value);
    match requirement.operator.as_str() {
        "In" => value.is_some_and(listed),
        "NotIn" => !value.is_some_and(listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// The namespaces that a listener of ours names, which are those that it was last made for.
pub(super) fn named_namespaces(listener: &Listener) -> impl Iterator<Item = &str> {
    let selector = listener
        .allowed_routes
        .as_ref()
        .and_then(|allowed| allowed.namespaces.as_ref())
        .and_then(|namespaces| namespaces.selector.as_ref());
    selector
        .and_then(|selector| selector.match_expressions.as_ref())
        .into_iter()
        .flatten()
        .filter(|requirement| requirement.key == NAMESPACE_NAME_LABEL && requirement.operator == "In")
        .flat_map(|requirement| requirement.values.iter().flatten())
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_listener_of_ours_names_namespaces_by_their_names_alone() {
        let requirement =
            |key: &str, operator: &str, value: &str| json!({ "key": key, "operator": operator, "values": [value] });
        let expressions = [
            requirement(NAMESPACE_NAME_LABEL, "In", "apps"),
            requirement(NAMESPACE_NAME_LABEL, "NotIn", "blog"),
            requirement("team", "In", "red"),
        ];
        let selector = json!({ "from": "Selector", "selector": { "matchExpressions": expressions } });
        let listener: Listener = serde_json::from_value(json!({
            "name": "a", "port": 80, "protocol": "HTTP", "allowedRoutes": { "namespaces": selector },
        }))
        .unwrap();
        assert_eq!(named_namespaces(&listener).collect::<Vec<_>>(), ["apps"]);
    }
}
