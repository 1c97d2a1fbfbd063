use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use homelab_helper::metrics::Metrics;
use serde_json::Value;

use super::{Version, chart, objects, rendered, root};

fn file(name: &str) -> String {
    fs::read_to_string(chart().join("files").join(name)).expect("a file of the chart")
}

/// Every metric that a text names, without what a histogram appends to its name.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.filter(|word| word.starts_with("gateway_route_sync_") || word.starts_with("process_"));
    named
        .map(|word| {
            let family = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| word.strip_suffix(suffix));
            family.unwrap_or(word).to_owned()
        })
        .collect()
}

/// The expressions of a dashboard's panels, and of its variables.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let of_panels = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets")).map(|of| &of["expr"]);
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    of_panels
        .chain(variables.iter().map(|of| &of["query"]))
        .filter_map(|query| query.as_str().map(str::to_owned))
        .collect()
}

#[test]
fn every_metric_of_the_alerts_and_of_the_dashboard_is_exported() {
    let exported: BTreeSet<String> = Metrics::new().describe().into_iter().map(|family| family.name).collect();
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).expect("JSON");
    let rules: Value = serde_saphyr::from_str(&file("alerts.yaml")).expect("YAML");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules").clone();
    let alerts = rules.iter().map(|rule| rule["expr"].as_str().expect("an expression").to_owned());
    for query in alerts.chain(queries(&dashboard).into_iter().filter(|query| query != "prometheus")) {
        let named = metrics_in(&query);
        assert!(!named.is_empty(), "{query} asks for no metric of ours");
        assert!(named.is_subset(&exported), "{query} asks for what nobody exports");
    }
}

#[test]
fn every_panel_shows_something_else_in_a_place_of_its_own() {
    let dashboard: Value = serde_json::from_str(&file("dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    for of in ["id", "title", "gridPos", "targets"] {
        let different: BTreeSet<String> = panels.iter().map(|panel| panel[of].to_string()).collect();
        assert_eq!(different.len(), panels.len(), "{of}");
    }
}

#[test]
fn the_dashboard_comes_in_a_config_map_that_grafana_finds() {
    for version in [Version::V4, Version::V3] {
        let arguments = ["--show-only", "templates/dashboard.yaml", "--set", "dashboard.enabled=true"];
        let objects = objects(&rendered(version, &arguments));
        let [map] = objects.as_slice() else { panic!("one object") };
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        let text = map["data"]["gateway-route-sync.json"].as_str().expect("a dashboard");
        let found: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(found, serde_json::from_str::<Value>(&file("dashboard.json")).expect("JSON"));
    }
}

#[test]
fn the_alerts_come_as_they_are_tested() {
    let arguments = ["--show-only", "templates/prometheusrule.yaml", "--set", "prometheusRule.enabled=true"];
    let rule = objects(&rendered(Version::V4, &arguments)).remove(0);
    assert_eq!(rule["spec"], serde_saphyr::from_str::<Value>(&file("alerts.yaml")).expect("YAML"));
}

/// Where promtool is not installed, there is nobody to ask, and that is said.
#[test]
fn each_alert_fires_when_it_should_and_not_before() {
    let ask = |arguments: &[&str]| {
        Command::new("promtool").args(arguments).current_dir(root().join("tests/offline/chart")).output()
    };
    let alerts = chart().join("files/alerts.yaml");
    let (Ok(check), Ok(test)) =
        (ask(&["check", "rules", &alerts.to_string_lossy()]), ask(&["test", "rules", "alerts.yaml"]))
    else {
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return;
    };
    for output in [check, test] {
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn each_alert_is_tested() {
    let rules: Value = serde_saphyr::from_str(&file("alerts.yaml")).expect("YAML");
    let tests = fs::read_to_string(root().join("tests/offline/chart/alerts.yaml")).expect("the tests");
    for rule in rules["groups"][0]["rules"].as_array().expect("rules") {
        let name = rule["alert"].as_str().expect("a name");
        assert!(tests.contains(&format!("alertname: {name}\n        eval_time")), "{name}");
    }
}
