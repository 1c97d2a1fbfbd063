//! What was found out, and how it is kept until the next run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::args::Size;

/// Figures by the name of their measure, in its unit.
pub type Figures = BTreeMap<String, f64>;

/// What was found out in clusters of one size.
#[derive(Debug, Deserialize, Serialize)]
pub struct Found {
    pub routes: u32,
    pub elsewhere: u32,
    pub gateways: u32,
    /// Whether everything was measured, or only what is compared side by side.
    pub whole: bool,
    pub machine: String,
    /// The plain client's.
    pub floor: Figures,
    pub programs: Vec<Program>,
}

/// What was found out of a program.
#[derive(Debug, Deserialize, Serialize)]
pub struct Program {
    pub name: String,
    pub figures: Figures,
    /// Requests for a route, by verb and resource, then by what was done to the route.
    pub requests: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Found {
    pub fn new(size: Size, whole: bool) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (routes, elsewhere, gateways) = (count(size.routes), count(size.elsewhere), count(size.gateways));
        let (floor, programs) = (Figures::new(), Vec::new());
        Self { routes, elsewhere, gateways, whole, machine: machine(), floor, programs }
    }

    pub fn total(&self) -> u32 {
        self.routes + self.elsewhere
    }

    /// Keeps it among the others, in the place of what was found out earlier at this size.
    pub fn save(&self, folder: &Path) -> Outcome {
        fs::create_dir_all(folder)?;
        let name = format!("{}+{}-on-{}.json", self.routes, self.elsewhere, self.gateways);
        fs::write(folder.join(name), format!("{}\n", serde_json::to_string_pretty(self)?))?;
        Ok(())
    }

    /// What is kept, the smallest cluster first.
    pub fn all(folder: &Path) -> Outcome<Vec<Self>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                all.push(serde_json::from_str::<Self>(&fs::read_to_string(path)?)?);
            }
        }
        all.sort_by_key(|found| (found.total(), found.gateways));
        Ok(all)
    }
}

/// Adds median, nine tenths and worst of times, in milliseconds.
pub fn add_times(figures: &mut Figures, name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |tenths: usize| times.get((times.len() * tenths / 10).min(times.len().saturating_sub(1)));
    for (which, tenths) in [("median", 5), ("90 %", 9), ("worst", 10)] {
        let time = at(tenths).copied().unwrap_or_default();
        figures.insert(format!("{name}, {which}"), millis(time));
    }
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

pub fn number(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

/// The kind of machine, as far as it says.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: String, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.map(|line| line.trim_start_matches([' ', '\t', ':']).trim().to_owned()).unwrap_or_default()
    };
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = field(read("/proc/meminfo"), "MemTotal:").trim_end_matches(" kB").parse().unwrap_or_default();
    let (model, release) = (field(read("/proc/cpuinfo"), "model name"), read("/proc/sys/kernel/osrelease"));
    // What follows says who built the kernel.
    let version = release.split('-').next().unwrap_or_default();
    format!("{processors} × {model}, {} GiB, Linux {}", memory / 1024 / 1024, version.trim())
}
