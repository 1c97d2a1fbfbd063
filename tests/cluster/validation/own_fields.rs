use serde_json::json;

use super::{Case, Server, bad, good};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_template_is_refused_in_words_that_help() {
    let server = Server::shared().await;
    let mut wrong = Vec::new();
    for case in template().into_iter().chain(namespaces()).chain(grants()).chain(redirect()) {
        let answer = server.wrapped_gateway(&case.spec_of_template()).await;
        let complaints = answer.as_ref().err().cloned().unwrap_or_default();
        // The API server adds that it did not look at the rules; that is not about a field.
        let complaints: Vec<_> = complaints.iter().filter(|complaint| !complaint.starts_with("<nil>")).collect();
        // Exactly one complaint, or people look for mistakes that they did not make.
        if !matches!(complaints.as_slice(), [complaint] if complaint.contains(case.complaint)) {
            wrong.push(format!("{}\n  expected: {}\n  answer: {answer:?}", case.about, case.complaint));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn template() -> Vec<Case> {
    let template = |fields: &str| format!("listenerTemplate: {{{fields}}}");
    vec![
        bad("port 0", template("port: 0"), "spec.listenerTemplate.port: Invalid value: 0"),
        bad("a port above 65535", template("port: 65536"), "spec.listenerTemplate.port: Invalid value: 65536"),
        bad(
            "a protocol that no HTTPRoute speaks",
            template("protocol: TCP"),
            r#"spec.listenerTemplate.protocol: Unsupported value: "TCP": supported values: "HTTPS", "HTTP""#,
        ),
        bad(
            "certificates for plain HTTP",
            template("protocol: HTTP, tls: {certificateRefs: [{name: a}]}"),
            "spec.listenerTemplate.tls: Forbidden: listeners of protocol HTTP have no TLS; remove tls, or set protocol to HTTPS",
        ),
        bad(
            "a certificate without a name",
            template("tls: {certificateRefs: [{}]}"),
            "tls.certificateRefs[0].name: Required",
        ),
        bad("an option that is a number", template("tls: {options: {a: 1}}"), "listenerTemplate.tls.options.a"),
        bad(
            "an ownership of one's own",
            template("hostnameOwnership: Mine"),
            r#"spec.listenerTemplate.hostnameOwnership: Unsupported value: "Mine": supported values: "Namespace", "Shared""#,
        ),
        bad(
            "a quota of none",
            template("maxListenersPerNamespace: 0"),
            "spec.listenerTemplate.maxListenersPerNamespace: Invalid value: 0",
        ),
        bad(
            "a quota of more than a Gateway has",
            template("maxListenersPerNamespace: 65"),
            "spec.listenerTemplate.maxListenersPerNamespace: Invalid value: 65",
        ),
    ]
}

fn namespaces() -> Vec<Case> {
    let namespaces = |fields: &str| format!("listenerTemplate: {{allowedRoutes: {{namespaces: {{{fields}}}}}}}");
    let expression = |expression: &str| {
        namespaces(&format!("from: Selector, selector: {{matchExpressions: [{{key: a, {expression}}}]}}"))
    };
    vec![
        bad("namespaces from nowhere", namespaces("from: None"), r#"namespaces.from: Unsupported value: "None""#),
        bad(
            "a selector that is missing",
            namespaces("from: Selector"),
            "spec.listenerTemplate.allowedRoutes.namespaces.selector: Required value: from is Selector, so that a selector is needed",
        ),
        bad(
            "a selector that is not read",
            namespaces("selector: {matchLabels: {a: b}}"),
            "spec.listenerTemplate.allowedRoutes.namespaces.selector: Forbidden: a selector has no effect unless from is Selector",
        ),
        bad("an operator that there is not", expression("operator: Near"), r#"operator: Unsupported value: "Near""#),
        bad(
            "In without values",
            expression("operator: In"),
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
        bad("Exists with values", expression("operator: Exists, values: [b]"), "In and NotIn need values"),
    ]
}

fn grants() -> Vec<Case> {
    let grant = |fields: &str| format!("listenerTemplate: {{hostnameGrants: [{{{fields}}}]}}");
    let hostname = |hostname: &str| grant(&format!("namespaces: {{}}, hostnames: ['{hostname}']"));
    vec![
        bad("grants that grant nothing", "listenerTemplate: {hostnameGrants: []}", "hostnameGrants: Invalid value: 0"),
        bad("a grant to nobody", grant("hostnames: [example.com]"), "hostnameGrants[0].namespaces: Required value"),
        bad("a grant of nothing", grant("namespaces: {}"), "hostnameGrants[0].hostnames: Required value"),
        bad(
            "an empty list of hostnames",
            grant("namespaces: {}, hostnames: []"),
            "hostnameGrants[0].hostnames: Invalid value: 0",
        ),
        bad("a grant of everything", hostname("*"), r#"hostnames[0]: Invalid value: "*""#),
        bad("capitals in a grant", hostname("Example.com"), r#"hostnames[0]: Invalid value: "Example.com""#),
        bad("a star inside a label", hostname("a*.example.com"), "hostnameGrants[0].hostnames[0]"),
        bad(
            "65 hostnames in a grant",
            grant(&format!("namespaces: {{}}, hostnames: [{}]", "a, ".repeat(65))),
            "hostnames: Too many",
        ),
        bad(
            "65 grants",
            format!("listenerTemplate: {{hostnameGrants: [{}]}}", "{namespaces: {}, hostnames: [a.b]}, ".repeat(65)),
            "spec.listenerTemplate.hostnameGrants: Too many",
        ),
    ]
}

fn redirect() -> Vec<Case> {
    vec![
        bad(
            "a redirect to HTTPS where there is none",
            "{httpsRedirect: true, listenerTemplate: {protocol: HTTP}}",
            "spec.httpsRedirect: Forbidden: httpsRedirect leads to HTTPS listeners, but listenerTemplate.protocol is HTTP; remove one of the two",
        ),
        bad(
            "a redirect on the port that it leads to",
            "{httpsRedirect: true, listenerTemplate: {port: 80}}",
            "spec.httpsRedirect: Forbidden: httpsRedirect takes port 80, but listenerTemplate.port is 80 too; choose another port for the template",
        ),
        bad("a redirect that is text", "httpsRedirect: 'true'", "spec.httpsRedirect: Invalid value"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_template_is_admitted_with_few_defaults() {
    let selector = json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]});
    let expected = [
        (good("nothing but a class", "{}"), json!({})),
        (good("an empty list, as template engines make it", "listeners: []"), json!({"listeners": []})),
        (
            good("an empty template", "listenerTemplate: {}"),
            json!({"listenerTemplate": {"protocol": "HTTPS", "hostnameOwnership": "Namespace"}}),
        ),
        (
            good("plain HTTP", "{httpsRedirect: false, listenerTemplate: {protocol: HTTP, port: 8080}}"),
            json!({
                "httpsRedirect": false,
                "listenerTemplate": {"protocol": "HTTP", "port": 8080, "hostnameOwnership": "Namespace"},
            }),
        ),
        (
            good(
                "a shared certificate",
                "{httpsRedirect: true, listenerTemplate: {tls: {certificateRefs: [{name: a}]}}}",
            ),
            json!({"httpsRedirect": true, "listenerTemplate": {
                "protocol": "HTTPS", "hostnameOwnership": "Namespace",
                "tls": {"certificateRefs": [{"group": "", "kind": "Secret", "name": "a"}]},
            }}),
        ),
        (
            good(
                "many tenants",
                "listenerTemplate: {hostnameOwnership: Shared, maxListenersPerNamespace: 8, \
                 allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: Exists}]}}}, \
                 hostnameGrants: [{namespaces: {}, hostnames: ['*.example.com', example.org]}]}",
            ),
            json!({"listenerTemplate": {
                "protocol": "HTTPS", "hostnameOwnership": "Shared", "maxListenersPerNamespace": 8,
                "allowedRoutes": {"namespaces": {"from": "Selector", "selector": selector}},
                "hostnameGrants": [{"namespaces": {}, "hostnames": ["*.example.com", "example.org"]}],
            }}),
        ),
        (
            good("a port with a fraction of zero", "listenerTemplate: {port: 8443.0}"),
            json!({"listenerTemplate": {"protocol": "HTTPS", "hostnameOwnership": "Namespace", "port": 8443}}),
        ),
        (
            good("whoever wants", "listenerTemplate: {allowedRoutes: {namespaces: {}}}"),
            json!({"listenerTemplate": {
                "protocol": "HTTPS", "hostnameOwnership": "Namespace", "allowedRoutes": {"namespaces": {"from": "All"}},
            }}),
        ),
    ];
    let server = Server::shared().await;
    for (case, mut expected) in expected {
        expected["gatewayClassName"] = json!("example");
        let answer = server.wrapped_gateway(&case.spec_of_template()).await;
        assert_eq!(answer, Ok(expected), "{}", case.about);
    }
}
