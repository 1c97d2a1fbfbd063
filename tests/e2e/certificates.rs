use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use neighbours::acme::{self, Acme};
use neighbours::{Client, Kind, cert_manager};
use serde_json::{Value, json};

use crate::place::{Place, listeners};
use crate::street::Street;

/// The Certificates of a place: what each is for, and who issues it.
async fn certificates(place: &Place) -> BTreeMap<String, (Value, String)> {
    let list = place.certificates().list(&ListParams::default()).await.expect("the Certificates");
    let one = |it: DynamicObject| {
        let issuer = it.data["spec"]["issuerRef"]["name"].as_str().unwrap_or_default().to_owned();
        (it.metadata.name.unwrap_or_default(), (it.data["spec"]["dnsNames"].clone(), issuer))
    };
    list.into_iter().map(one).collect()
}

/// What stands in the Secret of that name, while it is there.
async fn certificate(place: &Place, name: &str) -> Option<Vec<u8>> {
    let secrets: Api<Secret> = Api::namespaced(place.world.cluster.client().expect("a client"), &place.name);
    let secret = secrets.get_opt(name).await.expect("an answer")?;
    secret.data?.remove("tls.crt").map(|bytes| bytes.0)
}

#[tokio::test]
async fn each_hostname_has_a_certificate_of_its_own() {
    let place = Place::new("hostnames").await;
    place.wrap(json!({})).await;
    let Street { place, .. } = Street::build(place, 25_572, 5372).await;
    place.issued(5).await;
    let of = |protocol: &str, host: &str| {
        let name = format!("public.{protocol}-{}-{host}-example-com", place.port);
        (name, (json!([format!("{host}.example.com")]), cert_manager::ISSUER.to_owned()))
    };
    // A TCPRoute and a UDPRoute have none.
    let wanted =
        [of("https", "books"), of("https", "bikes"), of("https", "chess"), of("https", "moves"), of("tls", "mail")];
    assert_eq!(certificates(&place).await, BTreeMap::from(wanted));
    place.close().await;
}

#[tokio::test]
async fn a_hostname_that_leaves_and_returns_has_the_certificate_that_it_had() {
    let place = Place::with_web("returning").await;
    let secret = format!("public.https-{}-web-example-com", place.port);
    let before = certificate(&place, &secret).await.expect("its Secret");
    place.delete("HTTPRoute", "returning", "web").await;
    place
        .until("its Certificate is gone", async || match certificates(&place).await {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        })
        .await;
    place.route_web().await;
    place.answers_as_web().await;
    place.issued(1).await;
    assert!(certificate(&place, &secret).await == Some(before), "it was issued again");
    place.close().await;
}

#[tokio::test]
async fn two_gateways_have_a_certificate_each_for_the_same_hostname() {
    let (first, second) = (Place::with_web("twin-a").await, Place::with_web("twin-b").await);
    for place in [&first, &second] {
        place.answers_as_web().await;
        place.issued(1).await;
    }
    // One that goes does not take the other's with it.
    first.close().await;
    second.answers_as_web().await;
    second.issued(1).await;
    second.close().await;
}

#[tokio::test]
async fn another_issuer_on_the_wrapped_gateway_issues_anew_and_changes_no_listener() {
    let place = Place::with_web("issuer").await;
    let generation = place.gateway().await.metadata.generation;
    place.wrap_with(json!({ "cert-manager.io/cluster-issuer": "itself" }), json!({})).await;
    let name = format!("public.https-{}-web-example-com", place.port);
    place
        .until("the other issuer has issued", async || {
            let it = place.certificates().get(&name).await.map_err(|error| error.to_string())?;
            let is_of_the_other =
                it.data["spec"]["issuerRef"]["name"] == "itself" && it.data["status"]["revision"] == 2;
            if is_of_the_other { Ok(()) } else { Err(format!("{:#}", it.data)) }
        })
        .await;
    let own = certificate(&place, &name).await.expect("its Secret");
    let own = Client::trusting(&String::from_utf8(own).expect("PEM")).expect("a certificate");
    place
        .until("it is shown", async || {
            own.https(place.port, "web.example.com", "/").await.map_err(|error| error.to_string())
        })
        .await;
    assert_eq!(place.gateway().await.metadata.generation, generation);
    place.close().await;
}

