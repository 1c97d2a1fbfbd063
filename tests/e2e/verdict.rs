use std::collections::BTreeMap;

use kube::api::{DeleteParams, DynamicObject};
use neighbours::cert_manager;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::place::{Place, health, is_true, listeners};
use crate::street::Street;
use crate::world::GROUP;

/// Whether the data plane finds nothing wrong with that listener, as it is now.
pub fn works(gateway: &DynamicObject, listener: &str) -> bool {
    let said = health(gateway, listener);
    let is_current = |said: &Value| said["observedGeneration"] == json!(gateway.metadata.generation);
    let is_said = |type_: &&str| said.iter().any(|said| is_true(said, type_) && is_current(said));
    ["Accepted", "ResolvedRefs", "Programmed"].iter().all(is_said)
}

/// Waits until the data plane finds nothing wrong with any listener of the Gateway that is there.
pub async fn all_work(place: &Place) -> DynamicObject {
    place
        .until("the data plane is content with every listener", async || {
            let gateway = place.gateway().await;
            let broken: Vec<_> = listeners(&gateway).into_iter().filter(|name| !works(&gateway, name)).collect();
            if broken.is_empty() { Ok(gateway) } else { Err(format!("{broken:?}: {:#}", gateway.data["status"])) }
        })
        .await
}

/// The condition of that type of a WrappedGateway.
pub async fn condition(place: &Place, type_: &str) -> Value {
    let wrapped = place.wrapped().get("public").await.expect("the WrappedGateway");
    let conditions = wrapped.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == type_).unwrap_or_default()
}

/// Waits until the WrappedGateway says that of why it is not programmed.
pub async fn not_programmed(place: &Place, reason: &str, message: &str) {
    place
        .until(&format!("the WrappedGateway is not programmed: {reason}, {message}"), async || {
            let said = condition(place, "Programmed").await;
            let fits = said["status"] == "False" && said["reason"] == reason;
            if fits && said["message"].as_str().is_some_and(|text| text.contains(message)) {
                Ok(())
            } else {
                Err(said.to_string())
            }
        })
        .await;
}

#[tokio::test]
async fn every_generated_listener_is_accepted_resolved_and_programmed() {
    let place = Place::new("content").await;
    place.wrap(json!({})).await;
    let street = Street::build(place, 25_567, 5355).await;
    street.place.answers("books.example.com", "/", "books books.example.com /").await;
    let gateway = all_work(&street.place).await;
    assert_eq!(listeners(&gateway).len(), 7);
    for listener in gateway.data["status"]["listeners"].as_array().expect("what is said of them") {
        assert_eq!(listener["attachedRoutes"], 1, "{listener:#}");
    }
    // Where it runs on a host, it gives no address to a Gateway.
    not_programmed(&street.place, "AddressNotAssigned", "No addresses have been assigned to the Gateway").await;
    street.place.close().await;
}

#[tokio::test]
async fn what_envoy_gateway_would_refuse_is_rejected_before() {
    let place = Place::new("refused").await;
    place.wrap(json!({})).await;
    let street = Street::build(place, 25_568, 5356).await;
    let Street { place, shops, games, tcp, .. } = &street;
    place.answers("books.example.com", "/", "books books.example.com /").await;
    let plain = json!({ format!("{GROUP}/protocol"): "HTTP" });
    let passthrough = json!({ format!("{GROUP}/tls-mode"): "Passthrough" });
    place.route("TCPRoute", games, "tcp-on-https", place.port, &[], json!({})).await;
    place.route("HTTPRoute", shops, "http-on-https", place.port, &["plain.example.com"], plain).await;
    place.route("HTTPRoute", shops, "https-on-tcp", *tcp, &["game.example.com"], json!({})).await;
    place.route("TLSRoute", shops, "tls-on-https", place.port, &["books.example.com"], json!({})).await;
    place.route("TLSRoute", games, "passthrough", place.port, &["mail.example.com"], passthrough).await;
    place.http(games, "stolen", &["books.example.com"]).await;
    let wanted = BTreeMap::from([
        ("tcp-on-https", "PortConflict"),
        ("http-on-https", "PortConflict"),
        ("https-on-tcp", "PortConflict"),
        ("tls-on-https", "HostnameConflict"),
        ("passthrough", "HostnameConflict"),
        ("stolen", "HostnameOwned"),
    ]);
    place
        .until("all of them are rejected", async || {
            let wrapped = place.wrapped().get("public").await.map_err(|error| error.to_string())?;
            let rejected = wrapped.data["status"]["rejectedRoutes"].as_array().cloned().unwrap_or_default();
            let reasons = rejected.iter().filter_map(|it| Some((it["name"].as_str()?, it["reason"].as_str()?)));
            if reasons.collect::<BTreeMap<_, _>>() == wanted { Ok(()) } else { Err(format!("{rejected:#?}")) }
        })
        .await;
    assert_eq!(listeners(&all_work(place).await).len(), 7);
    street.place.close().await;
}

