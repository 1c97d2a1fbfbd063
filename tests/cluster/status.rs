use std::process::{Command, Output};

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::world::{Place, World, is};

/// A place with two listeners, one of them healthy, and a rejected route; and what a data plane says of it.
async fn troubled(word: &str) -> Place {
    let place = World::shared().await.namespace(word).await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    place.has_names(&["https-443-www-example-com"]).await;
    place.http("new", &["new.example.com"]).await;
    place.route("TCPRoute", "greedy", json!({ "parentRefs": [{ "name": "edge", "port": 443 }] })).await;
    place.has_names(&["https-443-www-example-com", "https-443-new-example-com"]).await;
    program(&place).await;
    certificate(&place, "edge.https-443-www-example-com").await;
    let what = "the rejection and the data plane are seen";
    place.status_with(what, |status| status.rejected == 1 && is(status, "Programmed", "True")).await;
    place
}

/// What a data plane would write.
async fn program(place: &Place) {
    let generation = place.gateway("edge").await.metadata.generation;
    let condition = |type_: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
        })
    };
    let listener = |name: &str, routes: u32, condition: Value| json!({ "name": name, "attachedRoutes": routes, "supportedKinds": [], "conditions": [condition] });
    let missing = condition("ResolvedRefs", "False", "InvalidCertificateRef", "The Secret does not exist.");
    let status = json!({ "status": {
        "addresses": [{ "value": "192.0.2.10" }],
        "conditions": [condition("Programmed", "True", "Programmed", "")],
        "listeners": [
            listener("https-443-www-example-com", 1, condition("Programmed", "True", "Programmed", "")),
            listener("https-443-new-example-com", 0, missing),
        ],
    } });
    let parameters = PatchParams::default();
    place.gateways().patch_status("edge", &parameters, &Patch::Merge(&status)).await.expect("a status");
}

async fn certificate(place: &Place, name: &str) {
    let secret = serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": { "tls.key": "hidden" } }))
        .expect("a Secret");
    let secrets: Api<Secret> = Api::namespaced(place.client.clone(), &place.name);
    secrets.create(&PostParams::default(), &secret).await.expect("a Secret");
}

