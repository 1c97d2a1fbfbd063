//! Names in DNS for TCPRoutes and UDPRoutes: what the annotation `hostname` says is passed on to external-dns. The only
//! writer of the annotations that external-dns reads.
//!
//! A name may stand on a route only while the finalizer stands on a WrappedGateway that the route is attached to, so that
//! nothing is left when all of it is deleted. Therefore there is one writer at a time, it asks the API server for what its
//! word depends on, and whoever takes the finalizer away has its turn until that is done.

mod prefix;
mod steps;

use std::sync::Arc;

use futures::FutureExt as _;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::core::{ObjectMeta, Status};
use kube::runtime::reflector::Store;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::announcer::Announcer;
use super::context::Context;
use super::error::{self, Error};
use super::events::News;
use super::ledger::{Ledger, Permit};
use super::sources;
use super::told::Told;
use super::wrapped_gateway::Stored;
use crate::api::{FINALIZER, NAMES_MANAGER, Object, WrappedGateway};
use crate::planner::Naming;
use crate::routes::{GatewayRef, Owner, Route, RouteKey, RouteKind, decode};
pub use prefix::Args;
pub use steps::Left;
use steps::{Step, Wanted, steps};

/// Passes names on to external-dns.
pub struct ExternalDns {
    context: Arc<Context>,
    wrapped: Store<Stored>,
    announcer: Arc<Announcer>,
    turn: Mutex<()>,
    ledger: Ledger<(RouteKey, String)>,
    told: Told<Left>,
}

/// How much of what has to be done to a route is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    All,
    Removals,
}

/// An annotation that was left to somebody else, with the field manager that has it where that is known.
type LeftTo = (Left, Option<String>);

impl ExternalDns {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(context: Arc<Context>, wrapped: Store<Stored>, announcer: Arc<Announcer>) -> Self {
        Self { context, wrapped, announcer, turn: Mutex::default(), ledger: Ledger::default(), told: Told::default() }
    }

    /// Whether anything may ever have to be done for a route as it is.
    #[must_use]
    pub fn concerns(route: &Route) -> bool {
        !route.parent_refs.is_empty() && route.wishes.hostname.is_some() && !route.key.kind.has_hostnames()
            || route.names.iter().any(|names| names.owner == Owner::Us)
    }

    /// Whether a WrappedGateway of that name has to bear the finalizer, by the routes attached to it.
    #[must_use]
    pub fn needs_finalizer(&self, gateway: &GatewayRef) -> bool {
        self.attached_to(gateway).any(|route| match Naming::of(&route) {
            Naming::Named(_) => true,
            Naming::Invalid(_) => route.names.iter().any(|names| names.owner == Owner::Us),
            Naming::Unnamed | Naming::Empty => false,
        })
    }

    /// Has those routes looked at that are attached to the Gateway and for which something can be done.
    pub fn look_at_routes_of(&self, gateway: &GatewayRef) {
        self.look_at(self.attached_to(gateway));
    }

    /// The same, wherever they are attached: the reason of names may have gone while nobody looked.
    pub fn look_at_all_routes(&self) {
        let kinds = RouteKind::ALL.into_iter().filter(|kind| !kind.has_hostnames());
        self.look_at(kinds.flat_map(|kind| self.context.routes.all(kind)));
    }

    fn look_at(&self, routes: impl Iterator<Item = Arc<Route>>) {
        for route in routes.filter(|route| self.possible(route).iter().any(Step::is_write)) {
            // Nobody listens when the process is ending.
            let _ = self.context.route_events.unbounded_send(route.key.clone());
        }
    }

    fn attached_to(&self, gateway: &GatewayRef) -> impl Iterator<Item = Arc<Route>> {
        self.context.routes.attached_to(gateway).into_iter().filter(|route| !route.key.kind.has_hostnames())
    }

