//! Who wins: incumbents first, then the oldest; what cannot stand beside the winners is rejected with a reason.
//!
//! One pass takes the groups in their order and never takes back a decision. An incumbent that turns out to have no
//! acceptable claim must not have influenced anyone, so the pass is then repeated without its privileges. Each
//! repetition takes a privilege away, which bounds their number.

use std::collections::{BTreeMap, BTreeSet};

use super::admit::named_namespaces;
use super::claim::{Claim, Slot};
use super::conflict::incompatible;
use super::demand::{Covered, Demand, Group};
use super::fixed::Fixed;
use super::name;
use super::owners::{Owners, refused};
use super::refusal::{self, Refusal};
use super::verdict::Verdicts;
use super::{Input, MAX_LISTENERS};

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
    pub claims: Vec<Claim<'a>>,
}

/// The privileges of an incumbent, each lost when it proves to be unfounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Privileges {
    /// Its place before newcomers.
    place: bool,
    /// Its name.
    name: bool,
    /// Its hostname, for the namespaces that it admits.
    hostname: bool,
}

/// Settles all groups. Rejections, and the covered claims, are added to `verdicts`.
pub(super) fn resolve<'a>(
    input: &Input<'_>,
    fixed: &Fixed,
    demand: &Demand<'a>,
    verdicts: &mut Verdicts<'a>,
) -> Vec<Settled<'a>> {
    let mut privileges = vec![Privileges { place: true, name: true, hostname: true }; input.live.len()];
    loop {
        let mut pass = Pass::new(input, fixed, demand, &privileges);
        pass.run(demand);
        let Some(fewer) = pass.revoked(demand) else {
            verdicts.append(pass.verdicts);
            return pass.settled;
        };
        privileges = fewer;
    }
}

struct Pass<'p, 'a> {
    input: &'p Input<'p>,
    fixed: &'p Fixed,
    privileges: &'p [Privileges],
    owners: Owners,
    /// By live place, the namespace to which the incumbent's hostname was given beforehand.
    holders: BTreeMap<usize, &'a str>,
    /// Names that incumbents keep, with their live places.
    reserved: BTreeMap<&'p str, usize>,
    names: BTreeSet<String>,
    /// How many listeners a namespace is the only claimant of.
    sole: BTreeMap<&'a str, u32>,
    settled: Vec<Settled<'a>>,
    verdicts: Verdicts<'a>,
}

impl<'p, 'a> Pass<'p, 'a> {
    fn new(input: &'p Input<'p>, fixed: &'p Fixed, demand: &Demand<'a>, privileges: &'p [Privileges]) -> Self {
        let mut pass = Self {
            input,
            fixed,
            privileges,
            owners: Owners::new(input),
            holders: BTreeMap::new(),
            reserved: BTreeMap::new(),
            names: fixed.listeners.iter().map(|fixed| fixed.listener.name.clone()).collect(),
            sole: BTreeMap::new(),
            settled: Vec::new(),
            verdicts: Verdicts::default(),
        };
        for group in &demand.groups {
            pass.prepare(group);
        }
        pass
    }

    fn privileges_of(&self, group: &Group<'_>) -> Option<(usize, Privileges)> {
        group.live.map(|live| (live, self.privileges[live])).filter(|(_, privileges)| privileges.place)
    }

    /// Sets aside what an incumbent has: its name while a claim is content with it, and its hostname.
    fn prepare(&mut self, group: &Group<'a>) {
        let Some((live, privileges)) = self.privileges_of(group) else { return };
        let listener = &self.input.live[live].listener;
        let content = |claim: &Claim<'_>| claim.wants.is_none_or(|wanted| wanted == listener.name);
        if privileges.name && group.claims.iter().any(content) {
            self.reserved.insert(&listener.name, live);
        }
        let admitted = named_namespaces(listener);
        let holder = group.claims.iter().find(|claim| {
            let namespace = claim.route.key.namespace.as_str();
            admitted.contains(namespace)
                && claim.slot.hostname.as_ref().is_some_and(|host| self.owners.other(host, namespace).is_none())
        });
        if let Some(holder) = holder.filter(|_| privileges.hostname) {
            let namespace = holder.route.key.namespace.as_str();
            self.owners.take(holder.slot.hostname.as_ref(), namespace);
            self.holders.insert(live, namespace);
        }
    }

    fn run(&mut self, demand: &Demand<'a>) {
        let (incumbents, others): (Vec<_>, Vec<_>) =
            demand.groups.iter().partition(|group| self.privileges_of(group).is_some());
        for group in incumbents {
            self.settle(group, true);
        }
        let (others, covered) = uncovered(&others, &demand.covered);
        let mut unsettled = covered.iter().peekable();
        for group in others {
            while let Some(older) = unsettled.next_if(|covered| covered.claim.age() < group.claims[0].age()) {
                self.owners.take(older.claim.slot.hostname.as_ref(), &older.claim.route.key.namespace);
            }
            self.settle(&group, false);
        }
        for covered in &covered {
            self.serve_covered(covered);
        }
    }

