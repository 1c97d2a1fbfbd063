#[path = "wrapped_gateway_tests/server.rs"]
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::api::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use server::{Answer, Server};

use super::*;
use crate::api::{GROUP, former};
use crate::controller::status::{GRACE, PACE};
use crate::routes::{RouteKind, Served};

const GET: &str = "GET /apis/gateway.networking.k8s.io/v1/namespaces/infra/gateways/public";
const APPLY: &str = "PATCH /apis/gateway.networking.k8s.io/v1/namespaces/infra/gateways/public";
const STATUS: &str = concat!(
    "PATCH /apis/gateway-route-sync.homelab-helper.benfiola.com/v1/namespaces/infra/",
    "wrappedgateways/public/status"
);

fn wrapped() -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": "WrappedGateway",
        "metadata": { "namespace": "infra", "name": "public", "uid": "1", "resourceVersion": "5", "generation": 2 },
        "spec": { "gatewayClassName": "x" },
    })
}

fn public() -> GatewayRef {
    GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() }
}

fn refusal(code: u16, message: &str) -> Answer {
    Answer::Say(
        code,
        json!({ "kind": "Status", "status": "Failure", "code": code, "message": message, "reason": "No" }),
    )
}

fn absent() -> Answer {
    let details = json!({ "name": "public", "group": "gateway.networking.k8s.io", "kind": "gateways" });
    Answer::Say(
        404,
        json!({ "kind": "Status", "status": "Failure", "code": 404, "message": "not found", "details": details }),
    )
}

fn taken() -> Answer {
    Answer::Say(200, gateway("7", 0))
}

/// A Gateway of ours, in a version, with so many listeners.
fn gateway(version: &str, listeners: usize) -> Value {
    let owner = json!({ "apiVersion": "v1", "kind": "Any", "name": "public", "uid": "1", "controller": true });
    let listeners: Vec<_> =
        (0..listeners).map(|number| json!({ "name": format!("l{number}"), "port": 80, "protocol": "HTTP" })).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Any",
        "metadata": { "name": "public", "resourceVersion": version, "ownerReferences": [owner] },
        "spec": { "listeners": listeners },
    })
}

#[tokio::test]
async fn a_gateway_that_keeps_changing_is_observed_anew_a_few_times() {
    let server = Server::that(|asked| match asked {
        GET => absent(),
        APPLY => refusal(409, "the object has been modified"),
        _ => taken(),
    });
    let error = server.reconcile(&wrapped()).await.unwrap_err();
    assert!(matches!(error, Error::Contended(_)) && !error.is_permanent());
    assert_eq!((server.asked(GET).len(), server.asked(APPLY).len()), (ATTEMPTS, ATTEMPTS));
    assert_eq!(server.ready().0, "GatewaySyncFailed");
    let key = public();
    server.shared.looks.shown(key, Some("9".to_owned()));
    server.reconcile(&wrapped()).await.unwrap_err();
    assert_eq!(server.asked(GET).len(), 2 * ATTEMPTS + 1, "what the API server has in memory is asked for once");
}

#[tokio::test]
async fn what_the_watch_shows_of_the_write_is_not_looked_at_and_what_it_shows_then_is() {
    let mut server = Server::that(|asked| if asked == GET { absent() } else { taken() });
    server.reconcile(&wrapped()).await.unwrap();
    let key = public();
    server.shared.looks.shown(key.clone(), Some("7".to_owned()));
    assert!(server.due.try_recv().is_err());
    server.shared.looks.shown(key.clone(), Some("8".to_owned()));
    assert_eq!(server.due.try_recv(), Ok(key));
}

#[tokio::test]
async fn a_gateway_is_not_read_again_while_it_is_as_it_was_written() {
    let server = Server::that(|asked| if asked == GET { absent() } else { taken() });
    server.reconcile(&wrapped()).await.unwrap();
    let key = public();
    server.shared.looks.shown(key.clone(), Some("7".to_owned()));
    server.reconcile(&wrapped()).await.unwrap();
    assert_eq!((server.asked(GET).len(), server.asked(APPLY).len()), (1, 2));
    assert_eq!(server.asked(APPLY)[1]["metadata"]["resourceVersion"], "7", "it is written in no other version");
    server.shared.looks.shown(key, Some("8".to_owned()));
    server.reconcile(&wrapped()).await.unwrap();
    assert!(server.asked(GET).len() > 1);
}

