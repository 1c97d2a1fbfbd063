//! The CRDs of the Prometheus Operator that the chart has objects of, taken from its Go module.

use std::path::Path;

use serde_json::Value;

use crate::archive;
use crate::error::Result;

const MODULE: &str = "github.com/prometheus-operator/prometheus-operator";
const VERSION: &str = "v0.92.1";

/// Where the manifests are in the module.
const FOLDER: &str = "/example/prometheus-operator-crd/monitoring.coreos.com_";
/// Those that are taken; the others are large.
const KINDS: [&str; 3] = ["podmonitors.yaml", "prometheusrules.yaml", "servicemonitors.yaml"];

/// The CRDs of `ServiceMonitor`, `PodMonitor` and `PrometheusRule`, ready to be applied. The first call downloads the release.
///
/// # Errors
/// When the release cannot be downloaded or read.
pub fn monitoring_crds() -> Result<Vec<Value>> {
    archive::crds_in(&archive::kept("prometheus-operator", MODULE, VERSION, extract)?)
}

fn extract(archive: &Path, target: &Path) -> Result<()> {
    archive::extract(archive, |entry| {
        let (_, name) = entry.split_once(FOLDER)?;
        KINDS.contains(&name).then(|| target.join(name))
    })
}
