use std::fs;
use std::path::{Path, PathBuf};

use super::super::generated::is_generated;
use super::{Version, objects, rendered, root};

fn cases() -> Vec<PathBuf> {
    let folder = root().join("tests/offline/chart/golden");
    let entries = fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(".values.yaml")).collect();
    cases.sort();
    assert!(cases.len() >= 6, "{} cases", cases.len());
    cases
}

fn with(version: Version, values: &Path) -> String {
    rendered(version, &["--values", &values.to_string_lossy()])
}

/// Without the schema of the CRD, which has a file and tests of its own.
fn without_schema(rendered: &str) -> String {
    let documents = rendered.split("\n---\n").map(|document| match document.split_once("\nspec:\n") {
        Some((head, _)) if head.contains("\nkind: CustomResourceDefinition\n") => format!("{head}\n# spec: ...\n"),
        _ => document.to_owned(),
    });
    documents.collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn what_is_rendered_is_as_expected() {
    let stale = |case: &PathBuf| {
        let expectation = PathBuf::from(case.to_string_lossy().replace(".values.yaml", ".out.yaml"));
        is_generated(&expectation, &without_schema(&with(Version::V4, case))).err()
    };
    let stale: Vec<_> = cases().iter().filter_map(stale).collect();
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn the_older_helm_renders_the_same() {
    for case in cases() {
        let sorted = |version| {
            let mut objects = objects(&with(version, &case));
            objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
            objects
        };
        assert_eq!(sorted(Version::V3), sorted(Version::V4), "{}", case.display());
    }
}

#[test]
fn every_object_has_the_labels_of_the_release() {
    for case in cases() {
        for object in objects(&with(Version::V4, &case)) {
            let labels = &object["metadata"]["labels"];
            let has = |label: &str| labels[format!("app.kubernetes.io/{label}")].is_string();
            assert!(
                ["name", "instance", "version", "managed-by"].into_iter().all(has),
                "{}: {object:#}",
                case.display()
            );
        }
    }
}
