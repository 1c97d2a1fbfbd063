//! Labels of namespaces, watched only while the selector of some WrappedGateway looks at them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;

use super::context::Context;
use super::error::Error;
use super::users::Users;
use crate::api::{NAMESPACE_NAME_LABEL, RouteNamespaces, WrappedGatewaySpec};
use crate::planner::LiveListener;
use crate::routes::GatewayRef;
use crate::watching;

/// A list of namespaces that takes longer than this is not waited for: the Gateway is told of it when it comes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Labels of namespaces, by name.
pub type Labels = BTreeMap<String, BTreeMap<String, String>>;

/// Who needs labels of namespaces, and what they are.
#[derive(Debug, Default)]
pub struct Namespaces {
    users: Users,
    /// None while nobody watches, and until all were listed.
    labels: watch::Sender<Option<Arc<Labels>>>,
}

impl Namespaces {
    /// The labels, if a plan from these needs them: waits for the first list then, though not for long. From now on the
    /// Gateway is told of each change, until it does not need them any more.
    ///
    /// # Errors
    /// Where the labels are needed, and not known.
    pub async fn labels(
        &self,
        gateway: &GatewayRef,
        spec: &WrappedGatewaySpec,
        live: &[LiveListener],
    ) -> Result<Arc<Labels>, Error> {
        if !needs_labels(spec, live) {
            self.forget(gateway);
            return Ok(Arc::default());
        }
        self.users.add(gateway);
        let mut labels = self.labels.subscribe();
        let listed = tokio::time::timeout(PATIENCE, labels.wait_for(Option::is_some)).await;
        listed.ok().and_then(Result::ok).and_then(|labels| labels.clone()).ok_or(Error::Namespaces)
    }

    /// The Gateway needs no labels any more.
    pub fn forget(&self, gateway: &GatewayRef) {
        self.users.remove(gateway);
    }

    /// Watches namespaces whenever labels are needed, for ever, and sends each Gateway that needs them when they change.
    pub async fn watch(&self, context: &Context, changed: UnboundedSender<GatewayRef>) {
        loop {
            self.users.some().await;
            tokio::select! {
                () = self.watch_on(context, &changed) => {}
                () = self.users.none() => {}
            }
            self.labels.send_replace(None);
        }
    }

    async fn watch_on(&self, context: &Context, changed: &UnboundedSender<GatewayRef>) {
        let api = Api::<PartialObjectMeta<Namespace>>::all(context.client.clone());
        let events = watching::watch(api, watcher::Config::default(), "Namespace", Arc::clone(&context.metrics));
        pin_mut!(events);
        let mut cache = Cache::default();
        while let Some(event) = events.next().await {
            // A failure has been logged and counted, and the watch goes on.
            if event.is_ok_and(|event| cache.take_in(event)) {
                self.labels.send_replace(Some(Arc::new(cache.labels.clone())));
                self.users.tell(changed);
            }
        }
    }
}

/// Whether a plan depends on any label of a namespace but its name.
#[must_use]
pub fn needs_labels(spec: &WrappedGatewaySpec, live: &[LiveListener]) -> bool {
    let template = spec.listener_template.as_ref();
    let of_routes =
        |namespaces: Option<&RouteNamespaces>| namespaces.and_then(|namespaces| namespaces.selector.clone());
    let of_template = template
        .and_then(|template| template.allowed_routes.as_ref())
        .and_then(|allowed| of_routes(allowed.namespaces.as_ref()));
    let of_grants = template
        .and_then(|template| template.hostname_grants.as_ref())
        .into_iter()
        .flatten()
        .map(|grant| grant.namespaces.clone());
    let of_listeners = spec.listeners.iter().chain(live.iter().map(|live| &live.listener)).filter_map(|listener| {
        listener.allowed_routes.as_ref().and_then(|allowed| of_routes(allowed.namespaces.as_ref()))
    });
    of_template.into_iter().chain(of_grants).chain(of_listeners).any(|selector| looks_beyond_names(&selector))
}

