use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

use controlplane::{ControlPlane, GatewayApi, monitoring_crds};
use serde_json::{Value, json};

/// Every object that the chart makes is admitted, and so are its pods where the Pod Security Standard is `restricted`.
mod admission;
/// A controller with rights of a test's own choice.
pub mod granted;
/// Install, upgrade, roll back, uninstall, and install again.
mod lifecycle;
/// What is said at once of a route that is wrong by itself.
mod policy;
/// The release, and Helm. The end-to-end tests install it too.
mod release;
/// Every right that the chart gives is needed, and no other one.
mod rights;

use release::{CHART, helm, run};
pub use release::{NAMESPACE, RELEASE};

/// The objects that the chart renders.
fn rendered(arguments: &[&str]) -> Vec<Value> {
    let mut command = helm();
    command.args(["template", RELEASE, CHART, "--namespace", NAMESPACE]).args(arguments);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&run(&mut command)).expect("YAML");
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// The account of the controller and what lets it do its work, with a Lease, as the chart makes them; and their namespace.
pub fn account_with_rights() -> Vec<Value> {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    OBJECTS.get_or_init(|| account_with(&json!([]))).clone()
}

/// The same with further rules.
fn account_with(rules: &Value) -> Vec<Value> {
    let parts = ["--show-only", "templates/rbac.yaml", "--show-only", "templates/serviceaccount.yaml"];
    let rules = format!("rbac.rules={rules}");
    let values = ["--set", "deployment.leaderElection=true", "--set-json", &rules];
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    std::iter::once(namespace).chain(rendered(&[&parts[..], &values[..]].concat())).collect()
}

/// Starts a cluster that serves all kinds of which the chart has objects.
async fn cluster() -> ControlPlane {
    let cluster = ControlPlane::start().await.expect("a control plane");
    cluster.install(GatewayApi::chosen()).await.expect("the Gateway API");
    cluster.apply(monitoring_crds().expect("the CRDs")).await.expect("the CRDs of the Prometheus Operator");
    cluster
}

/// What the API server would say of an object, without taking it: nothing, where it has nothing against it. Fields that it
/// does not know are errors.
fn complaint(cluster: &ControlPlane, object: &Value) -> String {
    let arguments = ["create", "--dry-run=server", "--validate=strict", "--filename=-", "--output=name"];
    let mut kubectl = cluster.kubectl();
    kubectl.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = kubectl.spawn().expect("kubectl");
    let text = object.to_string();
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || !said.is_empty(), "kubectl says nothing and fails");
    said
}

/// The sets of values of which the renderings are looked at without a cluster too.
fn sets_of_values() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offline/chart/golden");
    let files = std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.map(|path| path.to_string_lossy().into_owned()).collect();
    files.retain(|file| file.ends_with(".values.yaml"));
    files.sort();
    files
}
