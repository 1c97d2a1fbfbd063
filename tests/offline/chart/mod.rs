//! The chart: what it renders, what it refuses, and that nothing which is written twice differs.

use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;

use controlplane::Helm;
use serde_json::Value;

// The CRD in the chart is the one of the program.
mod crd;
// What six sets of values lead to.
mod golden;
// Alerts and dashboard ask for what there is, and alerts fire when they should.
mod monitoring;
// The manifests for those without Helm are what the chart renders.
mod plain;
// Values that make no sense, and what is said of them.
mod refused;
// The table of rights in README.md is that of the chart.
mod rights;
// Values, their schema and their table say the same.
mod values;
// The version is the same wherever it is written.
mod versions;

/// The version of Kubernetes that is rendered for: Helm 3, as it is built here, knows none by itself.
const KUBERNETES: &str = "v1.36.3";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn chart() -> PathBuf {
    root().join("charts/gateway-route-sync")
}

fn helm() -> &'static Helm {
    static HELM: OnceLock<Helm> = OnceLock::new();
    HELM.get_or_init(|| Helm::ensure().expect("Helm"))
}

/// A version of Helm.
#[derive(Clone, Copy, Debug)]
enum Version {
    V3,
    V4,
}

/// `helm template` of the chart, with further arguments.
fn template(version: Version, arguments: &[&str]) -> Output {
    let mut command = match version {
        Version::V3 => helm().v3(),
        Version::V4 => helm().v4(),
    };
    command.args(["template", "gateway-route-sync"]).arg(chart());
    command.args(["--namespace", "gateway-system", "--kube-version", KUBERNETES]).args(arguments);
    command.output().expect("Helm can be started")
}

/// What the chart renders.
fn rendered(version: Version, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = template(version, arguments);
    assert!(status.success(), "{version:?} {arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// The objects of a rendering.
fn objects(rendered: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(rendered).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

#[test]
fn nothing_is_found_by_lint() {
    for mut helm in [helm().v4(), helm().v3()] {
        let output = helm.args(["lint", "--strict", "--quiet"]).arg(chart()).output().expect("Helm can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}
