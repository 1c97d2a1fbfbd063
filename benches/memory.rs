//! What 10,000 routes cost in memory: the most that the process ever had (`VmHWM`), which has to stay below 64 MiB, also while
//! 300 of the routes bear 200 kB of annotations. It fails where it does not.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, GatewayApi, Program, eventually};
use futures::stream::{self, TryStreamExt as _};
use homelab_helper::api::crd_yaml;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Routes, of about 1.2 kB each.
const ROUTES: usize = 10_000;
/// Those of them that are as large as they can be, or nearly so.
const LARGE: usize = 300;
/// What it may have, in kilobytes.
const LIMIT: u64 = 64 * 1024;
/// How many routes are created at a time.
const AT_A_TIME: usize = 16;
/// For anything that is waited for.
const WITHIN: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() -> Outcome {
    let cluster = ControlPlane::start().await?;
    cluster.install(GatewayApi::NEWEST).await?;
    cluster.apply_yaml(&crd_yaml()).await?;
    let routes = Api::namespaced_with(
        cluster.client()?,
        "default",
        &ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute")),
    );
    create(&routes, LARGE..ROUTES, 100).await?;
    println!("{ROUTES} routes of 1.2 kB: {} kB at most", measured(&cluster, ROUTES - LARGE).await?);
    create(&routes, 0..LARGE, 200_000).await?;
    let most = measured(&cluster, ROUTES).await?;
    println!("{LARGE} of them with 200 kB of annotations: {most} kB at most");
    if most > LIMIT { Err(format!("more than {LIMIT} kB").into()) } else { Ok(()) }
}

async fn create(routes: &Api<DynamicObject>, numbers: std::ops::Range<usize>, annotation: usize) -> Outcome {
    stream::iter(numbers.map(|number| Ok(async move { create_one(routes, number, annotation).await })))
        .try_buffer_unordered(AT_A_TIME)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn create_one(routes: &Api<DynamicObject>, number: usize, annotation: usize) -> kube::Result<()> {
    let route = serde_json::from_value(route(number, annotation)).map_err(kube::Error::SerdeError)?;
    routes.create(&PostParams::default(), &route).await.map(drop)
}

/// Most routes belong to Gateways of which nobody here knows anything, as in a cluster.
fn route(number: usize, annotation: usize) -> Value {
    let gateway = if number.is_multiple_of(200) { "edge" } else { "elsewhere" };
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": format!("route-{number}"), "annotations": { "note": "x".repeat(annotation) } },
        "spec": {
            "parentRefs": [{ "name": gateway, "port": 443 }], "hostnames": [format!("r{number}.example.com")],
            "rules": [{ "backendRefs": [{ "name": "backend", "port": 80 }] }],
        },
    })
}

/// Starts a controller, and returns the most memory that it had, in kilobytes, once it knows that many routes.
async fn measured(cluster: &ControlPlane, wanted: usize) -> Outcome<u64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.arg("gateway-route-sync");
    let began = Instant::now();
    let controller = Program::start(command, cluster.kubeconfig())?;
    controller.ready().await?;
    println!("ready after {:.1} s", began.elapsed().as_secs_f32());
    let line = format!(r#"gateway_route_sync_routes{{kind="HTTPRoute"}} {wanted}"#);
    eventually("all routes are known", WITHIN, async || match controller.metrics().await {
        Ok(metrics) if metrics.lines().any(|found| found == line) => Ok(()),
        Ok(_) => Err(String::from("not yet")),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(controller.peak_memory()?)
}
