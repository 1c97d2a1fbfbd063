//! The controller among its neighbours, all of them the real programs: `make e2e`, which says first why they need
//! namespaces of their own.

/// From a route to the right answer, for each kind, and where the time goes.
mod chain;
/// What Kubernetes' nodes would do here: Services have applications behind them.
mod place;
/// The chart's release.
#[path = "../cluster/chart/release.rs"]
mod release;
/// Routes of every kind at one Gateway.
mod street;
/// What Envoy Gateway thinks of the listeners, and who is told.
mod verdict;
/// A cluster with all of them in it.
mod world;
