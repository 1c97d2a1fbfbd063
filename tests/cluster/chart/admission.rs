use controlplane::ControlPlane;
use serde_json::{Value, json};

use super::{cluster, complaint, rendered, sets_of_values};

/// Namespaces of the sets of values. In them runs no Pod that is not `restricted`, and whoever makes it is warned.
async fn restricted(cluster: &ControlPlane) {
    let namespace = |name| {
        let level = "restricted";
        let labels = json!({ "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/warn": level });
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
    };
    cluster.apply(["gateway-system", "monitoring"].map(namespace)).await.expect("namespaces");
}

/// A Pod as the Deployment makes it.
fn pod(deployment: &Value) -> Value {
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("one");
    pod["metadata"]["namespace"] = deployment["metadata"]["namespace"].clone();
    pod
}

#[tokio::test]
async fn every_object_of_every_set_of_values_is_admitted_and_its_pods_are_restricted() {
    let cluster = cluster().await;
    restricted(&cluster).await;
    for values in sets_of_values() {
        let objects = rendered(&["--values", &values]);
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        let pods: Vec<_> = deployments.map(pod).collect();
        assert_eq!(pods.len(), 1, "{values}");
        for object in objects.iter().chain(&pods) {
            let named = format!("{} {} of {values}", object["kind"], object["metadata"]["name"]);
            assert_eq!(complaint(&cluster, object), "", "{named}");
        }
    }
    // All of that would be worth nothing if anything were admitted.
    let loose = rendered(&["--set", "deployment.securityContext=null", "--show-only", "templates/deployment.yaml"]);
    let (warning, refusal) = (complaint(&cluster, &loose[0]), complaint(&cluster, &pod(&loose[0])));
    assert!(warning.contains("Warning: would violate PodSecurity \"restricted"), "{warning}");
    assert!(refusal.contains("violates PodSecurity \"restricted"), "{refusal}");
    let mut unknown = loose[0].clone();
    unknown["spec"]["replica"] = json!(1);
    assert!(complaint(&cluster, &unknown).contains("spec.replica"), "an unknown field passes");
}
