//! An API server that answers as a test says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::IntoResponse;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use kube::Client;
use kube::runtime::reflector::store;
use serde_json::Value;
use tokio::sync::watch;

use super::super::reconcile;
use super::STATUS;
use crate::controller::announcer::{Announcer, Waiting};
use crate::controller::context::Context;
use crate::controller::error::Error;
use crate::controller::external_dns::ExternalDns;
use crate::controller::shared::{Parts, Shared};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::routes::{GatewayRef, Listing, Served, State};

/// What a server does when it is asked.
pub enum Answer {
    Say(u16, Value),
    Never,
}

/// An API server that answers as a scenario says, and what it was asked for: the verb, the path, and the body.
pub struct Server {
    pub asked: Arc<Mutex<Vec<(String, Value)>>>,
    pub shared: Arc<Shared>,
    /// The Gateways that are to be reconciled again.
    pub due: UnboundedReceiver<GatewayRef>,
    /// What is to be said when there is time for it.
    pub news: UnboundedReceiver<Waiting>,
}

impl Server {
    /// `answer` says what is done for a verb and path.
    pub fn that(answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        Self::with(None, answer)
    }

    /// The same, on a cluster that serves these kinds.
    pub fn with(served: Option<Served>, answer: impl Fn(&str) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let handler = move |request: Request| {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            async move {
                let what = format!("{} {}", request.method(), request.uri().path());
                let body = to_bytes(request.into_body(), usize::MAX).await.unwrap_or_default();
                log.lock().unwrap().push((what.clone(), serde_json::from_slice(&body).unwrap_or_default()));
                let Answer::Say(code, body) = answer(&what) else { return std::future::pending().await };
                (axum::http::StatusCode::from_u16(code).unwrap(), body.to_string()).into_response()
            }
        };
        let client = Client::new(axum::Router::new().fallback(handler), "default");
        let (route_events, _) = unbounded();
        let context = Arc::new(Context {
            client: client.clone(),
            routes: Arc::new(State::default()),
            route_events,
            served: watch::Sender::new(served).subscribe(),
            leading: watch::Sender::new(true).subscribe(),
            listing: watch::Sender::new(Listing::Complete).subscribe(),
            readiness: Arc::new(Readiness::new(
                watch::Sender::new(BTreeSet::new()).subscribe(),
                watch::Sender::new(None).subscribe(),
            )),
            metrics: Arc::new(Metrics::new()),
            external_dns_prefixes: vec!["external-dns.kubernetes.io".to_owned()],
        });
        let (announcer, news) = Announcer::new(client);
        let announcer = Arc::new(announcer);
        let external_dns = ExternalDns::new(Arc::clone(&context), store().0, Arc::clone(&announcer));
        let parts = Parts { context, announcer, predecessor: Arc::default(), external_dns: Arc::new(external_dns) };
        let (changed, due) = unbounded();
        Self { asked, shared: Arc::new(Shared::new(parts, changed)), due, news }
    }

    pub async fn reconcile(&self, stored: &Value) -> Result<Option<Duration>, Error> {
        reconcile(Arc::new(serde_json::from_value(stored.clone()).unwrap()), Arc::clone(&self.shared)).await
    }

    pub fn asked(&self, what: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked == what).map(|(_, body)| body.clone()).collect()
    }

    /// Reason and message of `Ready` in the last status that was written.
    pub fn ready(&self) -> (String, String) {
        let written = self.asked(STATUS).pop().expect("a status");
        let ready = written["status"]["conditions"][0].clone();
        assert_eq!(ready["type"], "Ready");
        (ready["reason"].as_str().unwrap().to_owned(), ready["message"].as_str().unwrap().to_owned())
    }
}
