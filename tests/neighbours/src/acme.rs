//! pebble, an ACME server that issues what it could check, as Let's Encrypt does.

use std::fs;
use std::path::Path;

use controlplane::supervisor::Supervised;
use controlplane::{ControlPlane, Error, Result, pinned};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::Programs;

/// The port that it checks HTTP-01 challenges on, which is the only one that ACME allows.
const HTTP_PORT: u16 = 80;
const PORT: u16 = 14_000;
const MANAGEMENT_PORT: u16 = 15_000;

/// The `ClusterIssuer` that orders from it.
pub const ISSUER: &str = "acme";

/// Its version.
#[must_use]
pub fn version() -> &'static str {
    pinned::version(include_str!("../pebble/go.mod"), "github.com/letsencrypt/pebble/v2")
}

/// A running ACME server.
#[derive(Debug)]
pub struct Acme {
    _process: Supervised,
    certificate: String,
}

impl Acme {
    /// Starts it, with its files in `folder`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([String::from("localhost")])?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("writing", &path)).map(|()| path)
        };
        let certificate = write("acme.crt", cert.pem())?;
        let key = write("acme.key", signing_key.serialize_pem())?;
        let configuration = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{PORT}"), "managementListenAddress": format!("127.0.0.1:{MANAGEMENT_PORT}"),
            "certificate": certificate, "privateKey": key, "httpPort": HTTP_PORT, "tlsPort": 443,
        } });
        let configuration = write("acme.json", configuration.to_string())?;
        let arguments = [
            // It would wait up to 15 seconds before each check, and refuse every 20th request, to keep clients honest.
            String::from("PEBBLE_VA_NOSLEEP=1"),
            String::from("PEBBLE_WFE_NONCEREJECT=0"),
            programs.pebble.display().to_string(),
            format!("-config={}", configuration.display()),
        ];
        let process = Supervised::start("pebble", Path::new("env"), arguments, folder)?;
        Ok(Self { _process: process, certificate: cert.pem() })
    }

    /// Makes [`ISSUER`], which has challenges answered at that Gateway.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn make_issuer(&self, cluster: &ControlPlane, namespace: &str, gateway: &str) -> Result<()> {
        let parent = json!({ "kind": "Gateway", "name": gateway, "namespace": namespace });
        let issuer = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": { "name": ISSUER },
            "spec": { "acme": {
                "server": format!("https://localhost:{PORT}/dir"), "caBundle": in_base64(self.certificate.as_bytes()),
                "privateKeySecretRef": { "name": ISSUER },
                "solvers": [{ "http01": { "gatewayHTTPRoute": { "parentRefs": [parent] } } }],
            } },
        });
        cluster.apply([issuer]).await.map(drop)
    }

    /// The address of the management interface, which hands out the authority's certificate at `/roots/0`.
    #[must_use]
    pub fn management(&self) -> u16 {
        MANAGEMENT_PORT
    }

    /// The certificate that it shows itself, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// Objects carry bytes this way.
fn in_base64(bytes: &[u8]) -> serde_json::Value {
    json!(k8s_openapi::ByteString(bytes.to_vec()))
}
