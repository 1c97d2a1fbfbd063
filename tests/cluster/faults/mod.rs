//! Faults, each against a real API server with a controller that reaches it through a proxy. After each of them the
//! Gateway has the right listeners within ten seconds, no listener was ever lost that some route still claimed, and there
//! was no storm of writes. `cargo test --test cluster faults:: -- --nocapture` prints what was measured: how long the fault
//! lasted, how long it took then until all was right, requests, those of them that were writes, versions of the Gateway,
//! and listeners lost.

/// Rights and tokens that change.
mod access;
/// Requests that are refused, and answers that come late, in part or not at all.
mod answers;
/// A clock that is stepped.
mod clock;
/// Several replicas, of which one works.
mod leaders;
/// Watches the Gateway and asserts on each version.
mod observer;
/// Failures that only a change can mend, and what they do to others.
mod permanent;
/// The API server, etcd and the controller, killed or stopped.
mod processes;
/// A controller behind a proxy, with routes that are served, and faults that are measured.
mod stage;
/// Watches that end, and versions that are too old.
mod watches;
/// Others who write at the same time.
mod writers;

pub use observer::Observer;
