//! Whatever strings a route has as annotations and hostnames, a Gateway is planned that the API server takes.
//!
//! An input is routes with an empty line between them. Each line of a route is the next of these: its kind, the port of
//! its parentRef, the annotations `ports`, `protocol`, `tls-mode` and `hostname`, and after them a hostname each. An
//! annotation that is `-` is not there.

#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use histories::{World, rules};
use homelab_helper::api::annotation;
use homelab_helper::routes::{Route, RouteKind, decode};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|text: &str| {
    let mut world = World::default();
    for (nth, written) in text.split("\n\n").take(16).enumerate() {
        let route = route(nth, written, &world);
        world.routes.insert(route.key.clone(), Arc::new(route));
    }
    let plan = world.plan();
    let judged: BTreeSet<_> = plan
        .served
        .iter()
        .map(|served| &served.route)
        .chain(plan.rejections.iter().map(|rejection| &rejection.route))
        .collect();
    assert!(world.routes.keys().all(|route| judged.contains(route)), "a route without a word about it");
    world.apply(&plan);
    let live: Vec<_> = world.live.iter().map(|live| live.listener.clone()).collect();
    assert_eq!(rules::broken(&live), None);
    assert_eq!(world.plan().listeners, plan.listeners, "planning again changes something");
});

/// The route that is written, attached to the world's Gateway.
fn route(nth: usize, written: &str, world: &World) -> Route {
    let mut lines = written.lines();
    let mut line = || lines.next().unwrap_or("-");
    let kind = RouteKind::from_name(line()).unwrap_or(RouteKind::Http);
    let port: Option<i32> = line().parse().ok();
    let keys = [annotation::PORTS, annotation::PROTOCOL, annotation::TLS_MODE, annotation::HOSTNAME];
    let annotations: Map<String, Value> =
        keys.into_iter().map(|key| (key.to_owned(), line().into())).filter(|(_, value)| value != "-").collect();
    let object = json!({
        "metadata": { "namespace": "apps", "name": format!("route-{nth}"), "annotations": annotations },
        "spec": {
            "parentRefs": [{ "namespace": world.gateway.namespace, "name": world.gateway.name, "port": port }],
            "hostnames": lines.collect::<Vec<_>>(),
        },
    });
    decode(kind, object).expect("a route")
}