    fn settle(&mut self, group: &Group<'a>, incumbent: bool) {
        if let Some(refusal) = self.conflict(&group.slot) {
            return self.reject_all(&group.claims, &refusal);
        }
        let mut pool = self.not_owned_by_others(group);
        if !incumbent && self.fixed.listeners.len() + self.settled.len() >= MAX_LISTENERS {
            return self.reject_all(&pool, &refusal::limit_reached(&group.slot));
        }
        while let Some(first) = pool.first() {
            let namespace = first.route.key.namespace.as_str();
            let (party, rest): (Vec<_>, Vec<_>) =
                pool.into_iter().partition(|claim| !self.owners.exclusive() || claim.route.key.namespace == namespace);
            pool = rest;
            let Some(name) = self.name(group, &party) else {
                self.reject_names(&party);
                continue;
            };
            let (accepted, misnamed): (Vec<_>, Vec<_>) =
                party.into_iter().partition(|claim| claim.wants.is_none_or(|wanted| wanted == name));
            if let Some(namespace) = only_namespace(&accepted)
                && !incumbent
                && self.quota_reached(namespace)
            {
                self.reject_all(&accepted, &refusal::quota_reached(&group.slot, namespace));
                pool.splice(0..0, misnamed);
                continue;
            }
            self.reject_misnamed(&misnamed, &name);
            self.reject_owned(&pool, namespace);
            self.accept(group, name, accepted);
            return;
        }
    }

    /// Rejects the claims that other namespaces' hostnames forbid and returns the others, the incumbent's own first.
    fn not_owned_by_others(&mut self, group: &Group<'a>) -> Vec<Claim<'a>> {
        let mut pool = Vec::with_capacity(group.claims.len());
        for claim in &group.claims {
            match self.owned_by_another(claim) {
                Some(refusal) => self.verdicts.reject(claim.route, claim.order, refusal),
                None => pool.push(claim.clone()),
            }
        }
        if let Some(live) = group.live.filter(|_| self.owners.exclusive()) {
            let admitted = named_namespaces(&self.input.live[live].listener);
            pool.sort_by_key(|claim| !admitted.contains(claim.route.key.namespace.as_str()));
        }
        pool
    }

    fn owned_by_another(&self, claim: &Claim<'_>) -> Option<Refusal> {
        let (host, owner) = self.owners.other(claim.slot.hostname.as_ref()?, &claim.route.key.namespace)?;
        Some(refusal::hostname_owned(&claim.slot, host, owner))
    }

    /// What forbids a listener of this slot beside those taken before.
    fn conflict(&self, slot: &Slot) -> Option<Refusal> {
        let fixed = self.fixed.listeners.iter().map(|fixed| (&fixed.slot, fixed.listener.name.as_str()));
        let settled = self.settled.iter().map(|settled| (&settled.slot, settled.name.as_str()));
        fixed.chain(settled).find_map(|(other, name)| {
            let reason = incompatible(slot, other)?;
            Some(refusal::conflict(reason, slot, name, other))
        })
    }

    /// The listener's name, or none where no claim can be content.
    fn name(&self, group: &Group<'_>, party: &[Claim<'_>]) -> Option<String> {
        let free = |name: &str| {
            !self.names.contains(name) && self.reserved.get(name).is_none_or(|&live| Some(live) == group.live)
        };
        let current = self.privileges_of(group).map(|(live, _)| self.input.live[live].listener.name.as_str());
        let content =
            |name: &&str| free(name) && party.iter().any(|claim| claim.wants.is_none_or(|wanted| wanted == *name));
        let wanted = || party.iter().filter_map(|claim| claim.wants).find(|name| free(name));
        if let Some(name) = current.filter(content).or_else(wanted) {
            return Some(name.to_owned());
        }
        party.iter().any(|claim| claim.wants.is_none()).then(|| {
            let mut name = name::listener(&group.slot);
            while !free(&name) {
                name = name::alternative(&name);
            }
            name
        })
    }

    fn quota_reached(&self, namespace: &str) -> bool {
        let template = self.input.spec.listener_template.as_ref();
        let quota = template.and_then(|template| template.max_listeners_per_namespace);
        quota.is_some_and(|quota| self.sole.get(namespace).copied().unwrap_or(0) >= quota)
    }

    fn accept(&mut self, group: &Group<'a>, name: String, mut claims: Vec<Claim<'a>>) {
        claims.sort_by(|a, b| a.age().cmp(&b.age()));
        for claim in &claims {
            self.owners.take(claim.slot.hostname.as_ref(), &claim.route.key.namespace);
            self.verdicts.serve(claim.route, claim.order, claim.slot.clone(), &name);
        }
        if let Some(namespace) = only_namespace(&claims) {
            *self.sole.entry(namespace).or_default() += 1;
        }
        self.names.insert(name.clone());
        self.settled.push(Settled { slot: group.slot.clone(), live: group.live, name, claims });
    }

