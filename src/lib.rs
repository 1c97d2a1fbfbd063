//! gateway-route-sync keeps the listeners of Gateways equal to what the routes attached to them ask for, so that
//! cert-manager issues a certificate for each hostname and nobody edits a listener by hand. A [`WrappedGateway`] is the
//! template of the Gateway of the same namespace and name; routes are the only place where hostnames, ports and protocols
//! are written.
//!
//! # The flow
//!
//! ```text
//! the cluster's routes  ─ watch ─ decode ─ index ─┐ triggers: the Gateways concerned
//!                                                 ▼
//! WrappedGateways, Gateways ─ watch ─▶ observe ─ plan ─ apply ─ report
//!                                                │               │
//!                            pure, also `render` ┘               └ verdicts ─▶ events on routes
//! ```
//!
//! # The modules
//!
//! | Module | What it is |
//! |---|---|
//! | [`api`] | the `WrappedGateway` resource and its CRD, the slice of `Gateway` that is read and written, objects of any kind, all names |
//! | [`routes`] | routes of whatever kind and version → one type, by the Gateways that they name; what is served |
//! | [`planner`] | routes, template and what is there → what ought to be there: a pure function |
//! | [`controller`] | Kubernetes in and out; only `apply` writes Gateways, only `report` writes status, only `redirect` a route, only `external_dns` what external-dns reads |
//! | [`manifests`] | files → the planner's input, without a cluster |
//! | [`render`] | the planner on manifests, without a cluster or compared with one |
//! | [`status`] | what the controller did, for people |
//! | [`run`] | the composition root: the only file that knows all others |
//! | [`cli`] | the command line |
//! | [`leader`] | which of several replicas works |
//! | [`server`], [`readiness`], [`metrics`], [`telemetry`] | what the process tells of itself |
//! | [`kubeconfig`], [`client`] | which cluster is spoken to, as whom, and how often a request is tried |
//! | [`watching`], [`backoff`], [`explain`] | a watch that goes on whatever happens; waiting; errors in words |
//!
//! Whoever stands on the left may be used by whoever stands to the right, and not the other way round. A test keeps that.
//!
//! ```text
//! api, routes ← planner ← controller | manifests ← run, render, status ← cli ← main
//! ```
//!
//! # What always holds
//!
//! - Nothing is planned before every kind of route that is served was listed once: a half-filled index would take
//!   listeners away. Absence is believed when two looks in a row agree, and an error is never taken for absence.
//! - One object that cannot be read hides no other. A route that cannot be read stays as it was last known.
//! - The planner does not fail: what is wrong with a route is part of the plan. The same input gives the same bytes.
//! - When nothing changed, nothing is written and nothing is listed.
//! - The only state that is shared and changes is [`routes::State`]; its lock is never held across an await.
//! - Errors have a static category, which is metric label, log field and condition reason alike. No label of a metric
//!   grows with the cluster, but for the names of WrappedGateways.
//! - Being alive means to serve; being ready, that a fixed set of gates is passed. Both begin before the lease is won, and
//!   so do the watches. Whoever loses the lease ends.
//! - A name in DNS is written on a route only while the finalizer stands on a WrappedGateway that the route is attached to,
//!   and the finalizer goes only when no such name is left. One write of this kind is under way at a time.
//! - A signal ends the process within a second, whatever the API server does.
//!
//! # What is not there
//!
//! No code for one kind of route outside [`routes::kind`], but for the redirect; no writes to the spec or labels of anybody's
//! routes; no cache of Gateways (each is read when it is planned, but for the few that are as they were a moment ago); no
//! webhook; no globals; no `unsafe`.
//!
//! [`WrappedGateway`]: api::WrappedGateway

pub mod api;
pub mod backoff;
pub mod cli;
pub mod client;
pub mod controller;
pub mod explain;
pub mod kubeconfig;
pub mod leader;
pub mod manifests;
pub mod metrics;
pub mod planner;
pub mod readiness;
pub mod render;
pub mod routes;
pub mod run;
pub mod server;
pub mod status;
pub mod telemetry;
pub mod watching;
