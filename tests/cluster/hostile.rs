use std::sync::Arc;
use std::time::{Duration, Instant};

use controlplane::GatewayApi;
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::faults::Observer;
use super::world::{GROUP, Place, World};

/// Routes of the hostile namespace. `HOSTILE_ROUTES=5000` makes more of them, which takes the API server some minutes to
/// store.
const ROUTES: usize = 400;
/// Hostnames of each, as many as the API admits.
const HOSTNAMES: usize = 16;
/// How often annotations flip while others change their routes.
const FLIPS: usize = 200;
/// How long others may wait for the controller.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// Or so many times as long as they wait on this machine while nobody means harm: it may be busy with something else.
const TIMES_AS_LONG: u32 = 10;
/// Events that may be written in a namespace at once, and one every five seconds after that.
const EVENTS: usize = 100;

fn number_of_routes() -> usize {
    std::env::var("HOSTILE_ROUTES").map_or(ROUTES, |number| number.parse().expect("HOSTILE_ROUTES is a number"))
}

/// The longest names and the oddest hostnames that the API admits, what others have, and all that is wrong.
fn hostile(number: usize, victim: &Place) -> Value {
    let name = match number % 4 {
        0 => format!("a{number}.b-c.{}", "x".repeat(200)),
        1 => format!("{number}"),
        // What is first by name is first in the status too.
        2 => format!("0-{number}--https-443-www-example-com"),
        _ => format!("route-{number}"),
    };
    let own = |nth: usize| format!("{}.h{nth}-{number}.{}.example.com", "y".repeat(60), "z".repeat(60));
    let mut hostnames: Vec<_> = (0..HOSTNAMES - 3).map(own).collect();
    hostnames.extend(["www.example.com", "*.example.com", "*.com"].map(String::from));
    let names = ["https-443-www-example-com", "placeholder", "http", "https-443-api-example-com"];
    let ports = [80, 443, 8443, 25565];
    let parent = match number % 3 {
        0 => json!({ "name": "edge", "namespace": victim.name }),
        1 => json!({ "name": "edge", "namespace": victim.name, "sectionName": names[number % names.len()] }),
        _ => json!({ "name": "edge", "namespace": victim.name, "port": ports[number % 4] }),
    };
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": name, "annotations": annotations(number) },
        "spec": { "parentRefs": [parent], "hostnames": hostnames },
    })
}

fn annotations(number: usize) -> Value {
    let annotation = |name: &str| format!("{GROUP}/{name}");
    match number % 4 {
        0 => json!({ annotation("protocol"): "HTTP" }),
        1 if number % 8 == 1 => json!({ annotation("ports"): "443, 80, 8443, 99999" }),
        1 => json!({ annotation("ports"): (9000..9064).map(|port| port.to_string()).collect::<Vec<_>>().join(",") }),
        // As long as the API server admits, with a few of them.
        2 => json!({ annotation("ports"): "x".repeat(if number % 16 == 2 { 250_000 } else { 10_000 }) }),
        _ => json!({ annotation("protocol"): "HTTPS", annotation("hostname"): "www.example.com" }),
    }
}

/// Creates its routes, eight at a time.
async fn attack(place: &Place, victim: &Place, number_of_routes: usize) -> Vec<String> {
    let routes = place.objects("HTTPRoute");
    let created = stream::iter((0..number_of_routes).map(|number| {
        let (routes, route) =
            (routes.clone(), serde_json::from_value::<DynamicObject>(hostile(number, victim)).unwrap());
        async move { routes.create(&PostParams::default(), &route).await.unwrap().metadata.name.unwrap_or_default() }
    }));
    created.buffer_unordered(8).collect().await
}

/// Changes annotations as fast as the API server takes it.
async fn flip(place: &Place, names: &[String]) {
    let routes = place.objects("HTTPRoute");
    stream::iter(0..FLIPS)
        .for_each_concurrent(4, |flip| {
            let (routes, name) = (routes.clone(), &names[flip * 7 % names.len()]);
            async move {
                let patch = json!({ "metadata": { "annotations": annotations(flip) } });
                routes.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
            }
        })
        .await;
}

