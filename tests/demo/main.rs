//! `make demo`: the main job on a local control plane, told step by step.

mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use controlplane::{Channel, ControlPlane, GatewayApi, Program, Version, eventually};
use homelab_helper::api::{WrappedGateway, crd_yaml};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

/// How long the controller may take for what is shown here.
const WITHIN: Duration = Duration::from_mins(1);

/// The Gateway to which a route comes, and from which it goes.
const VISITED: &str = "my-gateway";

/// That route.
const VISITOR: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: visitor, namespace: default }
spec:
  parentRefs: [{ name: my-gateway, port: 443 }]
  hostnames: [visitor.example.com]
  rules: [{ backendRefs: [{ name: visitor, port: 80 }] }]
";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(program), Some(examples)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: demo PROGRAM EXAMPLES-FOLDER");
        return ExitCode::from(2);
    };
    // Leaving early drops the control plane and the controller, which ends both.
    let outcome = tokio::select! {
        outcome = demo(&program, &examples) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("demo: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

async fn demo(program: &Path, examples: &Path) -> Outcome {
    say("Starting a control plane (etcd, kube-apiserver, kube-controller-manager) with the Gateway API 1.7.0");
    let cluster = ControlPlane::start().await?;
    cluster.install(GatewayApi { version: Version::V1_7_0, channel: Channel::Standard }).await?;
    cluster.apply_yaml(&crd_yaml()).await?;

    say("Starting the controller");
    let mut command = Command::new(program);
    command.arg("gateway-route-sync");
    let controller = Program::start(command, cluster.kubeconfig())?;
    controller.ready().await?;

    say(&format!("Applying the examples in {}", examples.display()));
    let shown = Instant::now();
    let mut applied = Vec::new();
    for manifest in manifests(examples)? {
        applied.extend(cluster.apply_yaml(&std::fs::read_to_string(manifest)?).await?);
    }
    let gateways = wrapped_gateways(&applied);
    for (gateway, routes) in &gateways {
        synced(&cluster, gateway, *routes).await?;
    }
    println!("{} objects applied, {} Gateways in sync after {}", applied.len(), gateways.len(), took(shown));
    for (gateway, _) in &gateways {
        print!("{}", show(&cluster, gateway).await?);
    }
    let visited = gateways.iter().find(|(gateway, _)| gateway.name_any() == VISITED);
    visit(&cluster, visited.ok_or_else(|| format!("no example has a WrappedGateway {VISITED}"))?).await?;
    look_further();
    let ended = Instant::now();
    let status = controller.terminate()?;
    println!("\nThe controller ended with {status} {} after SIGTERM; nothing of it is left.", took(ended));
    Ok(())
}

/// A route comes and goes: what changes, and how fast.
async fn visit(cluster: &ControlPlane, (gateway, routes): &(DynamicObject, u32)) -> Outcome {
    let before = show(cluster, gateway).await?;
    say("Adding an HTTPRoute for visitor.example.com");
    cluster.apply_yaml(VISITOR).await?;
    let added = Instant::now();
    has_listener(cluster, gateway, "visitor.example.com", true).await?;
    println!("in the Gateway {} after the route", took(added));
    synced(cluster, gateway, routes + 1).await?;
    let between = show(cluster, gateway).await?;
    print!("{}", table::difference(&before, &between));

    say("Removing it again");
    let kubectl = cluster.kubectl().args(["delete", "httproute", "visitor", "--wait=false"]).output()?;
    print!("{}", String::from_utf8_lossy(&kubectl.stdout));
    let removed = Instant::now();
    has_listener(cluster, gateway, "visitor.example.com", false).await?;
    println!("gone from the Gateway {} after the route", took(removed));
    synced(cluster, gateway, *routes).await?;
    print!("{}", table::difference(&between, &show(cluster, gateway).await?));
    Ok(())
}

fn look_further() {
    say("To look further");
    println!("  make cluster    a control plane of your own to play with, until Ctrl-C");
    println!("  cargo run -- gateway-route-sync --kubeconfig FILE    the controller against it");
    println!("  kubectl get wgw -A ; kubectl describe wgw my-gateway    what it says of each Gateway");
}

fn say(what: &str) {
    println!("\n==> {what}");
}

fn took(since: Instant) -> String {
    format!("{} ms", since.elapsed().as_millis())
}

/// The YAML files of a folder and of those in it, in the order of their names.
fn manifests(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(manifests(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The WrappedGateways among what was applied, each with the number of routes that name it.
fn wrapped_gateways(applied: &[DynamicObject]) -> Vec<(DynamicObject, u32)> {
    let kind = |object: &DynamicObject| object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    let names = |route: &DynamicObject, gateway: &DynamicObject| {
        let parents = route.data["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
        parents.iter().any(|parent| {
            let namespace = parent["namespace"].as_str().map(str::to_owned).or_else(|| route.namespace());
            parent["name"] == gateway.name_any() && namespace == gateway.namespace()
        })
    };
    let gateways = applied.iter().filter(|object| kind(object) == "WrappedGateway");
    gateways
        .map(|gateway| {
            let routes = applied.iter().filter(|object| kind(object).ends_with("Route") && names(object, gateway));
            (gateway.clone(), u32::try_from(routes.count()).unwrap_or(u32::MAX))
        })
        .collect()
}

/// Waits until the WrappedGateway is Ready and has seen that many routes.
async fn synced(cluster: &ControlPlane, gateway: &DynamicObject, routes: u32) -> Outcome {
    let api: Api<WrappedGateway> = Api::namespaced(cluster.client()?, &gateway.namespace().unwrap_or_default());
    let name = gateway.name_any();
    eventually(&format!("WrappedGateway {name} is Ready with {routes} routes"), WITHIN, async || {
        let status = api.get(&name).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        let ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if ready && status.routes == routes { Ok(()) } else { Err(format!("its status is {status:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until the Gateway has, or no longer has, a listener for that hostname.
async fn has_listener(cluster: &ControlPlane, gateway: &DynamicObject, hostname: &str, wanted: bool) -> Outcome {
    eventually(&format!("a listener for {hostname} is there: {wanted}"), WITHIN, async || {
        let live = live(cluster, gateway).await.map_err(|error| error.to_string())?;
        let listeners = live["spec"]["listeners"].as_array().cloned().unwrap_or_default();
        let found = listeners.iter().any(|listener| listener["hostname"] == hostname);
        if found == wanted { Ok(()) } else { Err(String::from("not so yet")) }
    })
    .await?;
    Ok(())
}

async fn live(cluster: &ControlPlane, gateway: &DynamicObject) -> Outcome<Value> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway"));
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client()?, &gateway.namespace().unwrap_or_default(), &resource);
    Ok(api.get(&gateway.name_any()).await?.data)
}

/// The Gateway's listeners as a table, and under it what was rejected.
async fn show(cluster: &ControlPlane, gateway: &DynamicObject) -> Outcome<String> {
    let (namespace, name) = (gateway.namespace().unwrap_or_default(), gateway.name_any());
    let api: Api<WrappedGateway> = Api::namespaced(cluster.client()?, &namespace);
    let status = api.get(&name).await?.status.unwrap_or_default();
    let live = live(cluster, gateway).await?;
    Ok(table::gateway(&format!("{namespace}/{name}"), &live, &status))
}
