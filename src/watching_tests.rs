//! What a watch does when the API server fails it. Time is paused: whatever waits, waits no real time.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, Uri};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde_json::{Value, json};

use super::*;

/// What the API server does with a request.
enum Answer {
    List(&'static str),
    Status(u16),
    /// A watch on which nothing happens.
    Silence,
    /// Not even headers.
    Hang,
}

fn api(answers: Vec<Answer>) -> Api<ConfigMap> {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let service = Router::new().fallback(move |_: Uri| {
        let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Hang);
        async move {
            let (code, body) = match answer {
                Answer::List(name) => (200, Body::from(list(name).to_string())),
                Answer::Status(code) => (code, Body::from(status(code).to_string())),
                Answer::Silence => (200, Body::from_stream(futures::stream::pending::<Result<String, String>>())),
                Answer::Hang => std::future::pending().await,
            };
            Response::builder().status(StatusCode::from_u16(code).unwrap()).body(body).unwrap()
        }
    });
    Api::all(Client::new(service, "default"))
}

fn list(name: &str) -> Value {
    json!({
        "kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
        "items": [{"metadata": {"name": name, "namespace": "default"}}],
    })
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "so it is"})
}

/// The next events, in words, as many as are asked for.
async fn events(answers: Vec<Answer>, count: usize) -> Vec<String> {
    let metrics = Arc::new(Metrics::new());
    let watch = pin!(watch(api(answers), Config::default(), "ConfigMap", Arc::clone(&metrics)));
    let said: Vec<_> = watch
        .take(count)
        .map(|event| match event {
            Ok(Event::Init) => "begin".to_owned(),
            Ok(Event::InitApply(object)) => object.metadata.name.unwrap_or_default(),
            Ok(Event::InitDone) => "done".to_owned(),
            Ok(Event::Apply(_) | Event::Delete(_)) => "change".to_owned(),
            Err(failure) => failure.to_string(),
        })
        .collect()
        .await;
    let failures = said.iter().filter(|said| said.contains(' ')).count();
    let counted = format!(r#"watch_errors_total{{kind="ConfigMap"}} {failures}"#);
    assert_eq!(metrics.render().contains(&counted), failures > 0, "{counted}");
    said
}

#[tokio::test(start_paused = true)]
async fn a_refused_resource_version_makes_a_new_list() {
    let answers = vec![Answer::List("a"), Answer::Status(410), Answer::List("b"), Answer::Silence];
    let said = events(answers, 7).await;
    assert_eq!(said[..3], ["begin", "a", "done"]);
    assert!(said[3].contains("so it is"), "{}", said[3]);
    assert_eq!(said[4..], ["begin", "b", "done"]);
}

#[tokio::test(start_paused = true)]
async fn another_refusal_repeats_the_watch_alone() {
    let answers = vec![Answer::List("a"), Answer::Status(500), Answer::Status(500), Answer::Silence];
    let said = events(answers, 5).await;
    assert!(said[3].contains("so it is") && said[3] == said[4], "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_is_given_up() {
    let said = events(vec![Answer::Hang, Answer::List("a"), Answer::Silence], 5).await;
    assert_eq!(said, ["begin", "no page of the list within 60 s", "begin", "a", "done"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_forbidden_is_tried_again() {
    let began = Instant::now();
    let mut answers: Vec<_> = (0..8).map(|_| Answer::Status(403)).collect();
    answers.push(Answer::List("a"));
    let said = events(answers, 19).await;
    assert_eq!(said[16..], ["begin", "a", "done"]);
    assert!(said.iter().skip(1).step_by(2).take(8).all(|failure| *failure == said[1]), "{said:?}");
    // 0.5, 1, 2, 4 and then 5 s, each shortened by up to a half.
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(13_750) && took < Duration::from_secs(28), "{took:?}");
}