fn looks_beyond_names(selector: &LabelSelector) -> bool {
    let labels = selector.match_labels.iter().flat_map(BTreeMap::keys);
    let expressions = selector.match_expressions.iter().flatten().map(|expression| &expression.key);
    labels.chain(expressions).any(|key| key != NAMESPACE_NAME_LABEL)
}

#[derive(Default)]
struct Cache {
    labels: Labels,
    listed: Labels,
    complete: bool,
}

impl Cache {
    /// Whether any label changed.
    fn take_in(&mut self, event: Event<PartialObjectMeta<Namespace>>) -> bool {
        match event {
            Event::Init => {
                self.listed.clear();
                false
            }
            Event::InitApply(namespace) => {
                let (name, labels) = labelled(namespace);
                self.listed.insert(name, labels);
                false
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut self.labels, std::mem::take(&mut self.listed));
                // The first list is news even where it is empty: somebody waits for it.
                !std::mem::replace(&mut self.complete, true) || before != self.labels
            }
            Event::Apply(namespace) => {
                let (name, labels) = labelled(namespace);
                self.labels.insert(name, labels.clone()) != Some(labels)
            }
            Event::Delete(namespace) => self.labels.remove(&labelled(namespace).0).is_some(),
        }
    }
}

fn labelled(namespace: PartialObjectMeta<Namespace>) -> (String, BTreeMap<String, String>) {
    (namespace.metadata.name.unwrap_or_default(), namespace.metadata.labels.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn needs(spec: &Value) -> bool {
        let mut spec = spec.clone();
        spec["gatewayClassName"] = json!("x");
        needs_labels(&serde_json::from_value(spec).unwrap(), &[])
    }

    #[test]
    fn labels_are_needed_where_a_selector_looks_beyond_names() {
        let by_label = json!({ "matchLabels": { "team": "a" } });
        let allowed = json!({ "namespaces": { "from": "Selector", "selector": by_label } });
        assert!(needs(&json!({ "listenerTemplate": { "allowedRoutes": allowed } })));
        assert!(needs(
            &json!({ "listenerTemplate": { "hostnameGrants": [{ "namespaces": by_label, "hostnames": [] }] } })
        ));
        assert!(needs(
            &json!({ "listeners": [{ "name": "a", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed }] })
        ));
    }

    #[test]
    fn names_are_known_without_a_watch() {
        let expressions = json!([{ "key": NAMESPACE_NAME_LABEL, "operator": "In", "values": ["a"] }]);
        let selector = json!({ "matchLabels": { NAMESPACE_NAME_LABEL: "a" }, "matchExpressions": expressions });
        let allowed = json!({ "namespaces": { "from": "Selector", "selector": selector } });
        assert!(!needs(&json!({ "listenerTemplate": { "allowedRoutes": allowed } })));
        assert!(!needs(&json!({})));
    }

    fn namespace(name: &str, team: &str) -> PartialObjectMeta<Namespace> {
        serde_json::from_value(json!({ "metadata": { "name": name, "labels": { "team": team } } })).unwrap()
    }

    #[test]
    fn only_a_changed_label_is_a_change() {
        let mut cache = Cache::default();
        cache.take_in(Event::Init);
        cache.take_in(Event::InitApply(namespace("a", "x")));
        assert!(cache.take_in(Event::InitDone));
        assert!(!cache.take_in(Event::Apply(namespace("a", "x"))));
        assert!(cache.take_in(Event::Apply(namespace("a", "y"))));
        assert!(cache.take_in(Event::Delete(namespace("a", "y"))));
        assert!(!cache.take_in(Event::Delete(namespace("a", "y"))));
    }

    #[test]
    fn a_new_list_is_a_change_where_it_differs_or_is_the_first() {
        let mut cache = Cache::default();
        assert!(cache.take_in(Event::InitDone));
        cache.take_in(Event::Init);
        assert!(!cache.take_in(Event::InitDone));
        cache.take_in(Event::Init);
        cache.take_in(Event::InitApply(namespace("a", "x")));
        assert!(cache.take_in(Event::InitDone));
    }
}
