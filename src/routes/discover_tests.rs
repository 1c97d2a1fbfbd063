//! What a cluster serves, and what is made of its answers.

use axum::Router;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::*;

/// Answers discovery with these documents, and everything else as the API server does: 404 without a `Status`.
fn cluster(documents: &[(&str, Value)]) -> Client {
    let documents: BTreeMap<String, Value> =
        documents.iter().map(|(path, document)| ((*path).to_owned(), document.clone())).collect();
    Client::new(
        Router::new().fallback(move |uri: Uri| async move {
            match documents.get(uri.path()) {
                Some(Value::Number(code)) => {
                    let code = code.as_u64().and_then(|code| u16::try_from(code).ok()).unwrap();
                    (StatusCode::from_u16(code).unwrap(), "not a Status".to_owned())
                }
                Some(document) => (StatusCode::OK, document.to_string()),
                None => (StatusCode::NOT_FOUND, "404 page not found".to_owned()),
            }
        }),
        "default",
    )
}

fn versions(versions: &[&str]) -> (&'static str, Value) {
    let versions: Vec<_> = versions
        .iter()
        .map(|version| json!({"version": version, "groupVersion": format!("gateway.networking.k8s.io/{version}")}))
        .collect();
    let group = json!({"kind": "APIGroup", "name": "gateway.networking.k8s.io", "versions": versions});
    ("/apis/gateway.networking.k8s.io", group)
}

fn kinds(kinds: &[(&str, &str)]) -> Value {
    let verbs = json!(["get", "list", "watch"]);
    let resource = |(name, kind): &(&str, &str)| {
        [
            json!({"name": name, "kind": kind, "namespaced": true, "singularName": "", "verbs": verbs}),
            json!({"name": format!("{name}/status"), "kind": kind, "namespaced": true, "singularName": "", "verbs": []}),
        ]
    };
    json!({"kind": "APIResourceList", "groupVersion": "", "resources": kinds.iter().flat_map(resource).collect::<Vec<_>>()})
}

const V1: &str = "/apis/gateway.networking.k8s.io/v1";
const BETA: &str = "/apis/gateway.networking.k8s.io/v1beta1";
const ALPHA: &str = "/apis/gateway.networking.k8s.io/v1alpha2";
const HTTP: (&str, &str) = ("httproutes", "HTTPRoute");
const TCP: (&str, &str) = ("tcproutes", "TCPRoute");

#[tokio::test]
async fn each_kind_is_taken_at_the_newest_version_that_has_it() {
    let (gateways, grants) = (("gateways", "Gateway"), ("referencegrants", "ReferenceGrant"));
    let client = cluster(&[
        versions(&["v1alpha2", "v1", "v1beta1"]),
        (V1, kinds(&[HTTP, gateways])),
        (BETA, kinds(&[HTTP, gateways, grants])),
        (ALPHA, kinds(&[HTTP, TCP, grants])),
        ("/apis/gateway-route-sync.homelab-helper.benfiola.com/v1", kinds(&[("wrappedgateways", "WrappedGateway")])),
    ]);
    let served = discover(&client).await.unwrap();
    let routes: Vec<_> = served.routes.iter().map(|(kind, found)| (kind.name(), found.version.as_str())).collect();
    assert_eq!(routes, [("HTTPRoute", "v1"), ("TCPRoute", "v1alpha2")]);
    assert_eq!(served.gateway.unwrap().api_version, "gateway.networking.k8s.io/v1");
    assert_eq!(served.reference_grant.unwrap().version, "v1beta1");
    assert!(served.wrapped_gateway);
}

#[tokio::test]
async fn what_can_be_listed_and_watched_is_served() {
    for (verbs, expected) in [(&["list", "watch"][..], 1), (&["list"], 0), (&["watch"], 0), (&["get"], 0), (&[], 0)] {
        let mut resources = kinds(&[HTTP]);
        resources["resources"][0]["verbs"] = json!(verbs);
        let served = discover(&cluster(&[versions(&["v1"]), (V1, resources)])).await.unwrap();
        assert_eq!(served.routes.len(), expected, "{verbs:?}");
    }
}

