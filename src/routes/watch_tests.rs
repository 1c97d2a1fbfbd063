//! The watches against an API server that serves now this, now that. Time is paused: a minute passes when all wait.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, Uri};
use futures::channel::mpsc::{self, UnboundedReceiver};
use serde_json::{Value, json};

use super::*;

/// The server's end of a watch.
type Lines = mpsc::UnboundedSender<Result<String, String>>;

/// A cluster whose routes and kinds the test changes.
#[derive(Default)]
struct Cluster {
    /// Kinds by version.
    serves: Mutex<BTreeMap<&'static str, Vec<RouteKind>>>,
    /// Instead of what it serves, it answers with this code.
    fails: Mutex<Option<u16>>,
    /// The Gateways that each listed route names, by kind and route.
    routes: Mutex<BTreeMap<(RouteKind, &'static str), &'static str>>,
    /// Where the lists of which version were read.
    listed: Mutex<Vec<String>>,
    /// The watches that wait for events.
    watches: Mutex<Vec<(RouteKind, Lines)>>,
}

impl Cluster {
    fn serving(serves: &[(&'static str, &[RouteKind])]) -> Arc<Self> {
        let cluster = Arc::new(Self::default());
        cluster.serve(serves);
        cluster
    }

    fn serve(&self, serves: &[(&'static str, &[RouteKind])]) {
        *self.serves.lock().unwrap() = serves.iter().map(|(version, kinds)| (*version, kinds.to_vec())).collect();
    }

    fn list(&self, kind: RouteKind, route: &'static str, gateway: &'static str) {
        self.routes.lock().unwrap().insert((kind, route), gateway);
    }

    fn send(&self, kind: RouteKind, event: &str, route: &str, gateway: &str) {
        let line = json!({"type": event, "object": object(route, gateway)}).to_string() + "\n";
        let watches = self.watches.lock().unwrap();
        let (_, watch) = watches.iter().rev().find(|(watched, _)| *watched == kind).unwrap();
        watch.unbounded_send(Ok(line)).unwrap();
    }

    fn client(self: &Arc<Self>) -> Client {
        let cluster = Arc::clone(self);
        let service = Router::new().fallback(move |uri: Uri| {
            let (code, body) = cluster.answer(&uri);
            async move { Response::builder().status(code).body(body).unwrap() }
        });
        Client::new(service, "default")
    }

    fn answer(&self, uri: &Uri) -> (u16, Body) {
        let parts: Vec<_> =
            uri.path().trim_start_matches("/apis/gateway.networking.k8s.io").split('/').skip(1).collect();
        match (parts.as_slice(), *self.fails.lock().unwrap()) {
            ([] | [_], Some(code)) => (code, Body::from("no")),
            ([], None) => {
                let versions: Vec<_> = self
                    .serves
                    .lock()
                    .unwrap()
                    .keys()
                    .map(|version| json!({"groupVersion": "", "version": version}))
                    .collect();
                (200, Body::from(json!({"name": "", "versions": versions}).to_string()))
            }
            ([version], None) => match self.serves.lock().unwrap().get(version) {
                Some(kinds) => (200, Body::from(resources(kinds).to_string())),
                None => (404, Body::from("404 page not found")),
            },
            ([version, plural], _) => {
                let kind = RouteKind::ALL.into_iter().find(|kind| kind.plural() == *plural).unwrap();
                if !self.serves.lock().unwrap().get(version).is_some_and(|kinds| kinds.contains(&kind)) {
                    return (404, Body::from("404 page not found"));
                }
                if uri.query().unwrap_or_default().contains("watch=true") {
                    let (sender, events) = mpsc::unbounded();
                    self.watches.lock().unwrap().push((kind, sender));
                    return (200, Body::from_stream(events));
                }
                self.listed.lock().unwrap().push(format!("{version}/{plural}"));
                let routes = self.routes.lock().unwrap();
                let of_kind = routes.iter().filter(|((of, _), _)| *of == kind);
                let items: Vec<_> = of_kind.map(|((_, name), gateway)| object(name, gateway)).collect();
                (200, Body::from(json!({"metadata": {"resourceVersion": "1"}, "items": items}).to_string()))
            }
            _ => (404, Body::from("404 page not found")),
        }
    }
}

fn resources(kinds: &[RouteKind]) -> Value {
    let resource = |kind: &RouteKind| json!({"name": kind.plural(), "kind": kind.name(), "namespaced": true, "singularName": "", "verbs": ["list", "watch"]});
    json!({"groupVersion": "", "resources": kinds.iter().map(resource).collect::<Vec<_>>()})
}

fn object(name: &str, gateway: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "apps", "resourceVersion": "2"},
        "spec": {"parentRefs": [{"name": gateway}]},
    })
}

/// What the watches tell, and the task that runs them until this is dropped.
struct Told {
    state: Arc<State>,
    gateways: UnboundedReceiver<GatewayRef>,
    _routes: UnboundedReceiver<RouteKey>,
    served: watch::Receiver<Option<Served>>,
    listing: watch::Receiver<Listing>,
    metrics: Arc<Metrics>,
    running: tokio::task::JoinSet<()>,
}

fn outputs() -> (Outputs, Told) {
    let state = Arc::new(State::default());
    let (gateways_sender, gateways) = mpsc::unbounded();
    let (routes_sender, routes) = mpsc::unbounded();
    let (served_sender, served) = watch::channel(None);
    let (awaited, _) = watch::channel(RouteKind::ALL.into());
    let (listing_sender, listing) = watch::channel(Listing::Pending);
    let metrics = Arc::new(Metrics::new());
    let outputs = Outputs {
        state: Arc::clone(&state),
        gateways: gateways_sender,
        routes: routes_sender,
        served: served_sender,
        awaited,
        listing: listing_sender,
        metrics: Arc::clone(&metrics),
    };
    let running = tokio::task::JoinSet::new();
    (outputs, Told { state, gateways, _routes: routes, served, listing, metrics, running })
}

fn watching(cluster: &Arc<Cluster>) -> Told {
    let (outputs, mut told) = outputs();
    told.running.spawn(run(cluster.client(), outputs));
    told
}

impl Told {
    async fn until_complete(&mut self) {
        self.listing.wait_for(|listing| *listing == Listing::Complete).await.unwrap();
    }

