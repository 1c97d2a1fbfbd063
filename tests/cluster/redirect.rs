use controlplane::eventually;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::world::{GROUP, Place, WITHIN, World, condition, is, listeners};

const ROUTE: &str = "edge-https-redirect";

impl Place {
    async fn redirect_with(&self, what: &str, is_so: impl Fn(&DynamicObject) -> bool) -> DynamicObject {
        let routes = self.objects("HTTPRoute");
        eventually(what, WITHIN, async || match routes.get_opt(ROUTE).await {
            Ok(Some(route)) if is_so(&route) => Ok(route),
            other => Err(format!("{other:?}")),
        })
        .await
        .unwrap()
    }

    async fn has_redirect(&self) -> DynamicObject {
        self.redirect_with("the redirect is there and whole", is_whole).await
    }

    async fn has_no_redirect(&self) {
        let routes = self.objects("HTTPRoute");
        eventually("there is no redirect", WITHIN, async || match routes.get_opt(ROUTE).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
        .unwrap();
    }

    async fn edit_redirect(&self, change: Value) {
        let parameters = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        self.objects("HTTPRoute").patch(ROUTE, &parameters, &Patch::Merge(&change)).await.expect("an edit");
    }
}

fn is_whole(route: &DynamicObject) -> bool {
    let (parent, rule) = (&route.data["spec"]["parentRefs"][0], &route.data["spec"]["rules"][0]);
    let redirect = &rule["filters"][0]["requestRedirect"];
    (&parent["name"], &parent["sectionName"]) == (&json!("edge"), &json!("http"))
        && (&redirect["scheme"], &redirect["statusCode"]) == (&json!("https"), &json!(301))
        && route.data["spec"]["hostnames"].is_null()
        && route.annotations().get(&format!("{GROUP}/ignore")).is_some_and(|ignore| ignore == "true")
        && route.labels().get("app.kubernetes.io/managed-by").is_some_and(|by| by == "gateway-route-sync")
        && route.owner_references().len() == 1
}

#[tokio::test]
async fn plain_http_is_redirected_while_the_switch_is_on() {
    let place = World::shared().await.namespace("redirect").await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    place.http("web", &["www.example.com"]).await;
    let gateway = place.has_names(&["http", "https-443-www-example-com"]).await;
    let plain = &listeners(&gateway)[0];
    assert_eq!((&plain["port"], &plain["protocol"]), (&json!(80), &json!("HTTP")));
    // Solver routes of cert-manager stand in the Gateway's namespace, and so reach this listener.
    assert_eq!(plain["allowedRoutes"]["namespaces"]["from"], "Same");
    let route = place.has_redirect().await;
    place.is_ready().await;
    place
        .status_with("the redirect itself asks for nothing", |status| (status.routes, status.rejected) == (1, 0))
        .await;

    place.is_looked_at_again().await;
    assert_eq!(place.has_redirect().await.resource_version(), route.resource_version(), "nothing was to be written");

    place.wrap(json!({})).await;
    place.has_no_redirect().await;
    place.has_names(&["https-443-www-example-com", "https-443-another-example-com"]).await;
}

#[tokio::test]
async fn a_solver_of_cert_manager_gets_through_and_asks_for_nothing() {
    let place = World::shared().await.namespace("redirect").await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    place.http("web", &["www.example.com"]).await;
    let before = place.has_names(&["http", "https-443-www-example-com"]).await;
    // As cert-manager makes it: in the Gateway's namespace, with neither port nor sectionName.
    place
        .apply(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {
                "generateName": "cm-acme-http-solver-", "name": "cm-acme-http-solver-x", "namespace": place.name,
                "labels": { "acme.cert-manager.io/http01-solver": "true" },
            },
            "spec": {
                "parentRefs": [{ "name": "edge", "namespace": place.name }], "hostnames": ["www.example.com"],
                "rules": [{
                    "matches": [{ "path": { "type": "Exact", "value": "/.well-known/acme-challenge/x" } }],
                    "backendRefs": [{ "name": "solver", "port": 8089 }],
                }],
            },
        }))
        .await;
    place.is_looked_at_again().await;
    let after = place.gateway("edge").await;
    assert_eq!(listeners(&after)[..2], listeners(&before)[..], "neither listener has changed");
    let status = place.is_ready().await;
    assert_eq!((status.routes, status.rejected), (2, 0), "it is no route that asks for anything");
    place.has_redirect().await;
    // What it attaches to is the listener on port 80 that admits its namespace. An exact path wins over the redirect's.
    let plain = &listeners(&after)[0];
    assert_eq!((&plain["port"], plain.get("hostname")), (&json!(80), None));
    assert_eq!(plain["allowedRoutes"]["namespaces"]["from"], "Same");
    assert!(plain["allowedRoutes"]["kinds"].is_null());
}

#[tokio::test]
async fn what_others_change_of_the_redirect_is_changed_back() {
    let place = World::shared().await.namespace("redirect").await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    let first = place.has_redirect().await;
    let elsewhere = json!({ "type": "RequestRedirect", "requestRedirect": { "hostname": "evil.example.com" } });
    for change in [
        json!({ "spec": { "rules": [{ "filters": [elsewhere] }] } }),
        json!({ "spec": { "parentRefs": [{ "name": "edge" }] } }),
        json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": null } } }),
    ] {
        place.edit_redirect(change.clone()).await;
        let mended = place.has_redirect().await;
        assert_eq!(mended.uid(), first.uid(), "{change}");
    }
    place.delete("HTTPRoute", ROUTE).await;
    assert_ne!(place.has_redirect().await.uid(), first.uid());
    // What others add stays, and is no reason to write.
    place.edit_redirect(json!({ "metadata": { "labels": { "team": "edge" } } })).await;
    let route = place.has_redirect().await;
    place.http("web", &["www.example.com"]).await;
    place.is_looked_at_again().await;
    assert_eq!(place.has_redirect().await.resource_version(), route.resource_version());
}

#[tokio::test]
async fn a_route_of_its_name_that_is_not_ours_is_left_alone_and_reported() {
    let place = World::shared().await.namespace("redirect").await;
    let theirs = json!([{ "name": "elsewhere" }]);
    place.http_to(ROUTE, &["www.example.com"], theirs).await;
    let before = place.objects("HTTPRoute").get(ROUTE).await.unwrap();
    place.wrap(json!({ "httpsRedirect": true })).await;
    let status = place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    let message = &condition(&status, "Ready").unwrap().message;
    assert!(message.contains(ROUTE) && message.contains("left alone"), "{message}");
    place.has_names(&["http"]).await;

    // Neither switching off nor on touches it.
    place.wrap(json!({})).await;
    place.is_ready().await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    place.status_with("it is not Ready", |status| is(status, "Ready", "False")).await;
    let after = place.objects("HTTPRoute").get(ROUTE).await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());

    place.delete("HTTPRoute", ROUTE).await;
    place.has_redirect().await;
    place.is_ready().await;
}

#[tokio::test]
async fn the_redirect_goes_with_its_wrapped_gateway() {
    let place = World::shared().await.namespace("redirect").await;
    place.wrap(json!({ "httpsRedirect": true })).await;
    place.has_redirect().await;
    place.wrapped().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    place.has_no_redirect().await;
}
