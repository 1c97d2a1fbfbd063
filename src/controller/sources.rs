//! What makes WrappedGateways be reconciled: themselves, their Gateways, namespaces, and the beginning of it all.

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};
use tokio::sync::watch;

use super::context::Context;
use super::gateways;
use super::shared::Shared;
use super::wrapped_gateway::{self, Stored};
use crate::readiness::Gate;
use crate::routes::{GatewayRef, Required, Served};
use crate::watching;

/// WrappedGateways that are new, or changed in anything but their status. What goes is forgotten everywhere.
pub(super) fn wrapped_gateways(writer: Writer<Stored>, shared: Arc<Shared>) -> impl Stream<Item = GatewayRef> + Send {
    let (api, store) = (Api::all(shared.context.client.clone()), writer.as_reader());
    let metrics = Arc::clone(&shared.context.metrics);
    let watch = move || {
        watching::watch(api.clone(), watcher::Config::default(), "WrappedGateway", Arc::clone(&metrics)).boxed()
    };
    let events = while_served(Required::WrappedGateway, shared.context.served.clone(), watch);
    // An error was logged by the watch, which pauses by itself.
    let events = events.filter_map(|event| ready(event.ok().map(Ok))).reflect(writer);
    let known = store.clone();
    let seen = events.inspect_ok(move |event| match event {
        Event::Delete(gone) => shared.forget(&wrapped_gateway::key(gone)),
        Event::InitDone => {
            shared.context.readiness.pass(Gate::WrappedGatewaysListed);
            shared.retain(|key| known.get(&refer(key)).is_some());
            shared.external_dns.look_at_all_routes();
        }
        Event::Init | Event::InitApply(_) | Event::Apply(_) => {}
    });
    changed(seen, store).filter_map(|object| ready(object.ok().map(|object| wrapped_gateway::key(&object))))
}

/// The objects of which anything but the status changed, once the store has them so.
///
/// The objects of a list come into the store when the list is complete, and so they are looked at then: kube's own
/// `applied_objects` would have each of them reconciled as it was before, and never again as it is now.
fn changed(
    events: impl Stream<Item = watcher::Result<Event<Stored>>> + Send,
    store: Store<Stored>,
) -> impl Stream<Item = watcher::Result<Stored>> + Send {
    let settled = events.map_ok(move |event| match event {
        Event::Apply(object) => vec![object],
        Event::InitDone => store.state().into_iter().map(Arc::unwrap_or_clone).collect(),
        Event::Init | Event::InitApply(_) | Event::Delete(_) => Vec::new(),
    });
    let objects = settled.map_ok(|objects| stream::iter(objects.into_iter().map(Ok))).try_flatten();
    // The generation counts a deletion too.
    let wish = predicates::generation.combine(predicates::labels).combine(predicates::annotations);
    let wish = wish.combine(predicates::finalizers);
    objects.predicate_filter(wish, PredicateConfig::default())
}

/// The WrappedGateway of a Gateway's name, as stores and controllers refer to it.
pub(super) fn refer(gateway: &GatewayRef) -> ObjectRef<Stored> {
    ObjectRef::new(&gateway.name).within(&gateway.namespace)
}

/// Those Gateways that have a WrappedGateway.
pub(super) fn known(gateways: impl Stream<Item = GatewayRef>, store: Store<Stored>) -> impl Stream<Item = GatewayRef> {
    gateways.filter(move |gateway| ready(store.get(&refer(gateway)).is_some()))
}

/// Reconciles a WrappedGateway that is there, and forgets once more what was gone when that ended: what was under way may
/// have noted something after it was forgotten. Returns after how long it is due again.
pub(super) async fn while_known(key: GatewayRef, shared: Arc<Shared>, store: Store<Stored>) -> Option<Duration> {
    let stored = store.get(&refer(&key))?;
    let result = wrapped_gateway::reconcile(Arc::clone(&stored), Arc::clone(&shared)).await;
    if store.get(&refer(&key)).is_none() {
        shared.forget(&key);
        return None;
    }
    result.unwrap_or_else(|error| Some(wrapped_gateway::retry_after(&stored, &error, &shared)))
}

/// What a watch says, begun anew whenever the cluster serves its kind, and ended when it does not any more.
fn while_served<T>(
    required: Required,
    served: watch::Receiver<Option<Served>>,
    watch: impl Fn() -> BoxStream<'static, T> + Send,
) -> impl Stream<Item = T> + Send {
    stream::unfold((served, None, watch), move |(mut served, mut running, watch)| async move {
        loop {
            let mut events = if let Some(events) = running.take() {
                events
            } else {
                until_served(required, true, &mut served).await;
                watch()
            };
            tokio::select! {
                Some(event) = events.next() => return Some((event, (served, Some(events), watch))),
                () = until_served(required, false, &mut served) => {}
            }
        }
    })
}

