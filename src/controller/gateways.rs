//! Watches Gateways, to see each change of one that has a WrappedGateway of its name.
//!
//! By name and not by owner: what matters most is a Gateway that lost its owner reference, or is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, pin_mut};
use kube::api::{Api, DynamicObject};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};

use super::context::Context;
use super::looks::Looks;
use super::observe::gateway_resource;
use crate::readiness::Gate;
use crate::routes::GatewayRef;
use crate::watching;

/// A page is held in memory whole, as text and as objects, and managedFields, which are metadata too, name every field of up
/// to 64 listeners.
const PAGE_SIZE: u32 = 20;

/// Has each Gateway that changed looked at, for ever.
pub async fn watch(context: &Context, looks: &Looks) {
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(context.client.clone(), &gateway_resource());
    let config = watcher::Config::default().page_size(PAGE_SIZE);
    let events = watching::watch(api, config, "Gateway", Arc::clone(&context.metrics));
    pin_mut!(events);
    let mut versions = Versions::default();
    while let Some(event) = events.next().await {
        // A failure has been logged and counted, and the watch goes on.
        let Ok(event) = event else { continue };
        if matches!(event, Event::InitDone) {
            context.readiness.pass(Gate::GatewaysListed);
        }
        for gateway in versions.take_in(event) {
            let version = versions.known.get(&gateway).cloned().flatten();
            looks.shown(gateway, version);
        }
    }
}

/// The version of each Gateway, to tell after a new list which ones changed or went while nobody watched.
#[derive(Default)]
struct Versions {
    known: BTreeMap<GatewayRef, Option<String>>,
    listed: BTreeMap<GatewayRef, Option<String>>,
}

impl Versions {
    /// The Gateways that changed.
    fn take_in(&mut self, event: Event<PartialObjectMeta<DynamicObject>>) -> Vec<GatewayRef> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                let (gateway, version) = identify(object.metadata);
                self.listed.insert(gateway, version);
                Vec::new()
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                let changed = self.known.iter().filter(|(gateway, version)| before.get(gateway) != Some(version));
                let gone = before.iter().filter(|(gateway, _)| !self.known.contains_key(gateway));
                changed.chain(gone).map(|(gateway, _)| gateway.clone()).collect()
            }
            Event::Apply(object) => {
                let (gateway, version) = identify(object.metadata);
                let changed = self.known.insert(gateway.clone(), version.clone()) != Some(version);
                if changed { vec![gateway] } else { Vec::new() }
            }
            Event::Delete(object) => {
                let (gateway, _) = identify(object.metadata);
                self.known.remove(&gateway);
                vec![gateway]
            }
        }
    }
}

fn identify(metadata: ObjectMeta) -> (GatewayRef, Option<String>) {
    let gateway =
        GatewayRef { namespace: metadata.namespace.unwrap_or_default(), name: metadata.name.unwrap_or_default() };
    (gateway, metadata.resource_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: &str) -> PartialObjectMeta<DynamicObject> {
        let metadata = ObjectMeta {
            namespace: Some("infra".to_owned()),
            name: Some(name.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        PartialObjectMeta { types: None, metadata, _phantom: std::marker::PhantomData }
    }

    fn listed(versions: &mut Versions, objects: &[(&str, &str)]) -> Vec<String> {
        versions.take_in(Event::Init);
        for (name, version) in objects {
            assert_eq!(versions.take_in(Event::InitApply(object(name, version))), []);
        }
        versions.take_in(Event::InitDone).into_iter().map(|gateway| gateway.name).collect()
    }

    #[test]
    fn a_first_list_shows_every_gateway() {
        assert_eq!(listed(&mut Versions::default(), &[("a", "1"), ("b", "2")]), ["a", "b"]);
    }

    #[test]
    fn a_later_list_shows_what_changed_and_what_is_gone() {
        let mut versions = Versions::default();
        listed(&mut versions, &[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(listed(&mut versions, &[("a", "1"), ("b", "4")]), ["b", "c"]);
    }

    #[test]
    fn a_change_and_a_deletion_show_at_once() {
        let mut versions = Versions::default();
        assert_eq!(versions.take_in(Event::Apply(object("a", "1"))).len(), 1);
        assert_eq!(versions.take_in(Event::Apply(object("a", "1"))).len(), 0);
        assert_eq!(versions.take_in(Event::Apply(object("a", "2"))).len(), 1);
        assert_eq!(versions.take_in(Event::Delete(object("a", "3"))).len(), 1);
    }
}
