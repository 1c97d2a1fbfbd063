//! ReferenceGrants, watched only while some WrappedGateway names a certificate of another namespace.
//!
//! They decide about a warning and nothing else, so that whoever may not list them, or has none, misses just that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::{StreamExt as _, pin_mut};
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;

use super::context::Context;
use super::users::Users;
use crate::api::{ReferenceGrant, WrappedGatewaySpec};
use crate::planner::reference::needs_grants;
use crate::routes::{GatewayRef, Served};
use crate::watching;

/// A list of grants that takes longer than this is not waited for: the WrappedGateway is looked at again when it comes.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the cluster's grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Known {
    /// Nothing yet.
    #[default]
    Pending,
    /// That they cannot be listed: they are not served, or not permitted.
    Unavailable,
    /// All of them.
    Listed(Arc<Vec<ReferenceGrant>>),
}

/// Who needs grants, and what they are.
#[derive(Debug, Default)]
pub struct Grants {
    users: Users,
    known: watch::Sender<Known>,
}

impl Grants {
    /// All grants, where a certificate of another namespace makes them matter and they can be listed. From now on the
    /// Gateway is told of each change, until it does not need them any more.
    pub async fn of(&self, gateway: &GatewayRef, spec: &WrappedGatewaySpec) -> Option<Arc<Vec<ReferenceGrant>>> {
        if !needs_grants(gateway, spec) {
            self.forget(gateway);
            return None;
        }
        self.users.add(gateway);
        let mut known = self.known.subscribe();
        let known = tokio::time::timeout(PATIENCE, known.wait_for(|known| *known != Known::Pending)).await;
        match &*known.ok()?.ok()? {
            Known::Listed(grants) => Some(Arc::clone(grants)),
            Known::Pending | Known::Unavailable => None,
        }
    }

    /// The Gateway needs no grants any more.
    pub fn forget(&self, gateway: &GatewayRef) {
        self.users.remove(gateway);
    }

    /// Watches grants whenever they are needed, at the version that is served, for ever, and sends each Gateway that needs
    /// them when they change.
    pub async fn watch(&self, context: &Context, changed: UnboundedSender<GatewayRef>) {
        let mut served = context.served.clone();
        loop {
            self.users.some().await;
            let resource = resource(served.borrow_and_update().as_ref());
            tokio::select! {
                () = self.watch_on(context, resource.as_ref(), &changed) => {}
                () = self.users.none() => {}
                _ = async { served.wait_for(|served| self::resource(served.as_ref()) != resource).await.map(drop) } => {}
            }
            self.known.send_replace(Known::Pending);
        }
    }

    async fn watch_on(&self, context: &Context, resource: Option<&ApiResource>, changed: &UnboundedSender<GatewayRef>) {
        let Some(resource) = resource else {
            self.learn(&Known::Unavailable, changed);
            return std::future::pending().await;
        };
        let api: Api<DynamicObject> = Api::all_with(context.client.clone(), resource);
        let events = watching::watch(api, watcher::Config::default(), "ReferenceGrant", Arc::clone(&context.metrics));
        pin_mut!(events);
        let mut cache = Cache::default();
        while let Some(event) = events.next().await {
            match event.map(|event| cache.take_in(&event)) {
                Ok(true) => self.learn(&Known::Listed(Arc::new(cache.grants.values().cloned().collect())), changed),
                // The failure has been logged and counted, and the watch goes on. What was listed before still counts.
                Err(_) if *self.known.borrow() == Known::Pending => self.learn(&Known::Unavailable, changed),
                Ok(false) | Err(_) => {}
            }
        }
    }

    fn learn(&self, known: &Known, changed: &UnboundedSender<GatewayRef>) {
        if self.known.send_replace(known.clone()) != *known {
            self.users.tell(changed);
        }
    }
}

fn resource(served: Option<&Served>) -> Option<ApiResource> {
    served?.reference_grant.clone()
}

type Name = (String, String);

/// The grants that matter, by namespace and name.
#[derive(Default)]
struct Cache {
    grants: BTreeMap<Name, ReferenceGrant>,
    listed: BTreeMap<Name, ReferenceGrant>,
}

impl Cache {
    /// Whether all grants are known after that.
    fn take_in(&mut self, event: &Event<DynamicObject>) -> bool {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => insert(&mut self.listed, object),
            Event::InitDone => self.grants = std::mem::take(&mut self.listed),
            Event::Apply(object) => insert(&mut self.grants, object),
            Event::Delete(object) => drop(self.grants.remove(&name(object))),
        }
        !matches!(event, Event::Init | Event::InitApply(_))
    }
}

fn insert(grants: &mut BTreeMap<Name, ReferenceGrant>, object: &DynamicObject) {
    let name = name(object);
    match ReferenceGrant::read(name.0.as_str(), &object.data) {
        Some(grant) => drop(grants.insert(name, grant)),
        None => drop(grants.remove(&name)),
    }
}

fn name(object: &DynamicObject) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}
