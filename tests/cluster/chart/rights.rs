//! The whole of the controller's work is done once with all rights that the chart gives, and never refused; and then once
//! without each of them, and refused for the want of that very one. `cargo test --test cluster rights:: -- --nocapture` prints
//! each right with the request that was refused without it, and with what the API server said.

use std::cell::Cell;
use std::fmt;
use std::future::pending;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use controlplane::{Audited, ControlPlane, GatewayApi, Position, Program, eventually};
use homelab_helper::api::crd_yaml;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::{NAMESPACE, RELEASE, account_with};
use crate::former::golang::Go;
use crate::world::{GROUP, Place, WITHIN, World};

const KINDS: [&str; 5] = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];

/// One verb on one resource.
#[derive(Clone, PartialEq, Eq)]
struct Right {
    group: String,
    resource: String,
    verb: String,
    /// Only in the namespace of the release, and not everywhere.
    at_home: bool,
}

impl Right {
    /// Whether a request was refused for want of it.
    fn is_lacked_by(&self, request: &Audited) -> bool {
        let said = |words: &str| request.message.contains(words);
        let what = (self.group.as_str(), self.resource.as_str(), self.verb.as_str());
        let lacks = match (self.resource.as_str(), self.verb.as_str()) {
            // The API server asks for these itself while it admits an apply, and says what they are for.
            ("wrappedgateways/finalizers", _) => said("cannot set blockOwnerDeletion"),
            ("gateways", "delete") => said("cannot set an ownerRef on a resource you can't delete"),
            (resource, "create") => said(&format!("cannot create resource \"{resource}\"")),
            _ => what == (request.group.as_str(), request.resource.as_str(), request.verb.as_str()),
        };
        request.code == 403 && lacks
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        write!(f, "{} {}{dot}{}", self.verb, self.resource, self.group)
    }
}

