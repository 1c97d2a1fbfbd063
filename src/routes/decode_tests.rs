//! What becomes of an object on the wire.

use serde_json::{Value, json};

use super::*;
use crate::api::{GROUP, NAMES_MANAGER, annotation};
use crate::routes::{Names, Owner, Wishes};

fn object(spec: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": spec,
    })
}

fn bearing(metadata: &Value) -> Value {
    let mut object = object(&json!({"parentRefs": [{"name": "public"}]}));
    object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    object
}

fn route(object: Value) -> Route {
    decode(RouteKind::Http, object).unwrap()
}

fn problem(object: Value) -> String {
    decode(RouteKind::Http, object).unwrap_err().to_string()
}

fn gateway(namespace: &str, name: &str) -> GatewayRef {
    GatewayRef { namespace: namespace.into(), name: name.into() }
}

#[test]
fn a_parent_is_a_gateway_of_the_routes_own_namespace_unless_it_says_otherwise() {
    let route = route(object(&json!({"parentRefs": [
        {"name": "near"},
        {"name": "far", "namespace": "infra", "group": "gateway.networking.k8s.io", "kind": "Gateway",
            "sectionName": "https", "port": 8443},
    ]})));
    let expected = [
        ParentRef { gateway: gateway("apps", "near"), section_name: None, port: None },
        ParentRef { gateway: gateway("infra", "far"), section_name: Some("https".into()), port: Some(8443) },
    ];
    assert_eq!(route.parent_refs, expected);
}

#[test]
fn a_parent_of_another_group_or_kind_is_none() {
    let route = route(object(&json!({"parentRefs": [
        {"name": "mesh", "group": "", "kind": "Service"},
        {"name": "set", "kind": "ListenerSet"},
        {"name": "impostor", "group": "example.com", "kind": "Gateway"},
    ]})));
    assert_eq!(route.parent_refs, []);
}

#[test]
fn the_whole_of_what_matters_is_kept() {
    let mut whole = bearing(&json!({
        "uid": "u-1",
        "creationTimestamp": "2024-05-06T07:08:09Z",
        "resourceVersion": "42",
        "annotations": {
            annotation::PORTS: "8443, 8444",
            annotation::PORT: "1",
            annotation::PROTOCOL: "HTTP",
            annotation::TLS_MODE: "Passthrough",
            annotation::HOSTNAME: "game.example.com",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    }));
    whole["spec"]["hostnames"] = json!(["*.example.com", "www.example.com"]);
    whole["spec"]["rules"] = json!([{"backendRefs": [{"name": "web", "port": 80}]}]);
    let expected = Route {
        key: RouteKey { namespace: "apps".into(), name: "web".into(), kind: RouteKind::Http },
        uid: "u-1".into(),
        created: Some("2024-05-06T07:08:09Z".parse().unwrap()),
        parent_refs: vec![ParentRef { gateway: gateway("apps", "public"), section_name: None, port: None }],
        hostnames: vec!["*.example.com".into(), "www.example.com".into()],
        wishes: Wishes {
            ports: Some("8443, 8444".into()),
            protocol: Some("HTTP".into()),
            tls_mode: Some("Passthrough".into()),
            hostname: Some("game.example.com".into()),
        },
        relics: false,
        names: Box::default(),
    };
    assert_eq!(route(whole), expected);
}

#[test]
fn the_singular_port_annotation_is_read_where_the_plural_is_missing() {
    let route = route(bearing(&json!({"annotations": {annotation::PORT: "8443"}})));
    assert_eq!(route.wishes.ports.as_deref(), Some("8443"));
}

#[test]
fn a_route_that_asks_to_be_ignored_is_attached_to_nothing() {
    for metadata in [
        json!({"annotations": {annotation::IGNORE: "true"}}),
        json!({"labels": {"acme.cert-manager.io/http01-solver": "true"}}),
    ] {
        assert_eq!(route(bearing(&metadata)).parent_refs, []);
    }
    assert_eq!(route(bearing(&json!({"annotations": {annotation::IGNORE: "false"}}))).parent_refs.len(), 1);
}

#[test]
fn what_an_earlier_implementation_left_behind_is_noticed() {
    let later = "gateway-route-sync.homelab-images.benfiola.com";
    for group in [GROUP, later] {
        let finalizer = format!("{group}/finalizer");
        let bookkeeping = format!("{group}/previous-parent-refs");
        assert!(route(bearing(&json!({"finalizers": ["example.com/other", finalizer]}))).relics, "{group}");
        assert!(route(bearing(&json!({"annotations": {bookkeeping: "[]"}}))).relics, "{group}");
    }
    assert!(!route(bearing(&json!({"finalizers": ["example.com/other"]}))).relics);
}

#[test]
fn null_is_as_good_as_absent() {
    let route = route(object(&json!({"parentRefs": null, "hostnames": null})));
    assert_eq!((route.parent_refs.len(), route.hostnames.len()), (0, 0));
    assert!(!problem(object(&Value::Null)).is_empty());
}

#[test]
fn a_field_of_another_type_is_named() {
    let cases = [
        (json!({"parentRefs": "public"}), "spec.parentRefs"),
        (json!({"parentRefs": ["public"]}), "spec.parentRefs"),
        (json!({"parentRefs": [{"name": 1}]}), "spec.parentRefs.name"),
        (json!({"parentRefs": [{"namespace": "infra"}]}), "spec.parentRefs.name"),
        (json!({"parentRefs": [{"name": "public", "port": "443"}]}), "spec.parentRefs.port"),
        (json!({"hostnames": [1]}), "spec.hostnames"),
    ];
    for (spec, field) in cases {
        let problem = problem(object(&spec));
        assert!(problem.starts_with(&format!("`{field}` ")), "{problem}");
    }
    assert_eq!(problem(json!({"metadata": {"name": "web", "namespace": "apps"}})), "`spec` is missing");
    assert_eq!(problem(json!({"metadata": {"name": "web"}, "spec": {}})), "`metadata.namespace` is missing");
    assert!(problem(bearing(&json!({"creationTimestamp": "yesterday"}))).contains("creationTimestamp"));
    assert!(problem(json!("a string")).contains("the object"));
}

#[test]
fn one_undecodable_object_does_not_spoil_a_list() {
    let good = object(&json!({}));
    let bad = json!({"metadata": {"name": "bad", "namespace": "apps"}, "spec": {"parentRefs": 7}});
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [bad, good, 7]});
    let list: Result<kube::core::ObjectList<WireRoute>, _> = serde_json::from_str(&list.to_string());
    let decoded: Vec<_> = list.unwrap().items.into_iter().map(|wire| wire.decode(RouteKind::Http).is_ok()).collect();
    assert_eq!(decoded, [false, true, false]);
}

