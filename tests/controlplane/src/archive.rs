//! Manifests that come with Go modules: downloaded once, and kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use zip::ZipArchive;

use crate::error::{Error, Result};
use crate::{cache, golang};

/// The folder that holds what `extract` takes out of a release's archive, below one of that name.
///
/// # Errors
/// When the release cannot be downloaded or read.
pub fn kept(name: &str, module: &str, version: &str, extract: impl Fn(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let parent = cache::root()?.join(name);
    let folder = parent.join(version);
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = cache::lock(&parent)?;
    if !folder.is_dir() {
        cache::progress(&format!("downloading {module} {version}, once"));
        let archive = download(&parent, module, version)?;
        let partial = tempfile::tempdir_in(&parent).map_err(Error::io("making a folder in", &parent))?;
        extract(&archive, partial.path())?;
        // Only a complete folder ever bears the final name.
        fs::rename(partial.path(), &folder).map_err(Error::io("renaming", partial.path()))?;
    }
    Ok(folder)
}

/// Downloads a release, which Go verifies against its checksum database, and returns the path of the archive.
fn download(folder: &Path, module: &str, version: &str) -> Result<PathBuf> {
    /// What `go mod download -json` prints of it that is needed here.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Download {
        zip: Option<PathBuf>,
        error: Option<String>,
    }

    let output = golang::run(folder, ["mod", "download", "-json", &format!("{module}@{version}")])?;
    let action = format!("downloading {module} {version}");
    // A release that asks for a newer Go than this one makes go fail, but only after it has downloaded the archive. No
    // Go code of it is used, so what counts is the archive and not the exit code.
    match serde_json::from_slice(&output.stdout) {
        Ok(Download { zip: Some(archive), .. }) => Ok(archive),
        Ok(Download { error: Some(error), .. }) => Err(golang::failure(&action, error.as_bytes())),
        _ => Err(golang::failure(&action, &output.stderr)),
    }
}

/// Takes entries out of an archive, each to where `destination` says. The module's own folder lacks when Go refused the
/// module, so the archive it is.
///
/// # Errors
/// When the archive is not one, or a file cannot be written.
pub fn extract(archive: &Path, destination: impl Fn(&str) -> Option<PathBuf>) -> Result<()> {
    let broken = |source| Error::Archive { archive: archive.to_owned(), source };
    let file = File::open(archive).map_err(Error::io("opening", archive))?;
    let mut entries = ZipArchive::new(file).map_err(broken)?;
    for index in 0..entries.len() {
        let mut entry = entries.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let Some(path) = destination(&name) else { continue };
        let mut file = File::create(&path).map_err(Error::io("creating", &path))?;
        io::copy(&mut entry, &mut file).map_err(Error::io("writing", &path))?;
    }
    Ok(())
}

/// The `CustomResourceDefinition`s among the manifests of a folder, ready to be applied, ordered by the files' names.
///
/// # Errors
/// When the folder cannot be read, or a file in it is not YAML.
pub fn crds_in(folder: &Path) -> Result<Vec<Value>> {
    let read_folder = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut files = read_folder().map_err(Error::io("listing", folder))?;
    files.sort();
    let documents = files.iter().map(|file| parse(file)).collect::<Result<Vec<_>>>()?;
    let is_crd = |document: &Value| document["kind"] == "CustomResourceDefinition";
    Ok(documents.into_iter().flatten().filter(is_crd).map(without_status).collect())
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
