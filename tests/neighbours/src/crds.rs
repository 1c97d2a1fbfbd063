//! The CRDs of the neighbours, taken from their Go modules.

use std::fs;
use std::path::{Path, PathBuf};

use controlplane::{Error, Result, archive};
use serde_json::Value;

/// The CRDs in a folder of a module, ready to be applied. The first call downloads the module.
pub fn of(name: &str, module: &str, version: &str, folder: &str) -> Result<Vec<Value>> {
    let kept = archive::kept(&format!("{name}-crds"), module, version, |archive, target| {
        archive::extract(archive, |entry| destination(entry, folder, target))?;
        without_template_lines(target)
    })?;
    archive::crds_in(&kept)
}

/// Where an entry of the archive goes, if it is in that folder.
fn destination(entry: &str, folder: &str, target: &Path) -> Option<PathBuf> {
    let (_, name) = entry.split_once(&format!("/{folder}/"))?;
    let is_manifest = Path::new(name).extension().is_some_and(|extension| extension == "yaml") && !name.contains('/');
    is_manifest.then(|| target.join(name))
}

/// Some wrap what is YAML otherwise into a condition of Helm's.
fn without_template_lines(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io("listing", folder))? {
        let path = entry.map_err(Error::io("listing", folder))?.path();
        let text = fs::read_to_string(&path).map_err(Error::io("reading", &path))?;
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("{{")).collect();
        fs::write(&path, lines.join("\n")).map_err(Error::io("writing", &path))?;
    }
    Ok(())
}
