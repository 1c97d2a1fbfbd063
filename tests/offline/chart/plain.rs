use serde_json::{Value, json};

use super::super::generated::is_generated;
use super::{Version, objects, rendered, root};

/// What Helm alone has use for.
const OF_HELM: [&str; 2] = ["helm.sh/chart:", "app.kubernetes.io/managed-by: Helm"];

const HEAD: &str = "\
# Everything that gateway-route-sync needs, for those without Helm:
#
#   kubectl apply --server-side -f charts/install.yaml
#
# Generated from charts/gateway-route-sync with its default values: UPDATE=1 cargo test --test offline
apiVersion: v1
kind: Namespace
metadata:
  name: gateway-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
";

/// The manifests, without what only Helm reads.
fn plain() -> String {
    let rendered = rendered(Version::V4, &[]);
    let keep = |line: &&str| !OF_HELM.iter().any(|of_helm| line.trim_start().starts_with(of_helm));
    let lines: Vec<_> = rendered.lines().filter(|line| !line.starts_with("# Source: ")).filter(keep).collect();
    let documents = lines.join("\n");
    let documents = documents.split("\n---\n").map(|document| document.trim_start_matches("---\n").trim_end());
    let documents: Vec<_> = documents.filter(|document| !document.is_empty()).collect();
    format!("{HEAD}---\n{}\n", documents.join("\n---\n"))
}

#[test]
fn the_manifests_are_made_of_the_chart() {
    is_generated(&root().join("charts/install.yaml"), &plain()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_manifests_have_every_object_of_the_chart_and_the_namespace() {
    let name = |object: &Value| format!("{} {}", object["kind"], object["metadata"]["name"]);
    let mut of_chart: Vec<_> = objects(&rendered(Version::V4, &[])).iter().map(name).collect();
    of_chart.insert(0, name(&json!({ "kind": "Namespace", "metadata": { "name": "gateway-system" } })));
    let manifests = objects(&plain());
    assert_eq!(manifests.iter().map(name).collect::<Vec<_>>(), of_chart);
    let left = plain().lines().filter(|line| line.contains("Helm") && !line.starts_with('#')).count();
    assert_eq!(left, 0, "Helm is named in manifests that it does not know");
}
