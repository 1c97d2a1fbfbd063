use std::sync::Arc;

use controlplane::{GatewayApi, eventually};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::golang::Go;
use crate::world::{Place, WITHIN, World};

const README: &str = include_str!("../../../README.md");

/// What the README grants to the controller.
pub fn rules() -> Vec<Value> {
    let (_, table) = README.split_once("grants it:\n\n").expect("the table of rights");
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(2);
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut group = String::new();
    let rule = |row: &str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        if !cells[1].is_empty() {
            group = quoted(cells[1]).into_iter().next().unwrap_or_default();
        }
        let verbs: Vec<&str> = cells[3].split(", ").collect();
        json!({ "apiGroups": [group], "resources": quoted(cells[2]), "verbs": verbs })
    };
    rows.map(rule).collect()
}

/// Starts a controller that may do what the README says, and nothing else.
pub async fn start_with_few_rights(place: &Place) {
    start_with(place, &rules()).await;
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

#[tokio::test]
async fn the_place_of_the_go_version_is_taken_and_plain_http_redirected_with_the_rights_of_the_readme() {
    let world = Arc::new(World::start(GatewayApi::NEWEST).await);
    world.stop_controller().await;
    let place = world.namespace("rights").await;
    let go = Go::later(&place).await;
    place.http_to("www", &["www.example.com"], json!([{ "name": "edge", "sectionName": "www" }])).await;
    go.sync(&[("www", "HTTPS", 443, Some("www.example.com"))]).await;
    go.mark("HTTPRoute").await;

    start_with(&place, &rules()).await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    place.has_names(&["www", "http"]).await;
    let routes = place.objects("HTTPRoute");
    eventually("the redirect is there, and nothing is left on any object", WITHIN, async || {
        let all = routes.list(&ListParams::default()).await.unwrap().items;
        let clean =
            go.wrapped().get("edge").await.unwrap().finalizers().is_empty() && !all.iter().any(|route| go.is_on(route));
        let redirected = all.iter().any(|route| route.name_any() == "edge-https-redirect");
        if clean && redirected { Ok(()) } else { Err(format!("clean: {clean}, redirected: {redirected}")) }
    })
    .await
    .unwrap();
    place.is_ready().await;
    place.wrap(json!({})).await;
    eventually("the redirect is gone", WITHIN, async || match routes.get_opt("edge-https-redirect").await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    place.is_ready().await;
    let log = place.world.log().await;
    assert!(!log.contains("forbidden"), "{log}");
}
