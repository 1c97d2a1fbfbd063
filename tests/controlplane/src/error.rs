//! Everything that can keep a control plane from running, with the way out where there is one.

use std::io;
use std::path::{Path, PathBuf};

use crate::TimedOut;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the control plane did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `go` to build the programs with.
    #[error(
        "Go 1.26 or newer is needed to build the control plane, or set KUBEBUILDER_ASSETS to a folder that holds kube-apiserver, etcd and kubectl"
    )]
    GoMissing(#[source] io::Error),

    /// `go` ran and failed.
    #[error(
        "{action} failed; Go 1.26 or newer and its module downloads are needed, or set KUBEBUILDER_ASSETS. What go said last:\n{output}"
    )]
    Go {
        /// What was being done.
        action: String,
        /// The end of what `go` printed.
        output: String,
    },

    /// `KUBEBUILDER_ASSETS` names a folder that lacks a program.
    #[error("KUBEBUILDER_ASSETS is {}, which holds no {program}; unset it to have the programs built", folder.display())]
    AssetMissing {
        /// The folder that the variable names.
        folder: PathBuf,
        /// The program that is not in it.
        program: &'static str,
    },

    /// `KUBERNETES` names a release that is not pinned.
    #[error("KUBERNETES is {name}, which is not known here; {known} are")]
    UnknownRelease {
        /// What the variable says.
        name: String,
        /// What it may say.
        known: String,
    },

    /// There is no place to keep what was built.
    #[error(
        "neither XDG_CACHE_HOME nor HOME is set; set one, so that there is a place for the programs that are built"
    )]
    NoCacheFolder,

    /// A file or a process could not be handled.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or program.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The archive of a module could not be read.
    #[error("reading the archive {}", archive.display())]
    Archive {
        /// Where it is.
        archive: PathBuf,
        /// What is wrong with it.
        source: zip::result::ZipError,
    },

    /// Something that should be YAML is not.
    #[error("{what} is not valid YAML: {message}")]
    Yaml {
        /// What was parsed.
        what: String,
        /// Where and why parsing stopped.
        message: String,
    },

    /// A manifest lacks what an object needs.
    #[error("{0}")]
    Manifest(String),

    /// A certificate or key could not be made.
    #[error("making the certificates of the API server")]
    Certificates(#[from] rcgen::Error),

    /// A program ended although nobody asked it to.
    #[error("{program} ended with {status}; the end of its log:\n{log}")]
    Exited {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },

    /// The API server runs but did not become ready.
    #[error("{source}; the end of its log:\n{log}")]
    NotReady {
        /// What was waited for, and what it said last.
        source: TimedOut,
        /// The end of the API server's log.
        log: String,
    },

    /// The API server does not say what was looked for.
    #[error("the API server's metrics have no {0}")]
    NoMetric(&'static str),

    /// A condition did not come true in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),

    /// The API server refused a request, or could not be reached.
    #[error("{what}")]
    Kube {
        /// What was being done.
        what: String,
        /// What the API server or the client said.
        source: Box<kube::Error>,
    },
}

impl Error {
    /// Says which action on which path failed, for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Says which request failed, for `map_err`.
    pub(crate) fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |source| Self::Kube { what: what.into(), source: Box::new(source) }
    }
}
