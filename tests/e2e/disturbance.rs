use std::collections::BTreeMap;
use std::time::Duration;

use controlplane::Program;
use kube::api::{DynamicObject, ListParams};
use neighbours::{Client, envoy_gateway, tcp_echo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::place::Place;
use crate::release::{CHART, RELEASE};
use crate::street::Street;
use crate::world::report;

/// Requests a second on connections that stay open, on each of them; and on connections that are made for one request.
const STEADY: (u32, u32) = (4, 45);
const NEW: u32 = 20;

/// How long routes come and go: `E2E_SECONDS`, or not as long as one should look now and then.
pub fn duration() -> Duration {
    let seconds = std::env::var("E2E_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// Clients of one host, none of which may notice anything.
pub struct Traffic {
    stop: watch::Sender<bool>,
    clients: JoinSet<Result<u64, String>>,
    started: Instant,
}

impl Traffic {
    pub async fn start(street: &Street) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut clients = JoinSet::new();
        let (connections, rate) = STEADY;
        let Street { place, tcp, .. } = street;
        let https = place.entry(place.port);
        for _ in 0..connections {
            clients.spawn(steady(place.clients.clone(), https, rate, stopped.clone()));
        }
        clients.spawn(anew(place.clients.clone(), https, stopped.clone()));
        let stream = TcpStream::connect(("127.0.0.1", place.entry(*tcp))).await.expect("the TCPRoute's port");
        clients.spawn(bytes(stream, stopped));
        Self { stop, clients, started: Instant::now() }
    }

    /// Ends it, and fails where anything failed.
    pub async fn end(mut self, what: &str) {
        self.stop.send_replace(true);
        let seconds = self.started.elapsed().as_secs_f64();
        let mut requests = 0;
        while let Some(ended) = self.clients.join_next().await {
            match ended.expect("no panic") {
                Ok(count) => requests += count,
                Err(error) => panic!("while {what}: {error}"),
            }
        }
        let rate = f64::from(u32::try_from(requests).expect("not as many")) / seconds;
        report(&format!("while {what}: {requests} requests in {seconds:.0} s, {rate:.0} a second, and none failed"));
    }
}

/// Requests on one connection, which nobody may close or announce to close.
async fn steady(clients: Client, port: u16, rate: u32, stopped: watch::Receiver<bool>) -> Result<u64, String> {
    let mut connection = clients.connect(port, "books.example.com").await.map_err(|error| error.to_string())?;
    let mut ticks = ticks(rate);
    let mut count = 0;
    while !*stopped.borrow() {
        ticks.tick().await;
        let answer = connection.get("/").await.map_err(|error| format!("request {count} of a connection: {error}"))?;
        if answer.text != "books books.example.com /" || answer.headers.contains_key("connection") {
            return Err(format!("request {count} of a connection: {answer:?}"));
        }
        count += 1;
    }
    Ok(count)
}

/// Requests on connections of their own.
async fn anew(clients: Client, port: u16, stopped: watch::Receiver<bool>) -> Result<u64, String> {
    let mut ticks = ticks(NEW);
    let mut count = 0;
    while !*stopped.borrow() {
        ticks.tick().await;
        let answer = clients.https(port, "books.example.com", "/").await.map_err(|error| format!("anew: {error}"))?;
        if answer.text != "books books.example.com /" {
            return Err(format!("anew: {answer:?}"));
        }
        count += 1;
    }
    Ok(count)
}

/// Bytes over one TCP connection.
async fn bytes(mut stream: TcpStream, stopped: watch::Receiver<bool>) -> Result<u64, String> {
    let mut ticks = ticks(NEW);
    let mut buffer = [0; 64];
    while !*stopped.borrow() {
        ticks.tick().await;
        stream.write_all(b"hello").await.map_err(|error| format!("TCP: {error}"))?;
        let count = stream.read(&mut buffer).await.map_err(|error| format!("TCP: {error}"))?;
        if &buffer[..count] != b"game hello" {
            return Err(format!("TCP: {:?}", &buffer[..count]));
        }
    }
    // These are no requests.
    Ok(0)
}

fn ticks(rate: u32) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What has to be as it was: listeners, in their order, and how often each Certificate was issued.
#[derive(Debug, PartialEq)]
pub struct Still {
    listeners: Vec<Value>,
    certificates: BTreeMap<String, (String, Value)>,
}

impl Still {
    async fn of(place: &Place) -> Self {
        let listeners = place.gateway().await.data["spec"]["listeners"].as_array().cloned().unwrap_or_default();
        let certificates = place.certificates().list(&ListParams::default()).await.expect("the Certificates");
        let one = |it: DynamicObject| {
            let uid = it.metadata.uid.unwrap_or_default();
            (it.metadata.name.unwrap_or_default(), (uid, it.data["status"]["revision"].clone()))
        };
        Self { listeners, certificates: certificates.into_iter().map(one).collect() }
    }

    /// Waits until nothing of what came is left, and nothing else has changed.
    pub async fn again(&self, place: &Place) {
        place
            .until("everything is as it was", async || {
                let now = Self::of(place).await;
                if now == *self { Ok(()) } else { Err(format!("{now:#?}\nand was {self:#?}")) }
            })
            .await;
    }
}

/// How often Envoys replaced a listener of theirs as a whole. It drains every connection of the port; a change in place
/// drains those of the hosts alone that changed or went.
pub async fn replaced(place: &Place, admin_ports: &[u16]) -> i64 {
    const CHANGED: [(&str, i64); 2] =
        [("listener_manager.listener_modified: ", 1), ("listener_manager.listener_in_place_updated: ", -1)];
    let mut count = 0;
    for port in admin_ports {
        // Those of other tests have ended.
        let Ok(stats) = place.clients.http(*port, "localhost", "/stats").await else { continue };
        for (name, sign) in CHANGED {
            let value = stats.text.lines().find_map(|line| line.strip_prefix(name)).expect("a counter of Envoy's");
            count += sign * value.parse::<i64>().expect("a number");
        }
    }
    count
}

async fn replaced_by_envoy_gateway(place: &Place) -> i64 {
    let ports = envoy_gateway::admin_ports(place.world.folder.path()).expect("Envoys that were started");
    replaced(place, &ports).await
}

/// Twice a second a route for another host comes, and the one that came a while before goes.
pub async fn come_and_go(street: &Street, lasting: Duration) {
    const STAY: usize = 3;
    let mut ticks = ticks(2);
    let started = Instant::now();
    let guest = |number: usize| format!("guest-{number}");
    let mut number = 0;
    while started.elapsed() < lasting {
        ticks.tick().await;
        // They sort before, between and after the hosts that stay.
        let first = ["a", "box", "zoo"][number % 3];
        street.place.http(&street.shops, &guest(number), &[&format!("{first}{number}.example.com")]).await;
        if let Some(old) = number.checked_sub(STAY) {
            street.place.delete("HTTPRoute", &street.shops, &guest(old)).await;
        }
        number += 1;
    }
    for left in number.saturating_sub(STAY)..number {
        street.place.delete("HTTPRoute", &street.shops, &guest(left)).await;
    }
}

/// A street whose hosts are all served, and have their certificates.
pub async fn quiet_street(place: Place, ports: (u16, u16)) -> (Street, Still) {
    place.wrap(json!({})).await;
    let street = Street::build(place, ports.0, ports.1).await;
    for host in ["books", "bikes"] {
        street.place.answers(&format!("{host}.example.com"), "/", &format!("{host} {host}.example.com /")).await;
    }
    let tcp = street.place.entry(street.tcp);
    street
        .place
        .until("TCP is answered", async || tcp_echo(tcp, "hello").await.map_err(|error| error.to_string()))
        .await;
    street.place.issued(5).await;
    // A Certificate may be ready a moment before it is counted how often it was issued.
    let counted = async || {
        let still = Still::of(&street.place).await;
        let all = still.certificates.values().all(|(_, revision)| revision.is_i64());
        if all { Ok(still) } else { Err(format!("{:#?}", still.certificates)) }
    };
    let still = street.place.until("it is counted how often each Certificate was issued", counted).await;
    (street, still)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_of_other_hosts_that_come_and_go_disturb_nobody() {
    let (street, still) = quiet_street(Place::new("comings").await, (25_570, 5370)).await;
    let before = replaced_by_envoy_gateway(&street.place).await;
    let traffic = Traffic::start(&street).await;
    come_and_go(&street, duration()).await;
    traffic.end("routes of other hosts came and went").await;
    still.again(&street.place).await;
    assert_eq!(replaced_by_envoy_gateway(&street.place).await, before);
    street.place.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_is_killed_upgraded_or_succeeded_disturbs_nobody() {
    let (street, still) = quiet_street(Place::new("changes").await, (25_571, 5371)).await;
    let before = replaced_by_envoy_gateway(&street.place).await;
    let world = &street.place.world;

    let traffic = Traffic::start(&street).await;
    let killed = async {
        drop(world.controller.lock().await.take().expect("a running controller"));
        *world.controller.lock().await = Some(world.start_controller().await);
    };
    tokio::join!(come_and_go(&street, Duration::from_secs(6)), killed);
    traffic.end("the controller was killed and started again").await;
    still.again(&street.place).await;

    let traffic = Traffic::start(&street).await;
    let upgraded = async {
        world.helm(&["upgrade", RELEASE, CHART, "--set", "deployment.replicas=2"]);
        // The Deployment says that the old one has to be gone before others begin.
        let old = world.controller.lock().await.take().expect("a running controller");
        assert!(old.terminate().expect("its end").success());
        (world.start_controller().await, world.start_controller().await)
    };
    let ((), (first, second)) = tokio::join!(come_and_go(&street, Duration::from_secs(6)), upgraded);
    traffic.end("Helm upgraded the controller, to two that elect one").await;
    still.again(&street.place).await;

    let traffic = Traffic::start(&street).await;
    let (leader, standby) = if leads(&first).await { (first, second) } else { (second, first) };
    let succeeded = async {
        assert!(leader.terminate().expect("its end").success());
        street
            .place
            .until("the other one leads", async || if leads(&standby).await { Ok(()) } else { Err("not yet".into()) })
            .await;
    };
    tokio::join!(come_and_go(&street, Duration::from_secs(6)), succeeded);
    traffic.end("another controller took the lead").await;
    still.again(&street.place).await;
    assert_eq!(replaced_by_envoy_gateway(&street.place).await, before);

    drop(standby);
    world.helm(&["upgrade", RELEASE, CHART, "--reset-values"]);
    *world.controller.lock().await = Some(world.start_controller().await);
    street.place.close().await;
}

/// Whether that controller leads.
async fn leads(controller: &Program) -> bool {
    let metrics = controller.metrics().await.unwrap_or_default();
    metrics.lines().any(|line| line.starts_with("gateway_route_sync_leader ") && line.ends_with(" 1"))
}
