//! Says news: writes them as events, not more of them than an API server can bear.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tracing::{Instrument as _, Span};

use super::allowance::Allowance;
use super::error::{self, Error, Stage, within};
use super::events::News;
use crate::api::FIELD_MANAGER;

/// How long API servers keep events.
const KEPT: Duration = Duration::from_hours(1);

/// What may be said of one object: so much at once, and then ever so often.
const OF_OBJECT: (u32, Duration) = (25, Duration::from_secs(30));
/// What may be said in one namespace of objects of one kind.
const IN_NAMESPACE: (u32, Duration) = (100, Duration::from_secs(5));

/// How long it may take to say what waits.
const SAYING: Duration = Duration::from_secs(15);

/// What is to be said when there is time for it.
#[derive(Debug)]
pub struct Waiting {
    regarding: ObjectReference,
    news: News,
    /// The reconciliation that it came of.
    span: Span,
}

/// Says news.
pub struct Announcer {
    client: Client,
    later: UnboundedSender<Waiting>,
    instance: String,
    said: Mutex<HashMap<String, (i32, Instant)>>,
    of_object: Allowance<String>,
    in_namespace: Allowance<(String, String)>,
}

impl Announcer {
    /// One that speaks in this process's name, and what will wait for [`Announcer::say`].
    #[must_use]
    pub fn new(client: Client) -> (Self, UnboundedReceiver<Waiting>) {
        // Inside a container this is the pod's name.
        let instance = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let instance = instance.unwrap_or_else(|| FIELD_MANAGER.to_owned()).chars().take(128).collect();
        let of_object = Allowance::new(OF_OBJECT.0, OF_OBJECT.1);
        let in_namespace = Allowance::new(IN_NAMESPACE.0, IN_NAMESPACE.1);
        let (later, waiting) = unbounded();
        (Self { client, later, instance, said: Mutex::default(), of_object, in_namespace }, waiting)
    }

    /// Says it of the object, unless too much was said of it, or in its namespace, already: the status says it too.
    ///
    /// # Errors
    /// Where the API server does not take the event.
    pub async fn announce(&self, regarding: &ObjectReference, news: &News) -> Result<(), Error> {
        if self.allows(regarding, news) { self.write(regarding, news).await } else { Ok(()) }
    }

    /// Has it said when there is time for it, so that nothing waits for an event. What waits is no more than may be said.
    pub fn announce_later(&self, regarding: ObjectReference, news: News) {
        if self.allows(&regarding, &news) {
            // Nobody listens when the process is ending.
            let _ = self.later.unbounded_send(Waiting { regarding, news, span: Span::current() });
        }
    }

    /// Says what waits, one after another, until [`Announcer::close`] and then to the end.
    pub async fn say(&self, mut waiting: UnboundedReceiver<Waiting>) {
        while let Some(Waiting { regarding, news, span }) = waiting.next().await {
            let saying = async {
                // News are a service; what they tell stands in the status too.
                if let Err(error) = within(Stage::Event, SAYING, self.write(&regarding, &news)).await {
                    tracing::warn!(error = %error.explain(), "an event was not taken");
                }
            };
            saying.instrument(span).await;
        }
    }

    /// Nothing will be said later any more.
    pub fn close(&self) {
        self.later.close_channel();
    }

    async fn write(&self, regarding: &ObjectReference, news: &News) -> Result<(), Error> {
        let namespace = namespace(regarding);
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

    fn allows(&self, regarding: &ObjectReference, news: &News) -> bool {
        let (now, kind) = (Instant::now(), regarding.kind.clone().unwrap_or_default());
        let namespace = namespace(regarding);
        let allowed = self.of_object.take(regarding.uid.clone().unwrap_or_default(), now)
            && self.in_namespace.take((namespace.to_owned(), kind), now);
        if !allowed {
            tracing::debug!(object = regarding.name, namespace, note = news.note(), "an event too many is not written");
        }
        allowed
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

/// Where its events stand.
fn namespace(regarding: &ObjectReference) -> &str {
    regarding.namespace.as_deref().unwrap_or("default")
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use axum::Router;
    use serde_json::Value;

    use super::*;

    /// An announcer, what waits for it, and the notes of the events that the API server was given. It never answers to one
    /// about the listener `silence`.
    fn announcer() -> (Announcer, UnboundedReceiver<Waiting>, Arc<Mutex<Vec<String>>>) {
        let given = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&given);
        let handler = move |body: String| {
            let event: Value = serde_json::from_str(&body).expect("an event");
            let note = event["note"].as_str().expect("a note").to_owned();
            let silent = note.contains("silence");
            notes.lock().unwrap().push(note);
            async move { if silent { pending().await } else { body } }
        };
        let client = Client::new(Router::new().fallback(handler), "default");
        let (announcer, waiting) = Announcer::new(client);
        (announcer, waiting, given)
    }

    fn public() -> ObjectReference {
        let [namespace, name, uid] = ["infra", "public", "1"].map(|text| Some(text.to_owned()));
        ObjectReference { namespace, name, uid, ..ObjectReference::default() }
    }

    fn added(listener: &str) -> News {
        News::listeners_changed(&[], &[listener.to_owned()]).expect("news")
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_said_in_its_order_before_the_end_though_one_event_gets_no_answer() {
        let (announcer, waiting, given) = announcer();
        for listener in ["a", "silence", "b"] {
            announcer.announce_later(public(), added(listener));
        }
        announcer.close();
        announcer.announce_later(public(), added("too-late"));
        announcer.say(waiting).await;
        let notes = ["a", "silence", "b"].map(|listener| format!("Listeners of the Gateway: added {listener}."));
        assert_eq!(*given.lock().unwrap(), notes);
    }

    #[tokio::test]
    async fn no_more_waits_than_may_be_said() {
        let (announcer, mut waiting, given) = announcer();
        for number in 0..1_000 {
            announcer.announce_later(public(), added(&number.to_string()));
        }
        announcer.close();
        let mut waits = 0;
        while waiting.next().await.is_some() {
            waits += 1;
        }
        assert_eq!((waits, given.lock().unwrap().len()), (OF_OBJECT.0, 0));
    }
}
