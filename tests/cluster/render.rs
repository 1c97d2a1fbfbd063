use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use controlplane::GatewayApi;
use homelab_helper::api::annotation;
use homelab_helper::controller::apply::Applied;
use homelab_helper::controller::preview::{Preview, preview};
use homelab_helper::planner::{Input, plan};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::desk::{Desk, cluster, rich_listeners, rich_spec};
use super::world::{Place, World};

/// Code, standard output, standard error.
async fn render(kubeconfig: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.args(["gateway-route-sync", "render"]).args(arguments).env_clear().env("KUBECONFIG", kubeconfig);
    ended(command).await
}

async fn ended(mut command: Command) -> (i32, String, String) {
    let ended = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread");
    let Output { status, stdout, stderr } = ended.expect("a program that runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// Where manifests of that name are kept, in the folder of the build.
fn file(name: &str, objects: &[Value]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    std::fs::write(&path, list.to_string()).expect("a writable folder");
    path
}

impl Place {
    async fn diff(&self) -> (i32, String, String) {
        let (code, output, errors) = render(self.world.cluster.kubeconfig(), &["--diff"]).await;
        (code, output.replace(&self.name, "here"), errors.replace(&self.name, "here"))
    }
}

#[tokio::test]
async fn what_the_diff_of_a_cluster_shows_is_what_the_controller_then_does() {
    let world = Arc::new(World::start(GatewayApi::chosen()).await);
    let place = world.namespace("diff").await;
    place.wrap(json!({})).await;
    place.http("stays", &["stays.example.com"]).await;
    place.http("goes", &["goes.example.com"]).await;
    place.has_hostnames(&["stays.example.com", "goes.example.com"]).await;
    place.listener_of_somebody(&json!({ "name": "theirs", "port": 9000, "protocol": "TCP" })).await;
    place.is_ready().await;
    world.stop_controller().await;

    let before = world.requests().await;
    assert_eq!(place.diff().await, (0, String::new(), String::new()));
    assert_eq!(world.requests().await.since(&before).writes().total(), 0);

    place.delete("HTTPRoute", "goes").await;
    place.http("comes", &["comes.example.com"]).await;
    place.route("TCPRoute", "greedy", json!({ "parentRefs": [{ "name": "edge", "port": 443 }] })).await;
    place.wrap(json!({ "addresses": [{ "value": "192.0.2.1" }] })).await;
    let before = world.requests().await;
    let uid = place.wrapped().get("edge").await.expect("the WrappedGateway").metadata.uid.expect("its uid");
    let (code, output, errors) = place.diff().await;
    let output = output.replace(&format!("uid: \"{uid}\""), "uid: UID").replace(&format!("uid: {uid}"), "uid: UID");
    let written = world.requests().await.since(&before).writes();
    assert_eq!(written.of("gateway.networking.k8s.io").total(), 0, "{written}");
    assert_eq!((code, output.as_str()), (1, CHANGES), "{output}");
    let rejected = "rejected: TCPRoute here/greedy on Gateway here/edge: PortConflict: ";
    assert!(errors.starts_with(rejected) && errors.lines().count() == 1, "{errors}");

    world.start_controller().await;
    place.has_hostnames(&["stays.example.com", "", "comes.example.com"]).await;
    let (code, output, _) = place.diff().await;
    assert_eq!((code, output.as_str()), (0, ""));
}

/// A listener goes, one comes, and so does an address. What somebody else put there is not shown.
const CHANGES: &str = r#"--- LIVE/gateway.networking.k8s.io.v1.Gateway.here.edge
+++ PLANNED/gateway.networking.k8s.io.v1.Gateway.here.edge
@@ -13,6 +13,9 @@
     name: edge
     uid: UID
 spec:
+  addresses:
+  - type: IPAddress
+    value: 192.0.2.1
   gatewayClassName: example
   listeners:
   - allowedRoutes:
@@ -43,13 +46,11 @@
             operator: In
             values:
             - here
-    hostname: goes.example.com
-    name: https-443-goes-example-com
+    hostname: comes.example.com
+    name: https-443-comes-example-com
     port: 443
     protocol: HTTPS
     tls:
       certificateRefs:
-      - group: ""
-        kind: Secret
-        name: edge.https-443-goes-example-com
+      - name: edge.https-443-comes-example-com
       mode: Terminate
"#;

/// What lets Gateways of a namespace use the certificate of another one that a rich spec names.
fn consent(namespace: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ReferenceGrant",
        "metadata": { "name": namespace, "namespace": "other" },
        "spec": {
            "from": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace }],
            "to": [{ "group": "", "kind": "Secret", "name": "b" }],
        },
    })
}

