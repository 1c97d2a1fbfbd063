//! The cluster's routes, of whatever kind and version, as one domain type.

pub mod kind;
mod route;

pub use kind::RouteKind;
pub use route::{GatewayRef, ParentRef, Route, RouteKey, Wishes};
