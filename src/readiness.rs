//! Readiness: a fixed set of gates, each passed once and for good.
//!
//! Ready means that nothing is missing for work: whoever waits for the lease is as ready as whoever has it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::routes::{Required, RouteKind, Served};

/// Something that must have happened before the process is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// Every Gateway was listed once.
    GatewaysListed,
    /// Every namespace was listed once.
    NamespacesListed,
    /// Every WrappedGateway was listed once.
    WrappedGatewaysListed,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 3] = [Self::GatewaysListed, Self::NamespacesListed, Self::WrappedGatewaysListed];

    /// The kind that has to be served before it can be listed.
    const fn required(self) -> Option<Required> {
        match self {
            Self::GatewaysListed => Some(Required::Gateway),
            Self::NamespacesListed => None,
            Self::WrappedGatewaysListed => Some(Required::WrappedGateway),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GatewaysListed => "Gateways",
            Self::NamespacesListed => "Namespaces",
            Self::WrappedGatewaysListed => "WrappedGateways",
        })
    }
}

/// Which gates are passed.
#[derive(Debug)]
pub struct Readiness {
    awaited: Mutex<BTreeSet<Gate>>,
    routes: watch::Receiver<BTreeSet<RouteKind>>,
    served: watch::Receiver<Option<Served>>,
}

impl Readiness {
    /// Nothing is passed yet. `routes` says which kinds of routes still have to be listed: one more gate for each of them.
    /// `served` says what cannot be listed because the cluster does not have it.
    #[must_use]
    pub fn new(routes: watch::Receiver<BTreeSet<RouteKind>>, served: watch::Receiver<Option<Served>>) -> Self {
        Self { awaited: Mutex::new(Gate::ALL.into()), routes, served }
    }

    /// Passes a gate, for good.
    pub fn pass(&self, gate: Gate) {
        self.lock().remove(&gate);
    }

    /// What is still awaited, in words, one gate each; empty once the process is ready.
    #[must_use]
    pub fn awaited(&self) -> Vec<String> {
        let missing = self.served.borrow().as_ref().map(Served::missing).unwrap_or_default();
        let of_gate = |gate: &Gate| match gate.required().filter(|required| missing.contains(required)) {
            Some(required) => format!("the list of {gate}, which the cluster does not serve: {}", required.remedy()),
            None => format!("the list of {gate}"),
        };
        let gates = self.lock().iter().map(of_gate).collect::<Vec<_>>();
        gates.into_iter().chain(self.routes.borrow().iter().map(|kind| format!("the list of {kind}s"))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Gate>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_once_every_gate_is_passed_and_every_kind_is_listed() {
        let (kinds, routes) = watch::channel(BTreeSet::from([RouteKind::Http]));
        let readiness = Readiness::new(routes, watch::Sender::new(None).subscribe());
        for gate in Gate::ALL {
            readiness.pass(gate);
        }
        assert_eq!(readiness.awaited(), ["the list of HTTPRoutes"]);
        kinds.send_modify(|kinds| {
            kinds.remove(&RouteKind::Http);
        });
        assert_eq!(readiness.awaited(), Vec::<String>::new());
    }

    #[test]
    fn each_awaited_gate_is_named() {
        let (_kinds, routes) = watch::channel(BTreeSet::new());
        let served = watch::Sender::new(None);
        let readiness = Readiness::new(routes, served.subscribe());
        readiness.pass(Gate::GatewaysListed);
        assert_eq!(readiness.awaited(), ["the list of Namespaces", "the list of WrappedGateways"]);
        served.send_replace(Some(Served::default()));
        assert_eq!(
            readiness.awaited()[1],
            "the list of WrappedGateways, which the cluster does not serve: install the CRD that `homelab-helper \
             gateway-route-sync crd` prints"
        );
    }
}
