use std::cell::RefCell;
use std::collections::HashSet;
use std::env;
use std::time::Instant;

use histories::generators::{near_the_limit, one_of_the_crowd, step};
use histories::{Step, World};
use homelab_helper::api::{FIELD_MANAGER, WrappedGateway};
use homelab_helper::controller::observe::gateways;
use homelab_helper::controller::wish::Wish;
use homelab_helper::planner::Plan;
use homelab_helper::routes::{ParentRef, Route, RouteKey, RouteKind, Wishes};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Api, Client};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::desk::cluster;

/// Histories in an ordinary run. `PROPTEST_CASES` may ask for another number.
const HISTORIES: u32 = 2_000;
/// Gateways with strange words in an ordinary run.
const WORDS: u32 = 500;

#[test]
fn the_api_server_refuses_no_planned_gateway() {
    let (judge, begun) = (Judge::new("infra"), Instant::now());
    // A Gateway costs the API server the more the more listeners it has, so few are near the limit.
    let crowd = prop_oneof![199 => Just(0), 1 => near_the_limit()];
    let outcome = TestRunner::new(config(HISTORIES)).run(&(crowd, vec(step(), 1..=10)), |(crowd, steps)| {
        let mut world = World::default();
        (0..crowd).for_each(|nth| world.step(one_of_the_crowd(nth)));
        for step in steps {
            world.step(step);
            let plan = world.plan();
            judge.applied(&world, &plan)?;
            world.apply(&plan);
            judge.merged(&world)?;
        }
        judge.tally.borrow_mut().histories += 1;
        Ok(())
    });
    let tally = judge.tally.borrow();
    println!("{} histories, {tally} in {:.1} s", tally.histories, begun.elapsed().as_secs_f32());
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(tally.accepted.len() > tally.histories, "most histories make Gateways of their own");
}

/// What the histories' few words leave out: names of every length, and hostnames that are none or hardly one.
#[test]
fn the_api_server_refuses_no_gateway_whatever_the_words() {
    let judge = Judge::new("infra");
    let words =
        (name(), hostname(), hostname(), weighted(0.3, name()), 1..=65_535_u16, select(RouteKind::ALL.to_vec()));
    let outcome = TestRunner::new(config(WORDS)).run(&words, |(gateway, host, other, section_name, port, kind)| {
        let mut world = World::default();
        world.gateway.name = gateway;
        let parent = ParentRef { gateway: world.gateway.clone(), section_name, port: Some(port.into()) };
        let key = RouteKey { namespace: "apps".to_owned(), name: "route".to_owned(), kind };
        let hostnames = if kind.has_hostnames() { vec![host, other] } else { Vec::new() };
        world.step(Step::Put(Route {
            key,
            uid: String::new(),
            created: None,
            parent_refs: vec![parent],
            hostnames,
            wishes: Wishes::default(),
            relics: false,
            names: Box::default(),
        }));
        judge.applied(&world, &world.plan())
    });
    println!("{}", judge.tally.borrow());
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

/// A name as the API server lets objects and sectionNames have it.
fn name() -> impl Strategy<Value = String> {
    let label = "[a-z0-9]([-a-z0-9]{0,70}[a-z0-9])?";
    prop_oneof![label, "[a-z0-9]([-a-z0-9]{0,33}[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]{0,33}[a-z0-9])?){1,6}"]
}

fn hostname() -> impl Strategy<Value = String> {
    let labels = "(\\*\\.)?([a-z0-9-]{1,63}\\.){0,3}[a-z]{1,63}";
    prop_oneof![
        "[a-zA-Z0-9*._-]{0,12}",
        labels,
        "([a-z0-9]{40,64}\\.){3,4}[a-z0-9]{1,63}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
    ]
}

pub fn config(ordinary_cases: u32) -> ProptestConfig {
    let ordinary = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { ordinary.cases } else { ordinary_cases };
    let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/proptest-regressions/agree.txt");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(regressions)) as Box<_>);
    ProptestConfig { cases, failure_persistence, max_shrink_iters: 2_000, ..ordinary }
}

/// An API server that is asked what it thinks of Gateways, on one connection, and forgets them at once.
pub struct Judge {
    pub runtime: Runtime,
    pub client: Client,
    tally: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    histories: usize,
    planned: usize,
    most_listeners: usize,
    /// What need not be asked once more.
    accepted: HashSet<String>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { planned, most_listeners, accepted, .. } = self;
        write!(f, "{planned} plans, {} distinct Gateways of at most {most_listeners} listeners", accepted.len())
    }
}

impl Judge {
    /// With a namespace of that name, if it is not there yet.
    pub fn new(namespace: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let client = cluster().await.client().expect("a client");
            let metadata = ObjectMeta { name: Some(namespace.to_owned()), ..ObjectMeta::default() };
            let object = Namespace { metadata, ..Namespace::default() };
            let parameters = PatchParams::apply("test").force();
            Api::<Namespace>::all(client.clone())
                .patch(namespace, &parameters, &Patch::Apply(&object))
                .await
                .expect("a namespace");
            client
        });
        Self { runtime, client, tally: RefCell::default() }
    }

    /// What the controller would apply where there is no Gateway yet. Where all listeners are those of others there is
    /// no such thing: then only the whole can be judged.
    fn applied(&self, world: &World, plan: &Plan) -> Result<(), TestCaseError> {
        self.tally.borrow_mut().planned += 1;
        let listeners: Vec<_> = plan.listeners.iter().map(|planned| json!(planned.listener)).collect();
        if listeners.is_empty() { Ok(()) } else { self.accepts(world, &listeners) }
    }

    /// The whole that it becomes with the listeners of others: rules about a list of listeners are judged on that.
    fn merged(&self, world: &World) -> Result<(), TestCaseError> {
        self.accepts(world, &world.live.iter().map(|live| json!(live.listener)).collect::<Vec<_>>())
    }

    fn accepts(&self, world: &World, listeners: &[Value]) -> Result<(), TestCaseError> {
        let count = listeners.len();
        let mut wrapped = WrappedGateway::new(&world.gateway.name, world.spec.clone());
        wrapped.metadata.uid = Some("1".to_owned());
        let body = Wish::new(&wrapped, listeners).guarded(&world.gateway, None);
        let text = body.to_string();
        if self.tally.borrow().accepted.contains(&text) {
            return Ok(());
        }
        let parameters = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER).force().validation_strict() };
        let gateways = gateways(&self.client, &world.gateway.namespace);
        let answer = self.runtime.block_on(gateways.patch(&world.gateway.name, &parameters, &Patch::Apply(&body)));
        let gateway = answer.map_err(|error| TestCaseError::fail(format!("{error}\n{body:#}")))?;
        let taken = gateway.whole["spec"]["listeners"].as_array().map_or(0, Vec::len);
        prop_assert_eq!(taken, count, "every listener is taken");
        let mut tally = self.tally.borrow_mut();
        tally.accepted.insert(text);
        tally.most_listeners = tally.most_listeners.max(count);
        Ok(())
    }
}
