use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use homelab_helper::metrics::{GatewayNumbers, Metrics};

use super::generated::table_is_generated;

const BEGIN: &str = "<!-- metrics: generated from src/metrics/families.rs -->\n";
const END: &str = "<!-- end of metrics -->\n";

fn table() -> String {
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for family in Metrics::new().describe() {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{}` | {} | {} | {} |", family.name, family.kind, labels.join(", "), family.help);
    }
    table
}

/// What is known of the process is known on Linux.
#[cfg(target_os = "linux")]
#[test]
fn the_table_of_the_readme_is_what_the_registry_has() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    table_is_generated(&path, BEGIN, END, &table());
}

/// One of everything that is counted.
fn everything() -> String {
    let metrics = Metrics::new();
    metrics.reconciled("wrapped_gateway", "ReconciliationSucceeded", Duration::from_millis(20));
    metrics.planned(Duration::from_micros(300));
    metrics.applied(Duration::from_millis(8));
    metrics.gateway_written(Some(Duration::from_millis(30)));
    metrics.queue("wrapped_gateway").set(1);
    let numbers = GatewayNumbers { listeners: 1, routes: 2, rejected: [("PortRequired".to_owned(), 1)].into() };
    metrics.gateway_planned("infra", "public", &numbers);
    metrics.gateway_ready("infra", "public", true);
    metrics.routes_known("HTTPRoute", 12);
    metrics.kind_served("HTTPRoute", true);
    metrics.watch_begun("HTTPRoute");
    metrics.requested("patch", Some(200));
    metrics.render()
}

#[test]
fn nothing_that_is_counted_is_missing_in_the_sample() {
    let text = everything();
    for family in Metrics::new().describe() {
        assert!(text.contains(&format!("# TYPE {} {}\n", family.name, family.kind)), "{}", family.name);
    }
}

/// Where promtool is not installed, there is nobody to ask, and that is said.
#[test]
fn prometheus_finds_nothing_to_mend() {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return;
    };
    promtool.stdin.take().expect("its input").write_all(everything().as_bytes()).expect("promtool reads");
    let output = promtool.wait_with_output().expect("its answer");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
