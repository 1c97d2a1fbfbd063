//! Who wins: incumbents first, then the oldest; what cannot stand beside the winners is rejected with a reason.
//!
//! One pass takes the groups in their order and never takes back a decision. An incumbent that turns out to have no
//! acceptable claim must not have influenced anyone, so the pass is then repeated without its privileges. Each
//! repetition takes a privilege away, which bounds their number.

use std::cmp::Reverse;

use super::Input;
use super::MAX_LISTENERS;
use super::claim::{Claim, Slot};
use super::demand::Demand;
use super::fixed::Fixed;
use super::pass::Pass;
use super::verdict::Verdicts;

/// A group that gets its listener.
#[derive(Debug)]
pub(super) struct Settled<'a> {
    /// What it is for.
    pub slot: Slot,
    /// Where its listener stands on the live Gateway, if it does.
    pub live: Option<usize>,
    /// What its listener is called.
    pub name: String,
    /// Its accepted claims, the oldest first.
    pub claims: Vec<&'a Claim<'a>>,
}

/// The privileges of an incumbent, each lost when it proves to be unfounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Privileges {
    /// Its place before newcomers.
    pub place: bool,
    /// Its name.
    pub name: bool,
    /// Its hostname, for the namespaces that it admits.
    pub hostname: bool,
}

/// Settles all groups, and says what becomes of each claim.
pub(super) fn resolve<'a>(
    input: &Input<'_>,
    fixed: &Fixed,
    demand: &'a Demand<'a>,
) -> (Vec<Settled<'a>>, Verdicts<'a>) {
    let mut privileges = vec![Privileges { place: true, name: true, hostname: true }; input.live.len()];
    loop {
        let pass = Pass::run(input, fixed, demand, &privileges);
        let Some(fewer) = pass.revoked(demand) else {
            return (pass.settled, pass.verdicts);
        };
        privileges = fewer;
    }
}

impl Pass<'_, '_> {
    /// The privileges that remain when those that proved to be unfounded are taken away; none if all were founded.
    fn revoked(&self, demand: &Demand<'_>) -> Option<Vec<Privileges>> {
        let mut remaining = self.privileges.to_vec();
        let mut any = false;
        for group in &demand.groups {
            let Some((live, had)) = self.privileges_of(group) else { continue };
            let left = self.founded(live, had);
            any |= left != had;
            remaining[live] = left;
        }
        if !any {
            for live in self.displaced() {
                remaining[live].place = false;
                any = true;
            }
        }
        any.then_some(remaining)
    }

    fn founded(&self, live: usize, had: Privileges) -> Privileges {
        let name = &self.input.live[live].listener.name;
        let Some(settled) = self.settled.iter().find(|settled| settled.live == Some(live)) else {
            // What was set aside for claims that are turned down may have kept the hostname from another incumbent, which
            // must not lose its place for that: so hostnames are given up first.
            return Privileges { place: had.hostname, hostname: false, ..had };
        };
        Privileges { name: had.name && (settled.name == *name || !self.reserved.contains_key(name.as_str())), ..had }
    }

    /// New static listeners may leave less room than there are incumbents: the newest groups give way. A listener that
    /// another manager holds would stay all the same.
    fn displaced(&self) -> Vec<usize> {
        let excess = (self.fixed.listeners.len() + self.settled.len()).saturating_sub(MAX_LISTENERS);
        let gives_way = |live: usize| self.privileges[live].place && self.input.live[live].held_by.is_none();
        let incumbent = |settled: &&Settled<'_>| settled.live.is_some_and(gives_way);
        let mut incumbents: Vec<_> = self.settled.iter().filter(incumbent).collect();
        incumbents.sort_by_key(|settled| Reverse(settled.claims[0].age()));
        incumbents.into_iter().take(excess).filter_map(|settled| settled.live).collect()
    }
}
