//! What makes WrappedGateways be reconciled: themselves, their Gateways, namespaces, and the beginning of it all.

use std::future::{pending, ready};
use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use kube::api::Api;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate as _, PredicateConfig, WatchStreamExt as _, predicates};

use super::context::Context;
use super::gateways;
use super::wrapped_gateway::{self, Shared, Stored};
use crate::readiness::Gate;
use crate::routes::{GatewayRef, Served};
use crate::watching;

/// WrappedGateways that are new, or changed in anything but their status. What goes is forgotten everywhere.
pub(super) fn wrapped_gateways(
    writer: Writer<Stored>,
    shared: Arc<Shared>,
) -> impl Stream<Item = Result<Stored, watcher::Error>> + Send {
    let (api, store) = (Api::all(shared.context.client.clone()), writer.as_reader());
    let metrics = Arc::clone(&shared.context.metrics);
    let events = watching::watch(api, watcher::Config::default(), "WrappedGateway", metrics);
    // An error would make the controller pause all of its triggers; the watch has logged it, and pauses by itself.
    let events = events.filter_map(|event| ready(event.ok().map(Ok))).reflect(writer);
    let seen = events.inspect_ok(move |event| match event {
        Event::Delete(gone) => shared.forget(&wrapped_gateway::key(gone)),
        Event::InitDone => {
            shared.context.readiness.pass(Gate::WrappedGatewaysListed);
            shared.retain(|key| store.get(&refer(key)).is_some());
        }
        Event::Init | Event::InitApply(_) | Event::Apply(_) => {}
    });
    // All but the status; the generation counts a deletion too.
    let wish = predicates::generation.combine(predicates::labels).combine(predicates::annotations);
    seen.applied_objects().predicate_filter(wish, PredicateConfig::default())
}

/// The WrappedGateway of a Gateway's name, as stores and controllers refer to it.
pub(super) fn refer(gateway: &GatewayRef) -> ObjectRef<Stored> {
    ObjectRef::new(&gateway.name).within(&gateway.namespace)
}

/// Drops the Gateways that have no WrappedGateway: the controller would log each of them as an error.
pub(super) fn known(
    gateways: impl Stream<Item = GatewayRef>,
    store: Store<Stored>,
) -> impl Stream<Item = ObjectRef<Stored>> {
    gateways.filter_map(move |gateway| {
        let refer = refer(&gateway);
        ready(store.get(&refer).is_some().then_some(refer))
    })
}

/// Sends each Gateway that changes, for ever.
pub(super) async fn changed_gateways(context: &Context, changed: UnboundedSender<GatewayRef>) {
    let is_served = |served: &Option<Served>| served.as_ref().is_some_and(|served| served.gateway.is_some());
    let is_absent = |served: &Option<Served>| served.as_ref().is_some_and(|served| served.gateway.is_none());
    let mut served = context.served.clone();
    loop {
        let begin = async {
            if served.wait_for(Option::is_some).await.is_ok_and(|served| is_absent(&served)) {
                // What the cluster does not have need not be waited for.
                context.readiness.pass(Gate::GatewaysListed);
            }
            served.wait_for(is_served).await.is_ok()
        };
        if !begin.await {
            // The process is ending.
            return pending().await;
        }
        tokio::select! {
            () = gateways::watch(context, &changed) => {}
            _ = async { served.wait_for(is_absent).await.map(drop) } => {}
        }
    }
}

/// Sends each Gateway whose plan needs labels of namespaces when one of them changes, for ever.
pub(super) async fn changed_namespaces(shared: &Shared, changed: UnboundedSender<GatewayRef>) {
    shared.namespaces.watch(&shared.context, changed).await;
}

/// Has everything looked at whenever reconciling begins to make sense, for ever.
pub(super) async fn beginnings(context: &Context, mut look_at_all: impl FnMut()) {
    let (mut leading, mut listing) = (context.leading.clone(), context.listing.clone());
    loop {
        let alive = tokio::select! {
            changed = leading.changed() => changed.is_ok(),
            changed = listing.changed() => changed.is_ok(),
        };
        if !alive {
            // The process is ending.
            pending::<()>().await;
        }
        look_at_all();
    }
}
