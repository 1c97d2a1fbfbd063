use std::sync::Arc;

use controlplane::{Channel, GatewayApi, Version, eventually};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::chart::granted;
use super::world::{Place, WITHIN, World, condition, is};

const GRANTS: &str = "gateway.networking.k8s.io/referencegrants";

fn shared(namespace: &str) -> Value {
    json!({ "listenerTemplate": { "tls": { "certificateRefs": [{ "name": "wildcard", "namespace": namespace }] } } })
}

impl Place {
    /// Lets Gateways of a namespace use the Secrets of this one.
    async fn grant(&self, version: &str, gateways: &str) {
        self.apply(json!({
            "apiVersion": format!("gateway.networking.k8s.io/{version}"), "kind": "ReferenceGrant",
            "metadata": { "name": "gateways", "namespace": self.name },
            "spec": {
                "from": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": gateways }],
                "to": [{ "group": "", "kind": "Secret" }],
            },
        }))
        .await;
    }

    async fn is_warned(&self) -> String {
        let what = "it is warned, and Ready all the same";
        let status = self.status_with(what, |status| is(status, "Ready", "True") && warning(status).is_some()).await;
        warning(&status).expect("a warning").to_owned()
    }

    async fn is_not_warned(&self) {
        self.status_with("it is not warned", |status| is(status, "Ready", "True") && warning(status).is_none()).await;
    }
}

fn warning(status: &homelab_helper::api::WrappedGatewayStatus) -> Option<&str> {
    Some(condition(status, "Ready")?.message.split_once(" RefNotPermitted: ")?.1)
}

#[tokio::test]
async fn a_certificate_of_another_namespace_without_a_grant_is_warned_of_and_a_grant_counts_at_once() {
    let world = World::shared().await;
    let (place, certs) = (world.namespace("shared").await, world.namespace("certs").await);
    place.wrap(shared(&certs.name)).await;
    place.http("web", &["www.example.com"]).await;
    let gateway = place.has_names(&["https-443-www-example-com"]).await;
    let written = &gateway.data["spec"]["listeners"][0]["tls"]["certificateRefs"][0];
    assert_eq!((&written["name"], &written["namespace"]), (&json!("wildcard"), &json!(certs.name)));
    let warned = place.is_warned().await;
    let expected = format!(
        "no ReferenceGrant in namespace {0} lets Gateways of namespace {1} use Secret {0}/wildcard, so that listeners with \
         that certificate are not served; create one there.",
        certs.name, place.name
    );
    assert_eq!(warned, expected);
    place.has_events("edge", &[("RefNotPermitted", 1)]).await;

    // Another look is no more news, and a grant to somebody else changes nothing.
    certs.grant("v1", "somebody-else").await;
    place.http("more", &["more.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 2).await;
    place.is_warned().await;
    place.has_events("edge", &[("RefNotPermitted", 1)]).await;

    certs.grant("v1", &place.name).await;
    place.is_not_warned().await;
    certs.objects("ReferenceGrant").delete("gateways", &DeleteParams::default()).await.expect("a deletion");
    place.is_warned().await;
    place.has_events("edge", &[("RefNotPermitted", 2)]).await;
    place.wrap(json!({})).await;
    place.is_not_warned().await;
}

#[tokio::test]
async fn static_listeners_need_grants_too() {
    let world = World::shared().await;
    let (place, certs) = (world.namespace("static").await, world.namespace("certs").await);
    let tls = json!({ "certificateRefs": [{ "name": "wildcard", "namespace": certs.name }] });
    let wildcard = json!({ "name": "all", "hostname": "*.example.com", "port": 443, "protocol": "HTTPS", "tls": tls });
    place.wrap(json!({ "listeners": [wildcard] })).await;
    place.is_warned().await;
    certs.grant("v1beta1", &place.name).await;
    place.is_not_warned().await;
}

#[tokio::test]
async fn grants_are_watched_only_while_a_certificate_of_another_namespace_is_named() {
    let world = Arc::new(World::start(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }).await);
    let (place, certs) = (world.namespace("needed").await, world.namespace("certs").await);
    let lists = async || {
        let asked = world.requests().await;
        asked.of(GRANTS).only(|key| key.verb == "LIST").total()
    };
    // The controllers of the control plane list everything once, too.
    place.wrap(json!({})).await;
    place.is_ready().await;
    let before = lists().await;
    place.http("web", &["www.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 1).await;
    assert_eq!(lists().await, before, "nobody needs them");

    place.wrap(shared(&certs.name)).await;
    place.is_warned().await;
    // 1.4 has them as v1beta1 only.
    certs.grant("v1beta1", &place.name).await;
    place.is_not_warned().await;
    assert_eq!(lists().await, before + 1, "one list serves every change");

    let watches = async || world.requests().await.of(GRANTS).only(|key| key.verb == "WATCH").total();
    let ended = watches().await;
    place.wrap(json!({})).await;
    eventually(
        "the watch has ended",
        WITHIN,
        async || {
            if watches().await > ended { Ok(()) } else { Err("it goes on") }
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn without_the_right_to_list_grants_all_else_works_and_nothing_is_said_of_them() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    world.stop_controller().await;
    let place = world.namespace("few-rights").await;
    let mut rules = granted::rules();
    rules.retain(|rule| rule["resources"][0] != "referencegrants");
    granted::start_with(&place, &rules).await;
    place.wrap(shared("certs")).await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["https-443-www-example-com"]).await;
    place.status_with("the route is seen", |status| status.routes == 1).await;
    place.is_not_warned().await;
    let log = world.log().await;
    assert_eq!(log.matches(r#"kind="ReferenceGrant""#).count(), 1, "it is said once: {log}");

    // The right counts as soon as it is given.
    granted::grant(&place, &granted::rules()).await;
    place.is_warned().await;
}