fn status(kubeconfig: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
    command.args(["gateway-route-sync", "status"]).args(arguments).env("KUBECONFIG", kubeconfig);
    let Output { status, stdout, stderr } = command.output().expect("a program that runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn what_the_controller_did_and_what_is_wrong_is_shown() {
    let place = troubled("shown").await;
    let (code, output, errors) = status(place.world.cluster.kubeconfig(), &["-n", &place.name, "edge"]);
    let name = &place.name;
    let expected = format!(
        "\
{name}/edge: class example, address 192.0.2.10
  Ready       yes. The Gateway has 2 listeners, for 3 attached routes.
  Programmed  yes
  cert-manager makes no certificates for it: it has neither annotation
  cert-manager.io/cluster-issuer nor cert-manager.io/issuer.

  LISTENER         PORT       CERTIFICATE  ROUTES  PROGRAMMED
  www.example.com  443 HTTPS  present           1  yes
! new.example.com  443 HTTPS  missing           0  no
    https-443-new-example-com: InvalidCertificateRef: The Secret does not exist.
      There is no Secret {name}/edge.https-443-new-example-com.

! 1 route rejected
    TCPRoute {name}/greedy: PortConflict
      TCP 443: listener `https-443-www-example-com` is HTTPS 443
      www.example.com, and the two cannot stand side by side; take another port
"
    );
    assert_eq!((output, errors), (expected, String::new()));
    assert_eq!(code, Some(1));
}

#[tokio::test]
async fn as_json_it_is_the_same_for_programs() {
    let place = troubled("programs").await;
    let (code, output, _) = status(place.world.cluster.kubeconfig(), &["--namespace", &place.name, "-o", "json"]);
    assert_eq!(code, Some(1));
    assert!(!output.contains("hidden"), "values of Secrets are nobody's business");
    let report: Value = serde_json::from_str(&output).expect("JSON");
    let overview = &report["wrappedGateways"][0];
    assert_eq!((&report["well"], &overview["rejected"]), (&json!(false), &json!(1)));
    let states = |index: usize| overview["listeners"][index]["certificates"][0]["state"].clone();
    assert_eq!((states(0), states(1)), (json!("present"), json!("missing")));
}

#[tokio::test]
async fn once_all_is_well_the_exit_code_says_so() {
    let place = World::shared().await.namespace("well").await;
    place.wrap(json!({ "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] })).await;
    place.has_names(&["http"]).await;
    let (kubeconfig, arguments) = (place.world.cluster.kubeconfig(), ["-n", &place.name]);
    place.is_ready().await;
    let (code, output, _) = status(kubeconfig, &arguments);
    assert_eq!(code, Some(1), "no data plane has looked at it: {output}");
    let generation = place.gateway("edge").await.metadata.generation;
    let programmed = json!([{
        "type": "Programmed", "status": "True", "reason": "Programmed", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
    }]);
    let listener = json!({ "name": "http", "attachedRoutes": 0, "supportedKinds": [], "conditions": programmed });
    let said = json!({ "status": { "conditions": programmed, "listeners": [listener] } });
    let parameters = PatchParams::default();
    place.gateways().patch_status("edge", &parameters, &Patch::Merge(&said)).await.expect("a status");
    let (code, output, _) = status(kubeconfig, &arguments);
    assert_eq!(code, Some(0), "{output}");
    assert!(!output.contains('!') && output.contains("80 HTTP"), "{output}");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let place = World::shared().await.namespace("empty").await;
    let kubeconfig = place.world.cluster.kubeconfig();
    let (code, output, errors) = status(kubeconfig, &["-n", &place.name]);
    assert_eq!((code, output.as_str()), (Some(0), ""));
    let expected = format!("There are no WrappedGateways in namespace {}; -A looks at all namespaces.\n", place.name);
    assert_eq!(errors, expected);
    let (code, output, errors) = status(kubeconfig, &["-n", &place.name, "edge"]);
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert_eq!(errors, format!("error: there is no WrappedGateway edge in namespace {}\n", place.name));
}

#[tokio::test]
async fn with_no_permission_for_secrets_certificates_are_unknown_and_with_it_they_are_known() {
    let place = troubled("permitted").await;
    let account = serde_json::from_value(json!({ "metadata": { "name": "kim" } })).expect("a service account");
    let accounts: Api<ServiceAccount> = Api::namespaced(place.client.clone(), &place.name);
    accounts.create(&PostParams::default(), &account).await.expect("a service account");
    let kubeconfig = place.world.cluster.service_account_kubeconfig(&place.name, "kim").await.expect("a kubeconfig");
    let (code, _, errors) = status(&kubeconfig, &["-n", &place.name]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("error: cannot read WrappedGateways: ") && errors.contains("(HTTP 403)"), "{errors}");

    let mut rules = vec![
        json!({ "apiGroups": [super::world::GROUP], "resources": ["wrappedgateways"], "verbs": ["list"] }),
        json!({ "apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["list"] }),
    ];
    permit(&place, &rules).await;
    let (code, output, errors) = status(&kubeconfig, &["-n", &place.name, "edge"]);
    assert_eq!((code, errors.as_str()), (Some(1), ""));
    assert_eq!(output.matches("443 HTTPS  unknown").count(), 2, "{output}");
    assert_eq!(output.matches("is forbidden").count(), 1, "it is said once: {output}");

    rules.push(json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }));
    permit(&place, &rules).await;
    let known = controlplane::eventually("the certificates are known", super::world::WITHIN, async || {
        let (_, output, _) = status(&kubeconfig, &["-n", &place.name, "edge"]);
        if output.contains("present") && output.contains("missing") { Ok(()) } else { Err(output) }
    });
    known.await.expect("certificates that are known");
}

/// Grants the service account `kim` what these rules say, and waits until the API server has heard of it.
async fn permit(place: &Place, rules: &[Value]) {
    let metadata = json!({ "name": "kim", "namespace": place.name });
    let rbac = "rbac.authorization.k8s.io";
    let role = json!({ "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": metadata, "rules": rules });
    let binding = json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": metadata,
        "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "kim" },
        "subjects": [{ "kind": "ServiceAccount", "name": "kim", "namespace": place.name }],
    });
    place.apply(role).await;
    place.apply(binding).await;
    let token = place.world.cluster.service_account_token(&place.name, "kim").await.expect("a token");
    let kim = place.world.cluster.client_for_token(&token).expect("a client");
    let wrapped: Api<homelab_helper::api::WrappedGateway> = Api::namespaced(kim, &place.name);
    let heard = controlplane::eventually("the permission counts", super::world::WITHIN, async || {
        wrapped.list(&kube::api::ListParams::default()).await.map(drop).map_err(|error| error.to_string())
    });
    heard.await.expect("a permission");
}