#[tokio::test]
async fn a_gateway_that_changed_since_it_was_written_is_read_again() {
    let writes = Arc::new(AtomicUsize::new(0));
    let server = Server::that(move |asked| match asked {
        GET => absent(),
        APPLY if writes.fetch_add(1, Ordering::Relaxed) == 1 => refusal(409, "the object has been modified"),
        _ => taken(),
    });
    server.reconcile(&wrapped()).await.unwrap();
    server.reconcile(&wrapped()).await.unwrap();
    assert_eq!((server.asked(GET).len(), server.asked(APPLY).len()), (2, 3));
}

#[tokio::test]
async fn what_the_watch_shows_of_a_write_that_could_not_be_reported_is_looked_at() {
    let mut server = Server::that(|asked| match asked {
        GET => absent(),
        STATUS => refusal(500, "no"),
        _ => taken(),
    });
    server.reconcile(&wrapped()).await.unwrap_err();
    let key = public();
    server.shared.looks.shown(key.clone(), Some("7".to_owned()));
    assert_eq!(server.due.try_recv(), Ok(key));
}

#[tokio::test]
async fn a_failure_that_repeats_itself_is_said_once() {
    let server = Server::that(|asked| if asked == GET { refusal(403, "forbidden") } else { taken() });
    for _ in 0..3 {
        server.reconcile(&wrapped()).await.unwrap_err();
    }
    assert_eq!((server.asked(GET).len(), server.asked(STATUS).len()), (3, 1));
    assert_eq!(server.ready(), ("GatewayFetchFailed".to_owned(), "The Gateway cannot be read: forbidden".to_owned()));
}

#[tokio::test]
async fn a_reconciliation_does_not_wait_for_its_events() {
    const EVENTS: &str = "POST /apis/events.k8s.io/v1/namespaces/infra/events";
    let server = Server::that(|asked| if asked == GET { refusal(403, "forbidden") } else { taken() });
    server.reconcile(&wrapped()).await.unwrap_err();
    assert_eq!((server.asked(STATUS).len(), server.asked(EVENTS).len()), (1, 0));
    let Server { asked, shared, news, .. } = server;
    shared.announcer.close();
    shared.announcer.say(news).await;
    let asked = asked.lock().unwrap();
    let event = asked.iter().find_map(|(asked, event)| (asked == EVENTS).then_some(event)).expect("an event");
    assert_eq!((&event["reason"], &event["regarding"]["name"]), (&json!("SyncFailed"), &json!("public")));
}

