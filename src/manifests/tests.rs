use super::*;

const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: NAME, namespace: apps}\nspec: {parentRefs: [{name: web, namespace: infra}]}\n";

fn read(text: &str) -> Manifests {
    let mut manifests = Manifests::default();
    manifests.read("all.yaml", text);
    manifests
}

fn route(name: &str) -> String {
    ROUTE.replace("NAME", name)
}

fn names(manifests: &Manifests) -> Vec<&str> {
    manifests.routes.iter().map(|route| route.key.name.as_str()).collect()
}

fn problems(manifests: &Manifests) -> Vec<String> {
    manifests.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_bad_document_is_told_with_its_line_and_hides_no_other() {
    let text = format!("# first\n---\n{}---\na: [\n---\n{}", route("a"), route("b"));
    let manifests = read(&text);
    assert_eq!(names(&manifests), ["a", "b"]);
    let [problem] = &manifests.problems[..] else { panic!("{:?}", manifests.problems) };
    assert_eq!((problem.place.document, problem.place.source.as_str()), (2, "all.yaml"));
    assert!((8..=9).contains(&problem.place.line), "{problem}");
}

#[test]
fn empty_documents_and_comments_are_no_documents() {
    let manifests = read(&format!("%YAML 1.2\n---\n# nothing\n---\n\n---\nnull\n---\r\n{}...\n", route("a")));
    assert_eq!(names(&manifests), ["a"]);
    assert_eq!(problems(&manifests), [""; 0]);
    assert_eq!(manifests.places["HTTPRoute apps/a"].0.document, 1);
}

#[test]
fn lists_are_taken_apart_also_where_the_items_leave_their_kind_to_the_list() {
    let text = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRouteList", "items": [
            {"metadata": {"name": "a", "namespace": "apps"}, "spec": {}}]},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps", "labels": {"team": "red"}}}]}"#;
    let manifests = read(text);
    assert_eq!(names(&manifests), ["a"]);
    let labels = &manifests.namespaces["apps"];
    assert_eq!(labels.len(), 2);
    assert_eq!((labels["team"].as_str(), labels["kubernetes.io/metadata.name"].as_str()), ("red", "apps"));
}

#[test]
fn a_stream_of_json_is_one_document_a_value() {
    let json = |name: &str| serde_saphyr::from_str::<Value>(&route(name)).unwrap().to_string();
    let manifests = read(&format!("{}\n{}\n\n{{\"kind\": 1,,}}\n", json("a"), json("b")));
    assert_eq!(names(&manifests), ["a", "b"]);
    assert_eq!(problems(&manifests).len(), 1);
    assert!(problems(&manifests)[0].starts_with("all.yaml:4 (document 3): "), "{:?}", problems(&manifests));
}

/// Reading it took time by the square of its length.
#[test]
fn a_long_stream_of_json_is_read_in_one_go() {
    let manifests = read(&"{\"kind\": \"Pod\",\n\"apiVersion\": \"v1\"}\n".repeat(50_000));
    assert_eq!(manifests.ignored["Pod"], 50_000);
}

#[test]
fn yaml_in_braces_is_no_broken_json() {
    assert_eq!(problems(&read("{kind: Pod, apiVersion: v1}")), [""; 0]);
}

#[test]
fn other_kinds_are_counted_by_kind_and_group() {
    let manifests = read(
        "{kind: Pod, apiVersion: v1}\n---\n{kind: Pod, apiVersion: v1}\n---\n{kind: HTTPRoute, apiVersion: traefik.io/v1}\n",
    );
    assert_eq!(manifests.ignored, BTreeMap::from([("HTTPRoute.traefik.io".to_owned(), 1), ("Pod".to_owned(), 2)]));
    assert!(manifests.routes.is_empty());
}

#[test]
fn what_is_no_object_is_told() {
    assert_eq!(problems(&read("hello")), ["all.yaml:1 (document 1): no Kubernetes object: it has no kind"]);
    assert_eq!(
        problems(&read("kind: Namespace\napiVersion: v1")),
        ["all.yaml:1 (document 1): Namespace without metadata.name"]
    );
    let gateway = "kind: WrappedGateway\napiVersion: gateway-route-sync.homelab-helper.benfiola.com/v1\nmetadata: {name: web}\nspec: {}";
    assert_eq!(
        problems(&read(gateway)),
        ["all.yaml:1 (document 1): WrappedGateway default/web: missing field `gatewayClassName`"]
    );
}

