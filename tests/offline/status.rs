//! What `status` writes, each case as a pair of files: objects in, text out.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use homelab_helper::render::unified;
use homelab_helper::status::report::{Found, Report, SecretKey, SecretState, Secrets, certificates};
use homelab_helper::status::text;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/offline/status");
/// When every case is read.
const NOW: &str = "2026-01-01T12:00:00Z";
/// What the cluster says of a Secret that may not be read.
const FORBIDDEN: &str = "secrets \"edge.a\" is forbidden: User \"kim\" cannot get resource \"secrets\" in API group \"\" \
                         in the namespace \"default\" (HTTP 403)";

/// The cases, in the order of their names.
fn cases() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// The objects of a file. The Secrets among them are those that exist; a document `secrets: forbidden` hides them all.
fn found(file: &Path) -> Found {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(file).unwrap()).unwrap();
    let of_kind = |kind: &'static str| documents.iter().filter(move |document| document["kind"] == kind).cloned();
    let mut found = Found {
        wrapped: of_kind("WrappedGateway").map(|object| serde_json::from_value(object).unwrap()).collect(),
        gateways: of_kind("Gateway").map(|object| serde_json::from_value(object).unwrap()).collect(),
        secrets: Secrets::default(),
        now: NOW.parse().unwrap(),
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let present: Vec<_> = of_kind("Secret")
        .map(|secret| SecretKey {
            namespace: text(&secret["metadata"]["namespace"]),
            name: text(&secret["metadata"]["name"]),
        })
        .collect();
    let forbidden = documents.iter().any(|document| document["secrets"] == "forbidden");
    for key in certificates(&found) {
        if forbidden {
            found.secrets.unreadable(key, FORBIDDEN);
        } else {
            let state = if present.contains(&key) { SecretState::Present } else { SecretState::Missing };
            found.secrets.insert(key, state);
        }
    }
    found
}

fn outcome(file: &Path) -> String {
    let report = Report::new(&found(file));
    let is_json = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("json"));
    let text = if is_json { text::json(&report) } else { text::text(&report) };
    format!("{text}exit code {}\n", i32::from(!report.well))
}

#[test]
fn every_case_is_written_as_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = String::new();
    for file in cases() {
        let (written, expectation) = (outcome(&file), file.with_extension("out.txt"));
        let expected = fs::read_to_string(&expectation).unwrap_or_default();
        if written == expected {
            continue;
        }
        if update {
            fs::write(&expectation, &written).unwrap();
            continue;
        }
        let _ = write!(failures, "\n{}\n{}", file.display(), unified(&expected, &written));
    }
    assert!(failures.is_empty(), "- expected, + written (UPDATE=1 takes over what is written)\n{failures}");
}

#[test]
fn no_line_is_wider_than_a_terminal_unless_a_word_is() {
    let texts = cases().into_iter().map(|file| text::text(&Report::new(&found(&file))));
    for text in texts {
        for line in text.lines().filter(|line| line.split_whitespace().count() > 1) {
            let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
            assert!(line.chars().count() <= 80 || longest > 60, "{line}");
        }
    }
}

#[test]
fn what_is_not_well_is_marked() {
    for file in cases() {
        let report = Report::new(&found(&file));
        let marked = text::text(&report).lines().any(|line| line.starts_with("! "));
        assert_eq!(marked, !report.well, "{}", file.display());
    }
}
