//! The program under test, as a process: when it was ready, what it has in memory, what it has computed.

use std::path::Path;
use std::time::{Duration, Instant};

use controlplane::Program;

use crate::Outcome;
use crate::args::Subject;

/// Between two looks at `/readyz`, which is as exact as the time is known.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// `/proc/PID/stat` counts in hundredths of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

pub struct Process {
    program: Program,
    pub started: Instant,
    /// From its start to the first 200 of `/readyz`.
    pub ready_after: Duration,
}

impl Process {
    /// Starts a program, and waits until it says that it is ready.
    pub async fn start(subject: &Subject, kubeconfig: &Path) -> Outcome<Self> {
        let started = Instant::now();
        let mut program = Program::start(subject.command(), kubeconfig)?;
        loop {
            if let Ok((200, _)) = program.get("/readyz").await {
                return Ok(Self { program, started, ready_after: started.elapsed() });
            }
            if let Some(status) = program.ended()? {
                return Err(format!("{} ended with {status}:\n{}", subject.name, program.log()).into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What it has in memory now, in MiB.
    pub fn resident(&self) -> Outcome<f64> {
        self.memory("VmRSS:")
    }

    /// The most that it ever had, in MiB.
    pub fn peak(&self) -> Outcome<f64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such line in /proc")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// What it has computed since it was started.
    pub fn computed(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.program.id()))?;
        // The second field is the name of the program, which may have spaces in it; user and system time are the
        // fourteenth and fifteenth.
        let (_, fields) = stat.rsplit_once(") ").ok_or("no such file in /proc")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u32>);
        Ok(TICK * ticks.sum::<Result<u32, _>>()?)
    }

    pub fn end(self) -> Outcome {
        self.program.terminate()?;
        Ok(())
    }
}
