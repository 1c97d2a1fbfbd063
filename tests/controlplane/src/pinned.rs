//! Programs of Go modules whose versions are pinned here: built once, and kept.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::{cache, golang};

/// A Go module that pins the versions of some programs.
#[derive(Debug)]
pub(crate) struct Module {
    /// Where it is.
    pub(crate) folder: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    /// The module whose version is in the name of the folder that the built programs are kept in.
    pub(crate) main: &'static str,
    /// What the folder's name begins with.
    pub(crate) prefix: &'static str,
    /// Further flags of the linker.
    pub(crate) linker_flags: fn(&Module) -> String,
}

/// One program, and how it is built.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    /// The module whose version is the program's, for what is said while it is built.
    pub(crate) module: &'static str,
    /// What a first build takes on two idle cores, after the programs before it, for the person who waits.
    pub(crate) takes: &'static str,
}

impl Module {
    /// The programs of one set of pinned versions share a folder, which all clones with the same pins use.
    pub(crate) fn cache_folder(&self) -> Result<PathBuf> {
        let pins = Sha256::new().chain_update(self.go_mod).chain_update(self.go_sum).finalize();
        let key = format!("{}{}-{:x}", self.prefix, self.version(self.main), pins);
        Ok(cache::root()?.join(&key[..key.len() - 48]))
    }

    /// The version that go.mod requires of a module.
    pub(crate) fn version(&self, module: &str) -> &'static str {
        let versions = self.go_mod.lines().map(str::split_whitespace);
        versions
            .filter_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
            .find(|word| word.starts_with('v'))
            .unwrap_or_default()
    }

    /// Where the program is, after it was built if it was not there.
    pub(crate) fn cached(&self, program: &Pinned) -> Result<PathBuf> {
        let folder = self.cache_folder()?;
        if let Some(path) = program.present(&folder) {
            return Ok(path);
        }
        let _lock = cache::lock(&folder)?;
        // Another process may have built it while this one waited for the lock.
        program.present(&folder).map_or_else(|| self.build(&folder, program), Ok)
    }

    fn build(&self, folder: &Path, program: &Pinned) -> Result<PathBuf> {
        let Pinned { name, package, module, takes } = program;
        cache::progress(&format!("building {name} {}, about {takes}, once", self.version(module)));
        // A build whose starter was killed may still be writing, so no two builds write to the same place.
        let scratch = tempfile::tempdir_in(folder).map_err(Error::io("making a folder in", folder))?;
        let partial = scratch.path().join(name);
        let flags = format!("-s -w {}", (self.linker_flags)(self));
        let arguments = ["build", "-trimpath", "-buildvcs=false", "-ldflags", &flags, "-o"].map(Path::new);
        let arguments = arguments.into_iter().chain([partial.as_path(), Path::new(package)]);
        let output = golang::run(Path::new(self.folder), arguments)?;
        if !output.status.success() {
            return Err(golang::failure(&format!("building {name}"), &output.stderr));
        }
        // Only a complete program ever bears the final name, whatever interrupts the build.
        let path = folder.join(name);
        fs::rename(&partial, &path).map_err(Error::io("renaming", &partial))?;
        Ok(path)
    }
}

impl Pinned {
    /// Where the program is in a folder, if it is there.
    pub(crate) fn present(&self, folder: &Path) -> Option<PathBuf> {
        Some(folder.join(self.name)).filter(|path| path.is_file())
    }
}
