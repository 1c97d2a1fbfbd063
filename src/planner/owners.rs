//! Who may have a hostname: grants, and ownership by namespace.

use std::collections::BTreeMap;

use super::Input;
use super::admit::{chosen, selects};
use super::claim::Claim;
use super::hostname::Hostname;
use super::refusal::{self, Refusal};
use crate::api::{HostnameOwnership, NamespacesFrom};

/// Why the template gives this claim nothing, whatever others claim.
pub(super) fn refused(claim: &Claim<'_>, input: &Input<'_>) -> Option<Refusal> {
    let template = input.spec.listener_template.as_ref()?;
    let namespace = &claim.route.key.namespace;
    let allowed = template.allowed_routes.as_ref().and_then(|allowed| allowed.namespaces.as_ref());
    if !chosen(allowed, NamespacesFrom::All, namespace, input) {
        return Some(refusal::namespace_not_allowed(&claim.slot, input.gateway, namespace));
    }
    let (grants, hostname) = (template.hostname_grants.as_ref()?, claim.slot.hostname.as_ref()?);
    let granted = grants.iter().any(|grant| {
        grant.hostnames.iter().any(|granted| grants_hostname(granted, hostname))
            && selects(&grant.namespaces, namespace, input.namespaces)
    });
    (!granted).then(|| refusal::hostname_not_granted(&claim.slot, input.gateway, namespace))
}

/// A grant of `*.suffix` gives every hostname below the suffix, wildcards included, at any depth.
fn grants_hostname(granted: &str, hostname: &Hostname) -> bool {
    Hostname::of_listener(granted).contains(hostname)
}

/// Which namespace has which hostname, on whatever port.
#[derive(Debug)]
pub(super) struct Owners {
    /// Whether a hostname belongs to one namespace; otherwise nobody ever owns any.
    exclusive: bool,
    /// Hostnames that are no wildcards, with their namespaces.
    exact: BTreeMap<String, String>,
    /// Wildcards by their suffixes (`.example.com`), with their namespaces.
    wildcards: BTreeMap<String, String>,
}

impl Owners {
    pub fn new(input: &Input<'_>) -> Self {
        let template = input.spec.listener_template.as_ref();
        let ownership = template.map(|template| template.hostname_ownership).unwrap_or_default();
        let exclusive = ownership == HostnameOwnership::Namespace;
        Self { exclusive, exact: BTreeMap::new(), wildcards: BTreeMap::new() }
    }

    /// Whether a listener belongs to one namespace.
    pub fn exclusive(&self) -> bool {
        self.exclusive
    }

    /// The hostname and namespace that keep this namespace from having this hostname: the same hostname, a wildcard
    /// over it, or one under it.
    pub fn other(&self, hostname: &Hostname, namespace: &str) -> Option<(String, &str)> {
        let name = hostname.as_str();
        let rival = |owner: &&String| *owner != namespace;
        let exact = || self.exact.get(name).filter(rival).map(|owner| (name.to_owned(), owner.as_str()));
        let over = || {
            let mut suffixes = name.match_indices('.').map(|(dot, _)| &name[dot..]);
            suffixes.find_map(|suffix| {
                self.wildcards.get(suffix).filter(rival).map(|owner| (wildcard(suffix), owner.as_str()))
            })
        };
        let under = |suffix: &str| {
            let mut exact = self.exact.iter().filter(|(host, owner)| host.ends_with(suffix) && rival(owner));
            let mut inner = self.wildcards.iter().filter(|(inner, owner)| inner.ends_with(suffix) && rival(owner));
            let exact = exact.next().map(|(host, owner)| (host.clone(), owner.as_str()));
            exact.or_else(|| inner.next().map(|(inner, owner)| (wildcard(inner), owner.as_str())))
        };
        exact().or_else(over).or_else(|| hostname.wildcard_suffix().and_then(under))
    }

    /// Gives a hostname to a namespace, unless another one has it.
    pub fn take(&mut self, hostname: Option<&Hostname>, namespace: &str) {
        let Some(hostname) = hostname.filter(|_| self.exclusive) else { return };
        if self.other(hostname, namespace).is_some() {
            return;
        }
        let (owned, key) = match hostname.wildcard_suffix() {
            Some(suffix) => (&mut self.wildcards, suffix),
            None => (&mut self.exact, hostname.as_str()),
        };
        if !owned.contains_key(key) {
            owned.insert(key.to_owned(), namespace.to_owned());
        }
    }
}

fn wildcard(suffix: &str) -> String {
    format!("*{suffix}")
}
