use std::cell::Cell;

use controlplane::supervisor::Scratch;
use controlplane::{Channel, ControlPlane, GatewayApi, eventually};
use neighbours::contour::{self, Contour};
use neighbours::{Kind, tcp_echo};
use serde_json::json;

use crate::chain::all_but_udp_are_answered;
use crate::disturbance::{Traffic, come_and_go, duration, quiet_street, replaced};
use crate::place::{Place, is_true, listeners};
use crate::street::Street;
use crate::verdict::{
    a_secret_is_missing, condition, contradictions, is_conflicted, not_programmed, works, write_by_hand,
};
use crate::world::{DataPlane, GATEWAY_API, GROUP, WITHIN, World};

/// A place, and the Contour that serves its Gateway. Nothing has to be closed: it ends with its test, and serves no other.
async fn harbour(name: &str) -> (Place, Contour) {
    let place = Place::served_by(DataPlane::Contour, name, 443).await;
    let world = &place.world;
    let contour = Contour::start(&world.cluster, &world.programs, (name, "public"), world.folder.path());
    (place, contour.expect("Contour and Envoy"))
}

/// Waits until the WrappedGateway is programmed.
async fn programmed(place: &Place) {
    place
        .until("the WrappedGateway is programmed", async || {
            let said = condition(place, "Programmed").await;
            if is_true(&said, "Programmed") { Ok(()) } else { Err(said.to_string()) }
        })
        .await;
}

#[tokio::test]
async fn every_kind_of_route_but_udp_is_answered_by_the_right_application() {
    let (place, _contour) = harbour("quay").await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    let mut street = Street::build(place, 25_575, 5375).await;
    let Street { place, games, .. } = &street;

    // To a Service that does not say what it speaks, it speaks TLS, which this application does not.
    place
        .until("Envoy has tried in vain to speak TLS to the application", async || {
            let called = place.clients.grpc(place.entry(443), "moves.example.com", "chess.Moves/Next", "e4").await;
            let error = called.expect_err("an application without TLS").to_string();
            let stats = place.clients.http(contour::ADMIN_PORT, "localhost", "/stats").await;
            let stats = stats.map_err(|error| error.to_string())?.text;
            let failed = stats.lines().filter(|line| line.contains("_moves_")).find_map(|line| {
                let (_, count) = line.split_once(".ssl.connection_error: ")?;
                (count != "0").then_some(())
            });
            failed.ok_or(error)
        })
        .await;
    place.service(games, "moves", json!({ "protocol": "TCP", "appProtocol": "kubernetes.io/h2c" })).await;
    all_but_udp_are_answered(&mut street).await;
}

#[tokio::test]
async fn a_udp_listener_is_refused_and_told_and_all_others_work() {
    let (place, _contour) = harbour("strand").await;
    place.wrap(json!({})).await;
    let Street { place, games, .. } = Street::build(place, 25_576, 5376).await;
    place.answers("books.example.com", "/", "books books.example.com /").await;
    not_programmed(&place, "UnsupportedProtocol", "Listener udp-5376: ").await;
    let names = listeners(&place.gateway().await);
    let others: Vec<_> = names.iter().filter(|name| *name != "udp-5376").collect();
    assert_eq!(others.len(), 6);
    place
        .until("all others work", async || {
            let gateway = place.gateway().await;
            if others.iter().all(|name| works(&gateway, name)) { Ok(()) } else { Err(format!("{:#}", gateway.data)) }
        })
        .await;
    // Of the route itself nobody says anything.
    let route = place.world.api("gateway.networking.k8s.io/v1", "UDPRoute", &games).get("names").await;
    assert!(route.expect("it is there").data["status"]["parents"].as_array().is_none_or(Vec::is_empty));

    place.delete("UDPRoute", &games, "names").await;
    programmed(&place).await;
    let gateway = place.gateway().await;
    assert_eq!(gateway.data["status"]["addresses"][0]["value"], contour::ADDRESS);
    // It counts each route that admits the port, whatever its hostname.
    let said = gateway.data["status"]["listeners"].as_array().cloned().unwrap_or_default();
    let books = said.iter().find(|said| said["name"] == "https-443-books-example-com").expect("it is there");
    assert!(books["attachedRoutes"].as_i64() > Some(1), "{books:#}");
}

