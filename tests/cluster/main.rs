//! What only a real API server can tell: apply semantics, defaulting, CEL, watches, garbage collection.

/// Whatever the planner makes of a random history, the API server takes it.
mod agree;
/// What becomes of an apply: guards, and no write where nothing is to be written.
mod apply;
/// The chart, on a cluster.
mod chart;
/// Kinds that come and go while the controller runs.
mod comings;
/// The controller as the container runtime starts it: not root, no home, nothing to write to.
mod confined;
/// A WrappedGateway without a controller, and the steps of its reconciliation.
mod desk;
/// What is told once for each change, and to whom.
mod events;
/// The examples, as they are.
mod examples;
/// Names in DNS for TCPRoutes and UDPRoutes, and the finalizer that they need.
mod external_dns;
/// What clusters do: each fault, and what was measured of it.
mod faults;
/// Listeners that nothing displaces: static ones and those of others, and what they cover.
mod fixed;
/// The main job: routes come, change and go, and the Gateway follows.
mod follow;
/// The place of the Go implementation is taken, and its users notice nothing.
mod former;
/// Certificates of other namespaces: who is warned, and what is asked for that.
mod grants;
/// Limits, conflicts, and what one object does to others.
mod harm;
/// A namespace that means harm.
mod hostile;
/// Every kind at every version that a release of the Gateway API serves.
mod kinds;
/// What is logged.
mod logs;
/// What is counted.
mod metrics;
/// The model of an apply, with which the laws of the planner are tested, is true.
mod model;
/// What is not ours stays as it is.
mod others;
/// Whose a Gateway is, and whose its listeners are.
mod ownership;
/// Nothing is written while nothing changes; conditions flip and flip back.
mod quiet;
/// The controllers without the watches of routes: what makes them look, what they say, and when they are silent.
mod reconcile;
/// Plain HTTP is answered with a redirect.
mod redirect;
/// What would be changed is what is changed then, and nothing before that.
mod render;
/// What `status` says of a cluster, and what it may ask.
mod status;
/// What generated listeners look like.
mod template;
/// Several namespaces at one Gateway: who may have what.
mod tenants;
/// What the README says of set-ups that are broken is what one sees.
mod troubleshooting;
/// What is admitted as a `WrappedGateway`, and what is said of the rest.
mod validation;
/// A cluster with the controller in it, and words to speak of it.
mod world;
