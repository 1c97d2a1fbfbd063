//! Says news: writes them as events, not more of them than an API server can bear.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;

use super::allowance::Allowance;
use super::error::{self, Error};
use super::events::News;
use crate::api::FIELD_MANAGER;

/// How long API servers keep events.
const KEPT: Duration = Duration::from_hours(1);

/// What may be said of one object: so much at once, and then ever so often.
const OF_OBJECT: (u32, Duration) = (25, Duration::from_secs(30));
/// What may be said in one namespace of objects of one kind.
const IN_NAMESPACE: (u32, Duration) = (100, Duration::from_secs(5));

/// Says news.
pub struct Announcer {
    client: Client,
    instance: String,
    said: Mutex<HashMap<String, (i32, Instant)>>,
    of_object: Allowance<String>,
    in_namespace: Allowance<(String, String)>,
}

impl Announcer {
    /// One that speaks in this process's name.
    #[must_use]
    pub fn new(client: Client) -> Self {
        // Inside a container this is the pod's name.
        let instance = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let instance = instance.unwrap_or_else(|| FIELD_MANAGER.to_owned()).chars().take(128).collect();
        let of_object = Allowance::new(OF_OBJECT.0, OF_OBJECT.1);
        let in_namespace = Allowance::new(IN_NAMESPACE.0, IN_NAMESPACE.1);
        Self { client, instance, said: Mutex::default(), of_object, in_namespace }
    }

    /// Says it of the object, unless too much was said of it, or in its namespace, already: the status says it too.
    ///
    /// # Errors
    /// Where the API server does not take the event.
    pub async fn announce(&self, regarding: &ObjectReference, news: &News) -> Result<(), Error> {
        let namespace = regarding.namespace.as_deref().unwrap_or("default");
        if !self.allows(namespace, regarding) {
            tracing::debug!(object = regarding.name, namespace, note = news.note(), "an event too many is not written");
            return Ok(());
        }
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let name = news.name(regarding);
        let key = format!("{namespace}/{name}");
        let result = match self.count(&key) {
            Some(before) => {
                let series =
                    json!({ "series": { "count": before + 1, "lastObservedTime": MicroTime(Timestamp::now()) } });
                events.patch(&name, &PatchParams::default(), &Patch::Merge(&series)).await
            }
            None => events.create(&PostParams::default(), &news.event(regarding, &self.instance)).await,
        };
        match result {
            // Said before, by a process that has ended since.
            Err(source) if error::code(&source) == Some(409) => self.record(&key),
            Err(source) if error::code(&source) == Some(404) => {
                // The API server has dropped the event that was to be counted up: next time it is said anew.
                self.said.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                return Err(Error::Event(source));
            }
            Err(source) => return Err(Error::Event(source)),
            Ok(_) => self.record(&key),
        }
        Ok(())
    }

    fn allows(&self, namespace: &str, regarding: &ObjectReference) -> bool {
        let (now, kind) = (Instant::now(), regarding.kind.clone().unwrap_or_default());
        self.of_object.take(regarding.uid.clone().unwrap_or_default(), now)
            && self.in_namespace.take((namespace.to_owned(), kind), now)
    }

    fn count(&self, key: &str) -> Option<i32> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(|(count, _)| *count)
    }

    fn record(&self, key: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, (_, when)| when.elapsed() < KEPT);
        let (count, when) = said.entry(key.to_owned()).or_insert_with(|| (0, Instant::now()));
        (*count, *when) = (count.saturating_add(1), Instant::now());
    }
}
