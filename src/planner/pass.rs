//! One pass over all groups, in their order: who gets a listener, what it is called, and why the others get none.
//!
//! Whatever turns a claim down here holds for the rest of the pass, so that no decision is taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::admit::named_namespaces;
use super::claim::{Age, Claim, Slot};
use super::conflict::incompatible;
use super::demand::{Demand, Group};
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
    pub fn run(input: &'p Input<'p>, fixed: &'p Fixed, demand: &'a Demand<'a>, privileges: &'p [Privileges]) -> Self {
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
        let covered = covered(&others, demand);
        pass.settle_by_age(others, &covered);
        for (claim, by) in covered {
            pass.serve_covered(claim, by);
        }
        pass
    }

    /// Where the group's incumbent stands, and what privileges it has; none where it is none.
    pub fn privileges_of(&self, group: &Group<'_>) -> Option<(usize, Privileges)> {
        group.live.map(|live| (live, self.privileges[live])).filter(|(_, privileges)| privileges.place)
    }

    /// Sets aside what an incumbent has: its name while a claim is content with it, and its hostname.
    fn prepare(&mut self, group: &'a Group<'a>) {
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
    fn settle_incumbent(&mut self, group: &'a Group<'a>) {
        let mut pool: Vec<_> = group.claims.iter().collect();
        if let Some(refusal) = self.conflict(&group.slot) {
            return self.reject_all(&pool, &refusal);
        }
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
    fn settle_by_age(&mut self, groups: Vec<&'a Group<'a>>, covered: &[(&'a Claim<'a>, &'a str)]) {
        let mut covered = covered.iter().map(|(claim, _)| claim).peekable();
        let mut queue: BTreeMap<Age, (&'a Group<'a>, Vec<&'a Claim<'a>>)> = BTreeMap::new();
        let enqueue = |queue: &mut BTreeMap<_, _>, group: &'a Group<'a>, claims: Vec<&'a Claim<'a>>| {
            if let Some(first) = claims.first() {
                queue.insert(first.age(), (group, claims));
            }
        };
        for group in groups {
            // Without a listener of its own there is nothing for which a covered claim could wait.
            enqueue(&mut queue, group, group.claims.iter().filter(|claim| claim.covered_by.is_none()).collect());
        }
        while let Some((age, (group, mut claims))) = queue.pop_first() {
            while let Some(older) = covered.next_if(|claim| claim.age() < age) {
                self.owners.take(older.slot.hostname.as_ref(), &older.route.key.namespace);
            }
            if let Some(refusal) = self.conflict(&group.slot) {
                self.reject_all(&claims, &refusal);
                continue;
            }
            claims.retain(|claim| !self.reject_owned_by_another(claim) && !self.reject_taken_name(group.live, claim));
            if claims.first().is_some_and(|first| first.age() == age) {
                claims = self.settle_newcomer(group, claims);
            }
            enqueue(&mut queue, group, claims);
        }
    }

    /// Settles a group whose oldest claim nothing stands in the way of, except limit and quota. Returns the claims about
    /// which nothing is said yet.
    fn settle_newcomer(&mut self, group: &'a Group<'a>, claims: Vec<&'a Claim<'a>>) -> Vec<&'a Claim<'a>> {
        if self.fixed.listeners.len() + self.settled.len() >= MAX_LISTENERS {
            self.reject_all(&claims, &refusal::limit_reached(&group.slot));
            return Vec::new();
        }
        let Some(first) = claims.first() else { return Vec::new() };
        let namespace = first.route.key.namespace.as_str();
        let (party, mut rest) = self.party(claims, namespace);
        if only_namespace(&party).is_some_and(|namespace| self.quota_reached(namespace)) {
            // Whatever the listener were called: it would be this namespace's alone.
            self.reject_all(&party, &refusal::quota_reached(&group.slot, namespace));
            return rest;
        }
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
            rest.sort_by_key(|claim| claim.age());
            return rest;
        }
        self.reject_misnamed(&misnamed, &name);
        self.reject_owned(&rest, namespace);
        self.accept(group, name, accepted);
        Vec::new()
    }

    /// The claims that can have the listener together with this namespace's, and the rest.
    fn party(&self, claims: Vec<&'a Claim<'a>>, namespace: &str) -> (Vec<&'a Claim<'a>>, Vec<&'a Claim<'a>>) {
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
    fn name(&self, group: &Group<'_>, party: &[&Claim<'_>]) -> Option<String> {
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

    fn accept(&mut self, group: &Group<'a>, name: String, mut claims: Vec<&'a Claim<'a>>) {
        claims.sort_by_key(|claim| claim.age());
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
    fn serve_covered(&mut self, claim: &'a Claim<'a>, by: &str) {
        let Some(place) = self.settled.iter().position(|settled| settled.slot == claim.slot) else {
            return self.verdicts.serve(claim.route, claim.order, claim.slot.clone(), by);
        };
        if let Some(refusal) = self.owned_by_another(claim).or_else(|| refused(claim, self.input)) {
            return self.verdicts.reject(claim.route, claim.order, refusal);
        }
        let settled = &mut self.settled[place];
        self.verdicts.serve(claim.route, claim.order, claim.slot.clone(), &settled.name);
        settled.claims.push(claim);
    }

    fn reject_all(&mut self, claims: &[&'a Claim<'a>], refusal: &Refusal) {
        for claim in claims {
            self.verdicts.reject(claim.route, claim.order, refusal.clone());
        }
    }

    /// Rejects a claim whose hostname another namespace has. Says whether it did.
    fn reject_owned_by_another(&mut self, claim: &'a Claim<'a>) -> bool {
        let Some(refusal) = self.owned_by_another(claim) else { return false };
        self.verdicts.reject(claim.route, claim.order, refusal);
        true
    }

    /// Rejects a claim that wants a name which is not to be had. Says whether it did.
    fn reject_taken_name(&mut self, live: Option<usize>, claim: &'a Claim<'a>) -> bool {
        let taken = claim.wants.is_some_and(|wanted| !self.is_free(wanted, live));
        if taken {
            self.reject_names(&[claim]);
        }
        taken
    }

    fn reject_owned(&mut self, claims: &[&'a Claim<'a>], owner: &str) {
        for claim in claims {
            let refusal = match &claim.slot.hostname {
                Some(host) => refusal::hostname_owned(&claim.slot, host, owner),
                None => refusal::port_owned(&claim.slot, owner),
            };
            self.verdicts.reject(claim.route, claim.order, refusal);
        }
    }

    fn reject_misnamed(&mut self, claims: &[&'a Claim<'a>], name: &str) {
        for claim in claims {
            let refusal = refusal::misnamed(&claim.slot, claim.wants.unwrap_or_default(), name);
            self.verdicts.reject(claim.route, claim.order, refusal);
        }
    }

    /// Every one of these claims wants a name that something else has.
    fn reject_names(&mut self, claims: &[&'a Claim<'a>]) {
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

/// The claims that fixed listeners serve, and those of the groups that no incumbent keeps waiting for that; the oldest
/// first, with the names of those listeners.
fn covered<'a>(groups: &[&'a Group<'a>], demand: &'a Demand<'a>) -> Vec<(&'a Claim<'a>, &'a str)> {
    let waiting = groups.iter().flat_map(|group| &group.claims);
    let covered = demand.covered.iter().chain(waiting).filter_map(|claim| Some((claim, claim.covered_by?)));
    let mut covered: Vec<_> = covered.collect();
    covered.sort_by_key(|(claim, _)| claim.age());
    covered
}

fn only_namespace<'a>(claims: &[&Claim<'a>]) -> Option<&'a str> {
    let first = claims.first()?.route.key.namespace.as_str();
    claims.iter().all(|claim| claim.route.key.namespace == first).then_some(first)
}
