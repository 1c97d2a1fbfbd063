//! The rules that keep the parts apart. They are in `src/lib.rs`; here they are kept.

use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of the package each one may use, besides itself. Whoever is not named here may use all.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("api", &[]),
    ("backoff", &[]),
    ("client", &["metrics"]),
    ("explain", &[]),
    ("metrics", &[]),
    ("watching", &["backoff", "explain", "metrics"]),
    ("routes", &["api", "backoff", "explain", "metrics", "watching"]),
    ("planner", &["api", "routes"]),
    ("manifests", &["api", "planner", "routes"]),
    ("readiness", &["routes"]),
    ("server", &["metrics", "readiness"]),
    ("leader", &["backoff", "explain"]),
    ("render", &["api", "controller", "explain", "kubeconfig", "manifests", "planner", "routes"]),
    ("controller", &["api", "backoff", "explain", "metrics", "planner", "readiness", "routes", "watching"]),
    ("status", &["api", "controller", "explain", "kubeconfig", "planner"]),
];

/// What has no place in the planner: the same input gives the same plan, whenever and wherever.
const NOT_IN_THE_PLANNER: [&str; 11] = [
    "async ",
    ".await",
    "kube::Client",
    "kube::Api",
    "tokio",
    "tracing",
    "println!",
    "eprintln!",
    "Timestamp::now",
    "SystemTime",
    "Instant",
];

/// Every line of a module that is neither comment nor test, with file and number.
fn lines_of(module: &str) -> Vec<(String, String)> {
    let mut files = vec![source().join(format!("{module}.rs"))];
    collect(&source().join(module), &mut files);
    let mut lines = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        for (number, line) in program(file).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            lines.push((format!("{}:{}", file.display(), number + 1), line.to_owned()));
        }
    }
    assert!(!lines.is_empty(), "there is no module {module}");
    lines
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A file up to its tests.
fn program(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a readable file");
    text.split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default()
        .split("\n#[cfg(test)]\n#[path")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            files.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// The modules that a line names after `crate::`, also those of a list in braces.
fn modules_in(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for after in line.split("crate::").skip(1) {
        let names = after.strip_prefix('{').map_or(after, |list| list.split('}').next().unwrap_or_default());
        let names: Vec<_> = if after.starts_with('{') { names.split(',').collect() } else { vec![names] };
        for name in names {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(name.len());
            found.extend((end > 0).then_some(&name[..end]));
        }
    }
    found
}

#[test]
fn each_module_uses_only_those_below_it() {
    for (module, may_use) in MAY_USE {
        for (place, line) in lines_of(module) {
            for used in modules_in(&line) {
                assert!(used == module || may_use.contains(&used), "{place}: {module} may not use {used}: {line}");
            }
        }
    }
}

#[test]
fn the_planner_is_pure() {
    for (place, line) in lines_of("planner") {
        for word in NOT_IN_THE_PLANNER {
            assert!(!line.contains(word), "{place}: `{word}` has no place in the planner: {line}");
        }
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    let mut files = Vec::new();
    collect(&source(), &mut files);
    for file in files {
        let lines = program(&file).lines().count();
        assert!(lines <= 350, "{} has {lines} lines", file.display());
    }
}

#[test]
fn modules_are_found_in_a_line() {
    assert_eq!(modules_in("use crate::api::{GROUP, Listener};"), ["api"]);
    assert_eq!(modules_in("use crate::{run, telemetry};"), ["run", "telemetry"]);
    assert_eq!(modules_in("    crate::planner::plan(crate::routes::State)"), ["planner", "routes"]);
}
