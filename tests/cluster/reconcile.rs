use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use controlplane::{ControlPlane, GatewayApi, eventually};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use homelab_helper::api::{WrappedGateway, WrappedGatewayStatus};
use homelab_helper::controller::{Context, run};
use homelab_helper::metrics::Metrics;
use homelab_helper::readiness::Readiness;
use homelab_helper::routes::{GatewayRef, Listing, RouteKey, RouteKind, Served, State, decode};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DeleteParams, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, OnceCell, watch};
use tokio::task::JoinHandle;

use super::desk::{Desk, bare, start};
use super::world::{WITHIN, is, names, reason};

/// The controllers, at work on the cluster of a desk, with routes that the test makes up.
struct Controllers {
    routes: Arc<State>,
    triggers: UnboundedSender<GatewayRef>,
    route_events: UnboundedSender<RouteKey>,
    served: watch::Sender<Option<Served>>,
    leading: watch::Sender<bool>,
    listing: watch::Sender<Listing>,
    metrics: Arc<Metrics>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Controllers {
    /// At work.
    fn start(desk: &Desk) -> Self {
        let controllers = Self::wait(desk);
        controllers.leading.send_replace(true);
        controllers.listing.send_replace(Listing::Complete);
        controllers
    }

    /// Not yet at work: nothing is known and nothing is led.
    fn wait(desk: &Desk) -> Self {
        let (routes, metrics) = (Arc::new(State::default()), Arc::new(Metrics::new()));
        let ((triggers, triggered), (route_events, routes_changed)) = (unbounded(), unbounded());
        let (served, leading, listing) = (
            watch::Sender::new(Some(everything_served())),
            watch::Sender::new(false),
            watch::Sender::new(Listing::Pending),
        );
        let context = Context {
            client: desk.client.clone(),
            routes: Arc::clone(&routes),
            route_events: route_events.clone(),
            served: served.subscribe(),
            leading: leading.subscribe(),
            listing: listing.subscribe(),
            readiness: Arc::new(Readiness::new(
                watch::Sender::new(BTreeSet::new()).subscribe(),
                watch::Sender::new(None).subscribe(),
            )),
            metrics: Arc::clone(&metrics),
            external_dns_prefixes: Vec::new(),
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let running = tokio::spawn(run(context, triggered, routes_changed, stopped));
        Self { routes, triggers, route_events, served, leading, listing, metrics, stop: Some(stop), running }
    }

    /// A route that came or changed.
    fn route(&self, namespace: &str, name: &str, spec: &Value) -> RouteKey {
        let manifest = json!({
            "metadata": { "namespace": namespace, "name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": spec,
        });
        let route = decode(RouteKind::Http, manifest).expect("a route");
        let key = route.key.clone();
        for gateway in self.routes.apply(route).gateways {
            self.triggers.unbounded_send(gateway).expect("controllers");
        }
        self.route_events.unbounded_send(key.clone()).expect("controllers");
        key
    }

    /// How many reconciliations of WrappedGateways have ended.
    fn reconciliations(&self) -> u64 {
        let of = r#"reconciliations_total{controller="wrapped_gateway""#;
        let metrics = self.metrics.render();
        let lines = metrics.lines().filter(|line| line.contains(of));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    async fn stop(mut self) {
        self.stop.take().expect("running controllers").send(()).expect("running controllers");
        self.running.await.expect("an end without panic");
    }
}

/// A desk on a cluster in which no other test has controllers at work: they would reconcile each other's objects.
async fn alone(spec: Value) -> (Desk, MutexGuard<'static, ()>) {
    static CLUSTER: OnceCell<ControlPlane> = OnceCell::const_new();
    static ALONE: Mutex<()> = Mutex::const_new(());
    let guard = ALONE.lock().await;
    let cluster = CLUSTER.get_or_init(|| start(GatewayApi::chosen())).await;
    let all: Api<WrappedGateway> = Api::all(cluster.client().expect("a client"));
    for left in all.list(&ListParams::default()).await.expect("WrappedGateways") {
        let namespace = left.namespace().unwrap_or_default();
        let api: Api<WrappedGateway> = Api::namespaced(cluster.client().expect("a client"), &namespace);
        api.delete(&left.name_any(), &DeleteParams::default()).await.expect("a deletion");
    }
    (Desk::on(cluster, spec).await, guard)
}

fn everything_served() -> Served {
    let resource = |kind: &str| ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", kind));
    Served {
        routes: RouteKind::ALL.into_iter().map(|kind| (kind, resource(kind.name()))).collect(),
        gateway: Some(resource("Gateway")),
        reference_grant: Some(resource("ReferenceGrant")),
        wrapped_gateway: true,
    }
}

impl Desk {
    async fn status_with(&self, what: &str, is_so: impl Fn(&WrappedGatewayStatus) -> bool) -> WrappedGatewayStatus {
        let api = self.wrapped_gateways();
        eventually(what, WITHIN, async || {
            let status = api.get("edge").await.map_err(|error| error.to_string())?.status.unwrap_or_default();
            if is_so(&status) { Ok(status) } else { Err(format!("{status:#?}")) }
        })
        .await
        .unwrap()
    }

    async fn has_listeners(&self, wanted: &[&str]) {
        let gateways = self.gateways();
        eventually(&format!("the listeners are {wanted:?}"), WITHIN, async || {
            let gateway = gateways.get("edge").await.map_err(|error| error.to_string())?;
            if names(&gateway) == wanted { Ok(()) } else { Err(format!("{:?}", names(&gateway))) }
        })
        .await
        .unwrap();
    }

    /// The events of an object, each as reason and note.
    async fn events_of(&self, name: &str) -> BTreeMap<String, String> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.key.namespace);
        let events = events.list(&ListParams::default()).await.expect("events").items.into_iter();
        let of_object =
            events.filter(|event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name));
        of_object.map(|event| (event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }

    async fn has_event(&self, name: &str, reason: &str) -> String {
        eventually(&format!("there is an event {reason}"), WITHIN, async || {
            let events = self.events_of(name).await;
            events.get(reason).cloned().ok_or_else(|| format!("{events:?}"))
        })
        .await
        .unwrap()
    }
}

fn web(desk: &Desk, hostname: &str) -> Value {
    json!({ "parentRefs": [{ "name": "edge", "namespace": desk.key.namespace, "port": 443 }], "hostnames": [hostname] })
}

#[tokio::test]
async fn nothing_is_done_before_it_is_led_and_nothing_is_written_before_all_routes_are_known() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::wait(&desk);
    controllers.listing.send_replace(Listing::Failing("HTTPRoute: forbidden".to_owned()));
    controllers.leading.send_replace(true);
    let status = desk.status_with("it is said why", |status| is(status, "Ready", "False")).await;
    assert_eq!(reason(&status, "Ready"), "RoutesFetchFailed");
    assert!(status.conditions[0].message.contains("HTTPRoute: forbidden"), "{status:#?}");
    assert!(desk.observe().await.is_none());
    controllers.route(&desk.key.namespace, "web", &web(&desk, "www.example.com"));
    controllers.listing.send_replace(Listing::Complete);
    desk.status_with("it is Ready", |status| is(status, "Ready", "True")).await;
    assert_eq!(names(&desk.gateway().await), ["https-443-www-example-com"], "the first write has all routes");
    controllers.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_deleted_or_loses_its_owner_comes_back() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::start(&desk);
    desk.has_listeners(&["placeholder"]).await;
    desk.gateways().delete("edge", &DeleteParams::default()).await.unwrap();
    desk.has_listeners(&["placeholder"]).await;
    desk.merge_as("meddler", json!({ "metadata": { "ownerReferences": null } })).await;
    let gateways = desk.gateways();
    eventually("the Gateway has its owner again", WITHIN, async || {
        let owners = gateways.get("edge").await.unwrap().metadata.owner_references;
        owners.filter(|owners| owners.len() == 1).map(drop).ok_or("it has none")
    })
    .await
    .unwrap();
    controllers.stop().await;
}

#[tokio::test]
async fn what_the_data_plane_says_is_mirrored() {
    let (desk, _alone) = alone(json!({ "listeners": [{ "name": "a", "port": 80, "protocol": "HTTP" }] })).await;
    let controllers = Controllers::start(&desk);
    let status = desk.status_with("it is Ready", |status| is(status, "Ready", "True")).await;
    assert!(is(&status, "Programmed", "Unknown"));
    let said = |reason: &str| {
        json!([{
            "type": "Programmed", "status": "False", "reason": reason, "message": "Because.",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }])
    };
    let change = json!({ "status": {
        "addresses": [{ "value": "192.0.2.1" }],
        "conditions": said("Invalid"),
        "listeners": [{ "name": "a", "attachedRoutes": 0, "supportedKinds": [], "conditions": said("NoCertificate") }],
    } });
    desk.gateways().patch_status("edge", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    let status = desk.status_with("it is mirrored", |status| is(status, "Programmed", "False")).await;
    assert_eq!(
        (reason(&status, "Programmed").as_str(), status.address.as_deref()),
        ("NoCertificate", Some("192.0.2.1"))
    );
    assert!(is(&status, "Ready", "True"));
    controllers.stop().await;
}

#[tokio::test]
async fn events_tell_what_came_and_went_and_why_a_route_has_no_listener() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::start(&desk);
    controllers.route(&desk.key.namespace, "web", &web(&desk, "www.example.com"));
    desk.has_listeners(&["https-443-www-example-com"]).await;
    let note = desk.has_event("edge", "ListenersChanged").await;
    assert!(note.contains("added"), "{note}");
    controllers.route(&desk.key.namespace, "bad", &web(&desk, "192.0.2.7"));
    let note = desk.has_event("bad", "ListenerRejected").await;
    assert!(note.starts_with(&format!("Gateway {}: InvalidHostname: ", desk.key)), "{note}");
    let before = desk.events_said().await;
    controllers.route(&desk.key.namespace, "bad", &web(&desk, "192.0.2.8"));
    desk.status_with("the other address is rejected", |status| {
        status.rejected_routes.first().is_some_and(|rejected| rejected.message.contains("192.0.2.8"))
    })
    .await;
    eventually("the change is told", WITHIN, async || {
        let now = desk.events_said().await;
        if now == before + 1 { Ok(()) } else { Err(now) }
    })
    .await
    .unwrap();
    controllers.stop().await;
}

#[tokio::test]
async fn a_controller_that_starts_anew_writes_nothing_and_repeats_no_news() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::start(&desk);
    let bad = web(&desk, "192.0.2.7");
    controllers.route(&desk.key.namespace, "bad", &bad);
    desk.has_event("bad", "ListenerRejected").await;
    desk.status_with("it is said", |status| status.rejected == 1).await;
    controllers.stop().await;
    let (gateway, wrapped) = (desk.gateway().await, desk.wrapped_gateways().get("edge").await.unwrap());
    let events = desk.events_said().await;

    let controllers = Controllers::wait(&desk);
    controllers.route(&desk.key.namespace, "bad", &bad);
    controllers.leading.send_replace(true);
    controllers.listing.send_replace(Listing::Complete);
    eventually("it has looked at the route again", WITHIN, async || {
        let metrics = controllers.metrics.render();
        if metrics.contains(r#"reconciliations_total{controller="route""#) { Ok(()) } else { Err(metrics) }
    })
    .await
    .unwrap();
    controllers.stop().await;
    assert_eq!(desk.gateway().await.metadata.resource_version, gateway.metadata.resource_version);
    let after = desk.wrapped_gateways().get("edge").await.unwrap();
    assert_eq!(after.metadata.resource_version, wrapped.metadata.resource_version);
    assert_eq!(desk.events_said().await, events);
}

#[tokio::test]
async fn what_is_written_drives_no_loop() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::start(&desk);
    desk.status_with("it is Ready", |status| is(status, "Ready", "True")).await;
    // What another WrappedGateway causes is dealt with after everything that the first one caused.
    let mut later = desk.beside(json!({})).await;
    later.status_with("it is Ready", |status| is(status, "Ready", "True")).await;
    later.wrap(json!({}), json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    later.status_with("it has changed", |status| status.observed_generation == Some(2)).await;
    let reconciliations = controllers.reconciliations();
    assert!(reconciliations <= 8, "each write is followed by one look, not more: {reconciliations}");
    controllers.stop().await;
}

#[tokio::test]
async fn labels_of_namespaces_are_followed_where_a_selector_looks_at_them() {
    let selector = json!({ "from": "Selector", "selector": { "matchLabels": { "team": "edge" } } });
    let (desk, _alone) = alone(json!({ "listenerTemplate": { "allowedRoutes": { "namespaces": selector } } })).await;
    let controllers = Controllers::start(&desk);
    controllers.route(&desk.key.namespace, "web", &web(&desk, "www.example.com"));
    let status = desk.status_with("the route is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "NamespaceNotAllowed");
    let namespaces: Api<Namespace> = Api::all(desk.client.clone());
    let label = |team: Value| json!({ "metadata": { "labels": { "team": team } } });
    let parameters = PatchParams::default();
    namespaces.patch(&desk.key.namespace, &parameters, &Patch::Merge(&label(json!("edge")))).await.unwrap();
    desk.has_listeners(&["https-443-www-example-com"]).await;
    namespaces.patch(&desk.key.namespace, &parameters, &Patch::Merge(&label(Value::Null))).await.unwrap();
    desk.has_listeners(&["placeholder"]).await;
    controllers.stop().await;
}

#[tokio::test]
async fn a_cluster_without_gateways_is_waited_for() {
    let cluster = bare().await;
    let desk = Desk::on(&cluster, json!({})).await;
    let controllers = Controllers::start(&desk);
    controllers.served.send_replace(Some(Served { wrapped_gateway: true, ..Served::default() }));
    let status = desk.status_with("it is said why", |status| is(status, "Ready", "False")).await;
    assert_eq!(reason(&status, "Ready"), "GatewayFetchFailed");
    cluster.install(GatewayApi::chosen()).await.unwrap();
    controllers.served.send_replace(Some(everything_served()));
    desk.status_with("it is Ready", |status| is(status, "Ready", "True")).await;
    controllers.stop().await;
}

#[tokio::test]
async fn what_is_gone_is_forgotten() {
    let (desk, _alone) = alone(json!({})).await;
    let controllers = Controllers::start(&desk);
    let bad = controllers.route(&desk.key.namespace, "bad", &web(&desk, "192.0.2.7"));
    desk.status_with("the route is rejected", |status| status.rejected == 1).await;
    desk.wrapped_gateways().delete("edge", &DeleteParams::default()).await.unwrap();
    eventually("nothing is said of the route any more", WITHIN, async || {
        let verdicts = controllers.routes.verdicts_of(&bad);
        if verdicts.is_empty() { Ok(()) } else { Err(format!("{verdicts:?}")) }
    })
    .await
    .unwrap();
    controllers.stop().await;
}