#[tokio::test]
async fn manifests_are_compared_with_the_live_gateway() {
    let desk = Desk::new(rich_spec()).await;
    desk.is_written_once().await;
    let kubeconfig = cluster().await.kubeconfig();
    let wrapped = |spec: Value| {
        let mut object = json!(desk.wrapped);
        object["metadata"] = json!({ "namespace": desk.key.namespace, "name": "edge" });
        object["spec"] = spec;
        object["spec"]["gatewayClassName"] = json!("example");
        object
    };
    let name = &desk.key.namespace;
    let same = file(name, &[wrapped(rich_spec())]);
    let same = same.to_str().expect("a path that is text");
    let (code, output, errors) = render(kubeconfig, &["--diff", same]).await;
    assert_eq!((code, output.as_str()), (0, ""));
    let warning = format!("warning: Gateway {name}/edge: RefNotPermitted: no ReferenceGrant in namespace other lets ");
    assert!(errors.starts_with(&warning) && errors.lines().count() == 1, "{errors}");
    let other = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "other" } });
    cluster().await.apply([other, consent(name)]).await.expect("a grant in the cluster");
    assert_eq!(render(kubeconfig, &["--diff", same]).await, (0, String::new(), String::new()));

    let mut spec = rich_spec();
    spec["listeners"][1]["port"] = json!(8080);
    let changed = file(&format!("{name}-changed"), &[wrapped(spec)]);
    let (code, output, _) = render(kubeconfig, &["--diff", changed.to_str().expect("a path that is text")]).await;
    assert_eq!(code, 1);
    let shown: Vec<_> = output.lines().skip(2).filter(|line| line.starts_with(['-', '+'])).collect();
    assert_eq!(shown, ["-    port: 80", "+    port: 8080"], "{output}");

    desk.gateways().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    let (code, output, _) = render(kubeconfig, &["--diff", same]).await;
    assert_eq!(code, 1);
    assert!(output.lines().skip(3).all(|line| line.starts_with('+')), "{output}");

    desk.create_foreign().await;
    let (code, output, errors) = render(kubeconfig, &["--diff", same]).await;
    assert_eq!((code, output.as_str()), (0, ""));
    assert!(errors.starts_with(&format!("left alone: Gateway {name}/edge: ")) && errors.contains("/adopt"), "{errors}");

    let mut adopting = wrapped(json!({}));
    adopting["metadata"]["annotations"] = json!({ annotation::ADOPT: "true" });
    let adopting = file(&format!("{name}-adopting"), &[adopting]);
    let (code, output, _) = render(kubeconfig, &["--diff", adopting.to_str().expect("a path that is text")]).await;
    assert_eq!(code, 1);
    assert!(output.contains("\n-  gatewayClassName: theirs\n+  gatewayClassName: example\n"), "{output}");
    assert!(output.contains("\n+  ownerReferences:\n") && !output.contains("8080"), "{output}");
}

