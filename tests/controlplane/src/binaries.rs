//! The programs of the control plane: found, or built once and kept.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::{cache, golang};

/// The module that pins the versions of the programs.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tools");
const GO_MOD: &str = include_str!("../tools/go.mod");
const GO_SUM: &str = include_str!("../tools/go.sum");

/// One program, and how it is built.
struct Program {
    name: &'static str,
    package: &'static str,
    /// The module whose version is the program's, for what is said while it is built.
    module: &'static str,
    /// What a first build takes on two idle cores, after the programs before it, for the person who waits.
    takes: &'static str,
}

const KUBERNETES: &str = "k8s.io/kubernetes";
const ETCD: Program = Program {
    name: "etcd",
    package: "go.etcd.io/etcd/server/v3",
    module: "go.etcd.io/etcd/server/v3",
    takes: "10 seconds",
};
const KUBE_APISERVER: Program = Program {
    name: "kube-apiserver",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    module: KUBERNETES,
    takes: "3 minutes",
};
const KUBE_CONTROLLER_MANAGER: Program = Program {
    name: "kube-controller-manager",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    module: KUBERNETES,
    takes: "1 minute",
};
const KUBECTL: Program =
    Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", module: KUBERNETES, takes: "20 seconds" };

/// The programs that a control plane consists of.
#[derive(Clone, Debug)]
pub struct Binaries {
    etcd: PathBuf,
    kube_apiserver: PathBuf,
    kube_controller_manager: PathBuf,
    kubectl: PathBuf,
}

impl Binaries {
    /// Finds the programs, and builds those that are missing. The first time that takes about four minutes.
    ///
    /// Where `KUBEBUILDER_ASSETS` is set, it names a folder that holds kube-apiserver, etcd and kubectl;
    /// kube-controller-manager, which such folders tend to lack, is taken from there if it is present and built otherwise.
    ///
    /// # Errors
    /// When a program is neither there nor can be built.
    pub fn ensure() -> Result<Self> {
        match env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::from_assets(Path::new(&folder)),
            None => Self::from_cache(),
        }
    }

    fn from_assets(folder: &Path) -> Result<Self> {
        let asset = |program: &Program| present(folder, program);
        let required = |program: &Program| {
            asset(program).ok_or_else(|| Error::AssetMissing { folder: folder.to_owned(), program: program.name })
        };
        Ok(Self {
            etcd: required(&ETCD)?,
            kube_apiserver: required(&KUBE_APISERVER)?,
            kubectl: required(&KUBECTL)?,
            kube_controller_manager: match asset(&KUBE_CONTROLLER_MANAGER) {
                Some(path) => path,
                None => cached(&cache_folder()?, &KUBE_CONTROLLER_MANAGER)?,
            },
        })
    }

    fn from_cache() -> Result<Self> {
        let folder = cache_folder()?;
        Ok(Self {
            kube_apiserver: cached(&folder, &KUBE_APISERVER)?,
            kube_controller_manager: cached(&folder, &KUBE_CONTROLLER_MANAGER)?,
            kubectl: cached(&folder, &KUBECTL)?,
            etcd: cached(&folder, &ETCD)?,
        })
    }

    /// Where etcd is.
    #[must_use]
    pub fn etcd(&self) -> &Path {
        &self.etcd
    }

    /// Where kube-apiserver is.
    #[must_use]
    pub fn kube_apiserver(&self) -> &Path {
        &self.kube_apiserver
    }

    /// Where kube-controller-manager is.
    #[must_use]
    pub fn kube_controller_manager(&self) -> &Path {
        &self.kube_controller_manager
    }

    /// Where kubectl is.
    #[must_use]
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }
}

fn present(folder: &Path, program: &Program) -> Option<PathBuf> {
    Some(folder.join(program.name)).filter(|path| path.is_file())
}

/// The programs of one set of pinned versions share a folder, which all clones with the same pins use.
fn cache_folder() -> Result<PathBuf> {
    let pins = Sha256::new().chain_update(GO_MOD).chain_update(GO_SUM).finalize();
    let key = format!("{}-{:x}", version(KUBERNETES), pins);
    Ok(cache::root()?.join(&key[..key.len() - 48]))
}

/// The version that go.mod requires of a module.
fn version(module: &str) -> &'static str {
    let versions = GO_MOD.lines().map(str::split_whitespace);
    versions
        .filter_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
        .find(|word| word.starts_with('v'))
        .unwrap_or_default()
}

fn cached(folder: &Path, program: &Program) -> Result<PathBuf> {
    if let Some(path) = present(folder, program) {
        return Ok(path);
    }
    let _lock = cache::lock(folder)?;
    // Another process may have built it while this one waited for the lock.
    present(folder, program).map_or_else(|| build(folder, program), Ok)
}

fn build(folder: &Path, program: &Program) -> Result<PathBuf> {
    let Program { name, package, module, takes } = program;
    cache::progress(&format!("building {name} {}, about {takes}, once", version(module)));
    // A build whose starter was killed may still be writing, so no two builds write to the same place.
    let scratch = tempfile::tempdir_in(folder).map_err(Error::io("making a folder in", folder))?;
    let partial = scratch.path().join(name);
    let flags = linker_flags();
    let arguments = ["build", "-trimpath", "-buildvcs=false", "-ldflags", &flags, "-o"].map(Path::new);
    let output = golang::run(Path::new(MODULE), arguments.into_iter().chain([partial.as_path(), Path::new(package)]))?;
    if !output.status.success() {
        return Err(golang::failure(&format!("building {name}"), &output.stderr));
    }
    // Only a complete program ever bears the final name, whatever interrupts the build.
    let path = folder.join(name);
    fs::rename(&partial, &path).map_err(Error::io("renaming", &partial))?;
    Ok(path)
}

/// Without these the programs call themselves v0.0.0, and the API server refuses feature gates of its own version.
fn linker_flags() -> String {
    let version = version(KUBERNETES);
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let variable = "k8s.io/component-base/version";
    format!("-s -w -X {variable}.gitVersion={version} -X {variable}.gitMajor={major} -X {variable}.gitMinor={minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_come_from_go_mod() {
        assert!(version(KUBERNETES).starts_with("v1."), "{}", version(KUBERNETES));
        assert!(version(ETCD.module).starts_with("v3."), "{}", version(ETCD.module));
        assert!(linker_flags().contains("gitMajor=1 "), "{}", linker_flags());
    }
}
