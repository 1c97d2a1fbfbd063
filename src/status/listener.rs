//! What is to be said of one listener: its certificates, and what the data plane makes of it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::report::Verdict;
use crate::api::{Listener, SecretReference, TlsMode};
use crate::controller::mirror::ListenerStatus;
use crate::planner::LiveListener;

/// One listener of the Gateway.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerView {
    /// Its name.
    pub name: String,
    /// Its hostname; none: every hostname, or a protocol without hostnames.
    pub hostname: Option<String>,
    /// Its port.
    pub port: u16,
    /// Its protocol.
    pub protocol: String,
    /// Who ends TLS; none: no TLS.
    pub tls: Option<TlsMode>,
    /// The Secrets with its certificates.
    pub certificates: Vec<Certificate>,
    /// How many routes the data plane has attached.
    pub attached_routes: Option<i64>,
    /// Whether the data plane serves it.
    pub programmed: Verdict,
}

/// A certificate that a listener names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Where it is.
    #[serde(flatten)]
    pub secret: SecretKey,
    /// Whether it is there.
    pub state: SecretState,
}

/// A Secret's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Whether a Secret exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretState {
    /// It does.
    Present,
    /// That could not be found out.
    Unknown,
    /// It does not.
    Missing,
}

/// What is known of Secrets.
#[derive(Debug, Default)]
pub struct Secrets {
    states: BTreeMap<SecretKey, SecretState>,
    /// The first that could not be read, and why not.
    unreadable: Option<(SecretKey, String)>,
}

impl Secrets {
    /// Learns of one.
    pub fn insert(&mut self, key: SecretKey, state: SecretState) {
        self.states.insert(key, state);
    }

    /// Learns why one cannot be read.
    pub fn unreadable(&mut self, key: SecretKey, why: &str) {
        self.unreadable.get_or_insert_with(|| (key, why.to_owned()));
    }

    fn state(&self, key: &SecretKey) -> SecretState {
        self.states.get(key).copied().unwrap_or(SecretState::Unknown)
    }

    /// Why some are not known. Said once: the reason is the same for most.
    pub(super) fn note(&self) -> Option<String> {
        let (key, why) = self.unreadable.as_ref()?;
        Some(format!("Where a certificate is `unknown`, its Secret may not be read. Of {key} the cluster says: {why}"))
    }
}

/// The Secrets that a listener needs.
pub(super) fn secrets(listener: &Listener, namespace: &str) -> Vec<SecretKey> {
    let key = |reference: &SecretReference| SecretKey {
        namespace: reference.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
        name: reference.name.clone(),
    };
    listener.secrets().map(key).collect()
}

impl ListenerView {
    pub(super) fn new(live: &LiveListener, namespace: &str, said: Option<&ListenerStatus>, secrets: &Secrets) -> Self {
        let listener = &live.listener;
        let certificate = |secret: SecretKey| Certificate { state: secrets.state(&secret), secret };
        Self {
            name: listener.name.clone(),
            hostname: listener.hostname.clone().filter(|hostname| !hostname.is_empty()),
            port: listener.port,
            protocol: listener.protocol.to_string(),
            tls: listener.tls_mode(),
            certificates: self::secrets(listener, namespace).into_iter().map(certificate).collect(),
            attached_routes: said.and_then(|said| said.attached_routes),
            programmed: programmed(live, said),
        }
    }

    /// Whether it is served, with the certificates that it needs.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.programmed.is_true() && self.missing().next().is_none()
    }

    /// The Secrets that do not exist.
    pub fn missing(&self) -> impl Iterator<Item = &SecretKey> {
        let missing = self.certificates.iter().filter(|certificate| certificate.state == SecretState::Missing);
        missing.map(|certificate| &certificate.secret)
    }
}

/// The data plane's word. A yes that speaks of an older version of the Gateway is none.
fn programmed(live: &LiveListener, said: Option<&ListenerStatus>) -> Verdict {
    if let Some(why) = said.and_then(ListenerStatus::unhealthy) {
        return Verdict::new("False", &why.reason, &why.message);
    }
    if live.programmed {
        return Verdict::new("True", "Programmed", "");
    }
    match said.and_then(|said| said.condition("Programmed")).filter(|said| said.status != "True") {
        Some(said) => Verdict::new("Unknown", &said.reason, &said.message),
        None => Verdict::unknown("Pending", "The data plane has not looked at it yet."),
    }
}
