//! Helm, of two versions, apart from whatever the user has set up for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::pinned::{Module, Pinned};

/// The module that pins the versions.
const MODULE: Module = Module {
    folder: concat!(env!("CARGO_MANIFEST_DIR"), "/helm"),
    go_mod: include_str!("../helm/go.mod"),
    go_sum: include_str!("../helm/go.sum"),
    source: "",
    main: V4.module,
    prefix: "helm-",
    linker_flags: |_| String::new(),
};
const V4: Pinned =
    Pinned { name: "helm4", package: "helm.sh/helm/v4/cmd/helm", module: "helm.sh/helm/v4", takes: "2 minutes" };
const V3: Pinned =
    Pinned { name: "helm3", package: "helm.sh/helm/v3/cmd/helm", module: "helm.sh/helm/v3", takes: "10 seconds" };

/// Helm's programs, and a folder for what they remember.
#[derive(Debug)]
pub struct Helm {
    v4: PathBuf,
    v3: PathBuf,
    home: TempDir,
}

impl Helm {
    /// Finds the programs, and builds those that are missing. The first time that takes about two minutes.
    ///
    /// # Errors
    /// When a program is neither there nor can be built.
    pub fn ensure() -> Result<Self> {
        let temporary = std::env::temp_dir();
        let home = TempDir::new().map_err(Error::io("making a folder in", &temporary))?;
        Ok(Self { v4: MODULE.cached(&V4)?, v3: MODULE.cached(&V3)?, home })
    }

    /// The current version, to which arguments can be added. Without `KUBECONFIG` it finds no cluster.
    #[must_use]
    pub fn v4(&self) -> Command {
        self.command(&self.v4)
    }

    /// The last release of version 3.
    #[must_use]
    pub fn v3(&self) -> Command {
        self.command(&self.v3)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.home.path());
        }
        command.env("KUBECONFIG", self.home.path().join("none"));
        command
    }
}
