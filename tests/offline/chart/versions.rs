use std::fs;

use serde_json::Value;

use super::{chart, objects, rendered, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_chart_has_the_version_of_the_program() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).expect("Chart.yaml");
    let chart: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(chart["version"], VERSION);
    assert_eq!(chart["appVersion"], VERSION);
}

#[test]
fn the_image_has_the_version_of_the_program_unless_something_else_is_wanted() {
    let image = |arguments: &[&str]| {
        let arguments: Vec<_> = ["--show-only", "templates/deployment.yaml"].iter().chain(arguments).copied().collect();
        let deployment = objects(&rendered(super::Version::V4, &arguments)).remove(0);
        deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(image(&[]), format!("ghcr.io/benfiola/homelab-helper:{VERSION}"));
    assert_eq!(image(&["--set", "deployment.image.tag=edge"]), "ghcr.io/benfiola/homelab-helper:edge");
    let digest = format!("sha256:{}", "0".repeat(64));
    let set = format!("deployment.image.tag=edge,deployment.image.digest={digest}");
    assert_eq!(image(&["--set", &set]), format!("ghcr.io/benfiola/homelab-helper@{digest}"));
}

#[test]
fn the_changes_of_this_version_are_told() {
    let changes = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    assert!(changes.lines().any(|line| line == format!("## {VERSION}")), "CHANGELOG.md says nothing of {VERSION}");
}

/// Wherever a document says a version of this project, it is the current one.
#[test]
fn documents_say_the_version_of_the_program() {
    for name in ["README.md", "charts/gateway-route-sync/README.md", "Dockerfile"] {
        let text = fs::read_to_string(root().join(name)).expect(name);
        for before in ["--version ", "VERSION=", "homelab-helper:", "/releases/download/v", "tree/v", "blob/v"] {
            for after in text.split(before).skip(1) {
                let version: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                let version = version.trim_end_matches('.');
                assert!(version.is_empty() || version == VERSION, "{name} says {before}{version}, not {VERSION}");
            }
        }
    }
}
