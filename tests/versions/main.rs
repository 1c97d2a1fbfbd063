//! `make versions`: the tests that need a real API server, on each release of the Gateway API and of Kubernetes, as a table
//! of README. Arguments choose among them: `1.36`, `v1.7.0`, `"v1.7.0 standard"`.

mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use controlplane::{Binaries, GatewayApi};

use table::Table;

/// The first two take minutes and prove nothing about a version. The others compare the schema of WrappedGateway with
/// that of the newest Gateway.
const LEFT_OUT: [&str; 4] = ["faults::", "hostile::", "validation::admitted::", "validation::refused::"];

/// What tests say that apply a kind, a version of it, or a field which a channel does not have. Where the controller
/// itself fails, its tests say that they have waited in vain.
const LACKING: [&str; 6] = [
    "not applicable: ",
    "MissingKind(",
    "no matches for kind",
    "404 page not found",
    "field not declared in schema",
    "strict decoding error",
];

/// How the tests went on one version.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    passed: usize,
    /// Those of them that passed only when they had the machine to themselves.
    alone: usize,
    /// Those that need kinds or fields which are not there.
    lacking: usize,
    /// The others, with what they said.
    failed: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("versions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well on those that are chosen.
fn run(chosen: &[String]) -> Result<bool, Box<dyn Error>> {
    let (gateway_apis, releases): (Vec<_>, Vec<_>) = chosen.iter().partition(|name| name.starts_with('v'));
    let mut table = Table::read()?;
    let mut all_is_well = true;
    for gateway_api in GatewayApi::all() {
        let name = gateway_api.to_string();
        if !gateway_apis.is_empty() && !gateway_apis.iter().any(|chosen| name.starts_with(chosen.as_str())) {
            continue;
        }
        let is_meant = |name: &&str| releases.is_empty() || releases.iter().any(|chosen| chosen == name);
        for kubernetes in Binaries::RELEASES.into_iter().filter(is_meant) {
            let outcome = Outcome::on(kubernetes, gateway_api)?;
            println!("Kubernetes {kubernetes}, Gateway API {gateway_api}: {}", outcome.in_words());
            for (name, told) in &outcome.failed {
                println!("  {name}: {told}");
            }
            all_is_well &= outcome.failed.is_empty();
            table.keep(gateway_api, kubernetes, outcome.in_words())?;
        }
    }
    print!("\n{table}");
    Ok(all_is_well)
}

impl Outcome {
    /// Runs the tests. Those that fail are run once more, one after another: they may have waited for a machine that was
    /// busy with all the others.
    fn on(kubernetes: &str, gateway_api: GatewayApi) -> Result<Self, Box<dyn Error>> {
        let skipped: Vec<_> = LEFT_OUT.iter().flat_map(|name| ["--skip", name]).collect();
        let first = Self::of_tests(kubernetes, gateway_api, &skipped)?;
        if first.failed.is_empty() {
            return Ok(first);
        }
        let failed = first.failed.keys().map(String::as_str);
        let again = Self::of_tests(
            kubernetes,
            gateway_api,
            &["--test-threads=1", "--exact"].into_iter().chain(failed).collect::<Vec<_>>(),
        )?;
        Ok(Self {
            passed: first.passed + again.passed,
            alone: again.passed,
            lacking: first.lacking + again.lacking,
            failed: again.failed,
        })
    }

    fn of_tests(kubernetes: &str, gateway_api: GatewayApi, arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--locked", "--quiet", "--test", "cluster", "--", "--format", "pretty"]).args(arguments);
        cargo.env("KUBERNETES", kubernetes).env("GATEWAY_API", gateway_api.to_string()).env("RUST_BACKTRACE", "0");
        let output = cargo.output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let outcome = Self::of(&printed);
        // Without a test something else went wrong, such as the build.
        if outcome == Self::default() {
            return Err(format!("{printed}{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(outcome)
    }

    /// What the test harness has printed says it.
    fn of(printed: &str) -> Self {
        let mut outcome = Self::default();
        let ends = printed.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
        outcome.passed = ends.filter(|(_, end)| *end == "ok").count();
        for told in printed.split("\n---- ").skip(1) {
            let (name, told) = told.split_once(" stdout ----").unwrap_or_default();
            if LACKING.iter().any(|words| told.contains(words)) {
                outcome.lacking += 1;
            } else {
                let told = told.split("\nfailures:\n").next().unwrap_or_default();
                outcome.failed.insert(name.to_owned(), told.trim().to_owned());
            }
        }
        outcome
    }

    fn in_words(&self) -> String {
        let mut words = format!("{} passed", self.passed);
        if self.alone > 0 {
            let _ = write!(words, " ({} by itself)", self.alone);
        }
        if self.lacking > 0 {
            let _ = write!(words, ", {} need more than it has", self.lacking);
        }
        if !self.failed.is_empty() {
            let _ = write!(words, ", **{} failed**", self.failed.len());
        }
        words
    }
}