#[tokio::test]
async fn a_preview_shows_something_exactly_where_something_is_written() {
    let mut desk = Desk::new(rich_spec()).await;
    assert_eq!(desk.preview().await.live, None);
    desk.is_written_once().await;
    desk.shows_nothing().await;
    for path in
        ["/addresses", "/infrastructure/labels", "/allowedListeners", "/tls/frontend/perPort", "/infrastructure"]
    {
        let mut spec = json!(desk.wrapped.spec);
        let (parent, field) = path.rsplit_once('/').expect("a path");
        spec.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object").remove(field);
        desk.wrap(json!({}), spec).await;
        desk.shows_what_is_written().await;
    }
    desk.wrap(json!({ "labels": { "a": "b" }, "annotations": { "c": "d" } }), json!({ "listeners": rich_listeners() }))
        .await;
    desk.shows_what_is_written().await;
    desk.wrap(json!({}), json!({ "listeners": [rich_listeners()[3], rich_listeners()[0]] })).await;
    desk.shows_what_is_written().await;
    desk.merge_as("meddler", json!({ "spec": { "gatewayClassName": "other" } })).await;
    desk.ledger.forget(&desk.key);
    desk.shows_what_is_written().await;
    desk.merge_as(
        "meddler",
        json!({ "metadata": { "labels": { "other": "label" }, "finalizers": ["example.com/x"] } }),
    )
    .await;
    desk.shows_nothing().await;
    desk.merge_as("meddler", json!({ "metadata": { "finalizers": null } })).await;
}

impl Desk {
    async fn preview(&self) -> Preview {
        let existing = self.observe().await;
        let live = existing.as_ref().map(|existing| existing.listeners.as_slice()).unwrap_or_default();
        let (spec, namespaces) = (&self.wrapped.spec, BTreeMap::new());
        let plan = plan(&Input { gateway: &self.key, spec, live, routes: &[], namespaces: &namespaces });
        preview(&self.key, &self.wrapped, existing.as_ref(), &plan).expect("a Gateway of ours")
    }

    async fn shows_nothing(&self) {
        let preview = self.preview().await;
        assert_eq!(preview.live.as_ref(), Some(&preview.planned));
    }

    async fn shows_what_is_written(&self) {
        let preview = self.preview().await;
        assert_ne!(preview.live.as_ref(), Some(&preview.planned));
        assert!(matches!(self.reconcile().await, Ok(Applied::Written(_))));
        self.shows_nothing().await;
    }
}

#[tokio::test]
async fn kubectl_takes_what_is_rendered_as_it_is() {
    let desk = Desk::new(json!({})).await;
    let mut wrapped = json!(desk.wrapped);
    wrapped["metadata"]["labels"] = json!({ "on": "y", "number": "1_000", "dot": "1.0" });
    wrapped["metadata"]["annotations"] = json!({ "text": "two\nlines: # \"quoted\"", "empty": "", "no": "~" });
    wrapped["spec"] = rich_spec();
    wrapped["spec"]["gatewayClassName"] = json!("example");
    let manifest = file(&desk.key.namespace, &[wrapped, consent(&desk.key.namespace)]);
    let manifest = manifest.to_str().expect("a path that is text");
    for format in ["yaml", "json"] {
        let (code, output, errors) = render(Path::new(""), &[manifest, "-o", format]).await;
        assert_eq!((code, errors.as_str()), (0, ""));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.{format}", desk.key.namespace));
        std::fs::write(&path, output).expect("a writable folder");
        for side in ["--server-side=false", "--server-side"] {
            let mut kubectl = cluster().await.kubectl();
            kubectl.args(["apply", "--dry-run=server", "-o", "json", side, "-f"]).arg(&path);
            let (code, output, errors) = ended(kubectl).await;
            assert_eq!(code, 0, "{errors}");
            let taken: Value = serde_json::from_str(&output).expect("JSON");
            assert_eq!(taken["metadata"]["labels"]["number"], "1_000");
            assert_eq!(taken["metadata"]["labels"]["on"], "y");
            assert_eq!(taken["metadata"]["annotations"]["text"], "two\nlines: # \"quoted\"");
            assert_eq!(taken["spec"]["listeners"].as_array().map(Vec::len), Some(5));
        }
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_is_an_error() {
    let kubeconfig = file("nobody", &[]);
    let config = "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], \
                  clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}";
    std::fs::write(&kubeconfig, config).expect("a writable folder");
    let (code, output, errors) = render(&kubeconfig, &["--diff"]).await;
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{errors}");
}
