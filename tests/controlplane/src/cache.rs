//! Where built programs and extracted archives are kept, so that all clones and test processes of a user share them.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of this crate below the user's cache folder.
///
/// # Errors
/// When the user has neither a cache folder nor a home.
pub fn root() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.ok_or(Error::NoCacheFolder)?.join("gateway-route-sync").join("controlplane"))
}

/// Lets one process at a time change `folder`, which is made if it is missing. Dropping the file releases the lock, and
/// so does the end of the process.
///
/// # Errors
/// When the folder or the file cannot be made.
pub fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(Error::io("making the folder", folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::io("creating", &path))?;
    if file.try_lock().is_err() {
        progress(&format!("waiting for another process that is filling {}", folder.display()));
        file.lock().map_err(Error::io("locking", &path))?;
    }
    Ok(file)
}

/// Tells the person who waits what is going on. Tests capture what `eprintln!` prints, so this does not use it: three
/// minutes of silence look like a hang.
pub fn progress(line: &str) {
    use std::io::Write as _;
    // Nobody may be listening any more, which is no reason to stop.
    let _ = writeln!(std::io::stderr(), "controlplane: {line}");
}
