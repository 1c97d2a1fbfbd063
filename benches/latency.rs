//! `make bench`: how long a route takes to reach its Gateway, beside a plain client that applies the same Gateway.
//!
//! The floor is what the API server itself needs: one server-side apply of the same listeners by a minimal client, from
//! sending it to the watch event that shows it. The controller's time runs from the answer to the route's creation to
//! the same watch event, so it holds the route's watch event, the plan and an apply of the same size.

use std::process::Command;
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, GatewayApi, Program, eventually};
use futures::{Stream, StreamExt as _};
use homelab_helper::api::{WrappedGateway, crd_yaml};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use serde_json::{Value, json};

/// Samples of each figure.
const SAMPLES: usize = 50;
/// Listeners that the Gateway has before each sample.
const SIZES: [usize; 3] = [5, 20, 60];
const WITHIN: Duration = Duration::from_mins(1);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let cluster = ControlPlane::start().await?;
    cluster.install(GatewayApi::NEWEST).await?;
    cluster.apply_yaml(&crd_yaml()).await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.arg("gateway-route-sync");
    let controller = Program::start(command, cluster.kubeconfig())?;
    controller.ready().await?;
    println!("From a route's creation to the Gateway's watch event, {SAMPLES} samples each; writes are per change.\n");
    println!(
        "| listeners | plain apply, median | worst | controller, median | worst | Gateway writes | status writes |"
    );
    println!("|---|---|---|---|---|---|---|");
    for size in SIZES {
        let bench = Bench::new(&cluster, size)?;
        let floor = bench.floor().await?;
        bench.prepare().await?;
        let before = cluster.requests().await?;
        let controller = bench.controller().await?;
        let written = cluster.requests().await?.since(&before).writes();
        let per_change = |resource: &str| hundredths(written.of(resource).total(), 2 * SAMPLES);
        println!(
            "| {size} | {} | {} | {} | {} | {} | {} |",
            millis(median(&floor)),
            millis(worst(&floor)),
            millis(median(&controller)),
            millis(worst(&controller)),
            per_change("gateway.networking.k8s.io/gateways"),
            per_change("gateway-route-sync.homelab-helper.benfiola.com/wrappedgateways/status"),
        );
        bench.clean().await?;
    }
    Ok(())
}

struct Bench {
    size: usize,
    gateways: Api<DynamicObject>,
    routes: Api<DynamicObject>,
    wrapped: Api<WrappedGateway>,
}