    /// A covered claim is served by the fixed listener, unless its very slot got a listener: traffic goes there then.
    fn serve_covered(&mut self, covered: &Covered<'a>) {
        let claim = &covered.claim;
        let Some(place) = self.settled.iter().position(|settled| settled.slot == claim.slot) else {
            return self.verdicts.serve(claim.route, claim.order, claim.slot.clone(), &covered.by);
        };
        if let Some(refusal) = self.owned_by_another(claim).or_else(|| refused(claim, self.input)) {
            return self.verdicts.reject(claim.route, claim.order, refusal);
        }
        let settled = &mut self.settled[place];
        self.verdicts.serve(claim.route, claim.order, claim.slot.clone(), &settled.name);
        settled.claims.push(claim.clone());
    }

    /// The privileges that remain when those that proved to be unfounded are taken away; none if all were founded.
    fn revoked(&self, demand: &Demand<'a>) -> Option<Vec<Privileges>> {
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
            return Privileges { place: false, ..had };
        };
        let namespaces = || settled.claims.iter().map(|claim| claim.route.key.namespace.as_str());
        Privileges {
            place: true,
            name: had.name && (settled.name == *name || !self.reserved.contains_key(name.as_str())),
            hostname: had.hostname
                && self.holders.get(&live).is_none_or(|holder| namespaces().any(|have| have == *holder)),
        }
    }

    /// New static listeners may leave less room than there are incumbents: the newest groups give way. A listener that
    /// another manager holds would stay all the same.
    fn displaced(&self) -> Vec<usize> {
        let excess = (self.fixed.listeners.len() + self.settled.len()).saturating_sub(MAX_LISTENERS);
        let gives_way = |live: usize| self.privileges[live].place && self.input.live[live].held_by.is_none();
        let incumbent = |settled: &&Settled<'_>| settled.live.is_some_and(gives_way);
        let mut incumbents: Vec<_> = self.settled.iter().filter(incumbent).collect();
        incumbents.sort_by(|a, b| b.claims[0].age().cmp(&a.claims[0].age()));
        incumbents.into_iter().take(excess).filter_map(|settled| settled.live).collect()
    }

    fn reject_all(&mut self, claims: &[Claim<'a>], refusal: &Refusal) {
        for claim in claims {
            self.verdicts.reject(claim.route, claim.order, refusal.clone());
        }
    }

    fn reject_owned(&mut self, claims: &[Claim<'a>], owner: &str) {
        for claim in claims {
            let refusal = match &claim.slot.hostname {
                Some(host) => refusal::hostname_owned(&claim.slot, host, owner),
                None => refusal::port_owned(&claim.slot, owner),
            };
            self.verdicts.reject(claim.route, claim.order, refusal);
        }
    }

    fn reject_misnamed(&mut self, claims: &[Claim<'a>], name: &str) {
        for claim in claims {
            let refusal = refusal::misnamed(&claim.slot, claim.wants.unwrap_or_default(), name);
            self.verdicts.reject(claim.route, claim.order, refusal);
        }
    }

    /// Every one of these claims wants a name that something else has.
    fn reject_names(&mut self, claims: &[Claim<'a>]) {
        for claim in claims {
            let wanted = claim.wants.unwrap_or_default();
            let bearer = self.bearer(wanted).unwrap_or_else(|| claim.slot.clone());
            self.verdicts.reject(claim.route, claim.order, refusal::name_taken(&claim.slot, wanted, &bearer));
        }
    }

    /// What the listener of that name is for.
    fn bearer(&self, name: &str) -> Option<Slot> {
        let fixed = self.fixed.named(name).map(Slot::of);
        let settled = || self.settled.iter().find(|settled| settled.name == name).map(|settled| settled.slot.clone());
        let incumbent = || self.reserved.get(name).map(|live| Slot::of(&self.input.live[*live].listener));
        fixed.or_else(settled).or_else(incumbent)
    }
}

/// The groups that are no incumbents, by age, less the claims that waited for what covers them: without a listener of
/// their own there is nothing to wait for. Those are among the covered ones that are returned beside them, by age.
fn uncovered<'a>(groups: &[&Group<'a>], covered: &[Covered<'a>]) -> (Vec<Group<'a>>, Vec<Covered<'a>>) {
    let (mut left, mut covered) = (Vec::new(), covered.to_vec());
    for group in groups {
        let (mut claims, live) = (Vec::new(), group.live);
        for claim in &group.claims {
            match claim.covered_by.clone() {
                Some(by) => covered.push(Covered { claim: claim.clone(), by }),
                None => claims.push(claim.clone()),
            }
        }
        if !claims.is_empty() {
            left.push(Group { slot: group.slot.clone(), live, claims });
        }
    }
    left.sort_by(|a, b| a.claims[0].age().cmp(&b.claims[0].age()));
    covered.sort_by(|a, b| a.claim.age().cmp(&b.claim.age()));
    (left, covered)
}

fn only_namespace<'a>(claims: &[Claim<'a>]) -> Option<&'a str> {
    let first = claims.first()?.route.key.namespace.as_str();
    claims.iter().all(|claim| claim.route.key.namespace == first).then_some(first)
}