#[tokio::test]
async fn written_by_hand_the_later_of_two_that_contradict_each_other_is_refused_alone() {
    let (place, _contour) = harbour("pier").await;
    let (healthy, others) = contradictions(443);
    for (reason, other) in &others {
        write_by_hand(&place, [&healthy, other]).await;
        place
            .until(&format!("{reason} is said of {other} alone"), async || {
                let gateway = place.gateway().await;
                let fits = is_conflicted(&gateway, "other", reason) && works(&gateway, "healthy");
                if fits { Ok(()) } else { Err(format!("{:#}", gateway.data["status"]["listeners"])) }
            })
            .await;
    }
}

#[tokio::test]
async fn a_missing_secret_is_told_and_the_other_listeners_work() {
    let (mut place, _contour) = harbour("lagoon").await;
    place.wrap(json!({})).await;
    place.web().await;
    a_secret_is_missing(&place, "late-example-com\" referent is invalid").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_of_other_hosts_that_come_and_go_disturb_nobody() {
    let (place, _contour) = harbour("reef").await;
    let (street, still) = quiet_street(place, (25_577, 5377)).await;
    let before = replaced(&street.place, &[contour::ADMIN_PORT]).await;
    let traffic = Traffic::start(&street).await;
    come_and_go(&street, duration()).await;
    traffic.end("routes of other hosts came and went at Contour").await;
    still.again(&street.place).await;
    assert_eq!(replaced(&street.place, &[contour::ADMIN_PORT]).await, before);
}

#[tokio::test]
async fn of_two_tcp_routes_on_a_port_now_one_and_now_the_other_gets_the_connections() {
    let (mut place, _contour) = harbour("ferry").await;
    place.wrap(json!({})).await;
    let port = 25_578;
    for name in ["older", "newer"] {
        place.serve("ferry", name, Kind::Tcp).await;
        place.route("TCPRoute", "ferry", name, port, &[], json!({})).await;
    }
    let changes = Cell::new(0);
    for name in ["older", "newer", "older"] {
        let wanted = format!("{name} hello");
        let place = &place;
        place
            .until(&format!("{name} is asked"), async || {
                // Whatever changes makes it choose anew, such as a route that has nothing to do with the two.
                changes.set(changes.get() + 1);
                let host = format!("change-{}.example.com", changes.get());
                let ignored = json!({ format!("{GROUP}/ignore"): "true" });
                place.route("HTTPRoute", "ferry", "other", 443, &[&host], ignored).await;
                match tcp_echo(place.entry(port), "hello").await {
                    Ok(said) if said == wanted => Ok(()),
                    Ok(said) => Err(said),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
    }
}

#[tokio::test]
async fn on_the_standard_channel_it_starts_only_without_the_kinds_that_it_cannot_read() {
    let world = World::shared(DataPlane::Contour).await;
    let cluster = ControlPlane::start().await.expect("a control plane");
    let standard = GatewayApi { channel: Channel::Standard, ..GATEWAY_API };
    cluster.install(standard).await.expect("the Gateway API");
    contour::install(&cluster).await.expect("Contour's CRDs and class");
    let folder = Scratch::create().expect("a folder");
    let start = |without: &[&str]| {
        contour::serve(&cluster, &world.programs, ("default", "public"), without, folder.path()).expect("Contour")
    };
    let mut running = start(&[]);
    let ended =
        eventually("it ends", WITHIN, || std::future::ready(running.ended().ok_or_else(|| String::from("it runs"))));
    let said = world.or_logs(ended.await).await.to_string();
    assert!(contour::EXPERIMENTAL.iter().any(|kind| said.contains(kind)), "{said}");

    let _running = start(&contour::EXPERIMENTAL);
    let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP" });
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": { "name": "public", "namespace": "default" },
        "spec": { "gatewayClassName": contour::CLASS, "listeners": [listener] },
    });
    let served = eventually("the Gateway is served", WITHIN, async || {
        // An apply of the same changes nothing, and shows what there is.
        let stored = cluster.apply([gateway.clone()]).await.map_err(|error| error.to_string())?;
        if works(&stored[0], "http") { Ok(()) } else { Err(format!("{:#}", stored[0].data["status"])) }
    });
    world.or_logs(served.await).await;
}
