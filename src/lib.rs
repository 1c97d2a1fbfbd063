//! gateway-route-sync.

pub mod api;
pub mod backoff;
pub mod cli;
pub mod controller;
pub mod kubeconfig;
pub mod leader;
pub mod manifests;
pub mod metrics;
pub mod planner;
pub mod readiness;
pub mod routes;
pub mod run;
pub mod server;
pub mod telemetry;
pub mod watching;
