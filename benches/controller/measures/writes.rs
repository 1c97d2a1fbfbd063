//! Requests for a route that is added, changed, removed, or changed in what does not matter.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use controlplane::{RequestKey, Requests};
use serde_json::json;

use crate::Outcome;
use crate::cluster::{Cluster, Wanted};
use crate::figures::{Figures, number};
use crate::measures::side::Side;

/// Routes that are added, changed and removed, one after another.
const ROUTES: usize = 20;
/// How long what a change leads to may come after it.
const AFTERWARDS: Duration = Duration::from_secs(1);
const ROUTES_RESOURCE: &str = "gateway.networking.k8s.io/httproutes";
const GATEWAYS_RESOURCE: &str = "gateway.networking.k8s.io/gateways";
/// What the API server itself looks at from time to time.
const APISERVERS_OWN: [&str; 5] =
    ["services", "configmaps", "networking.k8s.io/ipaddresses", "networking.k8s.io/servicecidrs", "resourcequotas"];

/// By verb and resource, then by what was done.
pub type PerRoute = BTreeMap<String, BTreeMap<String, f64>>;

/// Counts the requests of a program.
pub async fn per_route(side: &Side<'_>, figures: &mut Figures) -> Outcome<PerRoute> {
    let gateway = side.gateway("writes");
    let wanted = |number: usize, host: &str| Wanted::new(&gateway, number, &format!("{host}-{number}"));
    let base: Vec<_> = (0..20).map(|number| wanted(number, "host")).collect();
    let keys = [gateway.clone()];
    side.make(&keys, &base).await?;
    let added: Vec<_> = (0..ROUTES).map(|number| wanted(number, "added")).collect();
    let changed: Vec<_> = added
        .iter()
        .enumerate()
        .map(|(number, route)| Wanted { name: route.name.clone(), ..wanted(number, "changed") })
        .collect();
    let mut found = PerRoute::new();
    let cluster = side.cluster;
    count(side, "added", &added, &mut found, async |route| {
        cluster.create_one(route).await?;
        in_gateway(side, route, true).await
    })
    .await?;
    count(side, "changed", &changed, &mut found, async |route| {
        cluster.change(route, json!({ "spec": route.asks() })).await?;
        in_gateway(side, route, true).await
    })
    .await?;
    count(side, "irrelevant change", &changed, &mut found, async |route| {
        let rules = json!([{ "backendRefs": [{ "name": "backend", "port": 9090 }] }]);
        cluster.change(route, json!({ "spec": { "rules": rules } })).await
    })
    .await?;
    count(side, "no change", &changed, &mut found, async |route| {
        cluster.change(route, json!({ "spec": { "hostnames": [route.host] } })).await
    })
    .await?;
    count(side, "removed", &changed, &mut found, async |route| {
        cluster.delete_one(route).await?;
        in_gateway(side, route, false).await
    })
    .await?;
    side.clean(&keys, &base).await?;
    summarize(&found, figures);
    Ok(found)
}

async fn in_gateway(side: &Side<'_>, route: &Wanted, wanted: bool) -> Outcome {
    let began = Instant::now();
    let seen = side.cluster.gateways.until_host(&route.gateway, &route.host, wanted).await?;
    side.rest(seen.max(began)).await;
    Ok(())
}

/// Does something to each route, and counts what a program asks the API server for meanwhile.
async fn count(
    side: &Side<'_>,
    what: &str,
    routes: &[Wanted],
    found: &mut PerRoute,
    act: impl AsyncFn(&Wanted) -> Outcome,
) -> Outcome {
    let before = side.cluster.plane.requests().await?;
    let own_before = side.cluster.own_writes.load(Ordering::Relaxed);
    for route in routes {
        act(route).await?;
    }
    tokio::time::sleep(AFTERWARDS).await;
    let own = side.cluster.own_writes.load(Ordering::Relaxed) - own_before;
    for (key, count) in of_program(side.cluster, &before, own).await?.0 {
        let name = format!("{} {}", key.verb, key.resource);
        let of_name = found.entry(name).or_default();
        *of_name.entry(what.to_owned()).or_default() += number(count) / number(routes.len());
    }
    Ok(())
}

/// What was asked for since then, less the watches that ended, the changes that were made here, and what the API server
/// asks itself for.
pub async fn of_program(cluster: &Cluster, before: &Requests, mut own: u64) -> Outcome<Requests> {
    let meant = |key: &RequestKey| key.verb != "WATCH" && !APISERVERS_OWN.contains(&key.resource.as_str());
    let mut requests = cluster.plane.requests().await?.since(before).only(meant);
    let is_own = |key: &RequestKey| key.resource == ROUTES_RESOURCE && key.verb != "GET" && key.verb != "LIST";
    for (_, count) in requests.0.iter_mut().filter(|(key, _)| is_own(key)) {
        let counted = (*count).min(own);
        *count -= counted;
        own -= counted;
    }
    Ok(requests.only(|key| requests.0[key] > 0))
}

/// Writes of Gateways themselves, their status left out.
pub fn gateway_writes(requests: &Requests) -> u64 {
    requests.writes().only(|key| key.resource == GATEWAYS_RESOURCE).total()
}

fn summarize(found: &PerRoute, figures: &mut Figures) {
    let sum = |what: &str, is_meant: &dyn Fn(&str, &str) -> bool| -> f64 {
        let lines = found.iter().filter(|(name, _)| name.split_once(' ').is_some_and(|(verb, of)| is_meant(verb, of)));
        lines.filter_map(|(_, by)| by.get(what)).fold(0.0, |sum, count| sum + count)
    };
    let is_write = |verb: &str| !matches!(verb, "GET" | "LIST");
    for what in ["added", "changed", "irrelevant change", "no change", "removed"] {
        figures.insert(format!("writes, {what}"), sum(what, &|verb, _| is_write(verb)));
        figures.insert(
            format!("Gateway writes, {what}"),
            sum(what, &|verb, of| is_write(verb) && of == GATEWAYS_RESOURCE),
        );
        figures
            .insert(format!("status writes, {what}"), sum(what, &|verb, of| is_write(verb) && of.ends_with("/status")));
    }
}
