//! Envoy Gateway in its mode for hosts: it reads the cluster and runs Envoy as a process beside itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use controlplane::supervisor::Supervised;
use controlplane::{ControlPlane, Error, Result, pinned};
use serde_json::{Value, json};

use crate::{Programs, crds, envoy};

const MODULE: &str = "github.com/envoyproxy/gateway";
const NAMESPACE: &str = "envoy-gateway-system";

/// The `GatewayClass` that it serves. Each Gateway of it gets an Envoy of its own.
pub const CLASS: &str = "envoy";
/// Where it looks for its certificates, whatever it is told.
const CERTIFICATES: &str = "/certs";

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../envoy-gateway/go.mod"), MODULE)
}

/// The version of the Envoy that it runs.
#[must_use]
pub fn envoy_version() -> &'static str {
    envoy::version()
}

/// Its CRDs.
///
/// # Errors
/// When its module cannot be downloaded or read.
pub fn crds() -> Result<Vec<Value>> {
    crds::of("envoy-gateway", MODULE, version(), "charts/gateway-crds-helm/templates/generated")
}

/// Installs the CRDs and starts it, with all of its files in `folder`.
///
/// # Errors
/// When the CRDs cannot be had, or it cannot be started.
pub async fn start(cluster: &ControlPlane, programs: &Programs, folder: &Path) -> Result<Supervised> {
    cluster.apply(crds()?).await?;
    cluster.apply(class()).await?;
    install_envoy(programs, folder)?;
    make_certificates(programs, folder)?;
    let configuration = folder.join("envoy-gateway.yaml");
    fs::write(&configuration, configured(folder).to_string()).map_err(Error::io("writing", &configuration))?;
    let arguments = [
        format!("KUBECONFIG={}", cluster.kubeconfig().display()),
        format!("ENVOY_GATEWAY_NAMESPACE={NAMESPACE}"),
        programs.envoy_gateway.display().to_string(),
        String::from("server"),
        format!("--config-path={}", configuration.display()),
    ];
    Supervised::start("envoy-gateway", Path::new("env"), arguments, folder)
}

/// The loopback ports at which each Envoy that was started here can be asked about itself, of those that ended too.
///
/// # Errors
/// When the folder of their runs cannot be read.
pub fn admin_ports(folder: &Path) -> Result<Vec<u16>> {
    let runtime = runtime(folder);
    let mut ports = Vec::new();
    for entry in fs::read_dir(&runtime).map_err(Error::io("listing", &runtime))? {
        let run = entry.map_err(Error::io("listing", &runtime))?.path();
        // It writes its address down once it knows it.
        let address = fs::read_to_string(run.join("admin-address.txt")).unwrap_or_default();
        ports.extend(address.trim().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()));
    }
    Ok(ports)
}

fn runtime(folder: &Path) -> PathBuf {
    folder.join("runtime")
}

fn class() -> [Value; 3] {
    let proxy =
        json!({ "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "host", "namespace": NAMESPACE });
    [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }),
        json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyProxy",
            "metadata": { "name": "host", "namespace": NAMESPACE },
            // Without this argument the second Envoy on a machine takes itself for the first, and ends.
            "spec": {
                "provider": { "type": "Host", "host": { "envoyVersion": envoy::version() } },
                "extraArgs": ["--use-dynamic-base-id"],
            },
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": { "name": CLASS },
            "spec": { "controllerName": "gateway.envoyproxy.io/gatewayclass-controller", "parametersRef": proxy },
        }),
    ]
}

fn configured(folder: &Path) -> Value {
    let host = json!({
        "configHome": folder.join("config"), "dataHome": folder.join("data"), "stateHome": folder.join("state"),
        "runtimeDir": runtime(folder),
    });
    let leader_election = json!({ "leaderElection": { "disable": true } });
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyGateway",
        "gateway": { "controllerName": "gateway.envoyproxy.io/gatewayclass-controller" },
        "provider": { "type": "Custom", "custom": {
            "resource": { "type": "Kubernetes", "kubernetes": leader_election },
            "infrastructure": { "type": "Host", "host": host },
        } },
    })
}

/// Puts Envoy where the library looks that Envoy Gateway runs it with, so that nothing is downloaded.
fn install_envoy(programs: &Programs, folder: &Path) -> Result<()> {
    let bin = folder.join("data/envoy-versions").join(envoy::version()).join("bin");
    fs::create_dir_all(&bin).map_err(Error::io("making the folder", &bin))?;
    symlink(&programs.envoy, bin.join("envoy")).map_err(Error::io("linking Envoy into", &bin))
}

/// Makes the certificates by which it and Envoy know each other. Its own have to be in a folder that cannot be chosen.
fn make_certificates(programs: &Programs, folder: &Path) -> Result<()> {
    let config = folder.join("config");
    let output = Command::new(&programs.envoy_gateway)
        .args(["certgen", "--local", "--config-home"])
        .arg(&config)
        .output()
        .map_err(Error::io("starting", &programs.envoy_gateway))?;
    if !output.status.success() {
        return Err(Error::Manifest(format!(
            "envoy-gateway certgen failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    let made = config.join("certs/envoy-gateway");
    for entry in fs::read_dir(&made).map_err(Error::io("listing", &made))? {
        let path = entry.map_err(Error::io("listing", &made))?.path();
        let name = path.file_name().unwrap_or_default();
        let target = Path::new(CERTIFICATES).join(name);
        fs::copy(&path, &target).map_err(Error::io("copying to", &target))?;
    }
    Ok(())
}