#[test]
fn of_two_objects_of_one_name_the_first_counts() {
    let manifests = read(&format!("{}---\n{}", route("a"), route("a").replace("web", "other")));
    assert_eq!(manifests.routes[0].parent_refs[0].gateway.name, "web");
    assert_eq!(
        problems(&manifests),
        ["all.yaml:6 (document 2): HTTPRoute apps/a is there twice; the first one counts, at all.yaml:1 (document 1)"]
    );
}

#[test]
fn the_same_object_twice_is_one_object() {
    let manifests = read(&format!("{}---\n{}", route("a"), route("a")));
    assert_eq!((names(&manifests), problems(&manifests).len()), (vec!["a"], 0));
}

#[test]
fn an_object_that_says_no_namespace_is_in_the_one_that_was_chosen() {
    let mut manifests = Manifests::in_namespace("apps");
    let text = route("a").replace(", namespace: apps", "").replace(", namespace: infra", "");
    manifests.read("all.yaml", &text);
    assert_eq!(manifests.routes[0].parent_refs[0].gateway.to_string(), "apps/web");
}

#[test]
fn a_gateway_is_ours_by_its_controller_or_else_by_our_label() {
    let gateway = |metadata: &str| {
        let text = format!(
            "kind: Gateway\napiVersion: gateway.networking.k8s.io/v1\nmetadata: {{name: web, {metadata}}}\n\
             spec: {{listeners: [{{name: a, port: 80, protocol: HTTP}}]}}"
        );
        let manifests = read(&text);
        assert_eq!(problems(&manifests), [""; 0]);
        let name = GatewayRef { namespace: "default".to_owned(), name: "web".to_owned() };
        let existing = &manifests.gateways[&name];
        assert_eq!(existing.live[0].ours, existing.control == Control::Ours);
        assert_eq!(manifests.left_alone(&name).is_some(), existing.control == Control::NotOurs);
        existing.control
    };
    let owner = |name: &str, group: &str| {
        gateway(&format!(
            "labels: {{{MANAGED_BY_LABEL}: {FIELD_MANAGER}}}, ownerReferences: [{{controller: true, kind: WrappedGateway, name: {name}, apiVersion: {group}/v1}}]"
        ))
    };
    assert_eq!(owner("web", GROUP), Control::Ours);
    assert_eq!(owner("other", GROUP), Control::NotOurs);
    assert_eq!(owner("web", "gateway-route-sync.homelab-images.benfiola.com"), Control::Ours);
    assert_eq!(owner("web", "example.com"), Control::NotOurs);
    assert_eq!(gateway(&format!("labels: {{{MANAGED_BY_LABEL}: {FIELD_MANAGER}}}")), Control::Ours);
    assert_eq!(gateway("labels: {}"), Control::NotOurs);
}

#[test]
fn a_gateway_that_is_not_ours_is_left_alone_unless_the_template_adopts_it() {
    let left_alone = |adopt: &str, metadata: &str| {
        let manifests = read(&format!(
            "kind: WrappedGateway\napiVersion: {GROUP}/v1\nmetadata: {{name: web, annotations: {{{GROUP}/adopt: \"{adopt}\"}}}}\n\
             spec: {{gatewayClassName: any}}\n---\n\
             kind: Gateway\napiVersion: gateway.networking.k8s.io/v1\nmetadata: {{name: web, {metadata}}}\nspec: {{}}"
        ));
        manifests.left_alone(&GatewayRef { namespace: "default".to_owned(), name: "web".to_owned() })
    };
    assert!(left_alone("yes", "").is_some_and(|why| why.contains("/adopt: \"true\"")));
    assert_eq!(left_alone("true", ""), None);
    let controlled = "ownerReferences: [{controller: true, kind: Thing, name: t, apiVersion: example.com/v1}]";
    assert_eq!(left_alone("true", controlled).as_deref(), Some("it exists and is controlled by Thing t"));
}
