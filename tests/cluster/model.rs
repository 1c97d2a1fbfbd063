use histories::World;
use histories::generators::step;
use homelab_helper::api::{FIELD_MANAGER, Listener, Protocol};
use homelab_helper::controller::observe::gateway_resource;
use homelab_helper::planner::Plan;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::agree::{Judge, config};
use super::desk::listeners;

/// Histories in an ordinary run.
const HISTORIES: u32 = 40;
/// Where nobody else makes Gateways of the same name.
const NAMESPACE: &str = "stage";

/// The laws hold over plans that a model applies, so the model has to do what the API server does: which listeners then
/// are there, and in which order.
#[test]
fn the_api_server_makes_of_a_plan_what_the_model_makes_of_it() {
    let judge = Judge::new(NAMESPACE);
    let outcome = TestRunner::new(config(HISTORIES)).run(&vec(step(), 1..=10), |steps| {
        let mut world = World::default();
        for step in steps {
            world.step(step);
            let plan = world.plan();
            let before = world.clone();
            world.apply(&plan);
            // Otherwise there is nothing that could be merged.
            if !before.live.is_empty() && !plan.listeners.is_empty() && world.live != before.live {
                let made = judge.runtime.block_on(Stage::on(&judge, &before).play(&before, &plan));
                let expected: Vec<_> = world.live.iter().map(|live| face(&live.listener)).collect();
                prop_assert_eq!(made.iter().map(face).collect::<Vec<_>>(), expected);
            }
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

fn face(listener: &Listener) -> (&str, u16, &Protocol, Option<&str>) {
    (&listener.name, listener.port, &listener.protocol, listener.hostname.as_deref())
}

/// Where worlds are played with a real Gateway.
struct Stage {
    gateways: Api<DynamicObject>,
    name: String,
}

impl Stage {
    fn on(judge: &Judge, world: &World) -> Self {
        Self {
            gateways: Api::namespaced_with(judge.client.clone(), NAMESPACE, &gateway_resource()),
            name: world.gateway.name.clone(),
        }
    }

    /// Sets the Gateway up as it is in that world, and shows what the listeners would be after the plan's apply.
    async fn play(&self, world: &World, plan: &Plan) -> Vec<Listener> {
        let _ = self.gateways.delete(&self.name, &DeleteParams::default()).await;
        let ours = world.live.iter().filter(|live| live.ours).map(|live| json!(live.listener));
        self.apply(FIELD_MANAGER, ours.collect(), false).await;
        for manager in ["someone", "tuner"] {
            let theirs = world.live.iter().filter(|live| live.held_by.as_deref() == Some(manager)).map(|live| {
                // Of a listener of ours they hold no more than that it is there.
                if live.ours { json!({ "name": live.listener.name }) } else { json!(live.listener) }
            });
            self.apply(manager, theirs.collect(), false).await;
        }
        let in_order = world.live.iter().map(|live| &live.listener).collect::<Vec<_>>();
        let order = json!({ "spec": { "listeners": in_order } });
        let parameters = PatchParams::default();
        let set =
            self.gateways.patch(&self.name, &parameters, &Patch::Merge(&order)).await.expect("a Gateway in order");
        assert_eq!(
            listeners(&set).iter().map(face).collect::<Vec<_>>(),
            in_order.into_iter().map(face).collect::<Vec<_>>()
        );
        let planned = plan.listeners.iter().map(|planned| json!(planned.listener)).collect();
        listeners(&self.apply(FIELD_MANAGER, planned, true).await.expect("an apply"))
    }

    /// Applies listeners, if there are any.
    async fn apply(&self, manager: &str, listeners: Vec<Value>, dry_run: bool) -> Option<DynamicObject> {
        if listeners.is_empty() {
            return None;
        }
        let body = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": { "name": self.name },
            "spec": { "gatewayClassName": "any", "listeners": listeners },
        });
        let parameters = PatchParams { dry_run, ..PatchParams::apply(manager).force() };
        Some(self.gateways.patch(&self.name, &parameters, &Patch::Apply(&body)).await.expect("an apply"))
    }
}
