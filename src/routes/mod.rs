//! The cluster's routes, of whatever kind and version, as one domain type.

pub mod index;
pub mod kind;
mod route;
mod state;
mod verdict;

pub use index::{Change, Index};
pub use kind::RouteKind;
pub use route::{GatewayRef, ParentRef, Route, RouteKey, Wishes};
pub use state::State;
pub use verdict::{Verdict, VerdictKind};