#[tokio::test]
async fn http_01_challenges_are_answered_through_the_redirect() {
    let mut place = Place::at_port("http01", 443).await;
    let acme = Acme::start(&place.world.programs, place.world.folder.path()).expect("an ACME server");
    acme.make_issuer(&place.world.cluster, "http01", "public").await.expect("an issuer");
    for host in ["web.example.com", "shop.example.com"] {
        leads_here(host);
    }
    place.wrap_with(json!({ "cert-manager.io/cluster-issuer": acme::ISSUER }), json!({ "httpsRedirect": true })).await;
    place.serve("http01", "web", Kind::Http).await;
    place.http("http01", "web", &["web.example.com", "shop.example.com"]).await;

    // What a node does: it runs the Pods that answer challenges.
    let mut solved = Vec::new();
    while solved.len() < 2 {
        let (pod, service) = place.until("there is a solver", async || solver(&place, &solved).await).await;
        let (name, path, key) = challenge(&pod);
        let address = place.pod(&name, Kind::HttpAt { path, text: key }).await;
        lead(&place, &service, address).await;
        solved.push(name);
    }
    place.issued(2).await;

    let root = Client::trusting(acme.certificate()).expect("its certificate");
    let root = root.https(acme.management(), "localhost", "/roots/0").await.expect("the root's certificate").text;
    let clients = Client::trusting(&root).expect("a certificate");
    for host in ["web.example.com", "shop.example.com"] {
        place
            .until("it is answered with a certificate of the ACME server's", async || {
                let answer = clients.https(443, host, "/").await.map_err(|error| error.to_string())?;
                if answer.text == format!("web {host} /") { Ok(()) } else { Err(answer.text) }
            })
            .await;
    }
    // No listener was made for a solver, nor is one counted.
    let wanted = ["http", "https-443-shop-example-com", "https-443-web-example-com"];
    assert_eq!(listeners(&place.gateway().await), wanted);
    assert_eq!(place.wrapped().get("public").await.expect("it is there").data["status"]["routes"], 1);
    place.close().await;
}

/// Lets cert-manager and the ACME server find that host on this machine.
fn leads_here(host: &str) {
    let mut hosts = OpenOptions::new().append(true).open("/etc/hosts").expect("one of our own");
    writeln!(hosts, "127.0.0.1 {host}").expect("it can be written");
}

/// A solver's Pod that nobody runs yet, and the Service that is to lead to it.
async fn solver(place: &Place, known: &[String]) -> Result<(Pod, Service), String> {
    let client = place.world.cluster.client().expect("a client");
    let solvers = ListParams::default().labels("acme.cert-manager.io/http01-solver=true");
    let pods: Api<Pod> = Api::namespaced(client.clone(), &place.name);
    let pods = pods.list(&solvers).await.map_err(|error| error.to_string())?;
    let new = |pod: &Pod| !known.contains(pod.metadata.name.as_ref().expect("a name"));
    let pod = pods.into_iter().find(new).ok_or("there is no Pod")?;
    let services: Api<Service> = Api::namespaced(client, &place.name);
    let services = services.list(&solvers).await.map_err(|error| error.to_string())?;
    let token = |labels: &Option<BTreeMap<String, String>>| {
        labels.as_ref().and_then(|labels| labels.get("acme.cert-manager.io/http-token").cloned())
    };
    let is_of_pod = |service: &Service| token(&service.metadata.labels) == token(&pod.metadata.labels);
    let service = services.into_iter().find(is_of_pod).ok_or("there is no Service")?;
    Ok((pod, service))
}

/// The name of a solver's Pod, and what it answers to which path.
fn challenge(pod: &Pod) -> (String, String, String) {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first()).expect("a container");
    let arguments = container.args.clone().unwrap_or_default();
    let argument =
        |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)).unwrap_or_default().to_owned();
    (name, format!("/.well-known/acme-challenge/{}", argument("--token=")), argument("--key="))
}

/// Makes a solver's Service lead to that address.
async fn lead(place: &Place, service: &Service, address: SocketAddr) {
    let port = service.spec.as_ref().and_then(|spec| spec.ports.as_ref()?.first()).expect("a port");
    let name = service.metadata.name.as_deref().unwrap_or_default();
    place.lead(&place.name, name, address, port.name.as_deref().unwrap_or_default(), "TCP").await;
}
