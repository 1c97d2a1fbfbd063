//! The CRDs of the Gateway API, taken from its Go module.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::Value;

use crate::archive;
use crate::error::{Error, Result};

const MODULE: &str = "sigs.k8s.io/gateway-api";

/// A release of the Gateway API.
#[allow(missing_docs, reason = "the names say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Version {
    #[value(name = "1.4.1")]
    V1_4_1,
    #[value(name = "1.5.1")]
    V1_5_1,
    #[value(name = "1.6.1")]
    V1_6_1,
    #[value(name = "1.7.0")]
    V1_7_0,
}

impl Version {
    /// All releases, oldest first.
    pub const ALL: [Self; 4] = [Self::V1_4_1, Self::V1_5_1, Self::V1_6_1, Self::V1_7_0];
    /// The newest release.
    pub const NEWEST: Self = Self::V1_7_0;

    /// The tag of the release.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::V1_4_1 => "v1.4.1",
            Self::V1_5_1 => "v1.5.1",
            Self::V1_6_1 => "v1.6.1",
            Self::V1_7_0 => "v1.7.0",
        }
    }
}

/// What a release offers: only what is stable, or also what is being tried.
#[allow(missing_docs, reason = "the names say it all")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Channel {
    Standard,
    Experimental,
}

impl Channel {
    /// Both channels.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Experimental];

    fn folder(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Experimental => "experimental",
        }
    }
}

/// One channel of one release of the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GatewayApi {
    /// The release.
    pub version: Version,
    /// The channel.
    pub channel: Channel,
}

impl fmt::Display for GatewayApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version.tag(), self.channel.folder())
    }
}

impl FromStr for GatewayApi {
    type Err = String;

    /// Reads what it is displayed as.
    fn from_str(written: &str) -> std::result::Result<Self, String> {
        let known = || Self::all().map(|known| known.to_string()).collect::<Vec<_>>().join(", ");
        let found = Self::all().find(|known| known.to_string() == written);
        found.ok_or_else(|| format!("`{written}` is no Gateway API that is known here: {}", known()))
    }
}

impl GatewayApi {
    /// The one that the variable `GATEWAY_API` names, such as `v1.5.1 experimental`; without it, the newest.
    ///
    /// # Panics
    /// When there is no such Gateway API.
    #[must_use]
    pub fn chosen() -> Self {
        let parse = |written: String| written.parse().unwrap_or_else(|error| panic!("GATEWAY_API: {error}"));
        std::env::var("GATEWAY_API").map_or(Self::NEWEST, parse)
    }

    /// The standard channel of the newest release.
    pub const NEWEST: Self = Self { version: Version::NEWEST, channel: Channel::Standard };

    /// Both channels of all releases, oldest release first.
    pub fn all() -> impl Iterator<Item = Self> {
        Version::ALL.into_iter().flat_map(|version| Channel::ALL.map(|channel| Self { version, channel }))
    }

    /// Its `CustomResourceDefinition`s, ready to be applied, ordered by name. The first call downloads the release.
    ///
    /// The admission policy that newer releases bring along is not among them: it forbids to install an older release
    /// or another channel over a newer one, which is just what tests do.
    ///
    /// # Errors
    /// When the release cannot be downloaded or read.
    pub fn crds(&self) -> Result<Vec<Value>> {
        let folder = extracted(self.version)?.join(self.channel.folder());
        archive::crds_in(&folder)
    }
}

/// The folder that holds the CRDs of a release, a folder a channel.
fn extracted(version: Version) -> Result<PathBuf> {
    archive::kept("gateway-api", MODULE, version.tag(), extract)
}

/// Takes the CRDs out of the archive, a folder a channel.
fn extract(archive: &Path, target: &Path) -> Result<()> {
    for channel in Channel::ALL {
        let folder = target.join(channel.folder());
        fs::create_dir(&folder).map_err(Error::io("making the folder", &folder))?;
    }
    archive::extract(archive, |name| destination(name, target))
}

/// Where an entry of the archive goes, if it belongs to a channel.
fn destination(entry: &str, target: &Path) -> Option<PathBuf> {
    let (_, path) = entry.split_once("/config/crd/")?;
    let (folder, name) = path.split_once('/')?;
    let channel = Channel::ALL.into_iter().find(|channel| channel.folder() == folder)?;
    let is_manifest = Path::new(name).extension().is_some_and(|extension| extension == "yaml") && !name.contains('/');
    is_manifest.then(|| target.join(channel.folder()).join(name))
}
