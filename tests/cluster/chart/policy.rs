//! One table of routes, of which two are asked: the policy, when they are applied, and the planner.

use std::cell::Cell;

use controlplane::{Channel, ControlPlane, GatewayApi, Version, eventually};
use homelab_helper::api::GROUP;
use homelab_helper::manifests::Manifests;
use homelab_helper::routes::GatewayRef;
use serde_json::{Value, json};

use super::{RELEASE, complaint, rendered};
use crate::world::WITHIN;

/// A route, and the reason for which it is rejected, if it is.
struct Case {
    kind: &'static str,
    /// Annotations of this project, or labels where there is a slash in the key.
    annotations: &'static [(&'static str, &'static str)],
    spec: &'static str,
    reason: Option<&'static str>,
}

const fn case(
    kind: &'static str,
    annotations: &'static [(&'static str, &'static str)],
    spec: &'static str,
    reason: Option<&'static str>,
) -> Case {
    Case { kind, annotations, spec, reason }
}

const WEB: &str = "{ parentRefs: [{ name: edge }], hostnames: [www.example.com] }";
const WEB_WITH_PORT: &str = "{ parentRefs: [{ name: edge, port: 443 }], hostnames: [www.example.com] }";
const GAME: &str = "{ parentRefs: [{ name: edge }] }";
const SIXTY_FOUR_PORTS: &str = "8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443";
const SIXTY_FIVE_PORTS: &str = "8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443,8443";
const SOLVER: &str = "acme.cert-manager.io/http01-solver";

const INVALID_PORT: Option<&str> = Some("InvalidPort");
const INVALID_PROTOCOL: Option<&str> = Some("InvalidProtocol");
const INVALID_TLS_MODE: Option<&str> = Some("InvalidTlsMode");
const INVALID_HOSTNAME: Option<&str> = Some("InvalidHostname");
const PORT_REQUIRED: Option<&str> = Some("PortRequired");

const CASES: &[Case] = &[
    case("HTTPRoute", &[], WEB, None),
    // The annotation for ports.
    case("HTTPRoute", &[("ports", "8443")], WEB, None),
    case("HTTPRoute", &[("ports", "8443, 8444 ,1,65535")], WEB, None),
    case("HTTPRoute", &[("ports", "00443")], WEB, None),
    case("HTTPRoute", &[("ports", "")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "0")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "65536")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "99999999999999999999")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "-443")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "+443")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "443;444")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "443,")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "https")], WEB, INVALID_PORT),
    case("TCPRoute", &[("ports", "25565,x")], GAME, INVALID_PORT),
    case("HTTPRoute", &[("ports", SIXTY_FOUR_PORTS)], WEB, None),
    case("HTTPRoute", &[("ports", SIXTY_FIVE_PORTS)], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", SIXTY_FIVE_PORTS)], WEB_WITH_PORT, None),
    case("HTTPRoute", &[("port", "8443")], WEB, None),
    case("HTTPRoute", &[("port", "x")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "443"), ("port", "x")], WEB, None),
    case("HTTPRoute", &[("ports", "x"), ("port", "443")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "x")], WEB_WITH_PORT, None),
    // No port at all.
    case("TCPRoute", &[], GAME, PORT_REQUIRED),
    case("UDPRoute", &[], GAME, PORT_REQUIRED),
    case("TCPRoute", &[("port", "25565")], GAME, None),
    case("UDPRoute", &[], "{ parentRefs: [{ name: edge, port: 53 }] }", None),
    case("UDPRoute", &[], "{ parentRefs: [{ name: edge, sectionName: voice }, { name: other, port: 53 }] }", None),
    case("TCPRoute", &[], "{ parentRefs: [{ name: a, kind: Service, group: '' }] }", None),
    // Protocol and TLS mode.
    case("HTTPRoute", &[("protocol", "HTTP")], WEB, None),
    case("GRPCRoute", &[("protocol", " https ")], WEB, None),
    case("HTTPRoute", &[("protocol", "HTTP/2")], WEB, INVALID_PROTOCOL),
    case("GRPCRoute", &[("protocol", "")], WEB, INVALID_PROTOCOL),
    case("TLSRoute", &[("protocol", "x")], WEB, None),
    case("TLSRoute", &[("tls-mode", "passthrough")], WEB, None),
    case("TLSRoute", &[("tls-mode", "Terminate")], WEB, None),
    case("TLSRoute", &[("tls-mode", "PassThru")], WEB, INVALID_TLS_MODE),
    case("HTTPRoute", &[("tls-mode", "x")], WEB, None),
    // Hostnames.
    case("HTTPRoute", &[], "{ parentRefs: [{ name: edge }], hostnames: [192.0.2.1] }", INVALID_HOSTNAME),
    case("HTTPRoute", &[], "{ parentRefs: [{ name: edge }], hostnames: [a.example, 10.0.0.1] }", INVALID_HOSTNAME),
    case("GRPCRoute", &[], "{ parentRefs: [{ name: edge }], hostnames: [1.2.3, 300.1.1.1, '*.example.com'] }", None),
    case("HTTPRoute", &[], "{ parentRefs: [{ name: edge }], hostnames: [LONG.example] }", INVALID_HOSTNAME),
    // What is not looked at.
    case("HTTPRoute", &[("ports", "x"), ("ignore", "true")], WEB, None),
    case("HTTPRoute", &[("ports", "x"), ("ignore", "yes")], WEB, INVALID_PORT),
    case("HTTPRoute", &[("ports", "x"), (SOLVER, "true")], WEB, None),
    case(
        "HTTPRoute",
        &[("ports", "x")],
        "{ parentRefs: [{ name: a, kind: Service, group: '' }], hostnames: [a.b] }",
        None,
    ),
    case("HTTPRoute", &[("ports", "x")], "{ hostnames: [a.example] }", None),
];

