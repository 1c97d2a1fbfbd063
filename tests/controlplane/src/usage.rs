//! What running programs have in memory, and how long processors have worked for them, as far as Linux tells, or an API server
//! of itself.

use std::fs;
use std::io;
use std::time::Duration;

use crate::access::get;
use crate::error::{Error, Result};
use crate::{ControlPlane, Program};

/// In which `/proc/PID/stat` counts on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What the API server says of itself, in seconds.
const PROCESSOR_TIME: &str = "process_cpu_seconds_total";

impl Program {
    /// What it has in memory now, in kilobytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_memory(&self) -> io::Result<u64> {
        self.kilobytes("VmRSS:")
    }

    /// The most that it ever had in memory, in kilobytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory(&self) -> io::Result<u64> {
        self.kilobytes("VmHWM:")
    }

    /// How long processors have worked for it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn processor_time(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        // The second field is the program's name in parentheses, which may have anything in it; user and system time are
        // the fourteenth and fifteenth.
        let (_, fields) = stat.rsplit_once(") ").ok_or_else(|| io::Error::other("no fields after the name"))?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<std::result::Result<u32, _>>().map_err(io::Error::other)?)
    }

    /// What stands after that name in the line of a file of `/proc/PID` that begins with it.
    ///
    /// # Errors
    /// When it has ended, or there is no such line.
    pub fn line_of_proc(&self, file: &str, name: &str) -> io::Result<String> {
        let text = fs::read_to_string(self.proc(file))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|line| line.trim().to_owned())
            .ok_or_else(|| io::Error::other(format!("no {name} in /proc/PID/{file}")))
    }

    fn kilobytes(&self, name: &str) -> io::Result<u64> {
        self.line_of_proc("status", name)?.trim_end_matches(" kB").parse().map_err(io::Error::other)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.id())
    }
}

impl ControlPlane {
    /// How long processors have worked for the API server since it was started.
    ///
    /// # Errors
    /// When the API server cannot be reached, or does not say.
    pub async fn processor_time(&self) -> Result<Duration> {
        let metrics = get(&self.client()?, "/metrics").await.map_err(Error::kube("reading the metrics"))?;
        let seconds = metrics.lines().find_map(|line| line.strip_prefix(PROCESSOR_TIME)?.trim().parse().ok());
        seconds.map(Duration::from_secs_f64).ok_or(Error::NoMetric(PROCESSOR_TIME))
    }
}