impl Bench {
    fn new(cluster: &ControlPlane, size: usize) -> Outcome<Self> {
        let client = cluster.client()?;
        let objects = |kind: &str| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", kind));
            Api::namespaced_with(client.clone(), "default", &resource)
        };
        Ok(Self {
            size,
            gateways: objects("Gateway"),
            routes: objects("HTTPRoute"),
            wrapped: Api::namespaced(client.clone(), "default"),
        })
    }

    /// A minimal client applies a Gateway with one listener more, and with one less.
    async fn floor(&self) -> Outcome<Vec<Duration>> {
        let mut samples = Vec::new();
        self.apply_plain(None).await?;
        let mut events = Box::pin(self.events("floor").await?);
        for sample in 0..SAMPLES {
            let host = format!("sample-{sample}.example.com");
            let start = Instant::now();
            self.apply_plain(Some(&host)).await?;
            until(&mut events, |gateway| has(gateway, &host)).await?;
            samples.push(start.elapsed());
            self.apply_plain(None).await?;
            until(&mut events, |gateway| !has(gateway, &host)).await?;
        }
        self.gateways.delete("floor", &DeleteParams::default()).await?;
        Ok(samples)
    }

    async fn apply_plain(&self, extra: Option<&str>) -> Outcome {
        let hosts = (0..self.size).map(|host| format!("host-{host}.example.com")).chain(extra.map(str::to_owned));
        let listeners: Vec<Value> = hosts.map(|host| listener(&host)).collect();
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": "floor" },
            "spec": { "gatewayClassName": "example", "listeners": listeners },
        });
        self.gateways.patch("floor", &PatchParams::apply("floor").force(), &Patch::Apply(gateway)).await?;
        Ok(())
    }

    /// A WrappedGateway with as many routes as listeners are wanted.
    async fn prepare(&self) -> Outcome {
        self.wrapped.create(&PostParams::default(), &Self::wrapped_gateway()).await?;
        for host in 0..self.size {
            self.create_route(&format!("host-{host}")).await?;
        }
        self.settled(self.size).await
    }

    /// A route is created, and deleted again.
    async fn controller(&self) -> Outcome<Vec<Duration>> {
        let mut events = Box::pin(self.events("edge").await?);
        let mut samples = Vec::new();
        for sample in 0..SAMPLES {
            let name = format!("sample-{sample}");
            let host = format!("{name}.example.com");
            self.create_route(&name).await?;
            let start = Instant::now();
            until(&mut events, |gateway| has(gateway, &host)).await?;
            samples.push(start.elapsed());
            self.settled(self.size + 1).await?;
            self.routes.delete(&name, &DeleteParams::default()).await?;
            until(&mut events, |gateway| !has(gateway, &host)).await?;
            self.settled(self.size).await?;
        }
        Ok(samples)
    }

    fn wrapped_gateway() -> WrappedGateway {
        let spec = serde_json::from_value(json!({ "gatewayClassName": "example" })).unwrap_or_default();
        WrappedGateway::new("edge", spec)
    }

    async fn create_route(&self, name: &str) -> Outcome {
        let route = serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": name },
            "spec": {
                "parentRefs": [{ "name": "edge", "port": 443 }], "hostnames": [format!("{name}.example.com")],
                "rules": [{ "backendRefs": [{ "name": "backend", "port": 80 }] }],
            },
        }))?;
        self.routes.create(&PostParams::default(), &route).await?;
        Ok(())
    }

    /// Waits until the controller has reported that many routes, so that no sample runs beside another's report.
    async fn settled(&self, routes: usize) -> Outcome {
        eventually(&format!("{routes} routes are reported"), WITHIN, async || {
            let status = self.wrapped.get("edge").await.map_err(|error| error.to_string())?.status.unwrap_or_default();
            if status.routes as usize == routes { Ok(()) } else { Err(format!("{} are", status.routes)) }
        })
        .await?;
        Ok(())
    }

    async fn events(&self, name: &str) -> Outcome<impl Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + use<>> {
        let version = self.gateways.get(name).await?.metadata.resource_version.unwrap_or_default();
        let parameters = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(290);
        Ok(self.gateways.watch(&parameters, &version).await?)
    }

    async fn clean(&self) -> Outcome {
        self.wrapped.delete("edge", &DeleteParams::default()).await?;
        self.routes.delete_collection(&DeleteParams::default(), &kube::api::ListParams::default()).await?;
        eventually("the Gateway is gone", WITHIN, async || match self.gateways.get_opt("edge").await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(String::from("it is there")),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(())
    }
}

fn listener(host: &str) -> Value {
    let requirement = json!({ "key": "kubernetes.io/metadata.name", "operator": "In", "values": ["default"] });
    let name = format!("https-443-{}", host.replace('-', "--").replace('.', "-"));
    json!({
        "name": name, "hostname": host, "port": 443, "protocol": "HTTPS",
        "tls": { "mode": "Terminate", "certificateRefs": [{ "name": format!("edge.{name}") }] },
        "allowedRoutes": { "namespaces": { "from": "Selector", "selector": { "matchExpressions": [requirement] } } },
    })
}

fn has(gateway: &DynamicObject, host: &str) -> bool {
    gateway.data["spec"]["listeners"].as_array().into_iter().flatten().any(|listener| listener["hostname"] == host)
}

async fn until(
    events: &mut (impl Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Unpin),
    is_so: impl Fn(&DynamicObject) -> bool,
) -> Outcome {
    while let Some(event) = tokio::time::timeout(WITHIN, events.next()).await? {
        if let WatchEvent::Added(gateway) | WatchEvent::Modified(gateway) = event?
            && is_so(&gateway)
        {
            return Ok(());
        }
    }
    Err("the watch ended".into())
}

fn median(samples: &[Duration]) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn worst(samples: &[Duration]) -> Duration {
    samples.iter().copied().max().unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// A quotient with two digits, without floating point.
fn hundredths(count: u64, of: usize) -> String {
    let hundredths = count * 100 / of as u64;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
