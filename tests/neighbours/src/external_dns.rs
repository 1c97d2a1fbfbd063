//! external-dns, which is run once to see what records it would make.

use std::process::Command;

use controlplane::{ControlPlane, pinned};

use crate::Programs;

const MODULE: &str = "sigs.k8s.io/external-dns";

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../external-dns/go.mod"), MODULE)
}

/// One pass over these sources, with a provider that keeps its records in memory and logs them. Arguments can be added.
#[must_use]
pub fn pass(cluster: &ControlPlane, programs: &Programs, sources: &[&str]) -> Command {
    let mut command = Command::new(&programs.external_dns);
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig().display()));
    command.args(["--once", "--provider=inmemory", "--inmemory-zone=example.com", "--registry=noop"]);
    command.args(["--log-level=debug", "--log-format=json"]);
    command.args(sources.iter().map(|source| format!("--source={source}")));
    command
}
