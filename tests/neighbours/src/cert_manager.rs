//! cert-manager: its CRDs, its controllers, and an authority of a test's own.

use std::path::Path;

use controlplane::supervisor::Supervised;
use controlplane::{ControlPlane, Result, pinned};
use serde_json::{Value, json};

use crate::{Programs, crds};

const MODULE: &str = "github.com/cert-manager/cert-manager";

/// Where its cluster-wide issuers keep their Secrets.
pub const NAMESPACE: &str = "cert-manager";
/// The `ClusterIssuer` that issues from [`AUTHORITY`].
pub const ISSUER: &str = "authority";
/// The Secret of the authority's certificate, in [`NAMESPACE`].
pub const AUTHORITY: &str = "authority";

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../cert-manager/go.mod"), MODULE)
}

/// Its CRDs.
///
/// # Errors
/// When its module cannot be downloaded or read.
pub fn crds() -> Result<Vec<Value>> {
    crds::of("cert-manager", MODULE, version(), "deploy/crds")
}

/// Installs the CRDs and starts the controllers, whose log goes into `folder`.
///
/// # Errors
/// When the CRDs cannot be had, or the controllers cannot be started.
pub async fn start(cluster: &ControlPlane, programs: &Programs, folder: &Path) -> Result<Supervised> {
    cluster.apply(crds()?).await?;
    cluster.apply([json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })]).await?;
    let arguments = [format!("--kubeconfig={}", cluster.kubeconfig().display())];
    Supervised::start("cert-manager", &programs.cert_manager, arguments, folder)
}

/// Makes an authority that signs itself, and [`ISSUER`].
///
/// # Errors
/// When the API server refuses.
pub async fn make_authority(cluster: &ControlPlane) -> Result<()> {
    let version = "cert-manager.io/v1";
    let authority = json!({
        "isCA": true, "commonName": "An authority for tests", "secretName": AUTHORITY,
        "privateKey": { "algorithm": "ECDSA", "size": 256 },
        "issuerRef": { "kind": "ClusterIssuer", "name": "itself" },
    });
    cluster
        .apply([
            json!({
                "apiVersion": version, "kind": "ClusterIssuer", "metadata": { "name": "itself" },
                "spec": { "selfSigned": {} },
            }),
            json!({
                "apiVersion": version, "kind": "Certificate",
                "metadata": { "name": AUTHORITY, "namespace": NAMESPACE }, "spec": authority,
            }),
            json!({
                "apiVersion": version, "kind": "ClusterIssuer", "metadata": { "name": ISSUER },
                "spec": { "ca": { "secretName": AUTHORITY } },
            }),
        ])
        .await
        .map(drop)
}
