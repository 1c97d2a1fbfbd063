//! What a watch has shown, and when: Gateways with the hostnames of their listeners, and WrappedGateways.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::Object;
use kube::core::NotUsed;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde::Deserialize;
use tokio::sync::watch;

use crate::Outcome;

/// Longer than anything may take, a slow implementation on a busy machine included.
const WITHIN: Duration = Duration::from_mins(15);

/// An object with what matters here of its spec. WrappedGateways have no listeners.
pub type Slim = Object<Spec, NotUsed>;

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Spec {
    #[serde(default)]
    listeners: Vec<Listener>,
}

#[derive(Clone, Debug, Deserialize)]
struct Listener {
    hostname: Option<String>,
}

/// An object as the last event had it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Since when each hostname is there.
    pub hosts: HashMap<String, Instant>,
    /// When the last event came.
    pub changed: Instant,
}

/// Namespace and name.
pub type Key = (String, String);

/// The objects of a watch. It goes on until this is dropped.
pub struct Seen {
    objects: Arc<Mutex<HashMap<Key, Shown>>>,
    events: watch::Receiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Seen {
    pub fn new(api: Api<Slim>) -> Self {
        let objects: Arc<Mutex<HashMap<Key, Shown>>> = Arc::default();
        let (told, events) = watch::channel(());
        let known = Arc::clone(&objects);
        let task = tokio::spawn(async move {
            let mut stream = watcher(api, Config::default()).default_backoff().boxed();
            while let Some(event) = stream.next().await {
                let now = Instant::now();
                match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => note(&known, &object, now),
                    Ok(Event::Delete(object)) => drop(lock(&known).remove(&key(&object))),
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => eprintln!("a watch of the benchmark failed: {error}"),
                }
                told.send_replace(());
            }
        });
        Self { objects, events, task }
    }

    /// Waits until `found` finds something.
    pub async fn until<T>(&self, what: &str, found: impl Fn(&HashMap<Key, Shown>) -> Option<T>) -> Outcome<T> {
        let mut events = self.events.clone();
        let waiting = async {
            loop {
                events.mark_unchanged();
                if let Some(found) = found(&lock(&self.objects)) {
                    return Ok(found);
                }
                events.changed().await?;
            }
        };
        tokio::time::timeout(WITHIN, waiting).await.map_err(|_| format!("waited in vain until {what}"))?
    }

    /// Waits until each of these objects has just these hostnames; when the last of them came to be so.
    pub async fn until_right(&self, wanted: &HashMap<Key, BTreeSet<String>>) -> Outcome<Instant> {
        self.until(&format!("{} Gateways are right", wanted.len()), |objects| {
            let times = wanted.iter().map(|(key, hosts)| {
                let object = objects.get(key)?;
                let right =
                    object.hosts.len() == hosts.len() && hosts.iter().all(|host| object.hosts.contains_key(host));
                right.then_some(object.changed)
            });
            times.collect::<Option<Vec<_>>>()?.into_iter().max()
        })
        .await
    }

    /// Waits until an object has a hostname, or has it no more; when that came to be so.
    pub async fn until_host(&self, key: &Key, host: &str, wanted: bool) -> Outcome<Instant> {
        self.until(&format!("{host} is in {}: {wanted}", key.1), |objects| {
            let object = objects.get(key);
            match object.and_then(|object| object.hosts.get(host)) {
                Some(since) if wanted => Some(*since),
                None if !wanted => object.map(|object| object.changed),
                _ => None,
            }
        })
        .await
    }

    /// Waits until none of a namespace's objects is left.
    pub async fn until_gone(&self, keys: &[Key]) -> Outcome {
        self.until("they are gone", |objects| keys.iter().all(|key| !objects.contains_key(key)).then_some(())).await
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(object: &Slim) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn note(objects: &Mutex<HashMap<Key, Shown>>, object: &Slim, now: Instant) {
    let mut objects = lock(objects);
    let known = objects.entry(key(object)).or_insert_with(|| Shown { hosts: HashMap::new(), changed: now });
    known.changed = now;
    let hosts: BTreeSet<&String> = object.spec.listeners.iter().filter_map(|one| one.hostname.as_ref()).collect();
    known.hosts.retain(|host, _| hosts.contains(host));
    for host in hosts {
        known.hosts.entry(host.clone()).or_insert(now);
    }
}
