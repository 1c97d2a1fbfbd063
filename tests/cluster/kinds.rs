use std::sync::Arc;

use controlplane::{Channel, GatewayApi, Version};
use serde_json::{Value, json};

use super::world::{GROUP, Place, World, names};

/// The listener that each kind asks for below, beside the version at which it is applied.
async fn all_five(place: &Place, tls: &str, tcp_and_udp: &str) {
    let annotated = |kind: &str, version: &str, name: &str, annotation: &str, value: &str, spec: Value| {
        json!({
            "apiVersion": format!("gateway.networking.k8s.io/{version}"), "kind": kind,
            "metadata": {
                "name": name, "namespace": place.name, "annotations": { format!("{GROUP}/{annotation}"): value },
            },
            "spec": spec,
        })
    };
    let rules = json!([{ "backendRefs": [{ "name": "backend", "port": 80 }] }]);
    let parents = |port: u16| json!([{ "name": "edge", "port": port }]);
    place.wrap(json!({})).await;
    place.http("http", &["http.example.com"]).await;
    let grpc = json!({ "parentRefs": parents(443), "hostnames": ["grpc.example.com"] });
    place.route("GRPCRoute", "grpc", grpc).await;
    let terminated = json!({ "parentRefs": parents(993), "hostnames": ["mail.example.com"], "rules": rules });
    place.route_at("TLSRoute", tls, "terminated", terminated).await;
    let through = json!({ "parentRefs": parents(8443), "hostnames": ["vault.example.com"], "rules": rules });
    place.apply(annotated("TLSRoute", tls, "through", "tls-mode", "Passthrough", through)).await;
    place.route_at("TCPRoute", tcp_and_udp, "tcp", json!({ "parentRefs": parents(25565) })).await;
    let by_annotation = json!({ "parentRefs": [{ "name": "edge" }], "rules": rules });
    place.apply(annotated("UDPRoute", tcp_and_udp, "udp", "ports", "53, 5353", by_annotation)).await;
}

async fn served_at(version: Version, channel: Channel, tls: &str, tcp_and_udp: &str) {
    let world = Arc::new(World::start(GatewayApi { version, channel }).await);
    let place = world.namespace("kinds").await;
    all_five(&place, tls, tcp_and_udp).await;
    let mut wanted = vec![
        "https-443-grpc-example-com",
        "https-443-http-example-com",
        "tcp-25565",
        "tls-8443-vault-example-com",
        "tls-993-mail-example-com",
        "udp-53",
        "udp-5353",
    ];
    wanted.sort_unstable();
    place
        .gateway_with("edge", "each kind has its listener", |gateway| {
            let mut found = names(gateway);
            found.sort_unstable();
            found == wanted
        })
        .await;
    place.status_with("all six are seen", |status| (status.routes, status.rejected) == (6, 0)).await;
}

#[tokio::test]
async fn all_five_kinds_on_the_newest_standard_channel() {
    served_at(Version::V1_7_0, Channel::Standard, "v1", "v1").await;
}

#[tokio::test]
async fn all_five_kinds_on_the_newest_experimental_channel() {
    served_at(Version::V1_7_0, Channel::Experimental, "v1", "v1").await;
}

#[tokio::test]
async fn all_five_kinds_on_the_experimental_channel_of_1_4_with_alpha_versions() {
    served_at(Version::V1_4_1, Channel::Experimental, "v1alpha2", "v1alpha2").await;
}

#[tokio::test]
async fn all_five_kinds_on_the_experimental_channel_of_1_5() {
    served_at(Version::V1_5_1, Channel::Experimental, "v1", "v1alpha2").await;
}

#[tokio::test]
async fn a_standard_channel_that_serves_http_and_grpc_alone_is_enough() {
    let world = World::start(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }).await;
    let place = Arc::new(world).namespace("absent").await;
    place.wrap(json!({})).await;
    place.http("http", &["http.example.com"]).await;
    place.has_names(&["https-443-http-example-com"]).await;
}

#[tokio::test]
async fn a_standard_channel_without_tcp_and_udp_serves_tls() {
    let world = World::start(GatewayApi { version: Version::V1_5_1, channel: Channel::Standard }).await;
    let place = Arc::new(world).namespace("tls").await;
    place.wrap(json!({})).await;
    let rules = json!([{ "backendRefs": [{ "name": "backend", "port": 80 }] }]);
    let spec =
        json!({ "parentRefs": [{ "name": "edge", "port": 993 }], "hostnames": ["mail.example.com"], "rules": rules });
    place.route("TLSRoute", "mail", spec).await;
    place.has_names(&["tls-993-mail-example-com"]).await;
}
