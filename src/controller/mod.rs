//! Kubernetes in and out: WrappedGateways, Gateways and their routes → plans → writes.

mod allowance;
mod announcer;
pub mod apply;
mod conditions;
mod context;
pub mod error;
mod events;
pub mod external_dns;
mod failures;
mod fields;
mod finalizer;
mod gateways;
mod grants;
mod kept;
pub mod ledger;
mod looks;
pub mod mirror;
mod namespaces;
pub mod observe;
mod predecessor;
pub mod preview;
mod queue;
mod redirect;
mod relics;
mod report;
mod reports;
mod route;
mod shared;
mod sources;
pub mod standing;
mod status;
mod told;
mod turns;
mod users;
pub mod wish;
mod wrapped_gateway;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use futures::{FutureExt as _, StreamExt as _, stream};
use kube::runtime::reflector::store;
use tracing::Instrument as _;

use crate::readiness::Gate;
use crate::routes::{GatewayRef, RouteKey};
use announcer::Announcer;
pub use context::Context;
use context::span;
pub use namespaces::needs_labels;
use shared::Parts;
pub use status::RESYNC;
use turns::{Limits, Turns};

/// How many routes are reconciled at a time, each as soon as it can be.
const ROUTES_AT_ONCE: Limits =
    Limits { count: 8, weight: 8, patience: Duration::from_secs(1), quiet: Duration::ZERO, delay: Duration::ZERO };
/// How many Gateways are, where a Gateway weighs as much as it has routes. Nearly all of the time is the API server's, which
/// takes the longer for a write the more listeners there are. A single change is written at once. Where many come, the first and
/// that which comes right after it are written at once, and the others together, after as little quiet as Istio waits for in
/// front of each; and as writes end no sooner where the API server works on many of them, such Gateways wait for one another.
/// What comes meanwhile becomes part of the same write.
const GATEWAYS_AT_ONCE: Limits = Limits {
    count: 8,
    weight: 12,
    patience: Duration::from_secs(1),
    quiet: Duration::from_millis(100),
    delay: Duration::from_secs(2),
};

/// Reconciles WrappedGateways and routes until `stop` resolves and what was under way then has ended.
///
/// `triggers` names Gateways of which an attached route changed, `route_events` routes that changed or of which something
/// else is said now.
pub async fn run(
    context: Context,
    triggers: UnboundedReceiver<GatewayRef>,
    route_events: UnboundedReceiver<RouteKey>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.boxed().shared();
    let context = Arc::new(context);
    let (announcer, news) = Announcer::new(context.client.clone());
    let (gateways, gateway_writer) = store();
    let parts = Parts::new(Arc::clone(&context), Arc::new(announcer), &gateways);
    let (changed, gateways_changed) = unbounded();
    let shared = Arc::new(shared::Shared::new(parts.clone(), changed.clone()));
    let route_shared = Arc::new(route::Shared::new(parts.clone()));
    let (gateway_turns, route_turns) = (Turns::new(GATEWAYS_AT_ONCE), Turns::new(ROUTES_AT_ONCE));

    let due_gateways = stream::select(
        sources::wrapped_gateways(gateway_writer, Arc::clone(&shared)),
        sources::known(stream::select(triggers, gateways_changed), gateways.clone()),
    );
    let line_up = due_gateways.for_each(|gateway| {
        shared.queue.push(&gateway);
        gateway_turns.push(gateway);
        ready(())
    });
    let weigh = |gateway: &GatewayRef| context.routes.count_attached_to(gateway);
    let wrapped_gateways = gateway_turns.work(weigh, stop.clone(), |gateway| {
        let span = span("wrapped_gateway", &gateway);
        sources::while_known(gateway, Arc::clone(&shared), gateways.clone()).instrument(span)
    });
    let all_routes = route_turns.work(
        |_| 1,
        stop,
        |route| {
            let span = span("route", &route);
            route::while_owed(route, Arc::clone(&route_shared)).instrument(span)
        },
    );

    // Namespaces are listed only where a selector needs their labels, and then that plan waits for it.
    context.readiness.pass(Gate::NamespacesListed);
    let look_at_all = || {
        // Nobody listens when the process is ending.
        gateways.state().iter().for_each(|stored| drop(changed.unbounded_send(wrapped_gateway::key(stored))));
        route::line_up_all(&route_shared, &route_turns);
    };
    let watches = async {
        tokio::join!(
            line_up,
            sources::changed_gateways(&shared),
            sources::changed_namespaces(&shared, changed.clone()),
            sources::changed_grants(&shared, changed.clone()),
            sources::beginnings(&context, parts.predecessor.at_work(), look_at_all),
            route::line_up(route_events, &route_shared, &route_turns, changed.clone()),
        )
    };
    let work = async {
        tokio::select! {
            _ = async { tokio::join!(wrapped_gateways, all_routes) } => {}
            // Only the end of the process closes what these read.
            _ = watches => {}
        }
        parts.announcer.close();
    };
    tokio::join!(work, parts.announcer.say(news));
}
