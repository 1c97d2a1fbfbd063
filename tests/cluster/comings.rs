use std::sync::Arc;
use std::time::{Duration, Instant};

use controlplane::{Channel, ControlPlane, GatewayApi, Version, eventually};
use homelab_helper::api::crd_yaml;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use super::faults::Observer;
use super::world::{Place, WITHIN, World, names, served};

const OLD: GatewayApi = GatewayApi { version: Version::V1_5_1, channel: Channel::Experimental };
const NEW: GatewayApi = GatewayApi { version: Version::V1_7_0, channel: Channel::Experimental };

/// So long a new kind may be unknown.
const NOTICED_WITHIN: Duration = Duration::from_secs(65);

impl World {
    /// What `/readyz` says; nothing before the controller listens.
    async fn readiness(&self) -> (u16, String) {
        self.controller.lock().await.as_ref().expect("a controller").get("/readyz").await.unwrap_or_default()
    }

    async fn metric(&self, line: &str) -> bool {
        let metrics = self.controller.lock().await.as_ref().expect("a controller").metrics().await;
        metrics.unwrap_or_default().lines().any(|found| found == line)
    }

    /// Lines of the controller's log that have this in them.
    async fn logged(&self, what: &str) -> usize {
        self.log().await.lines().filter(|line| line.contains(what)).count()
    }
}

async fn route(place: &Place, kind: &str, version: &str, name: &str, port: u16) {
    place.route_at(kind, version, name, json!({ "parentRefs": [{ "name": "edge", "port": port }] })).await;
}

#[tokio::test]
async fn a_kind_that_comes_is_watched_within_a_minute_one_that_moves_is_followed_and_one_that_goes_is_let_go() {
    let world = Arc::new(World::bare(served(OLD).await));
    let place = world.namespace("comings").await;
    let crds: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    let uninstall = async |name: &str| drop(crds.delete(name, &DeleteParams::default()).await.unwrap());
    uninstall("udproutes.gateway.networking.k8s.io").await;
    world.start_controller().await;
    place.wrap(json!({})).await;
    route(&place, "TCPRoute", "v1alpha2", "game", 25565).await;
    place.http("web", &["www.example.com"]).await;
    let gateway = place.has_names(&["tcp-25565", "https-443-www-example-com"]).await;
    let observer = Observer::of(place.gateways(), "edge");
    observer.claims(&gateway, &[String::from("www.example.com"), String::new()]);

    world.cluster.install(NEW).await.unwrap();
    let came = Instant::now();
    route(&place, "UDPRoute", "v1", "dns", 53).await;
    eventually("the UDPRoute has its listener", NOTICED_WITHIN, async || {
        let names = names(&place.gateway("edge").await);
        if names.contains(&String::from("udp-53")) { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await
    .unwrap();
    println!("a kind that came was watched {:.1} s later", came.elapsed().as_secs_f32());
    assert_eq!(world.logged("watching kind=TCPRoute version=\"v1\"").await, 1, "{}", world.log().await);
    route(&place, "TCPRoute", "v1", "other", 25566).await;
    place.has_names(&["tcp-25565", "https-443-www-example-com", "udp-53", "tcp-25566"]).await;

    observer.releases("");
    uninstall("tcproutes.gateway.networking.k8s.io").await;
    place.has_names(&["https-443-www-example-com", "udp-53"]).await;
    eventually("the kind is let go", WITHIN, async || {
        if world.metric(r#"gateway_route_sync_kind_served{kind="TCPRoute"} 0"#).await { Ok(()) } else { Err("not yet") }
    })
    .await
    .unwrap();
    assert!(world.logged("kind=\"TCPRoute\" error").await <= 2, "no loop of errors:\n{}", world.log().await);
    let (_, lost) = observer.until(&place.gateway("edge").await).await;
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test]
async fn missing_crds_are_waited_for_and_that_is_said_by_readiness_log_and_metric() {
    let cluster = ControlPlane::start().await.unwrap();
    let world = Arc::new(World::bare(cluster));
    world.begin_controller(world.cluster.kubeconfig()).await;
    for kind in ["Gateway", "WrappedGateway"] {
        eventually(&format!("it says that {kind} is missing"), WITHIN, async || {
            let (code, ready) = world.readiness().await;
            let metric = world.metric(&format!(r#"gateway_route_sync_kind_served{{kind="{kind}"}} 0"#)).await;
            let logged = world.logged("not served, so there is nothing to do: ").await;
            let said = ready.contains(&format!("the list of {kind}s, which the cluster does not serve"));
            if code == 503 && said && metric && logged == 2 {
                Ok(())
            } else {
                Err(format!("{ready} {metric} {logged}"))
            }
        })
        .await
        .unwrap();
    }
    assert_eq!(world.logged("404").await, 0, "{}", world.log().await);

    world.cluster.apply_yaml(&crd_yaml()).await.unwrap();
    world.cluster.install(GatewayApi::chosen()).await.unwrap();
    let came = Instant::now();
    let place = world.namespace("missing").await;
    place.wrap(json!({})).await;
    place.has_names(&["placeholder"]).await;
    eventually("it is ready", WITHIN, async || match world.readiness().await {
        (200, _) => Ok(()),
        (code, body) => Err(format!("{code}: {body}")),
    })
    .await
    .unwrap();
    println!("ready {:.1} s after the CRDs came", came.elapsed().as_secs_f32());
    assert_eq!(world.logged("served now").await, 2, "{}", world.log().await);
}
