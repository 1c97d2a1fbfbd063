//! The controller among its neighbours, all of them the real programs: `make e2e`, which says first why they need
//! namespaces of their own.

/// What cert-manager makes of the listeners, with an authority and with HTTP-01.
mod certificates;
/// From a route to the right answer, for each kind, and where the time goes.
mod chain;
/// What others do not notice.
mod disturbance;
/// Which names external-dns finds.
mod external_dns;
/// Others who apply the WrappedGateway again and again.
mod gitops;
/// What Kubernetes' nodes would do here: Services have applications behind them.
mod place;
/// The chart's release.
#[path = "../cluster/chart/release.rs"]
mod release;
/// Routes of every kind at one Gateway.
mod street;
/// What data planes think of the listeners, and who is told.
mod verdict;
/// Another data plane. It comes last, since each takes the place of the one before.
mod with_contour;
/// A cluster with all of them in it.
mod world;
