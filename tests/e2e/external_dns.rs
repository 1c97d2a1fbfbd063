use std::path::Path;

use controlplane::supervisor::Scratch;
use controlplane::{Channel, ControlPlane, GatewayApi};
use neighbours::{cert_manager, external_dns};
use serde_json::{Value, json};

use crate::place::Place;
use crate::street::Street;
use crate::world::{GATEWAY_API, GROUP};

/// Where names are to lead, as Envoy Gateway gives no address to a Gateway on a host.
const TARGET: &str = "203.0.113.7";

/// Waits until external-dns has done that with a record for each of these hosts.
async fn told(place: &Place, folder: &Path, action: &str, hosts: &[&str]) {
    place
        .until(&format!("external-dns tells {action} of {hosts:?}"), async || {
            let log = std::fs::read_to_string(folder.join("external-dns.log")).map_err(|error| error.to_string())?;
            let is_told = |host: &&&str| {
                let words = format!("{action}: {host}.example.com ");
                log.lines().any(|line| line.contains(&words) && line.contains(TARGET))
            };
            if hosts.iter().all(|host| is_told(&host)) { Ok(()) } else { Err(log) }
        })
        .await;
}

#[tokio::test]
async fn names_of_routes_of_every_kind_come_and_go() {
    let place = Place::new("dns").await;
    let annotations = json!({
        "cert-manager.io/cluster-issuer": cert_manager::ISSUER, "external-dns.alpha.kubernetes.io/target": TARGET,
    });
    place.wrap_with(annotations, json!({})).await;
    let Street { place, shops, games, tcp, udp, .. } = Street::build(place, 25_573, 5373).await;
    let named = |name: &str| json!({ format!("{GROUP}/hostname"): name });
    let game = |annotations: Value| place.route("TCPRoute", &games, "game", tcp, &[], annotations);
    game(named("game.example.com")).await;
    place.route("UDPRoute", &games, "names", udp, &[], named("names.example.com")).await;

    let folder = Scratch::create().expect("a folder");
    let (cluster, programs) = (&place.world.cluster, &place.world.programs);
    let running = external_dns::start(cluster, programs, &external_dns::SOURCES, "dns", folder.path());
    let _running = running.expect("external-dns");
    told(&place, folder.path(), "CREATE", &["books", "bikes", "chess", "moves", "mail", "game", "names"]).await;

    place.delete("HTTPRoute", &shops, "books").await;
    game(json!({})).await;
    told(&place, folder.path(), "DELETE", &["books", "game"]).await;
    place.close().await;
}

#[tokio::test]
async fn external_dns_cannot_read_tcp_routes_of_the_standard_channel() {
    let place = Place::new("dns-standard").await;
    let cluster = ControlPlane::start().await.expect("a control plane");
    let standard = GatewayApi { channel: Channel::Standard, ..GATEWAY_API };
    cluster.install(standard).await.expect("the Gateway API");
    let folder = Scratch::create().expect("a folder");
    let sources = ["gateway-tcproute"];
    let running = external_dns::start(&cluster, &place.world.programs, &sources, "default", folder.path());
    let mut running = running.expect("external-dns");
    // It waits a minute for what is not served, and ends.
    let said =
        place.until("it gives up", || std::future::ready(running.ended().ok_or_else(|| String::from("it runs")))).await;
    assert!(said.to_string().contains("TCPRoute"), "{said}");
}
