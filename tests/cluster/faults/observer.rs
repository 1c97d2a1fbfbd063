use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::world::{WITHIN, listeners, text};

/// Sees every version of a Gateway, past the proxy, and notes where a listener is missing, renamed or moved that some
/// route claims.
pub struct Observer {
    seen: Arc<Mutex<Seen>>,
    watching: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// Hostnames that routes claim, with the name that each listener has. That of a listener without one is empty.
    claimed: BTreeMap<String, String>,
    version: String,
    versions: usize,
    lost: Vec<String>,
    /// The names of the listeners before, in their order.
    order: Vec<String>,
}

impl Observer {
    pub fn of(gateways: Api<DynamicObject>, name: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (noted, config) = (Arc::clone(&seen), watcher::Config::default().fields(&format!("metadata.name={name}")));
        let watching = tokio::spawn(async move {
            let mut events = watcher(gateways, config).boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(gateway) | Event::InitApply(gateway)) => noted.lock().unwrap().take_in(&gateway),
                    Ok(Event::Delete(_)) => noted.lock().unwrap().lose("the Gateway is gone"),
                    Ok(Event::Init | Event::InitDone) => {}
                    // The API server is away. Watches go on where they ended, so that no version is missed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        });
        Self { seen, watching }
    }

    /// From now on each of these hostnames, which the Gateway has to have already, must have its listener.
    pub fn claims(&self, gateway: &DynamicObject, hostnames: &[String]) {
        let named =
            listeners(gateway).into_iter().map(|listener| (text(&listener["hostname"]), text(&listener["name"])));
        let named = named.filter(|(hostname, _)| hostnames.contains(hostname)).collect::<BTreeMap<_, _>>();
        assert_eq!(named.len(), hostnames.len(), "{hostnames:?} are on the Gateway");
        self.seen.lock().unwrap().claimed.extend(named);
    }

    /// No route claims it any more from now on.
    pub fn releases(&self, hostname: &str) {
        self.seen.lock().unwrap().claimed.remove(hostname);
    }

    /// How many versions it has seen.
    pub fn versions(&self) -> usize {
        self.seen.lock().unwrap().versions
    }

    /// Waits until it has seen the Gateway as it is, and returns how many versions it saw, and what was lost.
    pub async fn until(&self, gateway: &DynamicObject) -> (usize, Vec<String>) {
        let version = gateway.metadata.resource_version.clone().unwrap_or_default();
        let seen = controlplane::eventually("the observer has seen the Gateway", WITHIN, async || {
            let seen = self.seen.lock().unwrap();
            if seen.version == version { Ok((seen.versions, seen.lost.clone())) } else { Err(seen.version.clone()) }
        });
        seen.await.unwrap()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Seen {
    fn take_in(&mut self, gateway: &DynamicObject) {
        let version = gateway.metadata.resource_version.clone().unwrap_or_default();
        if version == self.version {
            return;
        }
        (self.version, self.versions) = (version, self.versions + 1);
        let now = listeners(gateway);
        let has = |(hostname, name): &(&String, &String)| {
            now.iter().any(|listener: &Value| text(&listener["hostname"]) == **hostname && listener["name"] == **name)
        };
        let missing: Vec<_> =
            self.claimed.iter().filter(|claim| !has(claim)).map(|(hostname, _)| hostname.clone()).collect();
        for hostname in missing {
            self.lose(&format!("{hostname} is not as it was"));
        }
        let names: Vec<_> = now.iter().map(|listener| text(&listener["name"])).collect();
        let stayed =
            |of: &[String], in_: &[String]| of.iter().filter(|name| in_.contains(name)).cloned().collect::<Vec<_>>();
        if stayed(&self.order, &names) != stayed(&names, &self.order) {
            self.lose(&format!("the order is {names:?}, and was {:?}", self.order));
        }
        self.order = names;
    }

    fn lose(&mut self, what: &str) {
        let lost = format!("version {}: {what}", self.version);
        self.lost.push(lost);
    }
}
