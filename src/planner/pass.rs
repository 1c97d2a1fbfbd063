//! One pass over all groups, in their order: who gets a listener, what it is called, and why the others get none.
//!
//! Whatever turns a claim down here holds for the rest of the pass, so that no decision is taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::admit::named_namespaces;
use super::claim::{Age, Claim, Slot};
use super::conflict::incompatible;
use super::demand::{Covered, Demand, Group};
use super::fixed::Fixed;
use super::name;
use super::owners::{Owners, refused};
use super::refusal::{self, Refusal};
use super::resolve::{Privileges, Settled};
use super::verdict::Verdicts;
use super::{Input, MAX_LISTENERS};

/// The state of a pass, and in the end its outcome.
pub(super) struct Pass<'p, 'a> {
    pub input: &'p Input<'p>,
    pub fixed: &'p Fixed,
    pub privileges: &'p [Privileges],
    /// Names that incumbents keep, with their live places.
    pub reserved: BTreeMap<&'p str, usize>,
    pub settled: Vec<Settled<'a>>,
    pub verdicts: Verdicts<'a>,
    owners: Owners,
    names: BTreeSet<String>,
    /// How many listeners a namespace is the only claimant of.
    sole: BTreeMap<&'a str, u32>,
}

impl<'p, 'a> Pass<'p, 'a> {
    /// Settles what can be settled while the incumbents have those privileges.
    pub fn run(input: &'p Input<'p>, fixed: &'p Fixed, demand: &Demand<'a>, privileges: &'p [Privileges]) -> Self {
        let mut pass = Self {
            input,
            fixed,
            privileges,
            reserved: BTreeMap::new(),
            settled: Vec::new(),
            verdicts: Verdicts::default(),
            owners: Owners::new(input),
            names: fixed.listeners.iter().map(|fixed| fixed.listener.name.clone()).collect(),
            sole: BTreeMap::new(),
        };
        // A listener that another manager holds may stand there for that reason alone, and then has nothing to keep.
        let is_held = |group: &&Group<'_>| group.live.is_some_and(|live| input.live[live].held_by.is_some());
        let (held, others): (Vec<_>, Vec<_>) = demand.groups.iter().partition(is_held);
        for group in others.into_iter().chain(held) {
            pass.prepare(group);
        }
        let (incumbents, others): (Vec<_>, Vec<_>) =
            demand.groups.iter().partition(|group| pass.privileges_of(group).is_some());
        for group in incumbents {
            pass.settle_incumbent(group);
        }
        let (others, covered) = uncovered(&others, &demand.covered);
        pass.settle_by_age(others, &covered);
        for covered in &covered {
            pass.serve_covered(covered);
        }
        pass
    }

    /// Where the group's incumbent stands, and what privileges it has; none where it is none.
    pub fn privileges_of(&self, group: &Group<'_>) -> Option<(usize, Privileges)> {
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
        let admitted: BTreeSet<_> = named_namespaces(listener).collect();
        let holder = group.claims.iter().find(|claim| {
            let namespace = claim.route.key.namespace.as_str();
            admitted.contains(namespace)
                && claim.slot.hostname.as_ref().is_some_and(|host| self.owners.other(host, namespace).is_none())
        });
        if let Some(holder) = holder.filter(|_| privileges.hostname) {
            let namespace = holder.route.key.namespace.as_str();
            self.owners.take(holder.slot.hostname.as_ref(), namespace);
        }
    }

    /// An incumbent has its place, whatever limit or quota says; of its claimants the namespaces that it admits come first.
    fn settle_incumbent(&mut self, group: &Group<'a>) {
        if let Some(refusal) = self.conflict(&group.slot) {
            return self.reject_all(&group.claims, &refusal);
        }
        let mut pool = group.claims.clone();
        pool.retain(|claim| !self.reject_owned_by_another(claim));
        if let Some(live) = group.live.filter(|_| self.owners.exclusive()) {
            let admitted: BTreeSet<_> = named_namespaces(&self.input.live[live].listener).collect();
            pool.sort_by_key(|claim| !admitted.contains(claim.route.key.namespace.as_str()));
        }
        while let Some(first) = pool.first() {
            let namespace = first.route.key.namespace.as_str();
            let (party, rest) = self.party(pool, namespace);
            let Some(name) = self.name(group, &party) else {
                self.reject_names(&party);
                pool = rest;
                continue;
            };
            let (accepted, misnamed): (Vec<_>, Vec<_>) =
                party.into_iter().partition(|claim| claim.wants.is_none_or(|wanted| wanted == name));
            self.reject_misnamed(&misnamed, &name);
            self.reject_owned(&rest, namespace);
            return self.accept(group, name, accepted);
        }
    }

