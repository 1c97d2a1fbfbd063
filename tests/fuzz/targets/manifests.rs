//! Manifests, however they are made, are read and planned.

#![no_main]

use homelab_helper::manifests::Manifests;
use homelab_helper::planner::MAX_LISTENERS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut manifests = Manifests::default();
    manifests.read("input", text);
    for gateway in manifests.wrapped_gateways.keys() {
        let plan = manifests.plan(gateway).expect("a plan for each WrappedGateway");
        let live = manifests.gateways.get(gateway).map_or(0, |existing| existing.live.len());
        let fixed = manifests.wrapped_gateways[gateway].spec.listeners.len();
        // A manifest may have more listeners than the API server would take; routes add none to them.
        assert!(plan.total > 0 && plan.total <= MAX_LISTENERS.max(live + fixed + 1), "{} listeners", plan.total);
        let _ = manifests.left_alone(gateway);
    }
    for problem in &manifests.problems {
        assert!(!problem.to_string().is_empty());
    }
});