impl Case {
    fn route(&self) -> Value {
        let (mut annotations, mut labels) = (json!({}), json!({}));
        for (key, value) in self.annotations {
            if key.contains('/') {
                labels[*key] = json!(value);
            } else {
                annotations[format!("{GROUP}/{key}")] = json!(value);
            }
        }
        let mut spec: Value =
            serde_saphyr::from_str(&self.spec.replace("LONG", &"a".repeat(64))).expect("a spec that is YAML");
        spec["rules"] = json!([{ "backendRefs": [{ "name": "backend", "port": 80 }] }]);
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": self.kind,
            "metadata": { "name": "one", "namespace": "default", "annotations": annotations, "labels": labels },
            "spec": spec,
        })
    }

    fn about(&self) -> String {
        format!("{} {:?} {}", self.kind, self.annotations, self.spec)
    }
}

/// The reasons for which the planner rejects the route, where it stands alone beside its WrappedGateway.
fn planned(route: &Value) -> Vec<String> {
    let listeners = json!([{ "name": "voice", "port": 9987, "protocol": "UDP" }]);
    let wrapped = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
        "metadata": { "name": "edge", "namespace": "default" },
        "spec": { "gatewayClassName": "example", "listeners": listeners },
    });
    let mut manifests = Manifests::default();
    manifests.read("case", &format!("{wrapped}\n---\n{route}\n"));
    assert!(manifests.problems.is_empty(), "{route}");
    let edge = GatewayRef { namespace: "default".to_owned(), name: "edge".to_owned() };
    let plan = manifests.plan(&edge).expect("a plan");
    plan.rejections.iter().map(|rejected| rejected.reason.to_string()).collect()
}

