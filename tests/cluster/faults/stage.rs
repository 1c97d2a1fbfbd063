use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use controlplane::{GatewayApi, Program, Proxy, Requests, eventually};
use homelab_helper::api::WrappedGateway;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::observer::Observer;
use crate::world::{Place, World, listeners, served, text};

/// So soon after the end of a fault the Gateway has the right listeners.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);
/// Writes that each change may cost: the Gateway, the status, an event, and a few that are refused.
const WRITES_A_CHANGE: u64 = 8;

/// Variables and their values.
type Environment = Vec<(&'static str, String)>;

/// Replicas of which one works. Its lease is shorter than usual, so that nobody has to wait for long.
pub const ELECTED: [(&str, &str); 7] = [
    ("POD_NAME", "replica"),
    ("LEADER_ELECTION", "true"),
    ("LEADER_ELECTION_NAME", "elected"),
    ("LEADER_ELECTION_NAMESPACE", "kube-public"),
    ("LEADER_ELECTION_LEASE_DURATION", "6s"),
    ("LEADER_ELECTION_RENEW_DEADLINE", "4s"),
    ("LEADER_ELECTION_RETRY_PERIOD", "1s"),
];

/// Control planes that no test uses at the moment. To start one costs more than most faults.
static FREE: Mutex<Vec<Arc<World>>> = Mutex::new(Vec::new());

/// A controller that reaches its API server through a proxy, and a Gateway with listeners for five routes.
pub struct Stage {
    pub place: Place,
    pub proxy: Proxy,
    pub controller: Program,
    pub observer: Observer,
    /// The hostnames that routes ask for now.
    wanted: BTreeSet<String>,
    changes: u64,
    /// How many routes of others went, each of which is a change too.
    gone: u64,
    folder: TempDir,
    environment: Environment,
}

/// A fault that has begun.
pub struct Fault {
    name: &'static str,
    requests: Requests,
    changes: u64,
    begun: Instant,
    /// Versions of the Gateway that were seen before.
    versions: usize,
}

impl Stage {
    pub async fn set(word: &str) -> Self {
        Self::set_with(word, Environment::new()).await
    }

    /// The same, with a controller that has these variables in its environment.
    pub async fn set_with(
        word: &str,
        environment: impl IntoIterator<Item = (&'static str, impl Into<String>)>,
    ) -> Self {
        let admin = async |place: &Place| json!({ "token": place.world.cluster.admin_token() });
        Self::start(word, variables(environment), admin).await
    }

    /// The same, with a controller that is the user whom `make` describes as a kubeconfig does.
    pub async fn set_as(word: &str, make: impl AsyncFnOnce(&Place) -> Value) -> Self {
        Self::start(word, Environment::new(), make).await
    }

    async fn start(word: &str, environment: Environment, make: impl AsyncFnOnce(&Place) -> Value) -> Self {
        let taken = take_world().await;
        let proxy = Proxy::start(&taken.cluster).unwrap();
        let place = taken.namespace(word).await;
        let folder = TempDir::new().unwrap();
        let kubeconfig = taken.cluster.kubeconfig_for(&proxy.url(), &make(&place).await);
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
        place.wrap(json!({})).await;
        let mut wanted = BTreeSet::new();
        for name in ["a", "b", "c", "d", "e"] {
            place.http(name, &[&host(name)]).await;
            wanted.insert(host(name));
        }
        let controller = start_controller(&folder.path().join("kubeconfig"), &environment);
        let observer = Observer::of(place.gateways(), "edge");
        let stage = Self { place, proxy, controller, observer, wanted, changes: 0, gone: 0, folder, environment };
        let gateway = stage.until_right("the five routes are served", Duration::from_mins(1)).await;
        stage.observer.claims(&gateway, &stage.wanted.iter().cloned().collect::<Vec<_>>());
        stage.controller.ready().await.unwrap();
        stage
    }

    /// From here on everything is measured.
    pub fn fault(&self, name: &'static str) -> Fault {
        Fault {
            name,
            requests: self.proxy.requests(),
            changes: self.changes + self.gone,
            begun: Instant::now(),
            versions: self.observer.versions(),
        }
    }

    /// A route comes, and another one goes.
    pub async fn change(&mut self) {
        self.changes += 1;
        let (new, old) = (format!("new-{}", self.changes), self.changes.checked_sub(1).filter(|old| *old > 0));
        let old = old.map_or_else(|| String::from("a"), |old| format!("new-{old}"));
        self.observer.releases(&host(&old));
        self.wanted.remove(&host(&old));
        self.place.delete("HTTPRoute", &old).await;
        self.place.http(&new, &[&host(&new)]).await;
        self.wanted.insert(host(&new));
    }

    /// Now the fault is over: waits until all is as it should be, asserts what holds after each fault, and prints what was
    /// measured.
    pub async fn is_over(&self, fault: Fault) {
        let (ended, Fault { name, requests, changes, begun, versions: before }) = (Instant::now(), fault);
        let gateway = self.until_right("the listeners are right again", 6 * RECOVERED_WITHIN).await;
        let (recovered, lasted) = (ended.elapsed(), begun.elapsed());
        let within = self.on_this_machine(RECOVERED_WITHIN).await;
        let requests = self.proxy.requests().since(&requests);
        let writes = requests.writes();
        let (versions, lost) = self.observer.until(&gateway).await;
        println!(
            "| {name} | {:.1} s | {:.1} s | {} | {} | {} | {} |",
            (ended - begun).as_secs_f32(),
            recovered.as_secs_f32(),
            requests.total(),
            writes.total(),
            versions - before,
            lost.len(),
        );
        assert!(recovered < within, "{name}: {recovered:?}, and not within {within:?}\n{}", self.controller.log());
        assert!(lost.is_empty(), "{name}: {lost:#?}\n{}", self.controller.log());
        // One a second besides: what is refused is tried again.
        let admitted = (self.changes + self.gone - changes) * WRITES_A_CHANGE + lasted.as_secs() + 4;
        assert!(writes.total() <= admitted, "{name}: more than {admitted} writes\n{writes}{}", self.controller.log());
    }

    /// Waits, during a fault, until the Gateway is right all the same.
    pub async fn is_right_already(&self) {
        self.until_right("the listeners are right in spite of the fault", Duration::from_secs(30)).await;
    }

    /// Routes of others come: they are at the Gateway already, and from now on nobody may take them away.
    pub async fn also_serves(&mut self, hostnames: &[String]) {
        self.wanted.extend(hostnames.iter().cloned());
        let gateway = self.until_right("the routes of others are served", Duration::from_secs(30)).await;
        self.observer.claims(&gateway, hostnames);
    }

    /// Routes of others go.
    pub fn no_longer_serves(&mut self, hostnames: &[String]) {
        for hostname in hostnames {
            self.observer.releases(hostname);
            self.wanted.remove(hostname);
            self.gone += 1;
        }
    }

    /// Another controller that takes part in the election, and reaches the API server past the proxy.
    pub fn standby(&self) -> Program {
        start_controller(self.place.world.cluster.kubeconfig(), &variables(ELECTED))
    }

    /// Ends the controller as `kill -9` does, and starts another one.
    pub fn kill_controller(&mut self) {
        self.controller = start_controller(&self.folder.path().join("kubeconfig"), &self.environment);
    }

    /// How long may take here what takes so long on a machine that does nothing else. It is longer where twenty plain
    /// requests, one after the other, take more than half a second.
    pub async fn on_this_machine(&self, span: Duration) -> Duration {
        let began = Instant::now();
        for _ in 0..20 {
            self.place.gateway("edge").await;
        }
        span.mul_f64((2.0 * began.elapsed().as_secs_f64()).clamp(1.0, 5.0))
    }

    async fn until_right(&self, what: &str, within: Duration) -> DynamicObject {
        let right = eventually(what, within, async || {
            let gateway = self.place.gateways().get("edge").await.map_err(|error| error.to_string())?;
            let hostnames = listeners(&gateway).into_iter().map(|listener| text(&listener["hostname"]));
            // Those of others may have none.
            let has: BTreeSet<_> = hostnames.filter(|hostname| !hostname.is_empty()).collect();
            if has == self.wanted { Ok(gateway) } else { Err(format!("{has:?} and not {:?}", self.wanted)) }
        });
        right.await.unwrap_or_else(|error| panic!("{error}\nThe controller's log:\n{}", self.controller.log()))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A control plane on which a test failed may not be as it should be.
        if !std::thread::panicking() {
            FREE.lock().unwrap().push(Arc::clone(&self.place.world));
        }
    }
}

pub fn host(name: &str) -> String {
    format!("{name}.example.com")
}

/// A control plane without WrappedGateways, and without controllers.
async fn take_world() -> Arc<World> {
    let free = FREE.lock().unwrap().pop();
    let Some(world) = free else { return Arc::new(World::bare(served(GatewayApi::chosen()).await)) };
    let left: Api<WrappedGateway> = Api::all(world.cluster.client().unwrap());
    for wrapped in left.list(&ListParams::default()).await.unwrap() {
        let of_namespace: Api<WrappedGateway> =
            Api::namespaced(world.cluster.client().unwrap(), &wrapped.namespace().unwrap_or_default());
        of_namespace.delete(&wrapped.name_any(), &DeleteParams::default()).await.unwrap();
    }
    world
}

fn variables(of: impl IntoIterator<Item = (&'static str, impl Into<String>)>) -> Environment {
    of.into_iter().map(|(name, value)| (name, value.into())).collect()
}

fn start_controller(kubeconfig: &Path, environment: &Environment) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.arg("gateway-route-sync").env("LOG_LEVEL", "info,homelab_helper=debug");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    Program::start(command, kubeconfig).unwrap()
}
