//! `make bench-planner`: what a plan and a change of the index cost, without any cluster.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use homelab_helper::api::WrappedGatewaySpec;
use homelab_helper::planner::{Input, LiveListener, plan};
use homelab_helper::routes::{GatewayRef, Index, ParentRef, Route, RouteKey, RouteKind, Wishes};
use k8s_openapi::jiff::Timestamp;

/// The program's own.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn gateway(name: &str) -> GatewayRef {
    GatewayRef { namespace: "edge".to_owned(), name: name.to_owned() }
}

/// A route of one hostname. Some hostnames repeat, so that listeners have several claimants.
fn route(number: usize, hosts: usize, gateway: &GatewayRef) -> Route {
    Route {
        key: RouteKey {
            namespace: format!("team-{}", number % hosts % 10),
            name: format!("route-{number}"),
            kind: RouteKind::Http,
        },
        uid: String::new(),
        created: Timestamp::from_second(1_700_000_000 + i64::try_from(number).unwrap_or_default()).ok(),
        parent_refs: vec![ParentRef { gateway: gateway.clone(), section_name: None, port: Some(443) }],
        hostnames: vec![format!("host-{}.example.com", number % hosts)],
        wishes: Wishes::default(),
        relics: false,
        names: Box::default(),
    }
}

/// Plans a Gateway that is already as its claims want it, which is the usual case.
fn plan_settled(criterion: &mut Criterion, name: &str, claims: usize, hosts: usize) {
    let gateway = gateway("edge");
    let spec = WrappedGatewaySpec::default();
    let namespaces = BTreeMap::new();
    let routes: Vec<_> = (0..claims).map(|number| Arc::new(route(number, hosts, &gateway))).collect();
    let first = plan(&Input { gateway: &gateway, spec: &spec, live: &[], routes: &routes, namespaces: &namespaces });
    let live: Vec<_> = first
        .listeners
        .into_iter()
        .map(|planned| LiveListener { listener: planned.listener, ours: true, held_by: None, programmed: true })
        .collect();
    let input = Input { gateway: &gateway, spec: &spec, live: &live, routes: &routes, namespaces: &namespaces };
    criterion.bench_function(name, |bencher| bencher.iter(|| plan(black_box(&input))));
}

fn plans(criterion: &mut Criterion) {
    plan_settled(criterion, "plan: 1 claim, 1 listener", 1, 1);
    plan_settled(criterion, "plan: 64 claims, 64 listeners", 64, 64);
    plan_settled(criterion, "plan: 200 claims, 64 listeners", 200, 64);
    plan_settled(criterion, "plan: 1,000 claims, 64 listeners", 1_000, 64);
    plan_settled(criterion, "plan: 1,000 claims, 64 listeners, 936 rejected", 1_000, 1_000);
}

/// A change in an index of many routes over 250 Gateways.
fn index(criterion: &mut Criterion) {
    for size in [1_000, 100_000] {
        let mut index = Index::default();
        for number in 0..size {
            index.apply(route(number, size, &gateway(&format!("edge-{}", number % 250))));
        }
        let mut changed = route(7, size, &gateway("edge-7"));
        let mut round = 0_u32;
        criterion.bench_function(&format!("index: a change among {size} routes"), |bencher| {
            bencher.iter_batched(
                || {
                    round += 1;
                    changed.hostnames = vec![format!("round-{round}.example.com")];
                    changed.clone()
                },
                |route| black_box(index.apply(route)),
                BatchSize::SmallInput,
            );
        });
        criterion.bench_function(&format!("index: routes of a gateway among {size}"), |bencher| {
            bencher.iter(|| black_box(index.attached_to(&gateway("edge-7"))));
        });
    }
}

criterion_group!(benches, plans, index);
criterion_main!(benches);
