use controlplane::Harm;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::stage::{Stage, host};
use crate::world::{WITHIN, listeners};

const GATEWAYS: &str = "gateway.networking.k8s.io/gateways";

#[tokio::test]
async fn the_gateway_is_changed_by_somebody_else_between_plan_and_apply() {
    let mut stage = Stage::set("between").await;
    let fault = stage.fault("Gateway changed between plan and apply");
    stage.proxy.harm(|asked| asked.is("APPLY", GATEWAYS), Harm::Hold);
    stage.change().await;
    stage.proxy.until_held(1).await;
    let theirs = json!({ "name": "theirs", "port": 9999, "protocol": "TCP", "allowedRoutes": { "namespaces": { "from": "Same" } } });
    stage.place.listener_of_somebody(&theirs).await;
    stage.proxy.heal();
    stage.is_over(fault).await;
    assert!(stage.place.listeners().await.contains(&theirs), "what is not ours stays");
    let refused = stage.proxy.requests().only(|key| key.verb == "APPLY" && key.resource == GATEWAYS && key.code == 409);
    assert_eq!(refused.total(), 1, "the apply that was planned before is refused");
}

#[tokio::test]
async fn somebody_else_forces_a_field_of_ours() {
    let mut stage = Stage::set("conflict").await;
    let ours = stage.place.listeners().await.into_iter().find(|listener| listener["hostname"] == host("b").as_str());
    let ours = ours.expect("the listener of b");
    let mut theirs = ours.clone();
    theirs["allowedRoutes"] = json!({ "namespaces": { "from": "All" } });
    let fault = stage.fault("conflict on a field, five times");
    for _ in 0..5 {
        stage.place.listener_of_somebody(&theirs).await;
        stage.change().await;
        let is_ours = |gateway: &_| listeners(gateway).contains(&ours);
        stage.place.gateway_with("edge", "the field is ours again", is_ours).await;
    }
    stage.is_over(fault).await;
}

#[tokio::test]
async fn a_namespace_is_being_deleted() {
    let mut stage = Stage::set("going").await;
    let guest = stage.place.world.namespace("guest").await;
    guest.wrap(json!({})).await;
    let hostnames: Vec<String> = (0..5).map(|route| host(&format!("guest-{route}"))).collect();
    for (number, hostname) in hostnames.iter().enumerate() {
        let both =
            json!([{ "name": "edge", "port": 443 }, { "name": "edge", "namespace": stage.place.name, "port": 443 }]);
        guest.http_to(&format!("guest-{number}"), &[hostname], both).await;
    }
    stage.also_serves(&hostnames).await;

    let fault = stage.fault("namespace deleted");
    stage.no_longer_serves(&hostnames);
    let namespaces: Api<Namespace> = Api::all(guest.client.clone());
    namespaces.delete(&guest.name, &DeleteParams::default()).await.unwrap();
    stage.change().await;
    controlplane::eventually("the namespace is gone", WITHIN, async || match namespaces.get_opt(&guest.name).await {
        Ok(None) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
    .unwrap();
    stage.is_over(fault).await;
}
