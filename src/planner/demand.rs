//! What all routes together ask for: claims of the same slot form a group, which becomes one listener.

use std::collections::{BTreeMap, HashMap};

use super::Input;
use super::claim::{self, Claim, Slot};
use super::fixed::{Cover, Fixed};
use super::owners;
use super::verdict::Verdicts;
use crate::routes::Route;

/// The claims of one slot.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// What they ask for.
    pub slot: Slot,
    /// Where a listener of ours for it stands on the live Gateway, if there is one.
    pub live: Option<usize>,
    /// Never empty; the oldest first.
    pub claims: Vec<Claim<'a>>,
}

/// What all routes ask for.
#[derive(Debug)]
pub(super) struct Demand<'a> {
    /// Those that stand on the Gateway first, in their order there; then the others by the age of their oldest claim.
    pub groups: Vec<Group<'a>>,
    /// Claims that fixed listeners serve.
    pub covered: Vec<Claim<'a>>,
}

impl<'a> Demand<'a> {
    /// Collects it from the routes, which are the oldest first; claims that can be judged by themselves are judged in
    /// `verdicts`.
    pub fn of(routes: &[&'a Route], input: &Input<'_>, fixed: &'a Fixed, verdicts: &mut Verdicts<'a>) -> Self {
        let places = places(input, fixed);
        let (mut groups, mut covered) = (Vec::<Group<'a>>::new(), Vec::new());
        let mut numbers = HashMap::new();
        let mut group = |claim: Claim<'a>| {
            let slot = &claim.slot;
            if let Some(number) = numbers.get(slot) {
                let group: &mut Group<'a> = &mut groups[*number];
                group.claims.push(claim);
            } else {
                numbers.insert(slot.clone(), groups.len());
                groups.push(Group { slot: slot.clone(), live: places.get(slot).copied(), claims: vec![claim] });
            }
        };
        for route in routes.iter().copied().enumerate() {
            for mut claim in claim::collect(route, input, fixed, verdicts) {
                let refused = owners::refused(&claim, input);
                match (fixed.cover(&claim, input), refused) {
                    (Cover::Refused(refusal), _) | (Cover::No, Some(refusal)) => {
                        verdicts.reject(claim.route, claim.order, refusal);
                    }
                    (Cover::By(by), refused) => {
                        claim.covered_by = Some(&by.listener.name);
                        // A listener that exists stays until the wildcard that covers it is programmed.
                        let waits = refused.is_none() && by.slot != claim.slot && !by.programmed;
                        if waits && places.contains_key(&claim.slot) {
                            group(claim);
                        } else {
                            covered.push(claim);
                        }
                    }
                    (Cover::No, None) => group(claim),
                }
            }
        }
        groups.sort_by_key(|group| (group.live.is_none(), group.live));
        Self { groups, covered }
    }
}

/// Where on the live Gateway the listeners of ours stand that routes asked for.
fn places(input: &Input<'_>, fixed: &Fixed) -> BTreeMap<Slot, usize> {
    let generated = |(place, _): &(usize, _)| !fixed.listeners.iter().any(|fixed| fixed.live == Some(*place));
    let ours = input.live.iter().enumerate().filter(|(_, live)| live.ours);
    ours.filter(generated).map(|(place, live)| (Slot::of(&live.listener), place)).collect()
}
