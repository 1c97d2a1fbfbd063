//! Files and tables that are generated, and kept true by being compared.

use std::fs;
use std::path::Path;

/// Compares a generated file with what it should be. Where `UPDATE` is set, it is rewritten.
pub(super) fn is_generated(path: &Path, wanted: &str) -> Result<(), String> {
    let found = fs::read_to_string(path).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, wanted).expect("the file can be written");
        return Ok(());
    }
    let difference = homelab_helper::render::unified(&found, wanted);
    Err(format!("{} is stale; UPDATE=1 rewrites it\n{difference}", path.display()))
}

/// The same for the table that a file of words has between these two marks.
///
/// # Panics
/// Where the file does not have the marks, or the table is another one.
pub(super) fn table_is_generated(path: &Path, begin: &str, end: &str, table: &str) {
    let text = fs::read_to_string(path).expect("the file with the table");
    let (before, rest) = text.split_once(begin).expect("the beginning of the table");
    let (_, after) = rest.split_once(end).expect("the end of the table");
    is_generated(path, &format!("{before}{begin}{table}{end}{after}")).unwrap_or_else(|error| panic!("{error}"));
}