    /// Takes the other groups by the age of their oldest claim that is not turned down: one that is must not have
    /// brought its group forward.
    fn settle_by_age(&mut self, groups: Vec<Group<'a>>, covered: &[Covered<'a>]) {
        let mut covered = covered.iter().peekable();
        let mut queue: BTreeMap<Age, Group<'a>> = BTreeMap::new();
        let enqueue = |queue: &mut BTreeMap<_, _>, group: Group<'a>| {
            if let Some(first) = group.claims.first() {
                queue.insert(first.age(), group);
            }
        };
        for group in groups {
            enqueue(&mut queue, group);
        }
        while let Some((age, mut group)) = queue.pop_first() {
            while let Some(older) = covered.next_if(|covered| covered.claim.age() < age) {
                self.owners.take(older.claim.slot.hostname.as_ref(), &older.claim.route.key.namespace);
            }
            if let Some(refusal) = self.conflict(&group.slot) {
                self.reject_all(&group.claims, &refusal);
                continue;
            }
            let (slot, live) = (group.slot.clone(), group.live);
            group.claims.retain(|claim| !self.reject_owned_by_another(claim) && !self.reject_taken_name(live, claim));
            if group.claims.first().is_some_and(|first| first.age() == age) {
                let claims = self.settle_newcomer(&group);
                group = Group { slot, live, claims };
            }
            enqueue(&mut queue, group);
        }
    }

    /// Settles a group whose oldest claim nothing stands in the way of, except limit and quota. Returns the claims about
    /// which nothing is said yet.
    fn settle_newcomer(&mut self, group: &Group<'a>) -> Vec<Claim<'a>> {
        if self.fixed.listeners.len() + self.settled.len() >= MAX_LISTENERS {
            self.reject_all(&group.claims, &refusal::limit_reached(&group.slot));
            return Vec::new();
        }
        let Some(first) = group.claims.first() else { return Vec::new() };
        let namespace = first.route.key.namespace.as_str();
        let (party, mut rest) = self.party(group.claims.clone(), namespace);
        let Some(name) = self.name(group, &party) else {
            self.reject_names(&party);
            return rest;
        };
        let (accepted, misnamed): (Vec<_>, Vec<_>) =
            party.into_iter().partition(|claim| claim.wants.is_none_or(|wanted| wanted == name));
        if only_namespace(&accepted).is_some_and(|namespace| self.quota_reached(namespace)) {
            // Those that want no name may have the listener together with whoever wants another one.
            let (named, content): (Vec<_>, Vec<_>) = accepted.into_iter().partition(|claim| claim.wants.is_some());
            let (refused, left) = if named.is_empty() { (content, Vec::new()) } else { (named, content) };
            self.reject_all(&refused, &refusal::quota_reached(&group.slot, namespace));
            rest.extend(left.into_iter().chain(misnamed));
            rest.sort_by_key(Claim::age);
            return rest;
        }
        self.reject_misnamed(&misnamed, &name);
        self.reject_owned(&rest, namespace);
        self.accept(group, name, accepted);
        Vec::new()
    }

    /// The claims that can have the listener together with this namespace's, and the rest.
    fn party(&self, claims: Vec<Claim<'a>>, namespace: &str) -> (Vec<Claim<'a>>, Vec<Claim<'a>>) {
        claims.into_iter().partition(|claim| !self.owners.exclusive() || claim.route.key.namespace == namespace)
    }

    fn owned_by_another(&self, claim: &Claim<'_>) -> Option<Refusal> {
        let (host, owner) = self.owners.other(claim.slot.hostname.as_ref()?, &claim.route.key.namespace)?;
        Some(refusal::hostname_owned(&claim.slot, host, owner))
    }

    /// What forbids a listener of this slot beside those taken before. Of several fixed ones the first by name is told:
    /// where they stand on the Gateway may change, and is no news.
    fn conflict(&self, slot: &Slot) -> Option<Refusal> {
        let rival = |other: &Slot, name: &str| {
            incompatible(slot, other).map(|reason| refusal::conflict(reason, slot, name, other))
        };
        let fixed = self.fixed.listeners.iter().map(|fixed| (&fixed.slot, fixed.listener.name.as_str()));
        let first = fixed.filter(|(other, _)| incompatible(slot, other).is_some()).min_by_key(|(_, name)| *name);
        let mut settled = self.settled.iter();
        first
            .and_then(|(other, name)| rival(other, name))
            .or_else(|| settled.find_map(|settled| rival(&settled.slot, &settled.name)))
    }

    /// Whether a listener that stands there on the live Gateway, if it does, may have this name.
    fn is_free(&self, name: &str, live: Option<usize>) -> bool {
        !self.names.contains(name) && self.reserved.get(name).is_none_or(|&place| Some(place) == live)
    }

    /// The listener's name, or none where no claim can be content.
    fn name(&self, group: &Group<'_>, party: &[Claim<'_>]) -> Option<String> {
        let free = |name: &str| self.is_free(name, group.live);
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
        claims.sort_by_key(Claim::age);
        if let Some(claim) = claims.first() {
            // Where hostnames have owners, all these claims are of one namespace.
            self.owners.take(group.slot.hostname.as_ref(), &claim.route.key.namespace);
        }
        for claim in &claims {
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

    fn reject_all(&mut self, claims: &[Claim<'a>], refusal: &Refusal) {
        for claim in claims {
            self.verdicts.reject(claim.route, claim.order, refusal.clone());
        }
    }

    /// Rejects a claim whose hostname another namespace has. Says whether it did.
    fn reject_owned_by_another(&mut self, claim: &Claim<'a>) -> bool {
        let Some(refusal) = self.owned_by_another(claim) else { return false };
        self.verdicts.reject(claim.route, claim.order, refusal);
        true
    }

    /// Rejects a claim that wants a name which is not to be had. Says whether it did.
    fn reject_taken_name(&mut self, live: Option<usize>, claim: &Claim<'a>) -> bool {
        let taken = claim.wants.is_some_and(|wanted| !self.is_free(wanted, live));
        if taken {
            self.reject_names(std::slice::from_ref(claim));
        }
        taken
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

/// The groups that are no incumbents, less the claims that waited for what covers them: without a listener of
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
    covered.sort_by_key(|covered| covered.claim.age());
    (left, covered)
}

fn only_namespace<'a>(claims: &[Claim<'a>]) -> Option<&'a str> {
    let first = claims.first()?.route.key.namespace.as_str();
    claims.iter().all(|claim| claim.route.key.namespace == first).then_some(first)
}
