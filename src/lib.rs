//! gateway-route-sync.

pub mod api;
pub mod backoff;
pub mod controller;
pub mod kubeconfig;
pub mod leader;
pub mod manifests;
pub mod metrics;
pub mod planner;
pub mod readiness;
pub mod routes;
pub mod server;
pub mod watching;