    async fn next_gateway(&mut self) -> String {
        self.gateways.next().await.unwrap().name
    }

    fn measures(&self, metric: &str, kind: &str, value: usize) -> bool {
        let line = format!("gateway_route_sync_{metric}{{kind=\"{kind}\"}} {value}");
        self.metrics.render().lines().any(|found| found == line)
    }

    async fn until_version(&mut self, kind: RouteKind, version: &str) {
        let is = |served: &Served| served.routes.get(&kind).is_some_and(|found| found.version == version);
        self.served.wait_for(|served| served.as_ref().is_some_and(is)).await.unwrap();
    }
}

const KINDS: &[RouteKind] = &[RouteKind::Http, RouteKind::Tcp];

#[tokio::test(start_paused = true)]
async fn complete_once_every_kind_is_listed_or_believed_to_be_absent() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    cluster.list(RouteKind::Http, "web", "public");
    cluster.list(RouteKind::Tcp, "game", "games");
    let mut told = watching(&cluster);
    told.until_complete().await;
    assert_eq!((told.state.count(RouteKind::Http), told.state.count(RouteKind::Tcp)), (1, 1));
    assert_eq!(
        BTreeSet::from([told.next_gateway().await, told.next_gateway().await]),
        ["games".into(), "public".into()].into()
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_concerns_the_gateway_it_leaves_and_the_one_it_joins() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    cluster.list(RouteKind::Http, "web", "public");
    let mut told = watching(&cluster);
    told.until_complete().await;
    assert_eq!(told.next_gateway().await, "public");
    cluster.send(RouteKind::Http, "MODIFIED", "web", "private");
    assert_eq!([told.next_gateway().await, told.next_gateway().await], ["private", "public"]);
    cluster.send(RouteKind::Http, "DELETED", "web", "private");
    assert_eq!(told.next_gateway().await, "private");
}

#[tokio::test(start_paused = true)]
async fn routes_are_counted_as_they_come() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    cluster.list(RouteKind::Http, "web", "public");
    let mut told = watching(&cluster);
    told.until_complete().await;
    assert!(told.measures("routes", "HTTPRoute", 1));
    assert_eq!(told.next_gateway().await, "public");
    cluster.send(RouteKind::Http, "ADDED", "api", "public");
    assert_eq!(told.next_gateway().await, "public");
    assert!(told.measures("routes", "HTTPRoute", 2));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_comes_is_watched_within_a_minute() {
    let cluster = Cluster::serving(&[("v1", &[RouteKind::Http])]);
    let mut told = watching(&cluster);
    told.until_complete().await;
    let began = Instant::now();
    cluster.list(RouteKind::Udp, "dns", "public");
    cluster.serve(&[("v1", &[RouteKind::Http, RouteKind::Udp])]);
    assert_eq!(told.next_gateway().await, "public");
    assert!(began.elapsed() <= Duration::from_secs(61), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_goes_takes_its_routes_with_it() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    cluster.list(RouteKind::Tcp, "game", "games");
    let mut told = watching(&cluster);
    told.until_complete().await;
    assert_eq!(told.next_gateway().await, "games");
    cluster.serve(&[("v1", &[RouteKind::Http])]);
    assert_eq!(told.next_gateway().await, "games");
    assert_eq!(told.state.count(RouteKind::Tcp), 0);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_goes_is_left_as_soon_as_its_watch_fails() {
    let cluster = Cluster::serving(&[("v1alpha2", KINDS)]);
    let mut told = watching(&cluster);
    told.until_complete().await;
    let began = Instant::now();
    cluster.serve(&[("v1", KINDS)]);
    cluster.watches.lock().unwrap().clear();
    told.until_version(RouteKind::Tcp, "v1").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failing_discovery_takes_nothing_away() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    cluster.list(RouteKind::Tcp, "game", "games");
    let mut told = watching(&cluster);
    told.until_complete().await;
    *cluster.fails.lock().unwrap() = Some(503);
    sleep(Duration::from_mins(10)).await;
    assert_eq!(told.state.count(RouteKind::Tcp), 1);
    *cluster.fails.lock().unwrap() = None;
    cluster.serve(&[]);
    sleep(Duration::from_secs(90)).await;
    assert_eq!(told.state.count(RouteKind::Tcp), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_complete_while_it_is_not_known_what_is_served() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    *cluster.fails.lock().unwrap() = Some(500);
    let mut told = watching(&cluster);
    told.listing
        .wait_for(|listing| matches!(listing, Listing::Failing(why) if why.starts_with("discovery: ")))
        .await
        .unwrap();
    assert!(told.served.borrow().is_none());
    *cluster.fails.lock().unwrap() = None;
    told.until_complete().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_moves_the_watch_and_changes_nothing_else() {
    let cluster = Cluster::serving(&[("v1alpha2", KINDS)]);
    cluster.list(RouteKind::Tcp, "game", "games");
    let mut told = watching(&cluster);
    told.until_complete().await;
    assert_eq!(told.next_gateway().await, "games");
    cluster.serve(&[("v1", KINDS)]);
    told.until_version(RouteKind::Tcp, "v1").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.listed.lock().unwrap().last().map(String::as_str), Some("v1/tcproutes"));
    assert!(told.gateways.try_recv().is_err(), "a route that did not change triggers nothing");
}

#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_listed() {
    let cluster = Cluster::serving(&[("v1", KINDS)]);
    let mut told = watching(&cluster);
    told.until_complete().await;
    let before = cluster.listed.lock().unwrap().len();
    sleep(Duration::from_mins(20)).await;
    assert_eq!(cluster.listed.lock().unwrap().len(), before);
}

#[tokio::test]
async fn what_is_missing_is_measured_until_it_comes() {
    let (outputs, told) = outputs();
    let mut watches = Watches::new(Cluster::serving(&[]).client(), outputs);
    watches.miss([Required::WrappedGateway].into());
    assert!(told.measures("kind_served", "WrappedGateway", 0) && told.measures("kind_served", "Gateway", 1));
    watches.miss(BTreeSet::new());
    assert!(told.measures("kind_served", "WrappedGateway", 1));
}
