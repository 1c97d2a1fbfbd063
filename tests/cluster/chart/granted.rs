use serde_json::{Value, json};

use super::account_with_rights;
use crate::world::Place;

/// What the chart lets the controller do everywhere, rule by rule.
pub fn rules() -> Vec<Value> {
    let role =
        account_with_rights().into_iter().find(|object| object["kind"] == "ClusterRole").expect("its ClusterRole");
    role["rules"].as_array().cloned().expect("its rules")
}

/// Starts a controller that may do this, and nothing else.
pub async fn start_with(place: &Place, rules: &[Value]) {
    grant(place, rules).await;
    let kubeconfig = place.world.cluster.service_account_kubeconfig(&place.name, "controller").await.expect("a token");
    place.world.start_controller_as(&kubeconfig).await;
}

/// Lets the controller do this, and nothing else.
pub async fn grant(place: &Place, rules: &[Value]) {
    let account = json!({ "kind": "ServiceAccount", "name": "controller", "namespace": place.name });
    let role = json!({ "kind": "ClusterRole", "name": "controller", "apiGroup": "rbac.authorization.k8s.io" });
    let metadata = json!({ "name": "controller" });
    for object in [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "controller", "namespace": place.name } }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": role, "subjects": [account],
        }),
    ] {
        place.apply(object).await;
    }
}