#[tokio::test]
async fn a_cluster_without_the_gateway_api_serves_nothing() {
    assert_eq!(discover(&cluster(&[])).await.unwrap(), Served::default());
}

#[tokio::test]
async fn older_versions_are_asked_only_until_every_kind_was_found() {
    let mut all = vec![("gateways", "Gateway"), ("referencegrants", "ReferenceGrant")];
    all.extend(RouteKind::ALL.map(|kind| (kind.plural(), kind.name())));
    // Whoever asks for the older version learns nothing.
    let cluster = |of: &[_]| cluster(&[versions(&["v1", "v1alpha2"]), (V1, kinds(of)), (ALPHA, json!(500))]);
    assert!(discover(&cluster(&all)).await.is_ok());
    for missing in 0..all.len() {
        let (before, after) = (&all[..missing], &all[missing + 1..]);
        assert!(discover(&cluster(&[before, after].concat())).await.is_err(), "without {:?}", all[missing]);
    }
}

#[tokio::test]
async fn an_error_is_not_absence() {
    let failing: [&[(&str, Value)]; 4] = [
        &[("/apis/gateway.networking.k8s.io", json!(503))],
        &[("/apis/gateway.networking.k8s.io", json!(403))],
        &[versions(&["v1", "v1alpha2"]), (V1, kinds(&[HTTP])), (ALPHA, json!(500))],
        &[versions(&["v1"]), (V1, json!({"kind": "Status"}))],
    ];
    for documents in failing {
        assert!(discover(&cluster(documents)).await.is_err(), "{documents:?}");
    }
}

#[tokio::test]
async fn a_version_that_is_listed_and_not_found_is_an_error() {
    let client = cluster(&[versions(&["v1", "v1alpha2"]), (V1, kinds(&[HTTP]))]);
    let error = discover(&client).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{ALPHA}: listed as served, but not found"));
}

#[tokio::test]
async fn a_subresource_is_not_its_kind() {
    let mut only_status = kinds(&[HTTP]);
    only_status["resources"].as_array_mut().unwrap().remove(0);
    let client = cluster(&[versions(&["v1"]), (V1, only_status)]);
    assert!(discover(&client).await.unwrap().routes.is_empty());
}

fn serving(kinds: &[RouteKind]) -> Served {
    let routes = kinds.iter().map(|kind| (*kind, resource("v1", kind.plural(), kind.name()))).collect();
    Served {
        routes,
        gateway: Some(resource("v1", "gateways", "Gateway")),
        wrapped_gateway: true,
        reference_grant: None,
    }
}

#[test]
fn absence_is_believed_when_two_looks_agree() {
    let absence = |believed: &[RouteKind], doubtful| Absence {
        believed: believed.iter().copied().collect(),
        missing: [].into(),
        doubtful,
    };
    let mut looks = Looks::default();
    let all_but_udp = serving(&[RouteKind::Grpc, RouteKind::Http, RouteKind::Tcp, RouteKind::Tls]);
    assert_eq!(looks.look(&all_but_udp), absence(&[], true));
    assert_eq!(looks.look(&all_but_udp), absence(&[RouteKind::Udp], false));
    assert_eq!(looks.look(&serving(&[])), absence(&[RouteKind::Udp], true));
    assert_eq!(looks.look(&serving(&RouteKind::ALL)), absence(&[], false));
}

#[test]
fn what_there_is_nothing_to_do_without_is_missed_when_two_looks_agree() {
    let mut looks = Looks::default();
    let without = Served { wrapped_gateway: false, ..serving(&RouteKind::ALL) };
    let missing: Vec<_> = [&without, &without].map(|served| looks.look(served).missing).into();
    assert_eq!(missing, [[].into(), [Required::WrappedGateway].into()]);
    let too_old = Served { gateway: Some(resource("v1beta1", "gateways", "Gateway")), ..serving(&RouteKind::ALL) };
    assert_eq!(too_old.missing(), [Required::Gateway].into());
    let said = Served::default().missing().into_iter().map(Required::kind).collect::<Vec<_>>();
    assert_eq!(said, ["Gateway", "WrappedGateway"]);
}
