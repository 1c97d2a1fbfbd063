use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::wait::await_condition;
use neighbours::{Client, Kind, tcp_echo, udp_echo};
use serde_json::json;

use crate::place::{Place, health, is_true};
use crate::street::Street;
use crate::world::{GROUP, WITHIN, report};

#[tokio::test]
async fn every_kind_of_route_is_answered_by_the_right_application() {
    let place = Place::at_port("chain", 443).await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    let mut street = Street::build(place, 25_565, 5353).await;
    all_but_udp_are_answered(&mut street).await;
    let Street { place, udp, .. } = street;
    place.until("UDP is answered", async || is(udp_echo(udp, "who").await, "names who")).await;
    place.close().await;
}

/// Asks every application but the one behind the UDPRoute, and asks to be redirected.
pub async fn all_but_udp_are_answered(street: &mut Street) {
    let Street { place, shops, tcp, .. } = street;
    for name in ["books", "bikes", "chess"] {
        let host = format!("{name}.example.com");
        place.answers(&host, "/x", &format!("{name} {host} /x")).await;
    }

    let (clients, https) = (&place.clients, place.entry(443));
    place
        .until("gRPC is answered", async || {
            is(clients.grpc(https, "moves.example.com", "chess.Moves/Next", "e4").await, "moves e4")
        })
        .await;
    place
        .until("TLS is ended at the Gateway", async || {
            is(clients.tls_echo(https, "mail.example.com", "HELO").await, "mail HELO")
        })
        .await;
    let tcp = place.entry(*tcp);
    place.until("TCP is answered", async || is(tcp_echo(tcp, "hello").await, "game hello")).await;

    let http = place.entry(80);
    let redirect = async || clients.http(http, "books.example.com", "/x?y=z").await.map_err(|error| error.to_string());
    let redirect = place.until("HTTP is answered", redirect).await;
    assert_eq!(redirect.status, 301, "{redirect:?}");
    assert_eq!(redirect.headers["location"], "https://books.example.com/x?y=z");

    let own = place.serve(shops, "vault", Kind::Tls("vault.example.com")).await.certificate().map(str::to_owned);
    let own = Client::trusting(&own.expect("it ends TLS itself")).expect("its certificate");
    let passthrough = json!({ format!("{GROUP}/tls-mode"): "Passthrough" });
    place.route("TLSRoute", shops, "vault", 443, &["vault.example.com"], passthrough).await;
    place
        .until("TLS is passed through", async || {
            is(own.tls_echo(https, "vault.example.com", "open").await, "vault open")
        })
        .await;
}

fn is(said: std::io::Result<String>, wanted: &str) -> Result<(), String> {
    match said {
        Ok(said) if said == wanted => Ok(()),
        Ok(said) => Err(said),
        Err(error) => Err(error.to_string()),
    }
}

/// When each neighbour had done its part, counted from when the route was applied.
#[derive(Debug)]
struct Timing {
    listener: Duration,
    certificate: Duration,
    programmed: Duration,
    answer: Duration,
}

#[tokio::test]
async fn the_way_of_a_new_route_goes_from_neighbour_to_neighbour() {
    let place = Place::new("timing").await;
    place.wrap(json!({})).await;
    let mut street = Street::build(place, 25_566, 5354).await;
    street.place.answers("books.example.com", "/", "books books.example.com /").await;
    for name in ["first", "second", "third"] {
        let Timing { listener, certificate, programmed, answer } = Box::pin(timed(&mut street, name)).await;
        report(&format!(
            "a new route is answered over HTTPS after {} ms: the controller had its listener after {} ms, cert-manager its \
            certificate after {} ms, and Envoy Gateway said Programmed after {} ms",
            answer.as_millis(),
            listener.as_millis(),
            certificate.as_millis(),
            programmed.as_millis()
        ));
        assert!(listener < certificate && certificate < answer, "each waits for the one before");
    }
    street.place.close().await;
}

async fn timed(street: &mut Street, name: &str) -> Timing {
    let host = format!("{name}.example.com");
    let secret = format!("public.https-{}-{name}-example-com", street.place.port);
    street.place.serve(&street.shops, name, Kind::Http).await;
    let place = &street.place;
    let client = place.world.cluster.client().expect("a client");
    let secrets: Api<Secret> = Api::namespaced(client, &place.name);
    let listed = |gateway: Option<&DynamicObject>| {
        let listeners = gateway.and_then(|gateway| gateway.data["spec"]["listeners"].as_array());
        listeners.is_some_and(|listeners| listeners.iter().any(|listener| listener["hostname"] == *host))
    };
    let listener = format!("https-{}-{name}-example-com", place.port);
    let works = |gateway: Option<&DynamicObject>| {
        gateway.is_some_and(|gateway| health(gateway, &listener).iter().any(|said| is_true(said, "Programmed")))
    };
    let wanted = format!("{name} {host} /");
    let started = Instant::now();
    place.http(&street.shops, name, &[&host]).await;
    let (listener, certificate, programmed, answer) = tokio::join!(
        seen(started, await_condition(place.gateways(), "public", listed)),
        seen(started, await_condition(secrets, &secret, |secret: Option<&Secret>| secret.is_some())),
        seen(started, await_condition(place.gateways(), "public", works)),
        seen(started, async {
            place.answers(&host, "/", &wanted).await;
            Ok::<_, String>(())
        }),
    );
    Timing { listener, certificate, programmed, answer }
}

/// How long after that moment it came.
async fn seen<T, E: std::fmt::Debug>(started: Instant, awaited: impl Future<Output = Result<T, E>>) -> Duration {
    tokio::time::timeout(WITHIN, awaited).await.expect("it comes in time").expect("a watch");
    started.elapsed()
}
