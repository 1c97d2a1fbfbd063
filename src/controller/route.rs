//! Reconciles a route: what it is owed beyond its listener. That is to say what the plans say of it, to take away what an
//! earlier implementation left on it, and to have its names read by external-dns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, ApiResource};

use super::announcer::Announcer;
use super::context::Context;
use super::error::{Error, Stage, within};
use super::events::News;
use super::external_dns::ExternalDns;
use super::failures::Failures;
use super::predecessor::Predecessor;
use super::queue::Queue;
use super::shared::Parts;
use super::told::Told;
use super::turns::Turns;
use super::{redirect, relics};
use crate::routes::{GatewayRef, Route, RouteKey, RouteKind, State, Verdict};

/// How long it may take to clean a route.
const CLEANING: Duration = Duration::from_secs(15);
/// How long it may take to pass its names on to external-dns, others before it included.
const NAMING: Duration = Duration::from_secs(30);
/// How long it may take to say what is new of a route.
const TELLING: Duration = Duration::from_secs(15);
/// What only a change can mend is tried again so often: there may be one such failure for each route of the cluster.
const PATIENCE: Duration = Duration::from_mins(5);

/// What reconciliations share.
pub struct Shared {
    context: Arc<Context>,
    announcer: Arc<Announcer>,
    predecessor: Arc<Predecessor>,
    external_dns: Arc<ExternalDns>,
    told: Told<(GatewayRef, Verdict)>,
    failures: Failures<RouteKey>,
    queue: Queue<RouteKey>,
}

impl Shared {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { context, announcer, predecessor, external_dns } = parts;
        let (told, failures) = (Told::default(), Failures::new(PATIENCE));
        let queue = Queue::new(context.metrics.queue("route"));
        Self { context, announcer, predecessor, external_dns, told, failures, queue }
    }

    /// Forgets a route to which nothing is owed.
    fn forget(&self, route: &RouteKey) {
        self.told.forget(route);
        self.external_dns.forget(route);
        self.failures.succeeded(route);
        self.queue.forget(route);
    }

    /// A route's kind, at the version that is served.
    fn resource(&self, route: &Route) -> Option<ApiResource> {
        self.context.served.borrow().as_ref()?.routes.get(&route.key.kind).cloned()
    }

    /// A route as events refer to it.
    fn refer(&self, route: &Route) -> Option<ObjectReference> {
        let resource = self.resource(route)?;
        Some(ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            namespace: Some(route.key.namespace.clone()),
            name: Some(route.key.name.clone()),
            uid: Some(route.uid.clone()),
            ..ObjectReference::default()
        })
    }
}

/// Has each route reconciled of which something changed and to which something is owed, for ever, and the Gateway of each that
/// is a redirect.
pub async fn line_up(
    mut changed: UnboundedReceiver<RouteKey>,
    shared: &Shared,
    turns: &Turns<RouteKey>,
    gateways: UnboundedSender<GatewayRef>,
) {
    while let Some(key) = changed.next().await {
        if let Some(gateway) = redirect::gateway_of(&key) {
            // Nobody listens when the process is ending.
            let _ = gateways.unbounded_send(gateway);
        }
        if owed(&shared.context.routes, &key).is_some() {
            push(key, shared, turns);
        } else {
            shared.forget(&key);
        }
    }
}

/// Has every route reconciled to which something is owed.
pub fn line_up_all(shared: &Shared, turns: &Turns<RouteKey>) {
    let routes = &shared.context.routes;
    let all = RouteKind::ALL.into_iter().flat_map(|kind| routes.all(kind));
    all.filter_map(|route| owed(routes, &route.key)).for_each(|route| push(route.key.clone(), shared, turns));
}

fn push(key: RouteKey, shared: &Shared, turns: &Turns<RouteKey>) {
    shared.queue.push(&key);
    turns.push(key);
}

/// A route to which something is owed.
fn owed(routes: &State, key: &RouteKey) -> Option<Arc<Route>> {
    let is_owed = |route: &Route| route.relics || ExternalDns::concerns(route) || !routes.verdicts_of(key).is_empty();
    routes.get(key).filter(|route| is_owed(route))
}

/// Reconciles a route to which something is owed, and forgets once more what was owed nothing when that ended: what was under
/// way may have noted something after it was forgotten. Returns after how long it is due again.
pub async fn while_owed(key: RouteKey, shared: Arc<Shared>) -> Option<Duration> {
    let route = owed(&shared.context.routes, &key)?;
    let result = reconcile(&route, &shared).await;
    if owed(&shared.context.routes, &key).is_none() {
        shared.forget(&key);
        return None;
    }
    result.unwrap_or_else(|error| Some(shared.failures.failed(&key, error.is_permanent())))
}

/// Reconciles one route. Returns after how long that is due again by itself.
async fn reconcile(route: &Route, shared: &Shared) -> Result<Option<Duration>, Error> {
    let (started, key) = (Instant::now(), &route.key);
    shared.queue.begin(key);
    if !shared.context.may_begin() {
        shared.queue.done(key);
        return Ok(None);
    }
    let telling = within(Stage::Event, TELLING, tell(route, shared));
    let (told, cleaned, named) = tokio::join!(telling, clean(route, shared), name(route, shared));
    let result = told.and(named).and(cleaned);
    shared.context.ended("route", key, &shared.failures, started, &result);
    let wait = result?;
    shared.failures.succeeded(key);
    shared.queue.done(key);
    Ok(wait)
}