#[tokio::test(start_paused = true)]
async fn numbers_are_told_once_in_a_while_and_one_event_tells_of_all_that_came_meanwhile() {
    let writes = Arc::new(AtomicUsize::new(0));
    let mut server = Server::that(move |asked| match asked {
        GET => absent(),
        APPLY => {
            let count = writes.fetch_add(1, Ordering::Relaxed) + 1;
            Answer::Say(200, gateway(&count.to_string(), count))
        }
        _ => taken(),
    });
    let told = |server: &Server| {
        let statuses = server.asked(STATUS);
        (statuses.len(), statuses.last().map(|status| status["status"]["listeners"].clone()))
    };
    let key = public();
    let gone = |server: &Server| server.shared.looks.shown(key.clone(), None);
    assert_eq!(server.reconcile(&wrapped()).await.unwrap(), Some(RESYNC));
    for _ in 0..2 {
        gone(&server);
        assert!(server.reconcile(&wrapped()).await.unwrap().is_some_and(|wait| wait > GRACE && wait <= PACE + GRACE));
        assert_eq!(told(&server), (1, Some(json!(1))));
    }
    tokio::time::advance(PACE).await;
    gone(&server);
    assert_eq!(server.reconcile(&wrapped()).await.unwrap(), Some(RESYNC));
    assert_eq!(told(&server), (2, Some(json!(4))));
    let news = std::iter::from_fn(|| server.news.try_recv().ok()).count();
    assert_eq!(news, 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = Server::that(|asked| if asked == GET { Answer::Never } else { taken() });
    server.reconcile(&wrapped()).await.unwrap_err();
    assert_eq!(
        server.ready(),
        ("GatewayFetchFailed".to_owned(), "Reading the Gateway: no answer within 15 s".to_owned())
    );
}

#[tokio::test]
async fn a_status_that_is_refused_is_replaced_by_one_that_says_so() {
    let server = Server::that(|asked| match asked {
        GET => absent(),
        STATUS => refusal(422, "status.routes: too many"),
        _ => taken(),
    });
    let error = server.reconcile(&wrapped()).await.unwrap_err();
    assert_eq!((error.category(), error.is_permanent()), ("GatewayStatusFailed", true));
    assert_eq!(server.asked(STATUS).len(), 2);
    assert_eq!(
        server.ready(),
        ("GatewayStatusFailed".to_owned(), "The status cannot be written: status.routes: too many".to_owned())
    );
}

#[tokio::test]
async fn a_wrapped_gateway_that_is_being_deleted_gets_no_applies() {
    let server = Server::that(|_| taken());
    let mut deleted = wrapped();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(server.reconcile(&deleted).await.unwrap(), None);
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrapped_gateway_that_cannot_be_read_is_told_so() {
    let server = Server::that(|_| taken());
    let mut odd = wrapped();
    odd["spec"]["listeners"] = json!([{ "name": "a", "port": "eighty", "protocol": "HTTP" }]);
    assert!(server.reconcile(&odd).await.unwrap_err().is_permanent());
    assert_eq!((server.asked(GET).len(), server.ready().0.as_str()), (0, "GatewaySyncFailed"));
}

const ITSELF: &str =
    concat!("/apis/gateway-route-sync.homelab-helper.benfiola.com/v1/namespaces/infra/", "wrappedgateways/public");

/// A WrappedGateway with the finalizer of the Go implementation, as the store and the API server have it.
fn with_finalizer() -> Value {
    let mut left = wrapped();
    left["metadata"]["finalizers"] = json!([former::FINALIZER]);
    left
}

#[tokio::test]
async fn a_finalizer_that_cannot_be_removed_is_told_and_the_gateway_is_written_all_the_same() {
    let server = Server::that(|asked| match asked.split_once(' ') {
        _ if asked == GET => absent(),
        Some(("GET", ITSELF)) => Answer::Say(200, with_finalizer()),
        Some(("PATCH", ITSELF)) => refusal(403, "forbidden"),
        _ => taken(),
    });
    let error = server.reconcile(&with_finalizer()).await.unwrap_err();
    assert_eq!((error.category(), error.is_permanent()), ("FinalizerFailed", true));
    assert_eq!(server.asked(APPLY).len(), 1);
    let message = "The finalizer cannot be put on the WrappedGateway or taken from it: forbidden";
    assert_eq!(server.ready(), ("FinalizerFailed".to_owned(), message.to_owned()));
}

#[tokio::test]
async fn one_that_is_being_deleted_loses_the_finalizer_and_gets_nothing_else() {
    let deleted = || {
        let mut deleted = with_finalizer();
        deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        deleted
    };
    let server =
        Server::that(move |asked| if asked.starts_with("GET") { Answer::Say(200, deleted()) } else { taken() });
    assert_eq!(server.reconcile(&deleted()).await.unwrap(), None);
    let asked: Vec<_> = server.asked.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect();
    assert_eq!(asked, [format!("GET {ITSELF}"), format!("PATCH {ITSELF}")]);
}

#[tokio::test]
async fn a_redirect_that_cannot_be_written_is_told_beside_everything_else() {
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    let routes = [(RouteKind::Http, ApiResource::from_gvk(&kind))].into();
    let server = Server::with(Some(Served { routes, ..Served::default() }), |asked| match asked {
        GET => absent(),
        asked if asked.starts_with("GET") => refusal(404, "not found"),
        asked if asked.contains("/httproutes/") => refusal(403, "forbidden"),
        _ => taken(),
    });
    let mut redirecting = wrapped();
    redirecting["spec"]["httpsRedirect"] = json!(true);
    let error = server.reconcile(&redirecting).await.unwrap_err();
    assert_eq!((error.category(), server.asked(APPLY).len()), ("GatewaySyncFailed", 1));
    assert_eq!(server.ready().1, "The HTTPRoute of httpsRedirect cannot be written: forbidden");
    let status = server.asked(STATUS).pop().expect("a status");
    assert_eq!(status["status"]["conditions"][1]["status"], "True", "routes are judged all the same");
}

#[tokio::test]
async fn where_no_http_routes_are_served_a_redirect_is_reported_and_the_gateway_is_written_all_the_same() {
    let server = Server::that(|asked| if asked == GET { absent() } else { taken() });
    let mut redirecting = wrapped();
    redirecting["spec"]["httpsRedirect"] = json!(true);
    server.reconcile(&redirecting).await.unwrap();
    assert_eq!(server.asked(APPLY).len(), 1);
    let (reason, message) = server.ready();
    assert_eq!(reason, "GatewaySyncFailed");
    assert!(message.contains("httpsRedirect needs an HTTPRoute"), "{message}");
}
