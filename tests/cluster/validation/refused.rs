use super::{Case, Server, bad, bad_listener, many};

/// Whoever knows the Gateway's rules knows ours: the same mistakes, the same words.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_may_not_say_a_wrapped_gateway_may_not_say_either() {
    let server = Server::shared().await;
    let tables =
        [fields(), listeners(), listener_tls(), listener_rules(), admission(), addresses(), infrastructure(), tls()];
    let cases: Vec<_> = tables.into_iter().flatten().collect();

    let mut wrong = Vec::new();
    for case in cases {
        let spec = case.spec();
        let gateway = server.gateway(&spec).await;
        let wrapped = server.wrapped_gateway(&spec).await;
        let refused_for = gateway.as_ref().err().map(|complaints| complaints.join("\n")).unwrap_or_default();
        if gateway.is_ok() || gateway != wrapped || !refused_for.contains(case.complaint) {
            wrong.push(format!(
                "{}\n  expected: {}\n  Gateway: {gateway:?}\n  WrappedGateway: {wrapped:?}",
                case.about, case.complaint
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fields() -> Vec<Case> {
    vec![
        bad("no class", "gatewayClassName: null", "spec.gatewayClassName: Required value"),
        bad("an empty class", "gatewayClassName: ''", "spec.gatewayClassName"),
        bad(
            "a class name too long",
            format!("gatewayClassName: {}", "c".repeat(254)),
            "spec.gatewayClassName: Too long",
        ),
        bad("a class that is a number", "gatewayClassName: 1", "spec.gatewayClassName"),
        bad("listeners that are no list", "listeners: {}", "spec.listeners"),
        bad("addresses that are no list", "addresses: {}", "spec.addresses"),
        bad("an infrastructure that is a list", "infrastructure: []", "spec.infrastructure"),
    ]
}

fn listeners() -> Vec<Case> {
    let long_host = ["h".repeat(63), "o".repeat(63), "s".repeat(63), "t".repeat(63)].join(".");
    vec![
        bad("a listener without a name", "listeners: [{port: 80, protocol: HTTP}]", "spec.listeners[0].name: Required"),
        bad("a listener without a port", "listeners: [{name: a, protocol: HTTP}]", "spec.listeners[0].port: Required"),
        bad(
            "a listener without a protocol",
            "listeners: [{name: a, port: 80}]",
            "spec.listeners[0].protocol: Required",
        ),
        bad_listener("an empty name", "name: ''", "spec.listeners[0].name"),
        bad_listener("a name with capitals", "name: Web", "spec.listeners[0].name"),
        bad_listener("a name with an underscore", "name: a_b", "spec.listeners[0].name"),
        bad_listener("a name that ends with a dash", "name: a-", "spec.listeners[0].name"),
        bad_listener("a name too long", format!("name: {}", "n".repeat(254)), "spec.listeners[0].name: Too long"),
        bad_listener("port 0", "port: 0", "spec.listeners[0].port"),
        bad_listener("a negative port", "port: -1", "spec.listeners[0].port"),
        bad_listener("a port above 65535", "port: 65536", "spec.listeners[0].port"),
        bad_listener("a port that is text", "port: '80'", "spec.listeners[0].port"),
        bad_listener("a port with a fraction", "port: 80.5", "spec.listeners[0].port"),
        bad_listener("a port with a fraction of zero", "port: 80.0", "spec.listeners: Invalid value"),
        bad_listener("an empty protocol", "protocol: ''", "spec.listeners[0].protocol"),
        bad_listener("a protocol with a space", "protocol: 'HTTP 1'", "spec.listeners[0].protocol"),
        bad_listener(
            "a protocol too long",
            format!("protocol: {}", "P".repeat(256)),
            "spec.listeners[0].protocol: Too long",
        ),
        bad_listener("an empty hostname", "hostname: ''", "spec.listeners[0].hostname"),
        bad_listener("a hostname with capitals", "hostname: Example.com", "spec.listeners[0].hostname"),
        bad_listener("a hostname with a port", "hostname: 'example.com:80'", "spec.listeners[0].hostname"),
        bad_listener("a hostname that is a star", "hostname: '*'", "spec.listeners[0].hostname"),
        bad_listener("a star inside a label", "hostname: 'a*.example.com'", "spec.listeners[0].hostname"),
        bad_listener("a star in the middle", "hostname: 'a.*.example.com'", "spec.listeners[0].hostname"),
        bad_listener("a hostname that ends with a dot", "hostname: example.com.", "spec.listeners[0].hostname"),
        bad_listener("a hostname too long", format!("hostname: {long_host}"), "spec.listeners[0].hostname: Too long"),
    ]
}

fn listener_tls() -> Vec<Case> {
    let tls = |tls: &str| format!("{{port: 443, protocol: HTTPS, tls: {tls}}}");
    let reference = |reference: &str| tls(&format!("{{certificateRefs: [{reference}]}}"));
    let options = many(17, |number| format!("o{number}: x"));
    vec![
        bad_listener(
            "a TLS mode of one's own",
            tls("{mode: Sideways, certificateRefs: [{name: a}]}"),
            "Unsupported value",
        ),
        bad_listener("a TLS block without certificates", tls("{}"), "must be specified when mode is Terminate"),
        bad_listener(
            "an empty list of certificates",
            tls("{certificateRefs: []}"),
            "must be specified when mode is Terminate",
        ),
        bad_listener("65 certificates", reference(&"{name: a}, ".repeat(65)), "certificateRefs: Too many"),
        bad_listener("a certificate without a name", reference("{kind: Secret}"), "certificateRefs[0].name: Required"),
        bad_listener("a certificate with an empty name", reference("{name: ''}"), "certificateRefs[0].name"),
        bad_listener(
            "a certificate's name too long",
            reference(&format!("{{name: {}}}", "n".repeat(254))),
            "certificateRefs[0].name: Too long",
        ),
        bad_listener("a certificate of a bad group", reference("{name: a, group: A_B}"), "certificateRefs[0].group"),
        bad_listener("a certificate of an empty kind", reference("{name: a, kind: ''}"), "certificateRefs[0].kind"),
        bad_listener("a certificate of a bad kind", reference("{name: a, kind: a.b}"), "certificateRefs[0].kind"),
        bad_listener(
            "a certificate in a bad namespace",
            reference("{name: a, namespace: a.b}"),
            "certificateRefs[0].namespace",
        ),
        bad_listener("17 options", tls(&format!("{{options: {{{options}}}}}")), "tls.options: Too many"),
        bad_listener("an option that is a number", tls("{options: {a: 1}}"), "tls.options.a"),
        bad_listener(
            "an option too long",
            tls(&format!("{{options: {{a: {}}}}}", "x".repeat(4097))),
            "tls.options.a: Too long",
        ),
    ]
}

fn listener_rules() -> Vec<Case> {
    let tls = "tls: {certificateRefs: [{name: a}]}";
    let listeners = many(65, |port| format!("{{name: l{port}, port: {port}, protocol: HTTP}}"));
    let pair = |first: &str, second: &str| format!("listeners: [{{{first}}}, {{{second}}}]");
    vec![
        bad("65 listeners", format!("listeners: [{listeners}]"), "spec.listeners: Too many"),
        bad_listener("TLS on HTTP", tls, "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']"),
        bad_listener("TLS on TCP", format!("{{protocol: TCP, {tls}}}"), "tls must not be specified for protocols"),
        bad_listener("TLS on UDP", format!("{{protocol: UDP, {tls}}}"), "tls must not be specified for protocols"),
        bad_listener(
            "HTTPS passed through",
            "{protocol: HTTPS, tls: {mode: Passthrough}}",
            "tls mode must be Terminate for protocol HTTPS",
        ),
        bad_listener("TLS without a TLS block", "protocol: TLS", "tls mode must be set for protocol TLS"),
        bad_listener(
            "a hostname on TCP",
            "{protocol: TCP, hostname: a.b}",
            "hostname must not be specified for protocols ['TCP', 'UDP']",
        ),
        bad_listener(
            "a hostname on UDP",
            "{protocol: UDP, hostname: a.b}",
            "hostname must not be specified for protocols",
        ),
        bad(
            "two listeners of one name",
            pair("name: a, port: 80, protocol: HTTP", "name: a, port: 81, protocol: HTTP"),
            "spec.listeners[1]: Duplicate value",
        ),
        bad(
            "two listeners for everything on a port",
            pair("name: a, port: 80, protocol: HTTP", "name: b, port: 80, protocol: HTTP"),
            "Combination of port, protocol and hostname must be unique",
        ),
        bad(
            "two listeners of one hostname on a port",
            pair(
                "name: a, port: 80, protocol: HTTP, hostname: a.b",
                "name: b, port: 80, protocol: HTTP, hostname: a.b",
            ),
            "Combination of port, protocol and hostname must be unique",
        ),
    ]
}

fn admission() -> Vec<Case> {
    let namespaces = |namespaces: &str| format!("allowedRoutes: {{namespaces: {namespaces}}}");
    let kinds = |kinds: &str| format!("allowedRoutes: {{kinds: [{kinds}]}}");
    vec![
        bad_listener("namespaces from nowhere", namespaces("{from: None}"), "namespaces.from: Unsupported value"),
        bad_listener("a selector that is text", namespaces("{from: Selector, selector: a}"), "namespaces.selector"),
        bad_listener(
            "a label that is a number",
            namespaces("{from: Selector, selector: {matchLabels: {a: 1}}}"),
            "selector.matchLabels.a",
        ),
        bad_listener(
            "an expression without an operator",
            namespaces("{from: Selector, selector: {matchExpressions: [{key: a}]}}"),
            "matchExpressions[0].operator: Required",
        ),
        bad_listener("nine kinds", kinds(&"{kind: A}, ".repeat(9)), "kinds: Too many"),
        bad_listener("a kind without a name", kinds("{group: a}"), "kinds[0].kind: Required"),
        bad_listener("a kind with a dot", kinds("{kind: a.b}"), "kinds[0].kind"),
        bad_listener("a kind of a bad group", kinds("{kind: A, group: A}"), "kinds[0].group"),
        bad("ListenerSets from somewhere", "allowedListeners: {namespaces: {from: There}}", "from: Unsupported value"),
        bad("ListenerSets of a list", "allowedListeners: []", "spec.allowedListeners"),
    ]
}

fn addresses() -> Vec<Case> {
    let addresses = many(17, |number| format!("{{value: 192.0.2.{number}}}"));
    vec![
        bad("an address that is none", "addresses: [{value: example.com}]", "spec.addresses[0].value"),
        bad("an address out of range", "addresses: [{value: 192.0.2.256}]", "spec.addresses[0].value"),
        bad("17 addresses", format!("addresses: [{addresses}]"), "spec.addresses: Too many"),
        bad("an empty type", "addresses: [{type: '', value: a}]", "spec.addresses[0].type"),
        bad("a type that is a word", "addresses: [{type: Street, value: a}]", "spec.addresses[0].type"),
        bad(
            "a hostname with a space",
            "addresses: [{type: Hostname, value: 'a b'}]",
            "Hostname value must be empty or contain",
        ),
        bad("a value too long", format!("addresses: [{{type: a.b/c, value: {}}}]", "v".repeat(254)), "value: Too long"),
        bad(
            "an address twice",
            "addresses: [{value: 192.0.2.1}, {value: 192.0.2.1}]",
            "IPAddress values must be unique",
        ),
        bad(
            "a hostname twice",
            "addresses: [{type: Hostname, value: a.b}, {type: Hostname, value: a.b}]",
            "Hostname values must be unique",
        ),
    ]
}

fn infrastructure() -> Vec<Case> {
    let map = |field: &str, entries: &str| format!("infrastructure: {{{field}: {{{entries}}}}}");
    let entries = |count| many(count, |number| format!("k{number}: v"));
    let parameters = |parameters: &str| format!("infrastructure: {{parametersRef: {{{parameters}}}}}");
    vec![
        bad("nine labels", map("labels", &entries(9)), "infrastructure.labels: Too many"),
        bad("a label's key with a space", map("labels", "'a b': v"), "Label keys must be in the form"),
        bad("a label's value with a space", map("labels", "a: 'b c'"), "infrastructure.labels.a"),
        bad(
            "a label's value too long",
            map("labels", &format!("a: {}", "v".repeat(64))),
            "infrastructure.labels.a: Too long",
        ),
        bad(
            "a label's prefix too long",
            map("labels", &format!("{}/a: v", "p".repeat(254))),
            "label key's prefix must be",
        ),
        bad("17 annotations", map("annotations", &entries(17)), "infrastructure.annotations: Too many"),
        bad("an annotation's key with a space", map("annotations", "'a b': v"), "Annotation keys must be in the form"),
        bad(
            "an annotation's prefix too long",
            map("annotations", &format!("{}/a: v", "p".repeat(254))),
            "annotation key's prefix must be",
        ),
        bad(
            "an annotation's value too long",
            map("annotations", &format!("a: {}", "v".repeat(4097))),
            "infrastructure.annotations.a: Too long",
        ),
        bad("parameters without a group", parameters("kind: A, name: a"), "parametersRef.group: Required"),
        bad("parameters without a kind", parameters("group: a, name: a"), "parametersRef.kind: Required"),
        bad("parameters without a name", parameters("group: a, kind: A"), "parametersRef.name: Required"),
        bad("parameters of an empty name", parameters("group: a, kind: A, name: ''"), "parametersRef.name"),
    ]
}

fn tls() -> Vec<Case> {
    let client = |reference: &str| format!("tls: {{backend: {{clientCertificateRef: {{{reference}}}}}}}");
    let frontend = |validation: &str| format!("tls: {{frontend: {{default: {{validation: {{{validation}}}}}}}}}");
    let per_port = |ports: &str| format!("tls: {{frontend: {{default: {{}}, perPort: [{ports}]}}}}");
    let authority = "{group: '', kind: ConfigMap, name: ca}";
    let ports = many(65, |port| format!("{{port: {port}, tls: {{}}}}"));
    vec![
        bad("a client certificate without a name", client("kind: Secret"), "clientCertificateRef.name: Required"),
        bad("a client certificate of a bad kind", client("name: a, kind: '1'"), "clientCertificateRef.kind"),
        bad("client TLS without a default", "tls: {frontend: {}}", "spec.tls.frontend.default: Required"),
        bad("a check of clients without authorities", frontend("mode: AllowValidOnly"), "caCertificateRefs: Required"),
        bad("an empty list of authorities", frontend("caCertificateRefs: []"), "caCertificateRefs"),
        bad(
            "17 authorities",
            frontend(&format!("caCertificateRefs: [{}]", [authority; 17].join(", "))),
            "caCertificateRefs: Too many",
        ),
        bad(
            "an authority without a kind",
            frontend("caCertificateRefs: [{group: '', name: ca}]"),
            "caCertificateRefs[0].kind: Required",
        ),
        bad(
            "an unknown mode",
            frontend(&format!("mode: Maybe, caCertificateRefs: [{authority}]")),
            "validation.mode: Unsupported",
        ),
        bad("a port without its TLS", per_port("{port: 443}"), "perPort[0].tls: Required"),
        bad("port 0 of its own", per_port("{port: 0, tls: {}}"), "perPort[0].port"),
        bad(
            "a port of its own twice",
            per_port("{port: 443, tls: {}}, {port: 443, tls: {}}"),
            "perPort[1]: Duplicate value",
        ),
        bad("65 ports of their own", per_port(&ports), "perPort: Too many"),
    ]
}
