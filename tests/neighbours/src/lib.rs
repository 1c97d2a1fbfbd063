//! The neighbours that a Gateway has in a cluster, as real programs on loopback, for the end-to-end tests.
//!
//! - [`Programs`] finds them, or has them built once (`programs.rs`, and a Go module each beside `src`; `envoy.rs`).
//! - [`cert_manager`], [`envoy_gateway`], [`contour`], [`external_dns`] and [`acme`] set one up and start it on a control plane.
//! - [`Backend`] is an application behind the Gateway (`backend.rs`), and [`Client`] is one in front of it (`client.rs`).
//!
//! The script `apart`, beside `src`, runs a command in namespaces of its own, which these programs need: all ports are
//! free there, 80 and 443 among them, addresses of Services and Pods lead to this machine, `/certs` is Envoy Gateway's, and
//! when the command ends, whatever it started ends with it.

pub mod acme;
mod backend;
pub mod cert_manager;
mod client;
pub mod contour;
mod crds;
mod envoy;
pub mod envoy_gateway;
pub mod external_dns;
mod programs;

pub use backend::{Backend, Kind};
pub use client::{Answer, Client, Connection, tcp_echo, udp_echo};
pub use controlplane::{Error, Result};
pub use programs::Programs;
