use std::time::Duration;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use neighbours::{cert_manager, envoy_gateway};
use serde_json::{Value, json};

use crate::place::{Place, listeners};
use crate::world::GROUP;

/// How often each applies what it has from its repository.
const AGAIN: Duration = Duration::from_secs(2);
const TIMES: usize = 4;

/// What has to stand still while nothing changes.
fn state(object: &DynamicObject) -> (Option<i64>, Option<String>) {
    (object.metadata.generation, object.metadata.resource_version.clone())
}

/// Applies the WrappedGateway as Argo CD and Flux do, with the marks by which each knows its objects.
async fn sync(place: &Place, manager: &str, annotations: &Value, labels: &Value) -> DynamicObject {
    let wrapped = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
        "metadata": { "name": "public", "namespace": place.name, "annotations": annotations, "labels": labels },
        "spec": { "gatewayClassName": envoy_gateway::CLASS, "listenerTemplate": { "port": place.port } },
    });
    let parameters = PatchParams::apply(manager).force();
    place.wrapped().patch("public", &parameters, &Patch::Apply(&wrapped)).await.expect("an apply")
}

async fn nothing_fights(name: &str, manager: &str, marks: (Value, Value)) {
    let mut place = Place::new(name).await;
    let (mut annotations, labels) = marks;
    annotations["cert-manager.io/cluster-issuer"] = json!(cert_manager::ISSUER);
    sync(&place, manager, &annotations, &labels).await;
    place.web().await;
    place.issued(1).await;

    // What carries the mark and is not in the repository would be pruned.
    let gateway = place.gateway().await;
    let certificates = place.certificates().list(&ListParams::default()).await.expect("the Certificates").items;
    let [certificate] = &certificates[..] else { panic!("one Certificate, not {}", certificates.len()) };
    let marked = |object: &DynamicObject| {
        let metadata = serde_json::to_value(&object.metadata).expect("metadata");
        ["annotations", "labels"].iter().any(|of| {
            let marks = if *of == "labels" { &labels } else { &annotations };
            let keys = marks.as_object().expect("marks").keys().filter(|key| !key.starts_with("cert-manager.io/"));
            keys.into_iter().any(|key| !metadata[*of][key].is_null())
        })
    };
    assert!(!marked(&gateway) && !marked(certificate));

    let wrapped = place.settled().await;
    let gateway = place.gateway().await;
    let mut again = tokio::time::interval(AGAIN);
    for _ in 0..TIMES {
        again.tick().await;
        let applied = sync(&place, manager, &annotations, &labels).await;
        assert_eq!(state(&applied), state(&wrapped), "an apply of the same changes nothing");
    }
    assert_eq!(state(&place.gateway().await), state(&gateway), "{:#?}", place.gateway().await.metadata.managed_fields);
    assert_eq!(state(&place.wrapped().get("public").await.expect("it is there")), state(&wrapped));
    assert_eq!(listeners(&gateway), [format!("https-{}-web-example-com", place.port)]);
    place.close().await;
}

#[tokio::test]
async fn nothing_fights_with_argo_cd() {
    let annotations = json!({ "argocd.argoproj.io/tracking-id": "edge:group/WrappedGateway:argo/public" });
    nothing_fights("argo", "argocd-controller", (annotations, json!({ "argocd.argoproj.io/instance": "edge" }))).await;
}

#[tokio::test]
async fn nothing_fights_with_flux() {
    let labels =
        json!({ "kustomize.toolkit.fluxcd.io/name": "edge", "kustomize.toolkit.fluxcd.io/namespace": "flux-system" });
    let annotations = json!({ "kustomize.toolkit.fluxcd.io/ssa": "Merge" });
    nothing_fights("flux", "kustomize-controller", (annotations, labels)).await;
}
