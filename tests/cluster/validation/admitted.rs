use super::{Case, Server, good, many};

/// Defaults included: a manifest of a Gateway is one of a WrappedGateway, and means the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_may_say_a_wrapped_gateway_may_say_too() {
    let server = Server::shared().await;
    let mut wrong = Vec::new();
    for case in listeners().into_iter().chain(others()) {
        let spec = case.spec();
        let gateway = server.gateway(&spec).await;
        let wrapped = server.wrapped_gateway(&spec).await;
        if gateway.is_err() || gateway != wrapped {
            wrong.push(format!("{}\n  Gateway: {gateway:?}\n  WrappedGateway: {wrapped:?}", case.about));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn listeners() -> Vec<Case> {
    let one = |fields: &str| format!("listeners: [{{{fields}}}]");
    let listeners = many(64, |port| format!("{{name: l{port}, port: {port}, protocol: HTTP}}"));
    vec![
        good("the least", "{}"),
        good("64 listeners", format!("listeners: [{listeners}]")),
        good(
            "HTTPS with a certificate",
            one("name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}"),
        ),
        good("HTTPS with options only", one("name: a, port: 443, protocol: HTTPS, tls: {options: {example.com/a: b}}")),
        good("HTTPS without a TLS block", one("name: a, port: 443, protocol: HTTPS")),
        good("TLS passed through", one("name: a, port: 443, protocol: TLS, tls: {mode: Passthrough}")),
        good("TCP", one("name: a, port: 5432, protocol: TCP")),
        good(
            "TCP and UDP on one port",
            "listeners: [{name: a, port: 53, protocol: TCP}, {name: b, port: 53, protocol: UDP}]",
        ),
        good("a protocol of one data plane", one("name: a, port: 80, protocol: example.com/foo")),
        good("a wildcard", one("name: a, port: 80, protocol: HTTP, hostname: '*.example.com'")),
        good("a name with dots", one("name: a.b-c.d, port: 80, protocol: HTTP")),
        good("null for what has a default", one("name: a, port: 80, protocol: HTTP, allowedRoutes: null")),
        good(
            "routes of all namespaces",
            one("name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}"),
        ),
        good(
            "routes of nobody in particular",
            one("name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {}}"),
        ),
        good(
            "a selector with an operator that there is not",
            one(
                "name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: a, operator: Near}]}}}",
            ),
        ),
        good(
            "kinds, with the group left out",
            one(
                "name: a, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: HTTPRoute}, {group: example.com, kind: FooRoute}]}",
            ),
        ),
        good("a field that nobody knows", one("name: a, port: 80, protocol: HTTP, color: red")),
    ]
}

fn others() -> Vec<Case> {
    let authority = "{group: '', kind: ConfigMap, name: ca}";
    vec![
        good(
            "addresses of all types",
            "addresses: [{value: 192.0.2.1}, {value: '2001:db8::1'}, {type: Hostname, value: a.b}, {type: NamedAddress, value: a}]",
        ),
        good("an address that the data plane chooses", "addresses: [{type: IPAddress}, {}]"),
        good(
            "an infrastructure",
            "infrastructure: {labels: {a: b}, annotations: {example.com/a: 'any text'}, parametersRef: {group: '', kind: ConfigMap, name: a}}",
        ),
        good("ListenerSets of nobody", "allowedListeners: {}"),
        good("ListenerSets, with the choice left out", "allowedListeners: {namespaces: {}}"),
        good("ListenerSets of the same namespace", "allowedListeners: {namespaces: {from: Same}}"),
        good("a client certificate", "tls: {backend: {clientCertificateRef: {name: a}}}"),
        good(
            "clients that are checked, on one port by other rules",
            format!(
                "tls: {{frontend: {{default: {{validation: {{caCertificateRefs: [{authority}]}}}}, perPort: [{{port: 8443, tls: {{validation: {{mode: AllowInsecureFallback, caCertificateRefs: [{authority}]}}}}}}]}}}}"
            ),
        ),
    ]
}
