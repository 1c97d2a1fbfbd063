//! What Linux says of a running program: what it has in memory, and how long processors have worked for it.

use std::fs;
use std::io::{Error, Result};
use std::time::Duration;

use crate::Program;

/// In which `/proc/PID/stat` counts on every Linux.
const TICK: Duration = Duration::from_millis(10);

impl Program {
    /// What it has in memory now, in kilobytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_memory(&self) -> Result<u64> {
        self.kilobytes("VmRSS:")
    }

    /// The most that it ever had in memory, in kilobytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory(&self) -> Result<u64> {
        self.kilobytes("VmHWM:")
    }

    /// How long processors have worked for it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The second field is the program's name in parentheses, which may have anything in it; user and system time are
        // the fourteenth and fifteenth.
        let (_, fields) = stat.rsplit_once(") ").ok_or_else(|| Error::other("no fields after the name"))?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<std::result::Result<u32, _>>().map_err(Error::other)?)
    }

    /// What stands after that name in the line of a file of `/proc/PID` that begins with it.
    ///
    /// # Errors
    /// When it has ended, or there is no such line.
    pub fn line_of_proc(&self, file: &str, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.proc(file))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|line| line.trim().to_owned()).ok_or_else(|| Error::other(format!("no {name} in /proc/PID/{file}")))
    }

    fn kilobytes(&self, name: &str) -> Result<u64> {
        self.line_of_proc("status", name)?.trim_end_matches(" kB").parse().map_err(Error::other)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.id())
    }
}
