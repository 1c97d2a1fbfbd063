//! Which cluster is spoken to, and as whom.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use tracing::warn;

/// A watch ends after 290 seconds by itself; a connection on which nothing comes for longer is dead.
const READ_TIMEOUT: Duration = Duration::from_mins(5);
/// An API server in reach accepts a connection in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Which kubeconfig is used.
#[derive(Clone, Debug, Default, ClapArgs)]
#[group(skip)]
pub struct Args {
    /// The kubeconfig, or several with a colon between; empty: in a cluster that cluster, elsewhere ~/.kube/config
    #[arg(
        long,
        global = true,
        env = "KUBECONFIG",
        value_name = "KUBECONFIG",
        default_value = "",
        hide_default_value = true
    )]
    kubeconfig: OsString,
}

/// Why it is not known which cluster to speak to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or is no kubeconfig.
    #[error("kubeconfig {}: {}", path.display(), described(source))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<KubeconfigError>,
    },
    /// What the files say together is of no use.
    #[error("kubeconfig {}: {source}", paths.display())]
    Content {
        /// The files, as given.
        paths: PathBuf,
        /// What is wrong with them.
        source: Box<KubeconfigError>,
    },
    /// It runs in a cluster, without the files that a cluster gives to its pods.
    #[error("in a cluster (KUBERNETES_SERVICE_HOST is set), but {0}")]
    InCluster(#[source] Box<InClusterError>),
    /// It does not run in a cluster, and there is no home to look for a kubeconfig in.
    #[error("no kubeconfig: neither --kubeconfig nor KUBECONFIG names one, this is no cluster, and HOME is not set")]
    Nowhere,
}

impl Args {
    /// The cluster that these arguments choose, with the time limits that every client here needs.
    ///
    /// # Errors
    ///
    /// Where a file is missing or wrong; the error names it.
    pub async fn load(&self) -> Result<Config, Error> {
        let mut config = if !self.kubeconfig.is_empty() {
            from_files(&self.kubeconfig).await?
        } else if env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty()) {
            Config::incluster().map_err(|error| Error::InCluster(Box::new(error)))?
        } else {
            let home = env::var_os("HOME").filter(|home| !home.is_empty()).ok_or(Error::Nowhere)?;
            from_files(Path::new(&home).join(".kube/config").as_os_str()).await?
        };
        config.read_timeout = Some(READ_TIMEOUT);
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        Ok(config)
    }
}

async fn from_files(list: &OsStr) -> Result<Config, Error> {
    let content = |source| Error::Content { paths: list.into(), source: Box::new(source) };
    let merged = read_all(list)?;
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await.map_err(content)
}

/// As kubectl does: of several files those that are missing are skipped, unless all are.
fn read_all(list: &OsStr) -> Result<Kubeconfig, Error> {
    let paths: Vec<PathBuf> = env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = None;
    for path in paths {
        let failed = |source| Error::File { path: path.clone(), source: Box::new(source) };
        match Kubeconfig::read_from(&path) {
            Ok(next) => merged = Some(merged.unwrap_or_default().merge(next).map_err(failed)?),
            Err(error) if is_missing(&error) => {
                missing.get_or_insert_with(|| failed(error));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    match (merged, missing) {
        (None, Some(missing)) => Err(missing),
        (merged, missing) => {
            if let Some(missing) = missing {
                warn!("{missing}; going by the others");
            }
            Ok(merged.unwrap_or_default())
        }
    }
}

fn is_missing(error: &KubeconfigError) -> bool {
    matches!(error, KubeconfigError::ReadConfig(error, _) if error.kind() == io::ErrorKind::NotFound)
}

/// The error without the path, which is said already.
fn described(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
#[path = "kubeconfig_tests.rs"]
mod tests;