#[test]
fn an_undecodable_object_still_has_its_name() {
    let bad = json!({"metadata": {"name": "bad", "namespace": "apps", "resourceVersion": "7"}, "spec": []});
    let wire: WireRoute = serde_json::from_value(bad).unwrap();
    assert_eq!(wire.key(RouteKind::Http).unwrap().to_string(), "HTTPRoute apps/bad");
    assert_eq!(wire.meta.resource_version.as_deref(), Some("7"));
}

#[test]
fn the_annotations_are_those_that_the_api_names() {
    let all = [
        (annotation::PORTS, "ports"),
        (annotation::PORT, "port"),
        (annotation::PROTOCOL, "protocol"),
        (annotation::TLS_MODE, "tls-mode"),
        (annotation::HOSTNAME, "hostname"),
        (annotation::IGNORE, "ignore"),
    ];
    for (name, suffix) in all {
        assert_eq!(name, format!("{GROUP}/{suffix}"));
        let wrong_type = bearing(&json!({"annotations": {name: ["not a string"]}}));
        // Were the name misspelt in this file, the annotation of the wrong type would be skipped.
        assert_eq!(decode(RouteKind::Http, wrong_type).is_err(), name != annotation::IGNORE, "{name}");
    }
}

/// An entry of managedFields: manager, operation, subresource, the annotation it has.
type Entry<'a> = (&'a str, &'a str, &'a str, &'a str);

/// A TCPRoute with annotations and entries of managedFields.
fn named(annotations: &Value, entries: &[Entry<'_>]) -> Value {
    let entries: Vec<_> = entries
        .iter()
        .map(|(manager, operation, subresource, has)| {
            let fields = json!({"f:metadata": {"f:annotations": {".": {}, format!("f:{has}"): {}}}, "f:spec": {}});
            json!({"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": fields})
        })
        .collect();
    bearing(&json!({"annotations": annotations, "managedFields": entries}))
}

#[test]
fn what_external_dns_may_read_is_known_with_its_owner() {
    let (old, new) = ("external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io");
    let ours = format!("{NAMES_MANAGER}{old}");
    let (key, value) = (format!("{old}/hostname"), "game.example.com");
    let cases: [(&[Entry<'_>], Owner); 8] = [
        (&[(&ours, "Apply", "", &key)], Owner::Us),
        (&[("kay", "Update", "", &key), (&ours, "Apply", "", &key)], Owner::Us),
        (&[("kay", "Update", "", &key)], Owner::Another),
        // The manager of another prefix, an update under our name, and a status are not ours.
        (&[(&format!("{NAMES_MANAGER}{new}"), "Apply", "", &key)], Owner::Another),
        (&[(&ours, "Update", "", &key)], Owner::Another),
        (&[(&ours, "Apply", "status", &key)], Owner::Another),
        (&[(&ours, "Apply", "", "example.com/note")], Owner::Nobody),
        (&[], Owner::Nobody),
    ];
    for (entries, owner) in cases {
        let object = named(&json!({&key: value, "example.com/note": "x", annotation::HOSTNAME: "y"}), entries);
        let names = decode(RouteKind::Tcp, object).unwrap().names;
        assert_eq!(*names, [Names { prefix: old.into(), value: value.into(), owner }], "{entries:?}");
    }
}

#[test]
fn names_that_make_no_sense_hide_no_route_and_other_kinds_have_none() {
    let key = "external-dns.kubernetes.io/hostname";
    let odd = bearing(&json!({"annotations": {key: "a.example.com"}, "managedFields": [7, {"fieldsV1": []}, {}]}));
    assert_eq!(decode(RouteKind::Udp, odd.clone()).unwrap().names[0].owner, Owner::Nobody);
    assert!(decode(RouteKind::Http, odd).unwrap().names.is_empty());
    let odd = bearing(&json!({"annotations": {key: 7}, "managedFields": "x"}));
    assert!(decode(RouteKind::Tcp, odd).is_ok_and(|route| route.names.is_empty()));
}

#[test]
fn of_an_annotation_that_is_longer_than_anybody_needs_only_the_beginning_is_kept() {
    for (key, length, kept) in [
        (annotation::PORTS, 4096, "8".repeat(4096)),
        (annotation::PORTS, 250_000, "8".repeat(4096) + "…"),
        (annotation::PROTOCOL, 4097, "8".repeat(4096) + "…"),
    ] {
        let wishes = route(bearing(&json!({"annotations": {key: "8".repeat(length)}}))).wishes;
        assert_eq!(wishes.ports.or(wishes.protocol), Some(kept), "{key} with {length} characters");
    }
}
