//! Contour, which serves the one Gateway that it is told of, with an Envoy of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use controlplane::supervisor::Supervised;
use controlplane::{ControlPlane, Error, Result, pinned};
use serde_json::{Value, json};

use crate::{Programs, crds};

const MODULE: &str = "github.com/projectcontour/contour";
const XDS_PORT: &str = "8001";

/// The `GatewayClass` of the Gateways that it serves.
pub const CLASS: &str = "contour";
/// By how much the ports at which its Envoy listens are above those of the listeners; in a cluster a Service leads there.
pub const ABOVE: u16 = 8000;
/// The address that its Gateway gets.
pub const ADDRESS: &str = "203.0.113.8";
/// The loopback port at which its Envoy can be asked about itself.
pub const ADMIN_PORT: u16 = 9001;
/// What it cannot do without, unless it is told to: each is of a version that standard channels of the Gateway API do not
/// serve.
pub const EXPERIMENTAL: [&str; 3] = ["tlsroutes", "tcproutes", "backendtlspolicies"];

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../contour/go.mod"), MODULE)
}

/// Its CRDs.
///
/// # Errors
/// When its module cannot be downloaded or read.
pub fn crds() -> Result<Vec<Value>> {
    crds::of("contour", MODULE, version(), "examples/contour")
}

/// Installs the CRDs and the class.
///
/// # Errors
/// When the CRDs cannot be had, or the API server refuses.
pub async fn install(cluster: &ControlPlane) -> Result<()> {
    cluster.apply(crds()?).await?;
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": CLASS },
        "spec": { "controllerName": "projectcontour.io/gateway-controller" },
    });
    cluster.apply([class]).await.map(drop)
}

/// A running Contour and its Envoy. Their ports are fixed, so there may be one at a time.
#[derive(Debug)]
pub struct Contour {
    _contour: Supervised,
    _envoy: Supervised,
}

impl Contour {
    /// Starts both for the Gateway of that namespace and name, with their logs in `folder`.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub fn start(
        cluster: &ControlPlane,
        programs: &Programs,
        (namespace, name): (&str, &str),
        folder: &Path,
    ) -> Result<Self> {
        let contour = serve(cluster, programs, (namespace, name), &[], folder)?;
        let bootstrap = folder.join("contour-envoy.json");
        let output = Command::new(&programs.contour)
            .args(["bootstrap", "--xds-address=127.0.0.1", "--xds-port", XDS_PORT, "--admin-address"])
            .arg(folder.join("contour-envoy.sock"))
            .arg(&bootstrap)
            .output()
            .map_err(Error::io("starting", &programs.contour))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Manifest(format!("contour bootstrap failed: {said}")));
        }
        let bootstrap = bootstrap.as_os_str();
        // Another Envoy may run on this machine, which this one would take itself for.
        let arguments =
            ["--use-dynamic-base-id", "--service-cluster", "contour", "--service-node", namespace, "--config-path"];
        let arguments = arguments.iter().map(OsStr::new).chain([bootstrap]);
        let envoy = Supervised::start("contour-envoy", &programs.envoy, arguments, folder)?;
        Ok(Self { _contour: contour, _envoy: envoy })
    }
}

/// Starts Contour alone, without what is named of [`EXPERIMENTAL`]. Its log is `contour.log` in `folder`.
///
/// # Errors
/// When it cannot be started.
pub fn serve(
    cluster: &ControlPlane,
    programs: &Programs,
    (namespace, name): (&str, &str),
    without: &[&str],
    folder: &Path,
) -> Result<Supervised> {
    let configuration = folder.join("contour.yaml");
    let configured = json!({ "gateway": { "gatewayRef": { "namespace": namespace, "name": name } } });
    fs::write(&configuration, configured.to_string()).map_err(Error::io("writing", &configuration))?;
    let arguments = [
        String::from("serve"),
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        format!("--config-path={}", configuration.display()),
        format!("--ingress-status-address={ADDRESS}"),
        String::from("--xds-address=127.0.0.1"),
        format!("--xds-port={XDS_PORT}"),
        // It and Envoy are on one machine.
        String::from("--insecure"),
        String::from("--disable-leader-election"),
    ];
    let without = without.iter().map(|feature| format!("--disable-feature={feature}"));
    Supervised::start("contour", &programs.contour, arguments.into_iter().chain(without), folder)
}
