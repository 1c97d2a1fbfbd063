use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use controlplane::{GatewayApi, Program, eventually};
use serde_json::{Value, json};

use super::world::{Place, WITHIN, World, text};

/// How long nothing may be said.
const REST: Duration = Duration::from_secs(10);

/// A controller that logs as JSON, from that level on.
async fn begin(world: &World, level: &str) {
    world.stop_controller().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.args(["gateway-route-sync", "--log-format", "json", "--log-level", level]);
    let program = Program::start(command, world.cluster.kubeconfig()).expect("the controller");
    program.ready().await.expect("a ready controller");
    *world.controller.lock().await = Some(program);
}

/// Each line of the log.
async fn lines(world: &World) -> Vec<Value> {
    let log = world.log().await;
    let once = |line: &str, key| line.matches(&format!("\"{key}\":")).count() == 1;
    let read = |line: &str| {
        assert!(["timestamp", "level", "message", "target"].iter().all(|key| once(line, key)), "{line}");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    log.lines().map(read).collect()
}

/// Switches what is logged, and waits until that is done.
async fn switch(place: &Place) {
    let told =
        async || lines(&place.world).await.iter().filter(|line| text(&line["message"]).contains("SIGUSR1")).count();
    let before = told().await;
    let id = place.world.controller.lock().await.as_ref().expect("a controller").id();
    assert!(Command::new("kill").arg("-USR1").arg(id.to_string()).status().expect("kill").success());
    let switched =
        eventually(
            "the signal is heard",
            WITHIN,
            async || {
                if told().await > before { Ok(()) } else { Err(String::new()) }
            },
        );
    place.or_log(switched.await).await;
}

/// What is logged from `before` lines on until something is settled and for a while after.
async fn since(world: &World, before: usize) -> Vec<Value> {
    // This waits for time to pass, not for a condition: that nothing more is said in it is the condition.
    tokio::time::sleep(REST).await;
    lines(world).await.split_off(before)
}

fn assert_names_its_reconciliation(line: &Value, place: &Place) {
    let span = &line["span"];
    assert_eq!(span["object"], json!(format!("{}/edge", place.name)), "{line}");
    assert_eq!(span["controller"], "wrapped_gateway", "{line}");
    assert_eq!(text(&span["id"]).len(), 8, "{line}");
}

#[tokio::test]
async fn each_change_is_one_line_that_says_of_what_and_its_reasons_are_told_on_demand() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    begin(&world, "info").await;
    let place = world.namespace("logs").await;
    place.wrap(json!({})).await;
    place.http("a", &["a.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 1 && status.listeners == 1).await;

    let before = {
        tokio::time::sleep(REST).await;
        lines(&world).await.len()
    };
    place.http("b", &["b.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 2).await;
    let told = since(&world, before).await;
    let [line] = told.as_slice() else { panic!("one line for one change, and none at rest: {told:#?}") };
    assert_eq!(
        (text(&line["level"]), text(&line["message"])),
        ("INFO".to_owned(), "the Gateway was written".to_owned())
    );
    assert_eq!(text(&line["what"]), "Listeners of the Gateway: added https-443-b-example-com.");
    assert_names_its_reconciliation(line, &place);

    switch(&place).await;
    let before = lines(&world).await.len();
    place.http("bad", &["192.0.2.7"]).await;
    place.status_with("a route is rejected", |status| status.rejected == 1).await;
    let told = lines(&world).await.split_off(before);
    let reason = told.iter().find(|line| line["reason"] == "InvalidHostname").expect("the reason of a decision");
    assert_eq!(text(&reason["route"]), format!("HTTPRoute {}/bad", place.name));
    assert_names_its_reconciliation(reason, &place);

    switch(&place).await;
    let before = lines(&world).await.len();
    place.delete("HTTPRoute", "bad").await;
    place.status_with("no route is rejected", |status| status.rejected == 0).await;
    assert_eq!(lines(&world).await.split_off(before), Vec::<Value>::new(), "the Gateway has not changed");

    begin(&world, "trace").await;
    place.http("c", &["c.example.com"]).await;
    place.has_hostnames(&["a.example.com", "b.example.com", "c.example.com"]).await;
    let kubeconfig = std::fs::read_to_string(world.cluster.kubeconfig()).expect("the kubeconfig");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("a kubeconfig in JSON");
    let token = text(&kubeconfig["users"][0]["user"]["token"]);
    let log = world.log().await;
    assert!(log.contains("TRACE") && token.len() > 8, "{token}");
    assert!(!log.contains(&token), "the log has the token");
}
