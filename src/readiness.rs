//! Readiness: a fixed set of gates, each passed once and for good.
//!
//! Ready means that nothing is missing for work: whoever waits for the lease is as ready as whoever has it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::routes::RouteKind;

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
}

impl Readiness {
    /// Nothing is passed yet. `routes` says which kinds of routes still have to be listed: one more gate for each of them.
    #[must_use]
    pub fn new(routes: watch::Receiver<BTreeSet<RouteKind>>) -> Self {
        Self { awaited: Mutex::new(Gate::ALL.into()), routes }
    }

    /// Passes a gate, for good.
    pub fn pass(&self, gate: Gate) {
        self.lock().remove(&gate);
    }

    /// What is still awaited, in words, one gate each; empty once the process is ready.
    #[must_use]
    pub fn awaited(&self) -> Vec<String> {
        let gates = self.lock().iter().map(ToString::to_string).collect::<Vec<_>>();
        let kinds = self.routes.borrow().iter().map(|kind| format!("{kind}s")).collect::<Vec<_>>();
        gates.into_iter().chain(kinds).map(|what| format!("the list of {what}")).collect()
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
        let readiness = Readiness::new(routes);
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
        let readiness = Readiness::new(routes);
        readiness.pass(Gate::GatewaysListed);
        assert_eq!(readiness.awaited(), ["the list of Namespaces", "the list of WrappedGateways"]);
    }
}