/// A listener `healthy`, and listeners `other` that contradict it, each with what data planes call the contradiction.
pub fn contradictions(port: u16) -> (Value, [(&'static str, Value); 4]) {
    let of = |name: &str, protocol: &str| json!({ "name": name, "port": port, "protocol": protocol });
    let with = |mut listener: Value, hostname: &str, tls: Value| {
        listener["hostname"] = json!(hostname);
        listener["tls"] = tls;
        listener
    };
    let secret = |name: &str| json!({ "certificateRefs": [{ "name": name }] });
    let healthy = with(of("healthy", "HTTPS"), "www.example.com", secret("healthy"));
    let others = [
        ("ProtocolConflict", of("other", "TCP")),
        ("ProtocolConflict", of("other", "HTTP")),
        ("HostnameConflict", with(of("other", "TLS"), "www.example.com", secret("other"))),
        ("HostnameConflict", with(of("other", "TLS"), "www.example.com", json!({ "mode": "Passthrough" }))),
    ];
    (healthy, others)
}

/// Writes a Gateway with these listeners, as people do who have no controller for it.
pub async fn write_by_hand(place: &Place, listeners: [&Value; 2]) {
    let annotations = json!({ "cert-manager.io/cluster-issuer": cert_manager::ISSUER });
    place
        .apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": { "name": "public", "namespace": place.name, "annotations": annotations },
            "spec": { "gatewayClassName": place.class(), "listeners": listeners },
        }))
        .await;
}

/// Whether the data plane has said of that listener, as it is now, that it is refused for that reason.
pub fn is_conflicted(gateway: &DynamicObject, listener: &str, reason: &str) -> bool {
    health(gateway, listener).iter().any(|said| {
        is_true(said, "Conflicted")
            && said["reason"] == reason
            && said["observedGeneration"] == json!(gateway.metadata.generation)
    })
}

#[tokio::test]
async fn written_by_hand_the_same_takes_the_healthy_listener_along() {
    let place = Place::new("by-hand").await;
    let (healthy, others) = contradictions(place.port);
    for (reason, other) in &others {
        write_by_hand(&place, [&healthy, other]).await;
        place
            .until(&format!("{reason} is said of both, with {other}"), async || {
                let gateway = place.gateway().await;
                let both = ["healthy", "other"].iter().all(|name| is_conflicted(&gateway, name, reason));
                if both { Ok(()) } else { Err(format!("{:#}", gateway.data["status"]["listeners"])) }
            })
            .await;
    }
    place.gateways().delete("public", &DeleteParams::default()).await.expect("a deletion");
}

#[tokio::test]
async fn a_missing_secret_is_told_and_the_other_listeners_work() {
    let place = Place::with_web("secretless").await;
    a_secret_is_missing(&place, "late-example-com does not exist").await;
    place.close().await;
}

/// Adds a listener whose Secret never comes to a place with a host that is served, and waits until the data plane says so.
pub async fn a_secret_is_missing(place: &Place, said: &str) {
    // Nobody is asked for certificates any more.
    place.wrap_with(json!({}), json!({})).await;
    place.http(&place.name, "late", &["late.example.com"]).await;
    not_programmed(place, "InvalidCertificateRef", said).await;
    place.answers_as_web().await;
}

#[tokio::test]
async fn listeners_that_contradict_each_other_are_told() {
    let place = Place::new("contradiction").await;
    // What is written by hand is passed on as it is.
    let of = |name: &str, protocol: &str| json!({ "name": name, "port": place.port, "protocol": protocol });
    let mut tls = of("tls", "TLS");
    tls["tls"] = json!({ "mode": "Passthrough" });
    place.wrap(json!({ "listeners": [of("plain", "HTTP"), tls] })).await;
    not_programmed(&place, "ProtocolConflict", "Listener plain: ").await;
}

#[tokio::test]
async fn a_port_that_another_program_has_is_not_noticed_by_envoy_gateway() {
    let place = Place::new("occupied").await;
    let _somebody = TcpListener::bind(("0.0.0.0", place.port)).await.expect("a free port");
    place.wrap(json!({})).await;
    place.http("occupied", "web", &["web.example.com"]).await;
    // So that there is nothing to be repeated. In a cluster each Envoy has a Pod, and so all ports, for itself.
    all_work(&place).await;
}
