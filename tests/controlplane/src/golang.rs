//! Running `go`, for what only its module downloads have.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use crate::error::{Error, Result};

/// How much of what `go` printed goes into an error.
const LAST_LINES: usize = 20;

/// Runs `go` in `folder` and hands back what it printed, whether it succeeded or not.
pub(crate) fn run<S: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Result<Output> {
    Command::new("go")
        .args(arguments)
        .current_dir(folder)
        // A workspace file in some folder above must not change which modules are used.
        .env("GOWORK", "off")
        .output()
        .map_err(Error::GoMissing)
}

/// Does what may run `go`, and so may take minutes, without holding up the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("looking for programs and CRDs does not panic")
}

/// The error for a run of `go` that failed while `action` was done.
pub(crate) fn failure(action: &str, output: &[u8]) -> Error {
    Error::Go { action: action.to_owned(), output: tail(&String::from_utf8_lossy(output), LAST_LINES) }
}

/// The last `lines` lines of `text`.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
