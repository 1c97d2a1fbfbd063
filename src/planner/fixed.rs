//! The listeners that no route can move: static ones, the redirect's, those of others, and those that others hold.

use std::collections::BTreeSet;

use super::admit;
use super::claim::{Claim, Slot, template_protocol};
use super::refusal::{self, Refusal};
use super::residue::residue;
use super::{Input, LiveListener, MAX_LISTENERS, Origin};
use crate::api::{AllowedRoutes, Listener, NamespacesFrom, Protocol, RouteNamespaces, TemplateProtocol};

/// Name of the listener that `httpsRedirect` adds.
const REDIRECT: &str = "http";

/// One fixed listener.
#[derive(Debug)]
pub(super) struct FixedListener {
    /// The listener, whole.
    pub listener: Listener,
    /// What it is for.
    pub slot: Slot,
    /// Why we apply it; none: it belongs to someone else, and we do not.
    pub origin: Option<Origin>,
    /// Where it stands on the live Gateway, if it does.
    pub live: Option<usize>,
    /// Whether the data plane serves it as it is written here.
    pub programmed: bool,
}

/// All fixed listeners of a Gateway.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    /// In the order: those of others as they stand, then static ones as written, then the redirect's.
    pub listeners: Vec<FixedListener>,
    /// Static listeners that had to be left out, and why.
    pub problems: Vec<String>,
}

/// What the fixed listeners mean for a claim.
pub(super) enum Cover<'f> {
    /// This one serves it.
    By(&'f FixedListener),
    /// One stands in its way.
    Refused(Refusal),
    /// It needs a listener of its own.
    No,
}

impl Fixed {
    /// Collects them. `kept` are the places of live listeners of ours that another manager holds and nobody asks for.
    pub fn gather(input: &Input<'_>, kept: &BTreeSet<usize>) -> Self {
        // A static listener takes the place of the one that has its name, unless it has to be left out itself: then
        // what is there stays there, and may stand in the way of another static one. Each round finds more of these.
        let mut left_out = BTreeSet::new();
        loop {
            let mut fixed = Self::default();
            fixed.push_live(input, kept, &left_out);
            let known = left_out.len();
            left_out.extend(fixed.push_template(input));
            if left_out.len() == known {
                return fixed;
            }
        }
    }

    /// Adds what stands on the Gateway and is not the template's to change.
    fn push_live(&mut self, input: &Input<'_>, kept: &BTreeSet<usize>, left_out: &BTreeSet<&str>) {
        let taken_over =
            |name: &str| !left_out.contains(name) && input.spec.listeners.iter().any(|listener| listener.name == name);
        for (place, live) in input.live.iter().enumerate().filter(|(_, live)| !taken_over(&live.listener.name)) {
            if !live.ours {
                self.push(input, live.listener.clone(), None);
            } else if kept.contains(&place) {
                self.push(input, live.listener.clone(), Some(Origin::Kept));
            }
        }
    }

