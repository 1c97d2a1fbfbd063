use controlplane::ControlPlane;
use homelab_helper::api::{WrappedGateway, WrappedGatewayStatus};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{definition, shared_control_plane};

fn status() -> WrappedGatewayStatus {
    serde_json::from_value(json!({
        "observedGeneration": 1,
        "lastReconciledTime": "2026-01-01T00:00:00Z",
        "address": "192.0.2.1",
        "listeners": 3,
        "routes": 5,
        "rejected": 1,
        "rejectedRoutes": [{
            "kind": "TCPRoute", "namespace": "games", "name": "factorio", "reason": "PortRequired", "message": "Say a port.",
        }],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }],
    }))
    .expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_kept_whole_and_shown_in_one_line() {
    let control_plane = shared_control_plane().await;
    let manifest = json!({
        "apiVersion": "gateway-route-sync.homelab-helper.benfiola.com/v1", "kind": "WrappedGateway",
        "metadata": {"name": "shown"}, "spec": {"gatewayClassName": "envoy"},
    });
    control_plane.apply([manifest]).await.expect("a WrappedGateway");
    let api: Api<WrappedGateway> = Api::default_namespaced(control_plane.client().expect("a client"));
    let patch = Patch::Merge(json!({"status": status()}));
    let stored = api.patch_status("shown", &PatchParams::default(), &patch).await.expect("a status");
    assert_eq!(stored.status, Some(status()));

    let output = control_plane.kubectl().args(["get", "wgw", "shown"]).output().expect("kubectl");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<Vec<_>> = output.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "CLASS", "ADDRESS", "LISTENERS", "ROUTES", "REJECTED", "READY", "AGE"], "{output}");
    assert_eq!(words[1][..7], ["shown", "envoy", "192.0.2.1", "3", "5", "1", "True"], "{output}");
}

/// Two YAML readers agree on the checked-in file, and the API server stores just what it says: there is nothing that a
/// tool could report as a difference for ever.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_can_be_applied_with_kubectl_and_is_stored_as_it_is() {
    let control_plane = shared_control_plane().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/wrappedgateways.yaml");
    let apply = ["apply", "--server-side", "--force-conflicts", "-o", "json", "-f", file];
    let output = control_plane.kubectl().args(apply).output().expect("kubectl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut stored: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // The one thing that the server adds.
    let conversion = stored["spec"].as_object_mut().expect("a spec").remove("conversion");
    assert_eq!(conversion, Some(json!({"strategy": "None"})));
    assert!(stored["spec"] == definition()["spec"], "stored otherwise: {:#}", stored["spec"]);
    assert_eq!(stored["metadata"]["generation"], 1, "to kubectl the file is not what it is to us");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_explains_the_fields() {
    let control_plane = shared_control_plane().await;
    let output = control_plane.kubectl().args(["explain", "wgw.spec.httpsRedirect"]).output().expect("kubectl");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Whether plain HTTP on port 80 is answered with a redirect to https"), "{output}");
}

/// The definition takes the place of an older one, under which people may have written what it would refuse.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_definition_admitted_can_be_read_and_gets_its_status() {
    let control_plane = ControlPlane::start().await.expect("a control plane");
    let mut older = definition();
    let version = &mut older["spec"]["versions"][0];
    version["schema"]["openAPIV3Schema"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let object = json!({
        "apiVersion": "gateway-route-sync.homelab-helper.benfiola.com/v1", "kind": "WrappedGateway",
        "metadata": {"name": "old"},
        "spec": {"gatewayClassName": "envoy", "listenerTemplate": {
            "name": "https", "protocol": "TLS", "port": 443, "hostname": "example.com",
            "tls": {"mode": "Terminate", "certificateRefs": [{"name": "old"}]},
        }},
        "status": {"conditions": null},
    });
    control_plane.apply([older, object, definition()]).await.expect("the older definition, an object, and ours");

    let api: Api<WrappedGateway> = Api::default_namespaced(control_plane.client().expect("a client"));
    let read = api.get("old").await.expect("an object that can be read");
    assert_eq!(read.spec.listener_template.and_then(|template| template.port), Some(443));
    let patch = Patch::Merge(json!({"status": status()}));
    let stored = api.patch_status("old", &PatchParams::default(), &patch).await.expect("a status");
    assert_eq!(stored.status, Some(status()));
}
