//! Elections against an API server that has one Lease. Time is paused: whatever waits, waits no real time.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, Response};
use serde_json::{Value, json};

use super::*;

/// An API server with one Lease, and its rule: a write that names an old resourceVersion is refused.
#[derive(Default)]
struct Server {
    lease: Mutex<Option<Value>>,
    version: Mutex<u64>,
    /// Instead of an answer: this code, or none at all for 0.
    fails: Mutex<Option<u16>>,
}

impl Server {
    fn election(self: &Arc<Self>, identity: &str) -> Election {
        let server = Arc::clone(self);
        let service = Router::new().fallback(move |request: Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let fails = *server.fails.lock().unwrap();
                if fails == Some(0) {
                    std::future::pending::<()>().await;
                }
                let method = request.method().clone();
                let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
                let (code, body) = match fails {
                    Some(code) => (code, status(code)),
                    None => server.answer(&method, &serde_json::from_slice(&body).unwrap_or_default()),
                };
                Response::builder().status(code).body(Body::from(body.to_string())).unwrap()
            }
        });
        Election::new(Client::new(service, "infra"), terms(), identity.to_owned())
    }

    fn answer(&self, method: &Method, body: &Value) -> (u16, Value) {
        let known = self.lease.lock().unwrap().clone();
        match (method, known) {
            (&Method::GET, Some(lease)) => (200, lease),
            (&Method::POST, None) => (201, self.store(body.clone())),
            (&Method::PUT, Some(lease))
                if lease["metadata"]["resourceVersion"] == body["metadata"]["resourceVersion"] =>
            {
                (200, self.store(body.clone()))
            }
            (_, Some(_)) => (409, status(409)),
            (_, None) => (404, status(404)),
        }
    }

    fn store(&self, mut lease: Value) -> Value {
        let mut version = self.version.lock().unwrap();
        *version += 1;
        lease["metadata"]["resourceVersion"] = json!(version.to_string());
        *self.lease.lock().unwrap() = Some(lease.clone());
        lease
    }

    /// Somebody changes the Lease by hand.
    fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut lease = self.lease.lock().unwrap().clone().unwrap();
        edit(&mut lease);
        self.store(lease);
    }

    fn holder(&self) -> Value {
        self.lease.lock().unwrap().as_ref().map_or(Value::Null, |lease| lease["spec"]["holderIdentity"].clone())
    }
}

const RETRY: Duration = Duration::from_secs(2);
const RENEW_WITHIN: Duration = Duration::from_secs(10);

fn terms() -> Terms {
    Terms {
        name: "gateway-route-sync".to_owned(),
        namespace: "infra".to_owned(),
        lease_seconds: 15,
        renew_within: RENEW_WITHIN,
        retry: RETRY,
    }
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code})
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_has_is_won_at_once() {
    let (server, began) = (Arc::new(Server::default()), Instant::now());
    server.election("a").win().await;
    assert_eq!(server.holder(), "a");
    assert!(began.elapsed() < RETRY);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_is_not_taken() {
    let server = Arc::new(Server::default());
    let (mut holder, mut waiting) = (server.election("a"), server.election("b"));
    holder.win().await;
    tokio::select! {
        lost = holder.hold() => panic!("{lost}"),
        () = waiting.win() => panic!("two hold it"),
        () = sleep(Duration::from_mins(10)) => {}
    }
    assert_eq!(server.holder(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_is_taken_after_its_duration_by_the_clock_of_whoever_waits() {
    let server = Arc::new(Server::default());
    server.election("dead").win().await;
    // Its holder's clock was an hour behind.
    server.edit(|lease| lease["spec"]["renewTime"] = json!("2020-01-01T00:00:00.000000Z"));
    let began = Instant::now();
    server.election("b").win().await;
    let took = began.elapsed();
    assert!(took > Duration::from_secs(15) && took < Duration::from_secs(18), "{took:?}");
    assert_eq!(server.holder(), "b");
    assert_eq!(server.lease.lock().unwrap().as_ref().unwrap()["spec"]["leaseTransitions"], 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_that_want_it_at_once_one_wins() {
    let server = Arc::new(Server::default());
    let mut elections: Vec<_> = ["a", "b", "c", "d"].map(|identity| server.election(identity)).into();
    let winners = elections.iter_mut().map(|election| timeout(Duration::from_secs(10), election.win()));
    let winners = futures::future::join_all(winners).await;
    assert_eq!(winners.into_iter().flatten().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_has_is_lost() {
    let server = Arc::new(Server::default());
    let mut holder = server.election("a");
    holder.win().await;
    server.edit(|lease| lease["spec"]["holderIdentity"] = json!("b"));
    assert_eq!(holder.hold().await, Lost::Taken("b".into()));
}

#[tokio::test(start_paused = true)]
async fn an_edit_by_somebody_else_or_a_deletion_loses_nothing() {
    let server = Arc::new(Server::default());
    let mut holder = server.election("a");
    holder.win().await;
    server.edit(|lease| lease["metadata"]["annotations"] = json!({"note": "hello"}));
    assert!(timeout(Duration::from_mins(1), holder.hold()).await.is_err());
    *server.lease.lock().unwrap() = None;
    assert!(timeout(Duration::from_mins(1), holder.hold()).await.is_err());
    assert_eq!(server.holder(), "a");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_renewed_is_given_up_before_another_may_take_it() {
    for fails in [0, 500] {
        let server = Arc::new(Server::default());
        let mut holder = server.election("a");
        holder.win().await;
        let began = Instant::now();
        *server.fails.lock().unwrap() = Some(fails);
        assert_eq!(holder.hold().await, Lost::Expired);
        let took = began.elapsed();
        assert_eq!(took, RENEW_WITHIN, "not a moment later: the next one counts fifteen seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_given_back_is_won_by_the_next_without_waiting_for_its_end() {
    let server = Arc::new(Server::default());
    let (mut first, mut second) = (server.election("a"), server.election("b"));
    first.win().await;
    first.give_back().await;
    assert_eq!(server.holder(), Value::Null);
    let began = Instant::now();
    second.win().await;
    assert!(began.elapsed() < RETRY);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_held_is_given_back() {
    let server = Arc::new(Server::default());
    server.election("a").win().await;
    server.election("b").give_back().await;
    assert_eq!(server.holder(), "a");
}

#[test]
fn identities_differ_even_on_one_machine() {
    assert_ne!(identity(), identity());
}
