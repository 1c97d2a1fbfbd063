//! Paths as people type them → manifests.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::manifests::{Manifests, Place, Problem};

/// What standard input is called, as an argument and among problems.
const STANDARD_INPUT: [&str; 2] = ["-", "standard input"];
/// Files that are read where a folder is named.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Everything under these paths. What cannot be read is among the problems.
pub(super) fn manifests(paths: &[PathBuf], namespace: &str) -> Manifests {
    let mut manifests = Manifests::in_namespace(namespace);
    for path in paths {
        let [argument, name] = STANDARD_INPUT;
        let read = if path.as_os_str() == argument {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| take(&mut manifests, name, bytes))
        } else if path.is_dir() {
            folder(&mut manifests, path)
        } else {
            file(&mut manifests, path)
        };
        if let Err(error) = read {
            refuse(&mut manifests, &path.display().to_string(), &error.to_string());
        }
    }
    manifests
}

fn folder(manifests: &mut Manifests, folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    if files.is_empty() {
        return Err(io::Error::other("in this folder is no file named *.yaml, *.yml or *.json"));
    }
    for path in files {
        if let Err(error) = file(manifests, &path) {
            refuse(manifests, &path.display().to_string(), &error.to_string());
        }
    }
    Ok(())
}

/// The files below a folder, in the order of their names. Links to folders are not followed: they may lead in circles.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if is_manifest(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn file(manifests: &mut Manifests, path: &Path) -> io::Result<()> {
    let bytes = fs::read(path)?;
    take(manifests, &path.display().to_string(), bytes);
    Ok(())
}

fn take(manifests: &mut Manifests, source: &str, bytes: Vec<u8>) {
    match String::from_utf8(bytes) {
        Ok(text) => manifests.read(source, &text),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            refuse(manifests, source, &format!("line {line} is not UTF-8"));
        }
    }
}

fn refuse(manifests: &mut Manifests, source: &str, message: &str) {
    manifests.problems.push(Problem { place: Place::whole(source), message: message.to_owned() });
}
