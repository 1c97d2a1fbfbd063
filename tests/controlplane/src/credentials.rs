//! Keys, certificates and tokens of one control plane.
//!
//! The API server could make its own certificate. Making it here costs next to nothing, lets the kubeconfig be written
//! before the API server runs, and keeps the certificate the same when the API server is started again.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// What the API server is started with, and what its clients need to trust it and to be trusted.
#[derive(Debug)]
pub(crate) struct Credentials {
    folder: PathBuf,
    pub(crate) ca_pem: String,
    pub(crate) ca_der: Vec<u8>,
    pub(crate) admin_token: String,
}

impl Credentials {
    /// Makes everything and writes what the API server needs to `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let ca = authority()?;
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(String::from);
        let certificate = named("kube-apiserver", names)?.signed_by(&key, &ca)?;
        let service_accounts = KeyPair::generate()?;
        // Nobody can know a hash of a secret key, which makes it a good token.
        let admin_token = hex(&Sha256::digest(service_accounts.serialize_pem()));

        let credentials = Self { folder: folder.to_owned(), ca_pem: ca.pem(), ca_der: ca.der().to_vec(), admin_token };
        credentials.write("apiserver.crt", &certificate.pem())?;
        credentials.write("apiserver.key", &key.serialize_pem())?;
        credentials.write("service-accounts.key", &service_accounts.serialize_pem())?;
        credentials.write("service-accounts.pub", &service_accounts.public_key_pem())?;
        credentials.write("tokens.csv", &format!("{},admin,admin,\"system:masters\"\n", credentials.admin_token))?;
        Ok(credentials)
    }

    /// The flags that make the API server use them.
    pub(crate) fn apiserver_flags(&self) -> [String; 6] {
        let flag = |flag, name| format!("--{flag}={}", self.folder.join(name).display());
        [
            flag("tls-cert-file", "apiserver.crt"),
            flag("tls-private-key-file", "apiserver.key"),
            flag("service-account-signing-key-file", "service-accounts.key"),
            flag("service-account-key-file", "service-accounts.pub"),
            flag("token-auth-file", "tokens.csv"),
            String::from("--service-account-issuer=https://kubernetes.default.svc"),
        ]
    }

    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, content).map_err(Error::io("writing", &path))
    }
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = named("controlplane", [])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A name of its own for every certificate: with equal ones some clients take a certificate for its own issuer.
fn named(name: &str, subjects: impl IntoIterator<Item = String>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(subjects.into_iter().collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
