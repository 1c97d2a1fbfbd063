//! What is measured: which programs, in how large clusters.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use homelab_helper::api::{GROUP, crd_yaml};

use crate::Outcome;

/// Measures a controller as a process against a real API server, beside a plain client in the same run.
#[derive(Debug, Parser)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// A cluster for all measures: routes attached, routes of other Gateways, Gateways
    #[arg(long = "size", value_name = "N+E@G")]
    pub sizes: Vec<Size>,
    /// A cluster for the measures that are compared side by side: start, one latency, writes, memory
    #[arg(long, value_name = "N+E@G")]
    pub beside: Vec<Size>,
    /// Another program to measure in the same run: its API group, a file with its CRDs, its command line. It gets
    /// `KUBECONFIG`, `HEALTH_ADDRESS` and `METRICS_ADDRESS`
    #[arg(long = "program", num_args = 3, value_names = ["GROUP", "CRDS", "COMMAND"])]
    others: Vec<String>,
    /// Measure just this, and how it starts; can be repeated
    #[arg(long, value_enum)]
    only: Vec<Measure>,
    /// Our own program, built elsewhere
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_homelab-helper"))]
    own: String,
    /// Changes of which the latency is taken, at up to 20 listeners; half of them at more
    #[arg(long, default_value_t = 200)]
    pub samples: usize,
    /// Changes after which memory must not have grown
    #[arg(long, default_value_t = 4_000)]
    pub changes: usize,
    /// Seconds at rest
    #[arg(long, default_value_t = 60)]
    pub rest: u64,
    /// The folder that BENCHMARKS.md, its plot and the figures go to
    #[arg(long, default_value = env!("CARGO_MANIFEST_DIR"))]
    pub output: PathBuf,
    /// Be the plain client
    #[arg(long, hide = true)]
    pub plain: bool,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    /// What is asked for, or else what `make bench` measures.
    pub fn read() -> Self {
        let mut args = Self::parse();
        if args.sizes.is_empty() && args.beside.is_empty() {
            args.sizes = vec![Size { routes: 800, elsewhere: 4_000, gateways: 20 }];
            args.beside = vec![Size { routes: 800, elsewhere: 200, gateways: 20 }];
        }
        args
    }

    /// Whether this is to be measured.
    pub fn takes(&self, measure: Measure) -> bool {
        self.only.is_empty() || self.only.contains(&measure)
    }

    /// The programs that are measured, our own first.
    pub fn subjects(&self) -> Outcome<Vec<Subject>> {
        let mut subjects = vec![Subject::own(&self.own)];
        for other in self.others.chunks(3) {
            let [group, crds, command] = other else { return Err("--program takes three values".into()) };
            let crds = std::fs::read_to_string(crds).map_err(|error| format!("cannot read {crds}: {error}"))?;
            subjects.push(Subject { name: command.clone(), group: group.clone(), crds, command: command.clone() });
        }
        Ok(subjects)
    }
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measure {
    Latency,
    Writes,
    Rest,
    Bursts,
    Changes,
}

/// A program under test.
#[derive(Debug)]
pub struct Subject {
    pub name: String,
    /// The API group of its WrappedGateways.
    pub group: String,
    /// The manifests of its CRDs.
    pub crds: String,
    command: String,
}

impl Subject {
    fn own(program: &str) -> Self {
        let command = format!("{program} gateway-route-sync");
        let name = concat!("homelab-helper ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { name, group: GROUP.to_owned(), crds: crd_yaml(), command }
    }

    /// The path of its executable.
    pub fn executable(&self) -> &str {
        self.command.split_whitespace().next().unwrap_or_default()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(self.executable());
        command.args(self.command.split_whitespace().skip(1));
        command
    }
}

/// How large a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Routes of the Gateways that the program makes.
    pub routes: usize,
    /// Routes of Gateways that are nobody's.
    pub elsewhere: usize,
    pub gateways: usize,
}

impl Size {
    pub fn total(self) -> usize {
        self.routes + self.elsewhere
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}@{}", self.routes, self.elsewhere, self.gateways)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('@').and_then(|(routes, gateways)| {
            let (routes, elsewhere) = routes.split_once('+')?;
            Some((routes.parse().ok()?, elsewhere.parse().ok()?, gateways.parse().ok()?))
        });
        match parts {
            Some((routes, elsewhere, gateways)) if gateways > 0 => Ok(Self { routes, elsewhere, gateways }),
            _ => Err(format!("{text} is not like 800+4000@20")),
        }
    }
}
