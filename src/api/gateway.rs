//! A Gateway's listener, field by field as the Gateway API defines it.
//!
//! Only what the planner reads or writes is typed; the server's own schema checks the rest.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};

use super::lenient::null_as_default;

/// One entry of `Gateway.spec.listeners`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Unique within the Gateway; what a route's `sectionName` refers to.
    pub name: String,
    /// Absent: every hostname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Network port, 1 to 65535.
    pub port: u16,
    /// What is spoken on the port.
    pub protocol: Protocol,
    /// Present on HTTPS and TLS alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Which routes may attach; absent: those of the Gateway's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

impl Listener {
    /// The TLS mode in force: the Gateway API's default is `Terminate`; none where the protocol has no TLS.
    #[must_use]
    pub fn tls_mode(&self) -> Option<TlsMode> {
        match self.protocol {
            Protocol::Https | Protocol::Tls => Some(self.tls.as_ref().and_then(|tls| tls.mode).unwrap_or_default()),
            Protocol::Http | Protocol::Tcp | Protocol::Udp | Protocol::Other(_) => None,
        }
    }

    /// The Secrets with its certificates. Whatever is written there, only a Gateway that ends TLS needs them.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretReference> {
        let tls = self.tls.as_ref().filter(|_| self.tls_mode() == Some(TlsMode::Terminate));
        tls.into_iter().flat_map(|tls| &tls.certificate_refs).filter(|reference| reference.is_secret())
    }
}

/// A listener's protocol. Names that the Gateway API does not define are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Protocol {
    /// Plain HTTP.
    Http,
    /// HTTP inside TLS that the Gateway terminates.
    Https,
    /// TLS, terminated or passed through.
    Tls,
    /// Plain TCP.
    Tcp,
    /// UDP.
    Udp,
    /// A protocol of one implementation, as `example.com/foo`.
    Other(String),
}

impl Protocol {
    /// The name that the Gateway API gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for Protocol {
    fn from(name: String) -> Self {
        match name.as_str() {
            "HTTP" => Self::Http,
            "HTTPS" => Self::Https,
            "TLS" => Self::Tls,
            "TCP" => Self::Tcp,
            "UDP" => Self::Udp,
            _ => Self::Other(name),
        }
    }
}

impl From<Protocol> for String {
    fn from(protocol: Protocol) -> Self {
        protocol.as_str().to_owned()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A listener's TLS block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTls {
    /// Absent: `Terminate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<TlsMode>,
    /// The certificates; cert-manager fills the Secrets that they name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<SecretReference>,
    /// Settings of one implementation.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Who ends the TLS connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub enum TlsMode {
    /// The Gateway does.
    #[default]
    Terminate,
    /// The backend does.
    Passthrough,
}

impl From<String> for TlsMode {
    fn from(mode: String) -> Self {
        if mode == "Passthrough" { Self::Passthrough } else { Self::Terminate }
    }
}

/// A reference to a certificate, a Secret unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// Absent: the core group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Absent: `Secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The Secret's name.
    pub name: String,
    /// Absent: the Gateway's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl SecretReference {
    /// Whether it names a Secret. A Gateway may name other kinds, which only its data plane understands.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.group.as_deref().unwrap_or_default().is_empty() && self.kind.as_deref().is_none_or(|kind| kind == "Secret")
    }
}

/// Which routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowedRoutes {
    /// Absent: the Gateway's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// Empty: every kind that fits the protocol.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// A choice of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteNamespaces {
    /// How they are chosen; absent: the default of the field that holds this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NamespacesFrom>,
    /// Read where `from` is `Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// How namespaces are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NamespacesFrom {
    /// Every namespace.
    All,
    /// The namespaces whose labels a selector matches.
    Selector,
    /// The Gateway's namespace.
    #[serde(other)]
    Same,
}

/// A kind of route that a listener admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteGroupKind {
    /// Absent: `gateway.networking.k8s.io`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind, as `TCPRoute`.
    pub kind: String,
}