/// Says what is new of what the plans say of a route.
async fn tell(route: &Route, shared: &Shared) -> Result<(), Error> {
    let verdicts = shared.context.routes.verdicts_of(&route.key);
    let said = verdicts
        .into_iter()
        .flat_map(|(gateway, verdicts)| verdicts.into_iter().map(move |verdict| (gateway.clone(), verdict)));
    // A kind that is not served any more has no routes to speak of.
    let Some(regarding) = shared.refer(route) else { return Ok(()) };
    for (gateway, verdict) in shared.told.news(&route.key, said.collect()) {
        shared.announcer.announce(&regarding, &News::verdict(&gateway, &verdict)).await?;
        shared.told.record(&route.key, &(gateway, verdict));
    }
    Ok(())
}

/// Has external-dns read its names, or read them no more.
async fn name(route: &Route, shared: &Shared) -> Result<(), Error> {
    // A kind that is not served any more has no routes to name.
    let Some(regarding) = shared.refer(route).filter(|_| !route.key.kind.has_hostnames()) else { return Ok(()) };
    let timeout = Error::Timeout { stage: Stage::Names, within: NAMING };
    let named = shared.external_dns.settle(route, &regarding);
    tokio::time::timeout(NAMING, named).await.unwrap_or(Err(timeout))
}

/// Takes away what an earlier implementation left on a route, or says how long to wait before that.
async fn clean(route: &Route, shared: &Shared) -> Result<Option<Duration>, Error> {
    // A kind that is not served any more has no routes to clean.
    let Some(resource) = shared.resource(route).filter(|_| route.relics) else { return Ok(None) };
    let what = route.key.to_string();
    if let Some(wait) = shared.predecessor.pause(&what, tokio::time::Instant::now()) {
        return Ok(Some(wait));
    }
    let api = Api::namespaced_with(shared.context.client.clone(), &route.key.namespace, &resource);
    let removal = relics::remove(&api, &route.key.name, &what, &shared.predecessor);
    within(Stage::Relics, CLEANING, removal).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::VerdictKind;

    fn route() -> RouteKey {
        RouteKey { namespace: "apps".to_owned(), name: "www".to_owned(), kind: RouteKind::Http }
    }

    fn said(reason: &str) -> (GatewayRef, Verdict) {
        let gateway = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        (gateway, Verdict { kind: VerdictKind::Rejected, reason: reason.to_owned(), message: String::new() })
    }

    #[test]
    fn a_route_with_a_verdict_is_owed_something_until_either_is_gone() {
        let state = State::default();
        let (gateway, verdict) = said("PortConflict");
        assert!(owed(&state, &route()).is_none());
        let manifest = serde_json::json!({ "metadata": { "namespace": "apps", "name": "www" }, "spec": {} });
        state.apply(crate::routes::decode(RouteKind::Http, manifest).unwrap());
        assert!(owed(&state, &route()).is_none());
        state.set_verdicts(&gateway, [(route(), vec![verdict])].into());
        assert!(owed(&state, &route()).is_some());
        state.remove(&route());
        assert!(owed(&state, &route()).is_none());
    }

    #[test]
    fn a_route_with_names_is_owed_something_while_it_is_attached_or_bears_them() {
        let is_owed = |kind, parents: serde_json::Value, wishes: bool, bears: bool| {
            let prefix = "external-dns.kubernetes.io";
            let key = format!("{prefix}/hostname");
            let ours = serde_json::json!([{
                "manager": format!("{}{prefix}", crate::api::NAMES_MANAGER), "operation": "Apply",
                "fieldsV1": { "f:metadata": { "f:annotations": { format!("f:{key}"): {} } } },
            }]);
            let mut metadata = serde_json::json!({ "namespace": "apps", "name": "www", "annotations": {} });
            if wishes {
                metadata["annotations"][crate::api::annotation::HOSTNAME] = "a.example.com".into();
            }
            if bears {
                metadata["annotations"][&key] = "a.example.com".into();
                metadata["managedFields"] = ours;
            }
            let manifest = serde_json::json!({ "metadata": metadata, "spec": { "parentRefs": parents } });
            let state = State::default();
            state.apply(crate::routes::decode(kind, manifest).unwrap());
            owed(&state, &RouteKey { kind, ..route() }).is_some()
        };
        let (attached, detached) = (|| serde_json::json!([{ "name": "public" }]), || serde_json::json!([]));
        assert!(is_owed(RouteKind::Tcp, attached(), true, false));
        assert!(is_owed(RouteKind::Udp, detached(), false, true));
        assert!(!is_owed(RouteKind::Udp, detached(), true, false));
        assert!(!is_owed(RouteKind::Tcp, attached(), false, false));
        assert!(!is_owed(RouteKind::Http, attached(), true, true));
    }
}
