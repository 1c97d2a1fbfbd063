//! external-dns, with a provider that keeps its records in memory and tells of each in its log.

use std::path::Path;

use controlplane::supervisor::Supervised;
use controlplane::{ControlPlane, Result, pinned};

use crate::Programs;

const MODULE: &str = "sigs.k8s.io/external-dns";

/// All of its sources that are routes.
pub const SOURCES: [&str; 5] =
    ["gateway-httproute", "gateway-grpcroute", "gateway-tlsroute", "gateway-tcproute", "gateway-udproute"];

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../external-dns/go.mod"), MODULE)
}

/// Starts it for the Gateways of a namespace, with records below `example.com`. It looks every second, and its log,
/// `external-dns.log`, is in `folder`.
///
/// # Errors
/// When it cannot be started.
pub fn start(
    cluster: &ControlPlane,
    programs: &Programs,
    sources: &[&str],
    namespace: &str,
    folder: &Path,
) -> Result<Supervised> {
    let fixed = ["--provider=inmemory", "--inmemory-zone=example.com", "--registry=noop", "--interval=1s"];
    let own = [
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        format!("--gateway-namespace={namespace}"),
        // Several may run.
        String::from("--metrics-address=127.0.0.1:0"),
    ];
    let sources = sources.iter().map(|source| format!("--source={source}"));
    let arguments = fixed.map(String::from).into_iter().chain(own).chain(sources);
    Supervised::start("external-dns", &programs.external_dns, arguments, folder)
}