/// Waits until it is known that the cluster serves a kind, or does not.
async fn until_served(required: Required, wanted: bool, served: &mut watch::Receiver<Option<Served>>) {
    let is_so =
        |served: &Option<Served>| served.as_ref().is_some_and(|served| served.missing().contains(&required) != wanted);
    if served.wait_for(is_so).await.map(drop).is_err() {
        // The process is ending.
        pending::<()>().await;
    }
}

/// Has each Gateway that changes looked at, for ever.
pub(super) async fn changed_gateways(shared: &Shared) {
    let mut served = shared.context.served.clone();
    loop {
        until_served(Required::Gateway, true, &mut served).await;
        tokio::select! {
            () = gateways::watch(&shared.context, &shared.looks) => {}
            () = until_served(Required::Gateway, false, &mut served) => {}
        }
    }
}

/// Sends each Gateway whose plan needs labels of namespaces when one of them changes, for ever.
pub(super) async fn changed_namespaces(shared: &Shared, changed: UnboundedSender<GatewayRef>) {
    shared.namespaces.watch(&shared.context, changed).await;
}

/// Sends each Gateway that uses a certificate of another namespace when a ReferenceGrant changes, for ever.
pub(super) async fn changed_grants(shared: &Shared, changed: UnboundedSender<GatewayRef>) {
    shared.grants.watch(&shared.context, changed).await;
}

/// Has everything looked at whenever reconciling begins to make sense, whenever Gateways begin to be served, and whenever
/// an earlier implementation begins or ceases to be noticed, for ever.
pub(super) async fn beginnings(
    context: &Context,
    mut predecessor: watch::Receiver<bool>,
    mut look_at_all: impl FnMut(),
) {
    let (mut leading, mut listing) = (context.leading.clone(), context.listing.clone());
    let mut served = context.served.clone();
    loop {
        let gateways_come = async {
            until_served(Required::Gateway, false, &mut served).await;
            until_served(Required::Gateway, true, &mut served).await;
            true
        };
        let alive = tokio::select! {
            alive = gateways_come => alive,
            changed = leading.changed() => changed.is_ok(),
            changed = listing.changed() => changed.is_ok(),
            changed = predecessor.changed() => changed.is_ok(),
        };
        if !alive {
            // The process is ending.
            pending::<()>().await;
        }
        look_at_all();
    }
}

#[cfg(test)]
mod tests {
    use kube::Resource as _;
    use kube::runtime::reflector::store;
    use serde_json::json;

    use super::*;
    use crate::api::GROUP;

    fn object(name: &str, generation: i64, version: &str) -> Stored {
        serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "WrappedGateway",
            "metadata": { "namespace": "infra", "name": name, "generation": generation, "resourceVersion": version },
            "spec": { "gatewayClassName": "x" },
        }))
        .unwrap()
    }

    /// The objects that are to be looked at, each as the store has it at that moment.
    async fn looked_at(events: Vec<Event<Stored>>) -> Vec<(String, Option<i64>)> {
        let (reader, writer) = store();
        let events = stream::iter(events.into_iter().map(Ok)).reflect(writer);
        let changed = changed(events, reader.clone());
        let in_store = changed.map_ok(|object| {
            let key = wrapped_gateway::key(&object);
            (key.name.clone(), reader.get(&refer(&key)).and_then(|stored| stored.meta().generation))
        });
        in_store.try_collect().await.unwrap()
    }

    fn list(objects: Vec<Stored>) -> Vec<Event<Stored>> {
        let objects = objects.into_iter().map(Event::InitApply);
        [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).collect()
    }

    #[tokio::test]
    async fn what_a_new_list_changes_is_looked_at_as_it_is_now() {
        let mut events = list(vec![object("a", 1, "1")]);
        events.extend(list(vec![object("a", 2, "2")]));
        assert_eq!(looked_at(events).await, [("a".to_owned(), Some(1)), ("a".to_owned(), Some(2))]);
    }

    #[tokio::test]
    async fn a_new_list_without_changes_is_no_reason_to_look() {
        let mut events = list(vec![object("a", 1, "1")]);
        events.extend(list(vec![object("a", 1, "1")]));
        assert_eq!(looked_at(events).await.len(), 1);
    }

    #[tokio::test]
    async fn a_status_is_no_reason_to_look() {
        let mut events = list(vec![object("a", 1, "1")]);
        events.extend([Event::Apply(object("a", 1, "2")), Event::Apply(object("a", 2, "3"))]);
        assert_eq!(looked_at(events).await, [("a".to_owned(), Some(1)), ("a".to_owned(), Some(2))]);
    }
}
