//! Every rule of the planner as a pair of files under `golden/`: manifests, and the plan that they lead to.
//! `UPDATE=1 cargo test golden` writes the plans anew, to be reviewed as a diff.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use homelab_helper::manifests::Manifests;
use homelab_helper::planner::{Plan, PlannedListener, Reason, WarningReason};
use homelab_helper::render::unified;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/offline/golden");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

/// Manifests, and the file that says what they lead to.
struct Case {
    manifests: Vec<PathBuf>,
    expectation: PathBuf,
}

#[test]
fn golden() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = String::new();
    for Case { manifests, expectation } in cases().into_iter().chain(examples()) {
        let planned = outcome(&manifests);
        let expected = fs::read_to_string(&expectation).unwrap_or_default();
        if planned == expected {
            continue;
        }
        if update {
            fs::write(&expectation, &planned).unwrap();
            continue;
        }
        let name = expectation.strip_prefix(FOLDER).unwrap_or(&expectation).display();
        let _ = write!(failures, "\n{name}\n{}\n{}", rule(&manifests[0]), unified(&expected, &planned));
    }
    assert!(failures.is_empty(), "- expected, + planned (UPDATE=1 takes over what is planned)\n{failures}");
}

#[test]
fn each_case_states_its_rule() {
    for case in cases() {
        let manifest = &case.manifests[0];
        let is_sentence = rule(manifest).strip_prefix("# ").is_some_and(|rule| rule.ends_with('.'));
        assert!(is_sentence, "{}: the first line is no comment with a sentence", manifest.display());
    }
}

#[test]
fn no_expectation_is_without_its_case() {
    let expected: BTreeSet<_> = cases().into_iter().chain(examples()).map(|case| case.expectation).collect();
    for file in files(Path::new(FOLDER)).iter().filter(|file| is_expectation(file)) {
        assert!(expected.contains(file), "{} has no case", file.display());
    }
}

/// The first line.
fn rule(manifest: &Path) -> String {
    let text = fs::read_to_string(manifest).unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

/// The cases, in the order of their names.
fn cases() -> Vec<Case> {
    let manifests = files(Path::new(FOLDER)).into_iter().filter(|file| !is_expectation(file));
    manifests.map(|file| Case { expectation: file.with_extension("out.yaml"), manifests: vec![file] }).collect()
}

/// What people are shown is planned too: each file of `examples/`, and each folder as a whole.
fn examples() -> Vec<Case> {
    let mut examples: Vec<_> = fs::read_dir(EXAMPLES).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.sort();
    let case = |example: PathBuf| {
        let name = example.file_stem().unwrap_or_default().to_string_lossy();
        let expectation = Path::new(FOLDER).join("examples").join(format!("{name}.out.yaml"));
        Case { expectation, manifests: if example.is_dir() { files(&example) } else { vec![example] } }
    };
    examples.into_iter().map(case).collect()
}

fn is_expectation(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".out.yaml")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What the manifests lead to, as YAML with the nested parts on one line, so that a listener is seen at a glance.
fn outcome(files: &[PathBuf]) -> String {
    let mut manifests = Manifests::default();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        manifests.read(&name, &fs::read_to_string(file).unwrap());
    }
    let mut text = String::new();
    for gateway in manifests.wrapped_gateways.keys() {
        let plan = manifests.plan(gateway).unwrap();
        let _ = writeln!(text, "{gateway}:");
        if manifests.left_alone(gateway).is_some() {
            text.push_str("  leftAlone: true\n");
        }
        write_plan(&mut text, &plan);
    }
    section(&mut text, "unreadable", &manifests.problems, |problem| format!("- {}", quoted(&problem.to_string())));
    text
}

fn write_plan(text: &mut String, plan: &Plan) {
    section(text, "  listeners", &plan.listeners, listener);
    if plan.total != plan.listeners.len() {
        let _ = writeln!(text, "  total: {}", plan.total);
    }
    section(text, "  served", &plan.served, |served| {
        format!(
            "  - {{route: {}, claim: {}, listener: {}}}",
            served.route,
            quoted(&served.slot.to_string()),
            served.listener
        )
    });
    section(text, "  rejections", &plan.rejections, |rejection| {
        let (route, message) = (&rejection.route, quoted(&rejection.message));
        format!("  - route: {route}\n    reason: {:?}\n    message: {message}", rejection.reason)
    });
    section(text, "  warnings", &plan.warnings, |warning| {
        let route = warning.route.as_ref().map_or(String::new(), |route| format!("route: {route}\n    "));
        format!("  - {route}reason: {:?}\n    message: {}", warning.reason, quoted(&warning.message))
    });
    section(text, "  problems", &plan.problems, |problem| format!("  - {}", quoted(problem)));
}

fn section<T>(text: &mut String, title: &str, items: &[T], write_item: impl Fn(&T) -> String) {
    if !items.is_empty() {
        let _ = writeln!(text, "{title}:");
        for item in items {
            text.push_str(&write_item(item));
            text.push('\n');
        }
    }
}

fn listener(planned: &PlannedListener) -> String {
    let value = serde_json::to_value(&planned.listener).unwrap();
    let mut text = format!("  - name: {} # {:?}", quoted(&planned.listener.name), planned.origin);
    for key in ["hostname", "port", "protocol", "tls", "allowedRoutes"] {
        if let Some(value) = value.get(key) {
            let _ = write!(text, "\n    {key}: {}", flow(value));
        }
    }
    text
}

fn flow(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Object(map) => {
            format!(
                "{{{}}}",
                join(map.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value))).collect())
            )
        }
        Value::Array(items) => format!("[{}]", join(items.iter().map(flow).collect())),
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text as YAML; in quotes only where YAML needs them.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./() '`;+=<>".contains(c);
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_plain && text.chars().all(plain) && !text.ends_with(' ') {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// Reasons are data of the status, the events and the metrics: each is to be seen in at least one case.
#[test]
fn every_reason_has_a_case() {
    let seen: BTreeSet<String> = cases()
        .iter()
        .filter_map(|case| fs::read_to_string(&case.expectation).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| {
                    line.trim().strip_prefix("- reason: ").or(line.trim().strip_prefix("reason: ")).map(str::to_owned)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let rejections = REASONS.iter().map(|reason| format!("{reason:?}"));
    let warnings = WARNINGS.iter().map(|reason| format!("{reason:?}"));
    let missing: Vec<_> = rejections.chain(warnings).filter(|reason| !seen.contains(reason)).collect();
    assert_eq!(missing, [""; 0]);
}

const REASONS: [Reason; 17] = [
    Reason::HostnameRequired,
    Reason::InvalidHostname,
    Reason::InvalidPort,
    Reason::InvalidProtocol,
    Reason::InvalidTlsMode,
    Reason::PortRequired,
    Reason::SectionNameTooNarrow,
    Reason::ListenerNameTaken,
    Reason::NotAdmitted,
    Reason::PortConflict,
    Reason::HostnameConflict,
    Reason::NamespaceNotAllowed,
    Reason::HostnameOwned,
    Reason::PortOwned,
    Reason::HostnameNotGranted,
    Reason::NamespaceQuotaReached,
    Reason::ListenerLimitReached,
];

const WARNINGS: [WarningReason; 5] = [
    WarningReason::SharedPort,
    WarningReason::AmbiguousAttachment,
    WarningReason::InvalidDnsName,
    WarningReason::ListenerHeld,
    WarningReason::RefNotPermitted,
];
