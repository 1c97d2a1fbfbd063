use serde_json::{Value, json};

use super::world::{GROUP, Place, World, listeners};

impl Place {
    /// An HTTPRoute that says its protocol.
    async fn http_with_protocol(&self, name: &str, protocol: &str) {
        self.apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {
                "name": name, "namespace": self.name, "annotations": { format!("{GROUP}/protocol"): protocol },
            },
            "spec": {
                "parentRefs": [{ "name": "edge" }], "hostnames": [format!("{name}.example.com")],
                "rules": [{ "backendRefs": [{ "name": "backend", "port": 80 }] }],
            },
        }))
        .await;
    }
}

/// Port, protocol and TLS mode of each listener.
fn looks(listeners: &[Value]) -> Vec<(u64, &str, Option<&str>)> {
    let look = |listener: &Value| listener["port"].as_u64().unwrap_or_default();
    listeners
        .iter()
        .map(|listener| {
            (look(listener), listener["protocol"].as_str().unwrap_or_default(), listener["tls"]["mode"].as_str())
        })
        .collect()
}

#[tokio::test]
async fn with_protocol_http_listeners_are_plain_on_port_80_unless_a_route_says_https() {
    let place = World::shared().await.namespace("plain").await;
    place.wrap(json!({ "listenerTemplate": { "protocol": "HTTP" } })).await;
    place.http_to("web", &["web.example.com"], json!([{ "name": "edge" }])).await;
    let gateway = place.has_names(&["http-80-web-example-com"]).await;
    assert_eq!(looks(&listeners(&gateway)), [(80, "HTTP", None)]);
    place.wrap(json!({ "listenerTemplate": { "protocol": "HTTP", "port": 8080 } })).await;
    place.has_names(&["http-8080-web-example-com"]).await;
    place.http_with_protocol("safe", "HTTPS").await;
    // HTTP and HTTPS do not stand side by side on a port.
    let status = place.status_with("it is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "PortConflict");
}

#[tokio::test]
async fn a_route_may_say_its_protocol() {
    let place = World::shared().await.namespace("protocol").await;
    place.wrap(json!({ "listenerTemplate": { "port": 8443 } })).await;
    place.http_with_protocol("a", "HTTP").await;
    let gateway = place.has_names(&["http-8443-a-example-com"]).await;
    assert_eq!(looks(&listeners(&gateway)), [(8443, "HTTP", None)]);
    place.http_with_protocol("a", "HTTPS").await;
    let gateway = place.has_names(&["https-8443-a-example-com"]).await;
    assert_eq!(looks(&listeners(&gateway)), [(8443, "HTTPS", Some("Terminate"))]);
    place.http_with_protocol("a", "h2").await;
    let status = place.status_with("it is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "InvalidProtocol");
    place.has_names(&["placeholder"]).await;
}

#[tokio::test]
async fn one_certificate_is_shared_by_all_listeners_that_end_tls_and_options_are_copied() {
    let place = World::shared().await.namespace("shared").await;
    let tls = json!({ "certificateRefs": [{ "name": "wildcard" }], "options": { "example.com/level": "modern" } });
    place.wrap(json!({ "listenerTemplate": { "tls": tls } })).await;
    place.http("a", &["a.example.com"]).await;
    let mail = json!({ "parentRefs": [{ "name": "edge", "port": 993 }], "hostnames": ["mail.example.com"] });
    place.route("TLSRoute", "mail", mail).await;
    place.http_to("plain", &["plain.example.com"], json!([{ "name": "edge", "port": 80 }])).await;
    let gateway = place.gateway_with("edge", "all three are there", |gateway| listeners(gateway).len() == 3).await;
    for listener in listeners(&gateway) {
        if listener["protocol"] == "HTTP" {
            assert!(listener["tls"].is_null(), "{listener}");
            continue;
        }
        let names: Vec<_> =
            listener["tls"]["certificateRefs"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
        assert_eq!(names, ["wildcard"], "{listener}");
        assert_eq!(listener["tls"]["options"], json!({ "example.com/level": "modern" }), "{listener}");
    }
}
