//! The programs of the control plane: found, or built once and kept.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::pinned::{Module, Pinned};

/// The module of each release of Kubernetes; the first is taken where none is named.
const RELEASES: [(&str, Module); 2] = [("1.36", NEWEST), ("1.34", OLDEST)];

const NEWEST: Module = Module {
    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/tools"),
    go_mod: include_str!("../tools/go.mod"),
    go_sum: include_str!("../tools/go.sum"),
    source: "",
    main: KUBERNETES,
    prefix: "",
    linker_flags,
};

const OLDEST: Module = Module {
    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/tools-1.34"),
    go_mod: include_str!("../tools-1.34/go.mod"),
    go_sum: include_str!("../tools-1.34/go.sum"),
    ..NEWEST
};

const KUBERNETES: &str = "k8s.io/kubernetes";
const ETCD: Pinned = Pinned {
    name: "etcd",
    package: "go.etcd.io/etcd/server/v3",
    module: "go.etcd.io/etcd/server/v3",
    takes: "10 seconds",
};
const KUBE_APISERVER: Pinned = Pinned {
    name: "kube-apiserver",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    module: KUBERNETES,
    takes: "3 minutes",
};
const KUBE_CONTROLLER_MANAGER: Pinned = Pinned {
    name: "kube-controller-manager",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    module: KUBERNETES,
    takes: "1 minute",
};
const KUBECTL: Pinned =
    Pinned { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", module: KUBERNETES, takes: "20 seconds" };

/// The programs that a control plane consists of.
#[derive(Clone, Debug)]
pub struct Binaries {
    etcd: PathBuf,
    kube_apiserver: PathBuf,
    kube_controller_manager: PathBuf,
    kubectl: PathBuf,
}

impl Binaries {
    /// The releases of Kubernetes that there are, as `KUBERNETES` names them; the newest comes first.
    pub const RELEASES: [&'static str; 2] = [RELEASES[0].0, RELEASES[1].0];

    /// Finds the programs, and builds those that are missing. The first time that takes about four minutes.
    ///
    /// `KUBERNETES` names the release, such as `1.34`; without it, it is the newest.
    ///
    /// Where `KUBEBUILDER_ASSETS` is set, it names a folder that holds kube-apiserver, etcd and kubectl;
    /// kube-controller-manager, which such folders tend to lack, is taken from there if it is present and built otherwise.
    ///
    /// # Errors
    /// When a program is neither there nor can be built.
    pub fn ensure() -> Result<Self> {
        match env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) {
            Some(folder) => Self::from_assets(Path::new(&folder)),
            None => Self::from_cache(release(&env::var("KUBERNETES").unwrap_or_default())?),
        }
    }

    fn from_assets(folder: &Path) -> Result<Self> {
        let asset = |program: &Pinned| program.present(folder);
        let required = |program: &Pinned| {
            asset(program).ok_or_else(|| Error::AssetMissing { folder: folder.to_owned(), program: program.name })
        };
        Ok(Self {
            etcd: required(&ETCD)?,
            kube_apiserver: required(&KUBE_APISERVER)?,
            kubectl: required(&KUBECTL)?,
            kube_controller_manager: match asset(&KUBE_CONTROLLER_MANAGER) {
                Some(path) => path,
                None => NEWEST.cached(&KUBE_CONTROLLER_MANAGER)?,
            },
        })
    }

    fn from_cache(release: &Module) -> Result<Self> {
        Ok(Self {
            kube_apiserver: release.cached(&KUBE_APISERVER)?,
            kube_controller_manager: release.cached(&KUBE_CONTROLLER_MANAGER)?,
            kubectl: release.cached(&KUBECTL)?,
            etcd: release.cached(&ETCD)?,
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

/// The module that pins a release.
fn release(name: &str) -> Result<&'static Module> {
    let known = || RELEASES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
    let found = RELEASES.iter().find(|(known, _)| *known == name || name.is_empty());
    found.map(|(_, module)| module).ok_or_else(|| Error::UnknownRelease { name: name.to_owned(), known: known() })
}

/// Without these the programs call themselves v0.0.0, and the API server refuses feature gates of its own version.
fn linker_flags(module: &Module) -> String {
    let version = module.version(KUBERNETES);
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let variable = "k8s.io/component-base/version";
    format!("-X {variable}.gitVersion={version} -X {variable}.gitMajor={major} -X {variable}.gitMinor={minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_come_from_go_mod() {
        for (name, module) in &RELEASES {
            assert!(module.version(KUBERNETES).starts_with(&format!("v{name}.")), "{}", module.version(KUBERNETES));
            assert!(module.version(ETCD.module).starts_with("v3."), "{}", module.version(ETCD.module));
            let flags = linker_flags(module);
            assert!(flags.contains("gitMajor=1 ") && flags.ends_with(&name[2..]), "{flags}");
        }
    }

    #[test]
    fn a_release_that_is_not_there_is_told_beside_those_that_are() {
        let error = release("1.20").map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("1.20") && error.contains("1.36 and 1.34"), "{error}");
    }
}