/// How long it takes until a new route of a place is on its Gateway, one after the other.
async fn answers(place: &Place, word: &str) -> Vec<Duration> {
    let mut took = Vec::new();
    for number in 0..5 {
        let host = format!("{word}{number}.{}.example.org", place.name);
        let began = Instant::now();
        place.http(&format!("{word}{number}"), &[&host]).await;
        place
            .gateway_with("edge", &format!("{host} is served"), |gateway| {
                super::world::listeners(gateway).iter().any(|listener| listener["hostname"] == host.as_str())
            })
            .await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took
}

#[tokio::test]
async fn a_hostile_namespace_takes_nothing_from_others_and_fills_neither_status_nor_events() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    let (victim, other) = (world.namespace("victim").await, world.namespace("other").await);
    let hostile = world.namespace("hostile").await;
    for place in [&victim, &other] {
        place.wrap(json!({ "listenerTemplate": { "maxListenersPerNamespace": 20 } })).await;
        for name in ["www", "api"] {
            place.http(name, &[&format!("{name}.example.com")]).await;
        }
    }
    let names = ["https-443-api-example-com", "https-443-www-example-com"];
    let gateway = victim
        .gateway_with("edge", "both are served", |gateway| {
            let mut found = super::world::names(gateway);
            found.sort_unstable();
            found == names
        })
        .await;
    let observer = Observer::of(victim.gateways(), "edge");
    observer.claims(&gateway, &["www.example.com", "api.example.com"].map(String::from));
    let quiet = answers(&other, "before").await;

    let (began, number) = (Instant::now(), number_of_routes());
    let routes = attack(&hostile, &victim, number).await;
    println!("{number} routes with {HOSTNAMES} hostnames each after {:.1} s", began.elapsed().as_secs_f32());
    let (of_another, ()) = tokio::join!(answers(&other, "during"), flip(&hostile, &routes));
    let of_the_same = answers(&victim, "same").await;
    // The machine may have become busy with something else since.
    let after = answers(&other, "after").await;
    println!("another Gateway: {quiet:?} before, {of_another:?} during, {after:?} after; the same: {of_the_same:?}");
    let status = victim.status_with("all routes are seen", |status| status.routes as usize >= number).await;
    let size = serde_json::to_string(&status).unwrap().len();
    let (versions, lost) = observer.until(&victim.gateway("edge").await).await;
    let events: Api<Event> = Api::namespaced(hostile.client.clone(), &hostile.name);
    let events = events.list(&ListParams::default()).await.unwrap().items.len();
    let admitted = EVENTS + usize::try_from(began.elapsed().as_secs() / 5).unwrap() + 1;
    let (memory, worked) = (world.peak_memory().await, world.processor_time().await);
    println!("{versions} versions of the Gateway, {events} events, {size} bytes of status");
    println!(
        "the controller had {memory} kB at most, and a processor worked {worked:?} for it in {:?}",
        began.elapsed()
    );
    let median = |took: &[Duration]| took[took.len() / 2];
    let within = ANSWERS_WITHIN.max(median(&quiet).max(median(&after)) * TIMES_AS_LONG);
    assert!(median(&of_another) < within, "{of_another:?}, and not within {within:?}");
    // A Gateway is planned as a whole, so that more routes there take their time.
    let within = within * u32::try_from(number.div_ceil(ROUTES)).unwrap();
    assert!(median(&of_the_same) < within, "{of_the_same:?}, and not within {within:?}");
    assert!(lost.is_empty(), "{lost:#?}");
    assert_eq!(status.rejected_routes.len(), 32);
    assert!(size < 64 * 1024, "{size} bytes of status");
    assert!(events <= admitted, "{events} events, and at most {admitted} are admitted");
}
