//! gateway-route-sync.

pub mod api;
pub mod planner;
pub mod routes;
