//! A wall clock that is a program's own and can be stepped while the program runs, as an administrator or a time server
//! does it. The steady clock goes on, as it does then.
//!
//! What the program asks the C library for the time is answered by libfaketime, a package of most distributions.

use std::fs;
use std::io::{Result, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::cache;

const LIBRARY: &str = "libfaketimeMT.so.1";

/// A wall clock of a program, right at first.
#[derive(Debug)]
pub struct WallClock {
    library: PathBuf,
    folder: TempDir,
}

impl WallClock {
    /// A clock, if libfaketime is installed, or kept in `gateway-route-sync/lib` below the user's cache folder.
    ///
    /// # Errors
    /// When there is no place for a file.
    pub fn find() -> Result<Option<Self>> {
        let Some(library) = library() else { return Ok(None) };
        let clock = Self { library, folder: TempDir::new()? };
        clock.set(0)?;
        Ok(Some(clock))
    }

    /// What a program needs in its environment to go by this clock.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.offset())),
            // A step is noticed so many seconds later.
            ("FAKETIME_CACHE_DURATION", String::from("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", String::from("1")),
            ("FAKETIME_DISABLE_SHM", String::from("1")),
        ]
    }

    /// Sets it so many seconds ahead of the time that it is; less than none is behind.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds_ahead: i64) -> Result<()> {
        let mut file = NamedTempFile::new_in(self.folder.path())?;
        writeln!(file, "{seconds_ahead:+}")?;
        // At once, so that nobody reads half of it.
        file.persist(self.offset())?;
        Ok(())
    }

    fn offset(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

fn library() -> Option<PathBuf> {
    let of_architectures = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let installed = of_architectures.map(|folder| folder.path().join("faketime").join(LIBRARY));
    let kept = cache::root().ok().and_then(|root| Some(root.parent()?.join("lib").join(LIBRARY)));
    installed.chain(kept).find(|path| path.is_file())
}
