//! The table of README: a row for each release of the Gateway API, a column for each of Kubernetes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;

use controlplane::{Binaries, GatewayApi};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- versions: written by make versions -->\n";
const END: &str = "<!-- end of versions -->\n";

/// What was seen, by Gateway API and Kubernetes.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<(String, &'static str), String>);

impl Table {
    /// What README says.
    ///
    /// # Errors
    /// When README has no place for the table.
    pub fn read() -> Result<Self, Box<dyn Error>> {
        let readme = fs::read_to_string(README)?;
        let mut table = Self::default();
        for row in parts(&readme)?[1].lines().skip(2) {
            let mut cells = row.split('|').map(str::trim).skip(1);
            let gateway_api = cells.next().unwrap_or_default();
            for (kubernetes, seen) in Binaries::RELEASES.into_iter().zip(cells) {
                table.0.insert((gateway_api.to_owned(), kubernetes), seen.to_owned());
            }
        }
        Ok(table)
    }

    /// Writes one cell, and leaves the others as they are.
    ///
    /// # Errors
    /// When README cannot be read or written.
    pub fn keep(
        &mut self,
        gateway_api: GatewayApi,
        kubernetes: &'static str,
        seen: String,
    ) -> Result<(), Box<dyn Error>> {
        self.0.insert((gateway_api.to_string(), kubernetes), seen);
        let readme = fs::read_to_string(README)?;
        let [before, _, after] = parts(&readme)?;
        Ok(fs::write(README, format!("{before}{BEGIN}{self}{END}{after}"))?)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| Gateway API | Kubernetes {} |", Binaries::RELEASES.join(" | Kubernetes "))?;
        writeln!(f, "|---{}|", "|---".repeat(Binaries::RELEASES.len()))?;
        for gateway_api in GatewayApi::all() {
            let row = gateway_api.to_string();
            let cell = |kubernetes| self.0.get(&(row.clone(), kubernetes)).map_or("", String::as_str);
            let seen = Binaries::RELEASES.map(cell);
            writeln!(f, "| {row} | {} |", seen.join(" | "))?;
        }
        Ok(())
    }
}

/// What is before the table, the table, and what is behind it.
fn parts(readme: &str) -> Result<[&str; 3], Box<dyn Error>> {
    let (before, rest) = readme.split_once(BEGIN).ok_or("README.md has no place for the table")?;
    let (table, after) = rest.split_once(END).ok_or("the table of README.md does not end")?;
    Ok([before, table, after])
}
