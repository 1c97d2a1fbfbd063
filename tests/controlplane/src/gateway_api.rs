//! The CRDs of the Gateway API, taken from its Go module.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use zip::ZipArchive;

use crate::error::{Error, Result};
use crate::{cache, golang};

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

impl GatewayApi {
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
        let read_folder = || fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
        let mut files = read_folder().map_err(Error::io("listing", &folder))?;
        files.sort();
        let documents = files.iter().map(|file| parse(file)).collect::<Result<Vec<_>>>()?;
        let is_crd = |document: &Value| document["kind"] == "CustomResourceDefinition";
        Ok(documents.into_iter().flatten().filter(is_crd).map(without_status).collect())
    }
}

fn parse(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).map_err(Error::io("reading", file))?;
    serde_saphyr::from_multiple(&text)
        .map_err(|error| Error::Yaml { what: file.display().to_string(), message: error.to_string() })
}

/// The generator of the CRDs leaves an empty status and an empty creation time in them, which an apply would claim.
fn without_status(mut crd: Value) -> Value {
    if let Some(fields) = crd.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = crd["metadata"].as_object_mut() {
        metadata.remove("creationTimestamp");
    }
    crd
}

/// The folder that holds the CRDs of a release, a folder a channel.
fn extracted(version: Version) -> Result<PathBuf> {
    let parent = cache::root()?.join("gateway-api");
    let folder = parent.join(version.tag());
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = cache::lock(&parent)?;
    if !folder.is_dir() {
        cache::progress(&format!("downloading the Gateway API {}, once", version.tag()));
        let archive = download(&parent, version)?;
        let partial = tempfile::tempdir_in(&parent).map_err(Error::io("making a folder in", &parent))?;
        extract(&archive, partial.path(), version)?;
        // Only a complete folder ever bears the final name.
        fs::rename(partial.path(), &folder).map_err(Error::io("renaming", partial.path()))?;
    }
    Ok(folder)
}

/// Downloads a release, which Go verifies against its checksum database, and returns the path of the archive.
fn download(folder: &Path, version: Version) -> Result<PathBuf> {
    /// What `go mod download -json` prints of it that is needed here.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Download {
        zip: Option<PathBuf>,
        error: Option<String>,
    }

    let output = golang::run(folder, ["mod", "download", "-json", &format!("{MODULE}@{}", version.tag())])?;
    let action = format!("downloading the Gateway API {}", version.tag());
    // A release that asks for a newer Go than this one makes go fail, but only after it has downloaded the archive. No
    // Go code of it is used, so what counts is the archive and not the exit code.
    match serde_json::from_slice(&output.stdout) {
        Ok(Download { zip: Some(archive), .. }) => Ok(archive),
        Ok(Download { error: Some(error), .. }) => Err(golang::failure(&action, error.as_bytes())),
        _ => Err(golang::failure(&action, &output.stderr)),
    }
}

/// Takes the CRDs out of the archive. The module's own folder lacks when Go refused the module, so the archive it is.
fn extract(archive: &Path, target: &Path, version: Version) -> Result<()> {
    let broken = |source| Error::Archive { version: version.tag(), source };
    let file = File::open(archive).map_err(Error::io("opening", archive))?;
    let mut entries = ZipArchive::new(file).map_err(broken)?;
    for channel in Channel::ALL {
        let folder = target.join(channel.folder());
        fs::create_dir(&folder).map_err(Error::io("making the folder", &folder))?;
    }
    for index in 0..entries.len() {
        let mut entry = entries.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let Some(path) = destination(&name, target) else { continue };
        let mut file = File::create(&path).map_err(Error::io("creating", &path))?;
        io::copy(&mut entry, &mut file).map_err(Error::io("writing", &path))?;
    }
    Ok(())
}

/// Where an entry of the archive goes, if it belongs to a channel.
fn destination(entry: &str, target: &Path) -> Option<PathBuf> {
    let (_, path) = entry.split_once("/config/crd/")?;
    let (folder, name) = path.split_once('/')?;
    let channel = Channel::ALL.into_iter().find(|channel| channel.folder() == folder)?;
    let is_manifest = Path::new(name).extension().is_some_and(|extension| extension == "yaml") && !name.contains('/');
    is_manifest.then(|| target.join(channel.folder()).join(name))
}
