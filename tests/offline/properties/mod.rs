//! The laws of the planner, over histories: whatever happens, in whatever order, each plan that is applied becomes the
//! state that the next one starts from.
//!
//! `PROPTEST_CASES=1000000 cargo test properties` runs longer. A history that once failed is kept in
//! `proptest-regressions/` and tried first.

mod laws;

use std::env;

use histories::generators::{crowd, one_of_the_crowd, step};
use histories::{Step, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Histories in an ordinary run.
const CASES: u32 = 10_000;

fn config() -> ProptestConfig {
    let ordinary = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { ordinary.cases } else { CASES };
    let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/offline/proptest-regressions/properties.txt");
    let failure_persistence = Some(Box::new(FileFailurePersistence::Direct(regressions)) as Box<_>);
    ProptestConfig { cases, failure_persistence, max_shrink_iters: 20_000, ..ordinary }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_laws_hold_over_histories(crowd in crowd(), steps in vec(step(), 1..=14)) {
        let mut world = World::default();
        for nth in 0..crowd {
            world.step(one_of_the_crowd(nth));
        }
        for step in steps {
            happen(&mut world, step)?;
        }
    }
}

/// Lets something happen, plans, checks every law, and applies the plan.
fn happen(world: &mut World, step: Step) -> Result<(), TestCaseError> {
    let before = world.clone();
    let before_plan = before.plan();
    let touched = match &step {
        Step::Put(route) => Some(route.key.clone()),
        Step::Remove(nth) => before.nth_route(*nth),
        _ => None,
    };
    world.step(step);
    let plan = world.plan();
    laws::order_of_input_does_not_matter(world, &plan)?;
    laws::foreign_listeners_are_not_emitted(world, &plan)?;
    laws::static_listeners_are_as_written(world, &plan)?;
    laws::held_listeners_stay(world, &plan)?;
    laws::each_claim_has_one_verdict(world, &plan)?;
    laws::a_rejected_route_changes_nothing(world, &plan)?;
    let planned = world.clone();
    world.apply(&plan);
    laws::the_api_server_accepts(world, &plan)?;
    laws::data_planes_accept(world, &plan)?;
    laws::served_routes_attach(world, &plan)?;
    laws::routes_that_attach_elsewhere_are_warned(world, &plan)?;
    laws::all_but_the_oldest_on_a_port_are_warned(world, &plan)?;
    laws::planning_again_changes_nothing(world, &plan)?;
    if let Some(key) = touched {
        laws::other_routes_keep_their_listeners(&before, &before_plan, world, &plan, &key)?;
        match (before.routes.contains_key(&key), planned.routes.contains_key(&key)) {
            (false, true) => laws::adding_moves_nothing(&before, world)?,
            (true, false) => laws::removing_adds_only_what_waited(&before_plan, &plan)?,
            _ => {}
        }
    }
    Ok(())
}