    /// Has external-dns read of a route what it is to read, and says what stands in the way. `regarding` is the route.
    ///
    /// # Errors
    /// Where the API server cannot be asked or does not take it, or somebody else keeps undoing it.
    pub async fn settle(&self, route: &Route, regarding: &ObjectReference) -> Result<(), Error> {
        let is_known = |step: &Step| matches!(step, Step::Leave(left) if self.told.has(&route.key, left));
        let possible = self.possible(route);
        let left = if !possible.is_empty() && possible.iter().all(is_known) {
            return Ok(());
        } else if possible.is_empty() {
            Vec::new()
        } else {
            let _turn = self.turn.lock().await;
            self.write(&route.key, Extent::All).await?
        };
        for news in self.told.news(&route.key, left.iter().map(|(left, _)| left.clone()).collect()) {
            let manager = left.iter().find_map(|(left, manager)| manager.as_deref().filter(|_| *left == news));
            self.announcer.announce(regarding, &News::left(&route.key, &news, manager)).await?;
            self.told.record(&route.key, &news);
        }
        Ok(())
    }

    /// Takes from the routes attached to a Gateway what its WrappedGateway is the last reason for. Until what this returns
    /// is dropped, nothing is written on any route.
    ///
    /// # Errors
    /// Where a route keeps something that it may not keep.
    pub async fn retire(&self, gateway: &GatewayRef) -> Result<MutexGuard<'_, ()>, Error> {
        let turn = self.turn.lock().await;
        for route in self.attached_to(gateway) {
            self.write(&route.key, Extent::Removals).await?;
        }
        Ok(turn)
    }

    /// Forgets a route that is gone, or for which nothing has to be done any more.
    pub fn forget(&self, route: &RouteKey) {
        self.told.forget(route);
        for prefix in &self.context.external_dns_prefixes {
            self.ledger.forget(&(route.clone(), prefix.clone()));
        }
    }

    /// What has to be done for a route, less what has to wait for a finalizer, as far as is known without asking.
    fn possible(&self, route: &Route) -> Vec<Step> {
        let mut steps = self.steps(route);
        let is_held = || self.holders(route).any(|(_, holder)| bears_finalizer(holder.meta()));
        if steps.iter().any(Step::is_apply) && !is_held() {
            steps.retain(|step| !step.is_apply());
        }
        steps
    }

    fn steps(&self, route: &Route) -> Vec<Step> {
        // While not all WrappedGateways are known, the reason of names may be one that is not known yet.
        if self.wrapped.wait_until_ready().now_or_never().is_none_or(|ready| ready.is_err()) {
            return Vec::new();
        }
        let wanted = match Naming::of(route) {
            _ if self.holders(route).next().is_none() => Wanted::Nothing,
            Naming::Named(names) => Wanted::Value(names),
            Naming::Invalid(_) => Wanted::AsItIs,
            Naming::Unnamed | Naming::Empty => Wanted::Nothing,
        };
        steps(&self.context.external_dns_prefixes, &wanted, &route.names)
    }

    /// The WrappedGateways that a route is attached to and that are to stay.
    fn holders(&self, route: &Route) -> impl Iterator<Item = (GatewayRef, Arc<Stored>)> {
        route.parent_refs.iter().filter_map(|parent| {
            let holder = self.wrapped.get(&sources::refer(&parent.gateway))?;
            holder.meta().deletion_timestamp.is_none().then(|| (parent.gateway.clone(), holder))
        })
    }

    /// The same as it is now, where one of them bears the finalizer.
    async fn is_held(&self, route: &Route) -> Result<bool, Error> {
        for (holder, _) in self.holders(route) {
            let api: Api<WrappedGateway> = Api::namespaced(self.context.client.clone(), &holder.namespace);
            match api.get_metadata(&holder.name).await {
                Ok(found) if bears_finalizer(&found.metadata) && found.metadata.deletion_timestamp.is_none() => {
                    return Ok(true);
                }
                Ok(_) => {}
                Err(source) if error::code(&source) == Some(404) => {}
                Err(source) => return Err(Error::Finalizer(source)),
            }
        }
        Ok(false)
    }

    /// Writes what has to be written on a route as it is now. Returns what is left to somebody else. The caller has its turn.
    async fn write(&self, key: &RouteKey, extent: Extent) -> Result<Vec<LeftTo>, Error> {
        let resource = self.context.served.borrow().as_ref().and_then(|served| served.routes.get(&key.kind).cloned());
        // A kind that is not served any more has no routes to write.
        let Some(resource) = resource else { return Ok(Vec::new()) };
        let api: Api<Object> = Api::namespaced_with(self.context.client.clone(), &key.namespace, &resource);
        let failed = |source| Error::Names { route: Box::new(key.clone()), source };
        let object = match api.get(&key.name).await {
            Ok(object) => object,
            Err(source) if error::code(&source) == Some(404) => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        // A route that cannot be read stays as it is.
        let Ok(route) = decode(key.kind, object.whole.clone()) else { return Ok(Vec::new()) };
        let steps = self.steps(&route);
        let wants = extent == Extent::All && steps.iter().any(Step::is_apply);
        let may_apply = wants && self.is_held(&route).await?;
        let mut left = Vec::new();
        for step in steps {
            let (prefix, value) = match step {
                Step::Leave(step) => {
                    let manager = manager_of(&object, &step.prefix);
                    left.push((step, manager));
                    continue;
                }
                Step::Apply { prefix, value } if may_apply => (prefix, Some(value)),
                Step::Apply { .. } => continue,
                Step::Retract { prefix } => (prefix, None),
            };
            self.permit(key, &prefix, value.as_ref())?;
            let body = body(&resource, &route, &prefix, value.as_deref());
            let parameters = PatchParams::apply(&format!("{NAMES_MANAGER}{prefix}"));
            match api.patch(&key.name, &parameters, &Patch::Apply(&body)).await {
                Ok(_) => {
                    tracing::info!(route = %key, prefix, value, "told external-dns");
                    self.ledger.record(&(key.clone(), prefix), &value, None, false);
                }
                Err(source) => match (error::api_status(&source), value) {
                    (Some(status), Some(wanted)) if is_conflict(status) => {
                        let there = route.names.iter().find(|names| names.prefix == prefix);
                        let there = there.map(|names| names.value.clone()).unwrap_or_default();
                        left.push((Left { prefix, there, wanted }, None));
                    }
                    // It is another object of that name by now, or gone, and what it is now is looked at anyway.
                    (Some(status), _) if super::apply::is_outdated(status) || status.code == 404 => {}
                    _ => return Err(failed(source)),
                },
            }
        }
        Ok(left)
    }

    /// An error where somebody else undoes this value again and again.
    fn permit(&self, route: &RouteKey, prefix: &str, value: Option<&String>) -> Result<(), Error> {
        let permit = self.ledger.permit(&(route.clone(), prefix.to_owned()), &value, None);
        if value.is_some() && permit == Permit::Wait {
            return Err(Error::Contended("Someone else keeps taking a route's names for external-dns away."));
        }
        Ok(())
    }
}

pub(super) fn bears_finalizer(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// The apply of one annotation to that very object. Without the annotation, it takes away what was applied before.
fn body(resource: &ApiResource, route: &Route, prefix: &str, value: Option<&str>) -> Value {
    let mut metadata = json!({ "name": route.key.name, "namespace": route.key.namespace, "uid": route.uid });
    if let Some(value) = value {
        metadata["annotations"] = json!({ format!("{prefix}/hostname"): value });
    }
    json!({ "apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata })
}

/// Whether an apply was refused because another manager has the field.
fn is_conflict(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 409 && causes.any(|cause| cause.reason == "FieldManagerConflict")
}

/// A field manager that has the annotation.
fn manager_of(object: &Object, prefix: &str) -> Option<String> {
    let key = format!("f:{prefix}/hostname");
    let has = |entry: &&Value| entry["fieldsV1"]["f:metadata"]["f:annotations"].get(&key).is_some();
    object.managed_fields().iter().find(has)?["manager"].as_str().map(str::to_owned)
}

impl Step {
    const fn is_apply(&self) -> bool {
        matches!(self, Self::Apply { .. })
    }

    const fn is_write(&self) -> bool {
        matches!(self, Self::Apply { .. } | Self::Retract { .. })
    }
}