/// What the chart makes, with what the README adds for API servers that check changes of owners.
fn objects() -> Vec<Value> {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    let rule = json!([{ "apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["delete"] }]);
    OBJECTS.get_or_init(|| account_with(&rule)).clone()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Every right of the roles that the chart makes.
fn rights() -> Vec<Right> {
    let mut rights = Vec::new();
    for role in objects() {
        for rule in role["rules"].as_array().into_iter().flatten() {
            for (resource, verb) in product(&strings(&rule["resources"]), &strings(&rule["verbs"])) {
                let group = strings(&rule["apiGroups"]).remove(0);
                rights.push(Right { group, resource, verb, at_home: role["kind"] == "Role" });
            }
        }
    }
    rights
}

fn product(left: &[String], right: &[String]) -> Vec<(String, String)> {
    left.iter().flat_map(|one| right.iter().map(|other| (one.clone(), other.clone()))).collect()
}

/// What the chart makes, with roles that lack that right.
fn without(right: &Right) -> Vec<Value> {
    let mut objects = objects();
    for role in &mut objects {
        let is_meant = (role["kind"] == "Role") == right.at_home;
        if let Some(Value::Array(rules)) = role.get_mut("rules").filter(|_| is_meant) {
            *rules = rules.iter().flat_map(|rule| narrowed(rule, right)).collect();
        }
    }
    objects
}

/// A rule for each resource, without that right.
fn narrowed(rule: &Value, right: &Right) -> Vec<Value> {
    let group = strings(&rule["apiGroups"]).remove(0);
    let narrowed = strings(&rule["resources"]).into_iter().map(|resource| {
        let mut verbs = strings(&rule["verbs"]);
        verbs.retain(|verb| (&group, &resource, verb) != (&right.group, &right.resource, &right.verb));
        let mut narrowed = rule.clone();
        narrowed["resources"] = json!([resource]);
        narrowed["verbs"] = json!(verbs);
        narrowed
    });
    narrowed.filter(|rule| rule["verbs"] != json!([])).collect()
}

/// A cluster in which it is written down what the controller is refused.
struct Watched {
    world: Arc<World>,
}

impl Watched {
    async fn start() -> Self {
        let cluster = ControlPlane::start_strict().await.expect("a control plane");
        cluster.install(GatewayApi::chosen()).await.expect("the Gateway API");
        cluster.apply_yaml(&crd_yaml()).await.expect("the CRD of WrappedGateway");
        cluster.apply([Go::crd()]).await.expect("the CRD of the later Go version");
        // It learns then which kinds may be owners.
        cluster.stop_apiserver();
        cluster.start_apiserver().await.expect("the API server again");
        Self { world: Arc::new(World::without_controller(cluster).await) }
    }

    fn client(&self) -> Client {
        self.world.cluster.client().expect("a client")
    }

    /// Starts a controller that takes part in the election, with those rights once they are in force.
    async fn controller(&self, objects: Vec<Value>, lacking: Option<&Right>) -> Program {
        self.world.cluster.apply(objects).await.expect("what the chart makes");
        let token = self.world.cluster.service_account_token(NAMESPACE, RELEASE).await.expect("a token");
        let account = self.world.cluster.client_for_token(&token).expect("a client");
        // A role changes as a whole, and each role at its own time.
        for right in rights().iter().filter(|right| right.at_home || lacking.is_none_or(|lacking| lacking == *right)) {
            let wanted = lacking != Some(right);
            eventually(&format!("{right}: {wanted}"), WITHIN, async || match may(&account, right).await {
                Ok(may) if may == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await
            .unwrap();
        }
        // Whoever ran before cannot give it back where it lacks the right to.
        let leases: Api<Lease> = Api::namespaced(self.client(), NAMESPACE);
        let _ = leases.delete(RELEASE, &DeleteParams::default()).await;
        let kubeconfig = self.world.cluster.service_account_kubeconfig(NAMESPACE, RELEASE).await.expect("a token");
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
        command.args(["gateway-route-sync", "--leader-election"]).env("LOG_LEVEL", "info,homelab_helper=debug");
        Program::start(command, &kubeconfig).expect("the controller")
    }

    /// What the controller was refused since then.
    fn refusals(&self, since: Position) -> Vec<Audited> {
        let (mut requests, _) = self.world.cluster.audit(since).expect("the audit log");
        requests.retain(|request| request.code == 403);
        requests
    }

    /// Waits until the controller was refused something for want of that right; returns what it asked for then.
    async fn refused_for(&self, right: &Right, since: Position) -> Audited {
        let since = Cell::new(since);
        eventually(&format!("without {right} something is refused"), WITHIN, async || {
            let (requests, now) = self.world.cluster.audit(since.get()).expect("the audit log");
            since.set(now);
            requests.into_iter().find(|request| right.is_lacked_by(request)).ok_or("it is not")
        })
        .await
        .unwrap()
    }

    /// All that a controller does, in new namespaces: each Go version was there, routes of each kind come and are rejected,
    /// the redirect comes and goes. It ends once everything is done.
    async fn everything(&self) {
        let place = self.world.namespace("later").await;
        self.world.cluster.apply([json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": place.name, "labels": { "rights": "yes" } },
        })])
        .await
        .expect("a label");
        let go = Go::later_of(&place);
        routes(&place).await;
        go.sync(&[("www", "HTTPS", 443, Some("www.example.com"))]).await;
        for kind in KINDS {
            go.mark(kind).await;
        }
        let selected = json!({ "from": "Selector", "selector": { "matchLabels": { "rights": "yes" } } });
        let template = json!({ "allowedRoutes": { "namespaces": selected } });
        place.wrap(json!({ "httpsRedirect": true, "listenerTemplate": template })).await;
        eventually("everything of the Go version is gone", WITHIN, async || is_clean(&place, &go).await).await.unwrap();
        eventually("the redirect is there", WITHIN, async || has_redirect(&place, true).await).await.unwrap();
        place.delete("Gateway", "edge").await;
        place
            .gateway_with("edge", "the Gateway is back", |gateway| gateway.metadata.deletion_timestamp.is_none())
            .await;
        place.wrap(json!({ "httpsRedirect": false })).await;
        eventually("the redirect is gone", WITHIN, async || has_redirect(&place, false).await).await.unwrap();

        let place = self.world.namespace("first").await;
        place
            .apply(json!({
                "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
                "metadata": { "name": "edge", "namespace": place.name, "finalizers": [Go::first(&place).finalizer()] },
                "spec": {
                    "gatewayClassName": "example",
                    "listenerTemplate": { "tls": { "certificateRefs": [{ "name": "shared", "namespace": "certs" }] } },
                },
            }))
            .await;
        eventually("the finalizer is gone", WITHIN, async || {
            let finalizers =
                place.wrapped().get("edge").await.map_err(|error| error.to_string())?.finalizers().to_vec();
            if finalizers.is_empty() { Ok(()) } else { Err(finalizers.join(", ")) }
        })
        .await
        .unwrap();
        rejected_twice(&place).await;
    }
}

/// The same is said of the same route again: the event is counted up.
async fn rejected_twice(place: &Place) {
    let told = |count: u32, rejected: u32| async move {
        place.status_with(&format!("rejected, {count}"), |status| status.rejected == rejected).await;
    };
    place.http("web", &[]).await;
    told(1, 1).await;
    has_event(place, 0).await;
    place.http("web", &["www.example.com"]).await;
    told(2, 0).await;
    place.http("web", &[]).await;
    told(3, 1).await;
    has_event(place, 2).await;
}

/// Waits until the rejection was told, and counted up to that number.
async fn has_event(place: &Place, count: i32) {
    let events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(place.client.clone(), &place.name);
    eventually(&format!("the rejection is told, and counted to {count}"), WITHIN, async || {
        let all = events.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let counts = all.iter().filter(|event| event.reason.as_deref() == Some("ListenerRejected"));
        let counts: Vec<_> = counts.map(|event| event.series.as_ref().map_or(0, |series| series.count)).collect();
        if counts.iter().any(|counted| *counted >= count) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await
    .unwrap();
}

/// A route of each kind, attached to `edge`.
async fn routes(place: &Place) {
    let to = |port: u16| json!([{ "name": "edge", "port": port }]);
    place.http_to("www", &["www.example.com"], json!([{ "name": "edge", "sectionName": "www" }])).await;
    place.route("GRPCRoute", "rpc", json!({ "parentRefs": to(443), "hostnames": ["rpc.example.com"] })).await;
    place.route("TLSRoute", "tls", json!({ "parentRefs": to(8443), "hostnames": ["tls.example.com"] })).await;
    place.route("TCPRoute", "tcp", json!({ "parentRefs": to(25565) })).await;
    place.route("UDPRoute", "udp", json!({ "parentRefs": to(53) })).await;
}

async fn is_clean(place: &Place, go: &Go<'_>) -> Result<(), String> {
    let wrapped = go.wrapped().get("edge").await.map_err(|error| error.to_string())?;
    if !wrapped.finalizers().is_empty() {
        return Err("its WrappedGateway has its finalizer".to_owned());
    }
    for kind in KINDS {
        let routes = place.objects(kind).list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        if let Some(route) = routes.iter().find(|route| go.is_on(route)) {
            return Err(format!("{kind} {} bears something of it", route.name_any()));
        }
    }
    Ok(())
}

async fn has_redirect(place: &Place, wanted: bool) -> Result<(), String> {
    let redirect =
        place.objects("HTTPRoute").get_opt("edge-https-redirect").await.map_err(|error| error.to_string())?;
    if redirect.is_some() == wanted { Ok(()) } else { Err(format!("{redirect:?}")) }
}

/// Whether that account may do it, as the API server decides now.
async fn may(account: &Client, right: &Right) -> Result<bool, String> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let namespace = right.at_home.then_some(NAMESPACE);
    // A right to create is given without a name, all others to the Lease of that name.
    let name = (right.at_home && right.verb != "create").then_some(RELEASE);
    let review = json!({ "metadata": {}, "spec": { "resourceAttributes": {
        "group": right.group, "resource": resource, "subresource": subresource, "verb": right.verb,
        "namespace": namespace, "name": name,
    } } });
    let review: SelfSubjectAccessReview = serde_json::from_value(review).expect("a review");
    let answer = Api::all(account.clone()).create(&PostParams::default(), &review).await;
    Ok(answer.map_err(|error| error.to_string())?.status.is_some_and(|status| status.allowed))
}

#[tokio::test]
async fn the_rights_of_the_chart_are_enough_and_each_of_them_is_needed() {
    let watched = Watched::start().await;
    let controller = watched.controller(objects(), None).await;
    watched.everything().await;
    assert_eq!(watched.refusals(Position::default()), []);
    assert!(!controller.log().contains("forbidden"), "{}", controller.log());
    controller.terminate().expect("its end");

    for right in rights() {
        let (_, before) = watched.world.cluster.audit(Position::default()).expect("the audit log");
        let controller = watched.controller(without(&right), Some(&right)).await;
        tokio::select! {
            refused = watched.refused_for(&right, before) => {
                println!("| {right} | {} {} | {} |", refused.verb, refused.resource, refused.message);
            }
            // What lacks may show only a little later.
            () = async { watched.everything().await; pending().await } => {}
        }
        eventually(&format!("the log tells that {right} is lacking"), WITHIN, async || {
            let log = controller.log();
            // Of a watch of metadata that is refused the client sees only that it is none.
            let is_told =
                log.contains("forbidden") || right.verb == "watch" && log.contains("may this account watch it?");
            if is_told { Ok(()) } else { Err(log) }
        })
        .await
        .unwrap();
        controller.terminate().expect("its end");
    }
}
