use std::fmt::Write as _;

use serde_json::Value;

use super::super::generated::table_is_generated;
use super::{Version, objects, rendered, root};

const BEGIN: &str = "<!-- rights: generated from the chart -->\n";
const END: &str = "<!-- end of rights -->\n";

/// Group, resources and verbs of a rule, as cells of the table.
fn cells(rule: &Value) -> [String; 3] {
    let words = |list: &Value, quote: &str| {
        let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.map(|word| format!("{quote}{word}{quote}")).collect::<Vec<_>>().join(", ")
    };
    let group = match words(&rule["apiGroups"], "`").as_str() {
        "``" => "(core)".to_owned(),
        group => group.to_owned(),
    };
    [group, words(&rule["resources"], "`"), words(&rule["verbs"], "")]
}

fn table() -> String {
    let arguments = ["--show-only", "templates/rbac.yaml", "--set", "deployment.leaderElection=true"];
    let mut table = "| API group | resources | verbs |\n|---|---|---|\n".to_owned();
    let mut before = String::new();
    for role in objects(&rendered(Version::V4, &arguments)) {
        let at_home = if role["kind"] == "Role" { ", in its own namespace (with `--leader-election`)" } else { "" };
        for rule in role["rules"].as_array().into_iter().flatten() {
            let [group, resources, verbs] = cells(rule);
            let shown = if group == before { String::new() } else { format!("{group}{at_home}") };
            let _ = writeln!(table, "| {shown} | {resources} | {verbs} |");
            before = group;
        }
    }
    table
}

#[test]
fn the_table_in_the_readme_is_made_of_the_chart() {
    table_is_generated(&root().join("README.md"), BEGIN, END, &table());
}
