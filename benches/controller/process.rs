//! The program under test, as a process: when it was ready, what it has in memory, what it has computed.

use std::path::Path;
use std::time::{Duration, Instant};

use controlplane::Program;

use crate::Outcome;
use crate::args::Subject;
use crate::figures::number;

/// Between two looks at `/readyz`, which is as exact as the time is known.
const LOOK_EVERY: Duration = Duration::from_millis(2);

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
        Ok(number(self.program.resident_memory()?) / 1024.0)
    }

    /// The most that it ever had, in MiB.
    pub fn peak(&self) -> Outcome<f64> {
        Ok(number(self.program.peak_memory()?) / 1024.0)
    }

    /// What it has computed since it was started.
    pub fn computed(&self) -> Outcome<Duration> {
        Ok(self.program.processor_time()?)
    }

    pub fn end(self) -> Outcome {
        self.program.terminate()?;
        Ok(())
    }
}