/// A cluster with the policies of that mode in force.
async fn cluster(gateway_api: GatewayApi, mode: &str) -> ControlPlane {
    let cluster = ControlPlane::start().await.expect("a control plane");
    cluster.install(gateway_api).await.expect("the Gateway API");
    let mode = format!("admissionPolicy={mode}");
    let policies = rendered(&["--show-only", "templates/admissionpolicy.yaml", "--set", &mode]);
    assert_eq!(policies.len(), 4);
    cluster.apply(policies).await.expect("the policies");
    let bad = case("HTTPRoute", &[("ports", "x")], WEB, INVALID_PORT).route();
    eventually("the policy is in force", WITHIN, async || match complaint(&cluster, &bad) {
        nothing if nothing.is_empty() => Err("nothing is said"),
        _ => Ok(()),
    })
    .await
    .unwrap();
    cluster
}

#[tokio::test]
async fn the_policy_warns_of_what_the_planner_rejects_and_of_nothing_else() {
    let cluster = cluster(GatewayApi::chosen(), "warn").await;
    let game = case("TCPRoute", &[], GAME, PORT_REQUIRED).route();
    eventually("the other policy is in force too", WITHIN, async || match complaint(&cluster, &game) {
        nothing if nothing.is_empty() => Err("nothing is said"),
        _ => Ok(()),
    })
    .await
    .unwrap();
    for case in CASES {
        let route = case.route();
        let (warning, reasons) = (complaint(&cluster, &route), planned(&route));
        match case.reason {
            None => {
                assert_eq!(warning, "", "{}", case.about());
                assert!(reasons.is_empty(), "{}: {reasons:?}", case.about());
            }
            Some(reason) => {
                assert!(reasons.iter().all(|rejected| rejected == reason), "{}: {reasons:?}", case.about());
                assert!(!reasons.is_empty(), "{}: the planner has nothing against it", case.about());
                let is_warned = warning.starts_with("Warning: ") && warning.contains(&format!(": {reason}: "));
                assert!(is_warned, "{}: {warning}", case.about());
            }
        }
    }
}

#[tokio::test]
async fn a_route_that_is_denied_now_and_was_there_before_can_still_lose_its_finalizers() {
    // Not all kinds of routes are served here.
    let cluster = cluster(GatewayApi { version: Version::V1_4_1, channel: Channel::Standard }, "deny").await;
    let denied = async |route: &Value| {
        let refused = cluster.apply([route.clone()]).await.err();
        refused.is_some_and(|error| {
            std::error::Error::source(&error).is_some_and(|why| why.to_string().contains("denied"))
        })
    };
    let route = |ports: &str, finalizers: &[&str]| {
        let mut route = case("HTTPRoute", &[], WEB, None).route();
        route["metadata"]["annotations"][format!("{GROUP}/ports")] = json!(ports);
        route["metadata"]["finalizers"] = json!(finalizers);
        route
    };
    assert!(denied(&route("x", &[])).await);

    let mut objects = rendered(&["--show-only", "templates/admissionpolicy.yaml", "--set", "admissionPolicy=deny"]);
    objects
        .retain(|object| object["kind"] == "ValidatingAdmissionPolicyBinding" && object["metadata"]["name"] == RELEASE);
    let mut kubectl = cluster.kubectl();
    super::run(kubectl.args(["delete", "validatingadmissionpolicybinding", RELEASE]));
    let guard = "example.com/guard";
    eventually("the route is admitted", WITHIN, async || {
        if denied(&route("x", &[guard])).await { Err("it is denied") } else { Ok(()) }
    })
    .await
    .unwrap();
    cluster.apply(objects).await.expect("the binding again");
    // Each attempt changes something, because what is as it was is never denied.
    let there = Cell::new(0);
    eventually("another change is denied", WITHIN, async || {
        let next = there.get() + 1;
        if denied(&route(&format!("x{next}"), &[guard])).await {
            return Ok(());
        }
        there.set(next);
        Err("it is admitted")
    })
    .await
    .unwrap();
    let there = if there.get() == 0 { "x".to_owned() } else { format!("x{}", there.get()) };
    assert!(!denied(&route(&there, &[])).await, "the finalizer alone cannot be taken away");
}
