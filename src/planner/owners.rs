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
    /// None: hostnames are shared.
    by_hostname: Option<BTreeMap<Hostname, String>>,
}

impl Owners {
    pub fn new(input: &Input<'_>) -> Self {
        let ownership = input
            .spec
            .listener_template
            .as_ref()
            .map_or_else(HostnameOwnership::default, |template| template.hostname_ownership);
        Self { by_hostname: (ownership == HostnameOwnership::Namespace).then(BTreeMap::new) }
    }

    /// Whether a listener belongs to one namespace.
    pub fn exclusive(&self) -> bool {
        self.by_hostname.is_some()
    }

    /// The hostname and namespace that keep this namespace from having this hostname: the same hostname, a wildcard
    /// over it, or one under it.
    pub fn other(&self, hostname: &Hostname, namespace: &str) -> Option<(&Hostname, &str)> {
        let owned = self.by_hostname.as_ref()?;
        let foreign = |(host, owner): (&'_ Hostname, &'_ String)| owner != namespace && host.overlaps(hostname);
        if hostname.wildcard_suffix().is_some() {
            return owned.iter().find(|entry| foreign(*entry)).map(|(host, owner)| (host, owner.as_str()));
        }
        let over = hostname.as_str().match_indices('.').map(|(dot, _)| format!("*{}", &hostname.as_str()[dot..]));
        std::iter::once(hostname.as_str().to_owned())
            .chain(over)
            .filter_map(|name| owned.get_key_value(&Hostname::of_listener(&name)))
            .find(|entry| foreign(*entry))
            .map(|(host, owner)| (host, owner.as_str()))
    }

    /// Gives a hostname to a namespace, unless another one has it.
    pub fn take(&mut self, hostname: Option<&Hostname>, namespace: &str) {
        let Some(hostname) = hostname else { return };
        if self.other(hostname, namespace).is_some() {
            return;
        }
        if let Some(owned) = &mut self.by_hostname {
            owned.entry(hostname.clone()).or_insert_with(|| namespace.to_owned());
        }
    }
}
