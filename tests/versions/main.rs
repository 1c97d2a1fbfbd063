//! `make versions`: the tests that need a real API server, on each release of the Gateway API and of Kubernetes, as a table.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use controlplane::GatewayApi;

/// Releases of Kubernetes, as `KUBERNETES` names them, if none are named as arguments.
const KUBERNETES: [&str; 2] = ["1.36", "1.34"];

/// The first two take minutes and prove nothing about a version. The others compare the schema of WrappedGateway with
/// that of the newest Gateway.
const LEFT_OUT: [&str; 4] = ["faults::", "hostile::", "validation::admitted::", "validation::refused::"];

/// What tests say that apply a kind, a version of it, or a field which a channel does not have. Where the controller
/// itself fails, its tests say that they have waited in vain.
const LACKING: [&str; 4] =
    ["not applicable: ", "MissingKind(", "field not declared in schema", "strict decoding error"];

/// How the tests went on one version.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    passed: usize,
    /// Those that need kinds or fields which are not there.
    lacking: usize,
    failed: BTreeSet<String>,
}

fn main() -> ExitCode {
    let mut kubernetes: Vec<String> = std::env::args().skip(1).collect();
    if kubernetes.is_empty() {
        kubernetes.extend(KUBERNETES.map(String::from));
    }
    match versions(&kubernetes) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("versions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn versions(kubernetes: &[String]) -> Result<bool, Box<dyn Error>> {
    let mut table = format!("| Gateway API | Kubernetes {} |\n", kubernetes.join(" | Kubernetes "));
    writeln!(table, "|---{}|", "|---".repeat(kubernetes.len()))?;
    let mut all_is_well = true;
    for gateway_api in GatewayApi::all() {
        write!(table, "| {gateway_api} |")?;
        for release in kubernetes {
            let outcome = tests_on(release, gateway_api)?;
            println!("Kubernetes {release}, Gateway API {gateway_api}: {}", outcome.in_words());
            for name in &outcome.failed {
                println!("  {name}");
            }
            all_is_well &= outcome.failed.is_empty();
            write!(table, " {} |", outcome.in_words())?;
        }
        table.push('\n');
    }
    print!("\n{table}");
    Ok(all_is_well)
}

fn tests_on(kubernetes: &str, gateway_api: GatewayApi) -> Result<Outcome, Box<dyn Error>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--quiet", "--test", "cluster", "--", "--format", "pretty"]);
    cargo.args(LEFT_OUT.iter().flat_map(|name| ["--skip", name]));
    cargo.env("KUBERNETES", kubernetes).env("GATEWAY_API", gateway_api.to_string());
    let output = cargo.output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let outcome = Outcome::of(&printed);
    // Without a test something else went wrong, such as the build.
    if outcome == Outcome::default() {
        return Err(format!("{printed}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(outcome)
}

impl Outcome {
    /// What the test harness has printed says it.
    fn of(printed: &str) -> Self {
        let mut outcome = Self::default();
        for line in printed.lines() {
            let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) else {
                continue;
            };
            match result {
                "ok" => outcome.passed += 1,
                "FAILED" => _ = outcome.failed.insert(name.to_owned()),
                _ => {}
            }
        }
        for told in printed.split("\n---- ").skip(1) {
            let (name, told) = told.split_once(" stdout ----").unwrap_or_default();
            if LACKING.iter().any(|words| told.contains(words)) && outcome.failed.remove(name) {
                outcome.lacking += 1;
            }
        }
        outcome
    }

    fn in_words(&self) -> String {
        let mut words = format!("{} passed", self.passed);
        if self.lacking > 0 {
            let _ = write!(words, ", {} need what it lacks", self.lacking);
        }
        if !self.failed.is_empty() {
            let _ = write!(words, ", **{} failed**", self.failed.len());
        }
        words
    }
}
