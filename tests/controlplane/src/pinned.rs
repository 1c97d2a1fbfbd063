//! Programs of Go modules whose versions are pinned here: built once, and kept.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::{cache, golang};

/// A Go module that pins the versions of some programs.
#[derive(Debug)]
pub struct Module {
    /// Where it is.
    pub folder: &'static str,
    /// The text of its go.mod.
    pub go_mod: &'static str,
    /// The text of its go.sum.
    pub go_sum: &'static str,
    /// The text of its own source, where it has a program of its own.
    pub source: &'static str,
    /// The module whose version is in the name of the folder that the built programs are kept in.
    pub main: &'static str,
    /// What the folder's name begins with.
    pub prefix: &'static str,
    /// Further flags of the linker.
    pub linker_flags: fn(&Module) -> String,
}

/// One program, and how it is built.
#[derive(Debug)]
pub struct Pinned {
    /// What the file is called.
    pub name: &'static str,
    /// The package that is built.
    pub package: &'static str,
    /// The module whose version is the program's, for what is said while it is built.
    pub module: &'static str,
    /// What a first build takes on two idle cores, after the programs before it, for the person who waits.
    pub takes: &'static str,
}

impl Module {
    /// The programs of one set of pinned versions share a folder, which all clones with the same pins use.
    fn cache_folder(&self) -> Result<PathBuf> {
        let pins =
            Sha256::new().chain_update(self.go_mod).chain_update(self.go_sum).chain_update(self.source).finalize();
        let key = format!("{}{}-{:x}", self.prefix, self.version(self.main), pins);
        Ok(cache::root()?.join(&key[..key.len() - 48]))
    }

    /// The version that go.mod requires of a module.
    #[must_use]
    pub fn version(&self, module: &str) -> &'static str {
        version(self.go_mod, module)
    }

    /// Where the program is, after it was built if it was not there.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn cached(&self, program: &Pinned) -> Result<PathBuf> {
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

/// The version that a go.mod requires of a module.
#[must_use]
pub fn version(go_mod: &'static str, module: &str) -> &'static str {
    let requirements = go_mod.lines().map(|line| line.trim_start_matches("require ").split_whitespace());
    requirements
        .filter_map(|mut words| (words.next() == Some(module)).then(|| words.next()).flatten())
        .find(|word| word.starts_with('v'))
        .unwrap_or_default()
}

impl Pinned {
    /// Where the program is in a folder, if it is there.
    pub(crate) fn present(&self, folder: &Path) -> Option<PathBuf> {
        Some(folder.join(self.name)).filter(|path| path.is_file())
    }
}
