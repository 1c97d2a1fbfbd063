use std::sync::Arc;
use std::time::Duration;

use controlplane::{GatewayApi, eventually};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use super::golang::Go;
use crate::world::{Place, WITHIN, World, condition};

/// How many routes there are.
const MANY: usize = 100;
/// What is left is taken away after the longest pause that the controller makes when it meets a predecessor at work, and
/// after the trial that follows.
const CLEAN_WITHIN: Duration = Duration::from_mins(3);
/// Two pauses of the controller, the second of which is the longer one.
const TRIED_WITHIN: Duration = Duration::from_mins(1);

async fn place() -> Place {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    world.stop_controller().await;
    world.namespace("former").await
}

async fn many_routes(place: &Place) {
    for number in 0..MANY {
        // What is attached to a Gateway that nobody manages is to be deletable as well.
        let parent = if number % 2 == 0 { "edge" } else { "elsewhere" };
        let host = format!("h{number}.example.com");
        place
            .http_to(&format!("r{number}"), &[&host], json!([{ "name": parent, "sectionName": format!("s{number}") }]))
            .await;
    }
}

async fn routes(place: &Place) -> Vec<DynamicObject> {
    place.objects("HTTPRoute").list(&ListParams::default()).await.expect("routes").items
}

async fn eventually_clean(place: &Place, left_by: &[&Go<'_>]) -> Vec<DynamicObject> {
    eventually("nothing is left on routes", CLEAN_WITHIN, async || {
        let routes = routes(place).await;
        let marked = routes.iter().filter(|route| left_by.iter().any(|go| go.is_on(route))).count();
        if marked == 0 { Ok(routes) } else { Err(format!("{marked} of {}", routes.len())) }
    })
    .await
    .unwrap()
}

async fn eventually_gone(what: &str, gone: impl AsyncFn() -> bool) {
    eventually(what, WITHIN, async || if gone().await { Ok(()) } else { Err("not yet") }).await.unwrap();
}

#[tokio::test]
async fn routes_lose_the_finalizers_of_both_versions_and_nothing_else_and_can_be_deleted() {
    let place = place().await;
    let (first, later) = (Go::first(&place), Go::later(&place).await);
    many_routes(&place).await;
    let own =
        json!({ "metadata": { "finalizers": ["example.com/guard"], "annotations": { "example.com/note": "x" } } });
    place.objects("HTTPRoute").patch("r7", &PatchParams::default(), &Patch::Merge(&own)).await.expect("an update");
    first.mark("HTTPRoute").await;
    later.mark("HTTPRoute").await;
    place.delete("HTTPRoute", "r3").await;
    let before = routes(&place).await;
    assert_eq!(before.len(), MANY, "the finalizer keeps what is deleted");

    let requests = place.world.requests().await;
    place.world.start_controller().await;
    let after = eventually_clean(&place, &[&first, &later]).await;
    let written = place.world.requests().await.since(&requests).writes();
    let written = written.of("gateway.networking.k8s.io/httproutes").total();
    assert_eq!(written, u64::try_from(MANY).unwrap(), "one write takes away everything from a route");
    eventually_gone("the deleted route is gone", async || {
        place.objects("HTTPRoute").get_opt("r3").await.unwrap().is_none()
    })
    .await;
    for route in after {
        let was = before.iter().find(|was| was.name_any() == route.name_any()).expect("the same routes");
        assert_eq!((was.data.clone(), was.labels()), (route.data.clone(), route.labels()));
        if route.name_any() == "r7" {
            assert_eq!(route.finalizers(), ["example.com/guard"]);
            assert_eq!(route.annotations()["example.com/note"], "x");
        }
    }
    place.delete("HTTPRoute", "r5").await;
    assert!(place.objects("HTTPRoute").get_opt("r5").await.unwrap().is_none());
}

#[tokio::test]
async fn a_wrapped_gateway_with_the_finalizer_of_the_go_version_can_be_deleted() {
    let place = place().await;
    let go = Go::first(&place);
    let listener = ("www", "HTTPS", 443, Some("www.example.com"));
    go.sync(&[listener]).await;
    place.world.start_controller().await;
    place.has_names(&["placeholder"]).await;
    eventually_gone("the finalizer is gone", async || go.wrapped().get("edge").await.unwrap().finalizers().is_empty())
        .await;

    // Also where it was deleted before our controller came back.
    place.world.stop_controller().await;
    go.sync(&[listener]).await;
    go.wrapped().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    assert!(go.wrapped().get_opt("edge").await.unwrap().is_some());
    place.world.start_controller().await;
    eventually_gone("the WrappedGateway is gone", async || go.wrapped().get_opt("edge").await.unwrap().is_none()).await;
    eventually_gone("its Gateway is gone", async || place.gateways().get_opt("edge").await.unwrap().is_none()).await;
}

#[tokio::test]
async fn while_the_go_version_still_runs_its_finalizers_are_left_and_it_is_said() {
    let place = place().await;
    place.wrap(json!({})).await;
    let go = Go::first(&place);
    many_routes(&place).await;
    go.mark("HTTPRoute").await;
    let requests = place.world.requests().await;
    place.world.start_controller().await;
    let says = |status: &homelab_helper::api::WrappedGatewayStatus| {
        condition(status, "Ready").is_some_and(|ready| ready.message.contains("seems to be running still"))
    };
    let runs = async {
        loop {
            go.mark("HTTPRoute").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Once when it is noticed at first, and once after each pause, in which one route is tried.
    let seen = async {
        let status = place.status_with("it is said", says).await;
        eventually("two routes were tried", TRIED_WITHIN, async || {
            let log = place.world.log().await;
            if log.matches("seems to be running still").count() >= 3 { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap();
        status
    };
    let status = tokio::select! { () = runs => unreachable!(), status = seen => status };
    assert_eq!(condition(&status, "Ready").unwrap().status, "True");
    let log = place.world.log().await;
    assert!(log.matches("seems to be running still").count() < 10, "{log}");
    let ours = place.world.requests().await.since(&requests).only(|key| key.verb == "PATCH");
    let ours = ours.of("gateway.networking.k8s.io/httproutes").total();
    assert!(ours <= u64::try_from(MANY).unwrap() + 10, "{ours} attempts for {MANY} routes");

    eventually_clean(&place, &[&go]).await;
    place.status_with("it is said no more", |status| !says(status)).await;
}
