use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{Place, World, is, listeners};

impl Place {
    /// What a data plane would write of one listener of `edge`, of the Gateway as it is now.
    async fn program(&self, listener: &str, status: &str) {
        let generation = self.gateway("edge").await.metadata.generation;
        let condition = json!({
            "type": "Programmed", "status": status, "reason": "Programmed", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": generation,
        });
        let said = json!({ "name": listener, "attachedRoutes": 0, "supportedKinds": [], "conditions": [condition] });
        let change = json!({ "status": { "listeners": [said] } });
        self.gateways().patch_status("edge", &PatchParams::default(), &Patch::Merge(&change)).await.expect("a status");
    }
}

fn wildcard(from: &str) -> Value {
    json!({
        "name": "all", "hostname": "*.example.com", "port": 443, "protocol": "HTTPS",
        "tls": { "certificateRefs": [{ "name": "wildcard" }] },
        "allowedRoutes": { "namespaces": { "from": from } },
    })
}

#[tokio::test]
async fn a_static_wildcard_takes_an_exact_listener_over_only_when_it_is_programmed() {
    let place = World::shared().await.namespace("traffic").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    let before = place.has_names(&["https-443-www-example-com"]).await;
    place.wrap(json!({ "listeners": [wildcard("Same")] })).await;
    let both = ["https-443-www-example-com", "all"];
    let gateway = place.has_names(&both).await;
    assert_eq!(listeners(&gateway)[0], listeners(&before)[0], "what has traffic stays as it is");

    // A new route under the wildcard needs no listener, and the one that has traffic stays all the while.
    place.http("new", &["new.example.com"]).await;
    place.status_with("the route is seen", |status| status.routes == 2 && status.rejected == 0).await;
    place.has_names(&both).await;
    place.program("all", "False").await;
    place.status_with("what the data plane says is seen", |status| is(status, "Programmed", "Unknown")).await;
    place.is_looked_at_again().await;
    place.has_names(&both).await;

    place.program("all", "True").await;
    place.has_names(&["all"]).await;
    let status = place.status_with("all routes are served", |status| status.listeners == 1).await;
    assert_eq!((status.routes, status.rejected), (3, 0));

    // Without the wildcard each hostname has its own listener again.
    place.wrap(json!({})).await;
    place.gateway_with("edge", "each has its own", |gateway| listeners(gateway).len() == 3).await;
}

#[tokio::test]
async fn a_static_listener_that_does_not_admit_a_route_covers_nothing() {
    let world = World::shared().await;
    let (place, guest) = (world.namespace("narrow").await, world.namespace("guest").await);
    place.wrap(json!({ "listeners": [wildcard("Same")] })).await;
    place.has_names(&["all"]).await;
    place.program("all", "True").await;
    let parents = json!([{ "name": "edge", "namespace": place.name, "port": 443 }]);
    guest.http_to("web", &["www.example.com"], parents.clone()).await;
    place.has_names(&["all", "https-443-www-example-com"]).await;
    // For the wildcard itself there can be no second listener.
    guest.http_to("all", &["*.example.com"], parents).await;
    let status = place.status_with("it is rejected", |status| status.rejected == 1).await;
    assert_eq!(status.rejected_routes[0].reason, "NotAdmitted");
    // Widened, it covers both.
    place.wrap(json!({ "listeners": [wildcard("All")] })).await;
    place.status_with("nobody is rejected", |status| status.rejected == 0).await;
    place.program("all", "True").await;
    place.has_names(&["all"]).await;
}

#[tokio::test]
async fn a_listener_of_somebody_else_covers_too_and_is_not_written() {
    let place = World::shared().await.namespace("theirs").await;
    place.wrap(json!({})).await;
    place.has_names(&["placeholder"]).await;
    place.listener_of_somebody(&wildcard("Same")).await;
    place.has_names(&["all"]).await;
    place.http("web", &["www.example.com"]).await;
    place.status_with("the route is served", |status| status.routes == 1 && status.rejected == 0).await;
    place.has_names(&["all"]).await;
    // A sectionName of its own is a reason for a listener of its own.
    place.http_to("named", &["named.example.com"], json!([{ "name": "edge", "sectionName": "named" }])).await;
    place.has_names(&["all", "named"]).await;
}