    /// Adds the template's own listeners and returns the names of the static ones that had to be left out.
    fn push_template<'i>(&mut self, input: &Input<'i>) -> Vec<&'i str> {
        let mut left_out = Vec::new();
        let exists =
            |listener: &&Listener| input.live.iter().any(|live| live.ours && live.listener.name == listener.name);
        let (existing, new): (Vec<_>, Vec<_>) = input.spec.listeners.iter().partition(exists);
        for listener in existing.into_iter().chain(new) {
            if !self.push_ours(input, listener.clone(), Origin::Static) {
                left_out.push(listener.name.as_str());
            }
        }
        match (input.spec.https_redirect, template_protocol(input)) {
            (false, _) => {}
            (true, TemplateProtocol::Https) => drop(self.push_ours(input, redirect(), Origin::Redirect)),
            // The API server refuses such a template; manifests may have it all the same.
            (true, TemplateProtocol::Http) => {
                let problem =
                    "httpsRedirect is left out: listenerTemplate.protocol is HTTP, so that nothing serves https";
                self.problems.push(problem.to_owned());
            }
        }
        left_out
    }

    /// Adds a listener of the template, unless the API server would then refuse the whole Gateway. Says whether it did.
    fn push_ours(&mut self, input: &Input<'_>, listener: Listener, origin: Origin) -> bool {
        let what = if origin == Origin::Redirect { "httpsRedirect's listener" } else { "static listener" };
        let name = &listener.name;
        let in_the_way = self.listeners.iter().find(|other| {
            other.listener.name == *name
                || (other.listener.port, &other.listener.protocol, &other.slot.hostname)
                    == (listener.port, &listener.protocol, &Slot::of(&listener).hostname)
        });
        let problem = if let Some((manager, field)) = remains(input, &listener) {
            format!(
                "{what} `{name}` is left out: {manager} has a listener of that name with `{field}`, which would stay; have it \
                 removed there, or take another name"
            )
        } else if let Some(other) = in_the_way {
            let other = &other.listener.name;
            format!(
                "{what} `{name}` is left out: listener `{other}` of the Gateway has its name, or its port, protocol and hostname"
            )
        } else if self.listeners.len() + self.held(input, name) >= MAX_LISTENERS {
            format!("{what} `{name}` is left out: a Gateway has at most {MAX_LISTENERS} listeners")
        } else {
            self.push(input, listener, Some(origin));
            return true;
        };
        self.problems.push(problem);
        false
    }

    /// How many further listeners no other than this one can displace, because another manager holds them.
    fn held(&self, input: &Input<'_>, name: &str) -> usize {
        let held = input.live.iter().filter(|live| live.ours && live.held_by.is_some());
        held.filter(|live| live.listener.name != name && self.named(&live.listener.name).is_none()).count()
    }

    fn push(&mut self, input: &Input<'_>, listener: Listener, origin: Option<Origin>) {
        let slot = Slot::of(&listener);
        let live = input.live.iter().position(|live| live.listener.name == listener.name);
        let programmed = live.is_some_and(|place| {
            let live = &input.live[place];
            live.programmed && Slot::of(&live.listener) == slot
        });
        self.listeners.push(FixedListener { listener, slot, origin, live, programmed });
    }

    /// The fixed listener of that name.
    pub fn named(&self, name: &str) -> Option<&Listener> {
        self.listeners.iter().map(|fixed| &fixed.listener).find(|listener| listener.name == name)
    }

    /// Whether a claim that names no fixed listener needs one of its own. Of the fixed listeners that contain its
    /// hostname the most specific one decides, because that is the one to which traffic for the hostname goes.
    pub fn cover(&self, claim: &Claim<'_>, input: &Input<'_>) -> Cover<'_> {
        // What is there only because another manager holds it goes when that one lets go; nobody is to rely on it.
        let lasts = |fixed: &&FixedListener| fixed.origin != Some(Origin::Kept) || fixed.slot == claim.slot;
        let covering = self.listeners.iter().filter(|fixed| contains(&fixed.slot, &claim.slot)).filter(lasts);
        let nearest = covering.max_by_key(|fixed| {
            (fixed.slot == claim.slot, fixed.slot.hostname.as_ref().map(|host| host.as_str().len()))
        });
        let Some(nearest) = nearest else { return Cover::No };
        let admits = admit::listener_admits(&nearest.listener, &claim.route.key, input);
        let equal = nearest.slot == claim.slot;
        match (equal, admits, claim.wants) {
            (true, false, _) => Cover::Refused(refusal::not_admitted(&nearest.listener, claim.route)),
            (true, true, Some(wanted)) => {
                Cover::Refused(refusal::misnamed(&claim.slot, wanted, &nearest.listener.name))
            }
            (_, true, None) => Cover::By(nearest),
            (false, _, _) => Cover::No,
        }
    }
}

/// Whose field would stay beside those of this listener on the live one of its name, and which one; none where the
/// listener would stand there as it is written.
fn remains(input: &Input<'_>, listener: &Listener) -> Option<(String, String)> {
    let shared = |live: &&LiveListener| !live.ours || live.held_by.is_some();
    let live = input.live.iter().filter(shared).find(|live| live.listener.name == listener.name)?;
    let manager =
        live.held_by.as_ref().map_or("somebody else".to_owned(), |manager| format!("field manager `{manager}`"));
    Some((manager, residue(&live.listener, listener)?))
}

/// Whether traffic for the inner slot would go to a listener of the outer one.
fn contains(outer: &Slot, inner: &Slot) -> bool {
    (outer.port, &outer.protocol, outer.tls) == (inner.port, &inner.protocol, inner.tls)
        && match (&outer.hostname, &inner.hostname) {
            (None, _) => true,
            (Some(outer), Some(inner)) => outer.contains(inner),
            (Some(_), None) => false,
        }
}

/// The listener on which plain HTTP is redirected. It admits the Gateway's own namespace alone, so that no route of
/// another namespace leaks onto plain HTTP.
fn redirect() -> Listener {
    let namespaces = RouteNamespaces { from: Some(NamespacesFrom::Same), selector: None };
    Listener {
        name: REDIRECT.to_owned(),
        hostname: None,
        port: 80,
        protocol: Protocol::Http,
        tls: None,
        allowed_routes: Some(AllowedRoutes { namespaces: Some(namespaces), kinds: Vec::new() }),
    }
}
