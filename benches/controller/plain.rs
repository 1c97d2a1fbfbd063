//! The floor: a minimal client that does the same work and nothing else. It lists, watches routes, and applies Gateways;
//! it decides nothing, reports nothing, and notices nothing that somebody else does.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use controlplane::Program;
use futures::{StreamExt as _, pin_mut};
use kube::api::{ListParams, Object, Patch, PatchParams};
use kube::core::NotUsed;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::cluster::{Cluster, PLAIN, kind};
use crate::seen::{Key, Slim, lock};

/// What makes a process of the benchmark the plain client.
const FLAG: &str = "--plain";

type Route = Object<Spec, NotUsed>;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    parent_refs: Vec<Parent>,
    hostnames: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Parent {
    name: String,
}

/// Lists what a program lists, and applies the Gateways one after another; how long that took.
pub async fn start(cluster: &Cluster, wanted: &HashMap<Key, BTreeSet<String>>) -> Outcome<Duration> {
    let began = Instant::now();
    let routes: Api<Route> = Api::all_with(cluster.client.clone(), &kind("gateway.networking.k8s.io", "HTTPRoute"));
    let mut page = ListParams::default().limit(500);
    loop {
        let list = routes.list(&page).await?;
        let Some(next) = list.metadata.continue_.filter(|next| !next.is_empty()) else { break };
        page = page.continue_token(&next);
    }
    let gateways: Api<Slim> = Api::all_with(cluster.client.clone(), &kind("gateway.networking.k8s.io", "Gateway"));
    gateways.list(&ListParams::default()).await?;
    for ((_, name), hosts) in wanted {
        apply(&cluster.client, name, hosts).await?;
    }
    Ok(began.elapsed())
}

/// Starts a process, as a program under test is one, that keeps the Gateways of its namespace equal to its routes.
pub fn start_process(cluster: &Cluster) -> Outcome<Program> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(FLAG);
    Ok(Program::start(command, cluster.plane.kubeconfig())?)
}

/// What that process does, for ever.
pub async fn run() -> Outcome {
    watch_routes(Client::try_default().await?).await;
    Ok(())
}

async fn watch_routes(client: Client) {
    let api: Api<Route> = Api::namespaced_with(client.clone(), PLAIN, &kind("gateway.networking.k8s.io", "HTTPRoute"));
    let events = watcher(api, Config::default()).default_backoff();
    pin_mut!(events);
    let mut gateways: HashMap<String, Gateway> = HashMap::new();
    let mut workers = JoinSet::new();
    while let Some(event) = events.next().await {
        let (route, is_there) = match event {
            Ok(Event::Apply(route) | Event::InitApply(route)) => (route, true),
            Ok(Event::Delete(route)) => (route, false),
            Ok(Event::Init | Event::InitDone) => continue,
            Err(error) => {
                eprintln!("the plain client's watch failed: {error}");
                continue;
            }
        };
        let Some(Parent { name }) = route.spec.parent_refs.into_iter().next() else { continue };
        let gateway = gateways.entry(name.clone()).or_insert_with(|| {
            let gateway = Gateway { hosts: Arc::default(), changed: watch::channel(()).0 };
            workers.spawn(keep(client.clone(), name, Arc::clone(&gateway.hosts), gateway.changed.subscribe()));
            gateway
        });
        gateway.change(route.spec.hostnames, is_there);
    }
}

struct Gateway {
    hosts: Arc<Mutex<BTreeSet<String>>>,
    changed: watch::Sender<()>,
}

impl Gateway {
    fn change(&self, hosts: Vec<String>, is_there: bool) {
        let mut known = lock(&self.hosts);
        for host in hosts {
            if is_there {
                known.insert(host)
            } else {
                known.remove(&host)
            };
        }
        self.changed.send_replace(());
    }
}

/// Applies a Gateway whenever it is to change, with everything that was to change meanwhile.
async fn keep(client: Client, name: String, hosts: Arc<Mutex<BTreeSet<String>>>, mut changed: watch::Receiver<()>) {
    // The first change may have come before anybody listened.
    changed.mark_changed();
    while changed.changed().await.is_ok() {
        let hosts = lock(&hosts).clone();
        // A Gateway without listeners is refused; whoever takes the last route away takes the Gateway too.
        if !hosts.is_empty()
            && let Err(error) = apply(&client, &name, &hosts).await
        {
            eprintln!("the plain client cannot apply {name}: {error}");
        }
    }
}

async fn apply(client: &Client, name: &str, hosts: &BTreeSet<String>) -> Outcome {
    let api: Api<Slim> = Api::namespaced_with(client.clone(), PLAIN, &kind("gateway.networking.k8s.io", "Gateway"));
    let listeners: Vec<Value> = hosts.iter().map(|host| listener(name, host)).collect();
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": name },
        "spec": { "gatewayClassName": "example", "listeners": listeners },
    });
    api.patch(name, &PatchParams::apply("plain").force(), &Patch::Apply(gateway)).await?;
    Ok(())
}

/// A listener of the same fields as those that are generated.
fn listener(gateway: &str, host: &str) -> Value {
    let requirement = json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": [PLAIN] });
    let secret = format!("{gateway}.https-443-{}", host.replace('-', "--").replace('.', "-"));
    json!({
        "name": host, "hostname": host, "port": 443, "protocol": "HTTPS",
        "tls": { "mode": "Terminate", "certificateRefs": [{ "name": secret }] },
        "allowedRoutes": { "namespaces": { "from": "Selector", "selector": { "matchExpressions": [requirement] } } },
    })
}
