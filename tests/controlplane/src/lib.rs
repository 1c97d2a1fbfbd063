//! A Kubernetes control plane for tests and development.
//!
//! [`ControlPlane::start`] runs a real etcd, kube-apiserver and kube-controller-manager on loopback, with no container
//! engine and no nodes. What depends on the API server alone is therefore the real thing: validation, defaulting,
//! server-side apply, watches, RBAC, owner references and namespaces. Nothing that needs a kubelet happens: no Pod runs.
//!
//! The flow, one file a step:
//! - [`Binaries::ensure`] finds the programs, or builds them once with Go (`binaries.rs`, `pinned.rs`, `cache.rs`,
//!   `golang.rs`); [`Helm`] does the same for what tests of the chart need (`helm.rs`);
//! - [`ControlPlane`] starts, stops and removes them (`control_plane.rs`, `supervisor.rs`, `credentials.rs`);
//! - it hands out clients and kubeconfigs (`access.rs`), and applies manifests (`objects.rs`), among them the CRDs of a
//!   [`GatewayApi`] or of [`monitoring_crds`] (`gateway_api.rs`, `monitoring.rs`, `archive.rs`);
//! - [`ControlPlane::requests`] counts what the API server was asked for (`requests.rs`), and [`ControlPlane::audit`] says
//!   by whom (`audit.rs`);
//! - [`Program`] runs a controller against it (`program.rs`, `usage.rs`), and a [`Proxy`] stands between the two and does harm
//!   (`proxy.rs`, `proxy/`), while a [`WallClock`] makes it go by a wrong time (`wall_clock.rs`);
//! - [`eventually()`] awaits a condition, for tests.
//!
//! The end-to-end tests run further programs beside it, and so find, keep and supervise theirs with the same means:
//! [`pinned`], [`archive`], [`cache`] and [`supervisor`].
//!
//! From a terminal, `cargo run -p controlplane -- up` does the same until Ctrl-C.
//!
//! Whatever ends a process that holds a [`ControlPlane`], be it `kill -9`, nothing of the control plane survives it.

mod access;
pub mod archive;
mod audit;
mod binaries;
pub mod cache;
mod control_plane;
mod credentials;
mod error;
mod eventually;
mod gateway_api;
mod golang;
mod helm;
mod monitoring;
mod objects;
pub mod pinned;
mod program;
mod proxy;
mod requests;
pub mod supervisor;
mod usage;
mod wall_clock;

pub use audit::{Audited, Position};
pub use binaries::Binaries;
pub use control_plane::ControlPlane;
pub use error::{Error, Result};
pub use eventually::{TimedOut, eventually};
pub use gateway_api::{Channel, GatewayApi, Version};
pub use helm::Helm;
pub use monitoring::monitoring_crds;
pub use program::Program;
pub use proxy::{Asked, Harm, Proxy};
pub use requests::{RequestKey, Requests};
pub use wall_clock::WallClock;
