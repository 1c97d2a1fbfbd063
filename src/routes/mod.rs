//! The cluster's routes, of whatever kind and version, as one domain type.

mod annotations;
mod decode;
pub mod discover;
mod feed;
pub mod index;
pub mod kind;
mod lenient;
mod listing;
mod names;
mod route;
mod state;
mod verdict;
pub mod watch;

pub use decode::{Undecodable, decode};
pub use discover::{Required, Served};
pub use index::{Change, Index};
pub use kind::RouteKind;
pub use listing::Listing;
pub use names::{Names, Owner};
pub use route::{GatewayRef, ParentRef, Route, RouteKey, Wishes};
pub use state::State;
pub use verdict::{Verdict, VerdictKind};
