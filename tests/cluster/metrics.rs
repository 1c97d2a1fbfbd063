use std::collections::{BTreeMap, BTreeSet};

use controlplane::eventually;
use homelab_helper::metrics::{Family, Metrics};
use kube::api::DeleteParams;
use serde_json::json;

use super::world::{Place, WITHIN, World};

/// What `/metrics` says: the value of each series.
struct Scrape {
    text: String,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(world: &World) -> Self {
        let text = {
            let controller = world.controller.lock().await;
            controller.as_ref().expect("a controller").metrics().await.expect("/metrics")
        };
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        });
        Self { series: series.collect(), text }
    }

    /// The value of a metric's series with these labels; 0 where there is none.
    fn value(&self, metric: &str, labels: &str) -> f64 {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        self.series.get(&format!("gateway_route_sync_{metric}{labels}")).copied().unwrap_or_default()
    }

    fn of_namespace(&self, namespace: &str) -> BTreeSet<&str> {
        let label = format!("namespace=\"{namespace}\"");
        self.series.keys().map(String::as_str).filter(|series| series.contains(&label)).collect()
    }
}

/// Waits until a metric of the WrappedGateway `edge` has a value.
async fn says(place: &Place, metric: &str, reason: Option<&str>, wanted: f64) {
    let reason = reason.map(|reason| format!(",reason=\"{reason}\"")).unwrap_or_default();
    let labels = format!("name=\"edge\",namespace=\"{}\"{reason}", place.name);
    let what = format!("{metric}{{{labels}}} is {wanted}");
    let found = eventually(&what, WITHIN, async || {
        let scrape = Scrape::of(&place.world).await;
        let found = scrape.value(&format!("wrapped_gateway_{metric}"), &labels);
        if (found - wanted).abs() < f64::EPSILON { Ok(()) } else { Err(scrape.text) }
    });
    place.or_log(found.await).await;
}

#[tokio::test]
async fn what_is_said_of_a_wrapped_gateway_follows_it_until_it_goes() {
    let place = World::shared().await.namespace("metrics").await;
    place.wrap(json!({})).await;
    place.wrap_as("other", json!({})).await;
    says(&place, "listeners", None, 1.0).await;
    says(&place, "ready", None, 1.0).await;

    place.http("web", &["a.example.com", "b.example.com"]).await;
    says(&place, "listeners", None, 2.0).await;
    place.http("bad", &["192.0.2.7", "192.0.2.8"]).await;
    says(&place, "rejected_routes", Some("InvalidHostname"), 1.0).await;
    says(&place, "attached_routes", None, 2.0).await;
    place.delete("HTTPRoute", "bad").await;
    says(&place, "rejected_routes", Some("InvalidHostname"), 0.0).await;
    says(&place, "attached_routes", None, 1.0).await;
    assert_eq!(Scrape::of(&place.world).await.of_namespace(&place.name).len(), 7, "three of `other`, four of `edge`");

    place.wrapped().delete("edge", &DeleteParams::default()).await.expect("a deletion");
    let gone = eventually("nothing is said of what is gone", WITHIN, async || {
        let scrape = Scrape::of(&place.world).await;
        let left = scrape.of_namespace(&place.name);
        if left.iter().any(|series| series.contains("\"edge\"")) { Err(format!("{left:#?}")) } else { Ok(left.len()) }
    });
    assert_eq!(place.or_log(gone.await).await, 3, "`other` is there still");
}

#[tokio::test]
async fn work_is_counted_and_timed() {
    let place = World::shared().await.namespace("counted").await;
    place.wrap(json!({})).await;
    place.is_ready().await;
    let before = Scrape::of(&place.world).await;
    place.http("web", &["www.example.com"]).await;
    place.has_hostnames(&["www.example.com"]).await;
    let succeeded = "controller=\"wrapped_gateway\",reason=\"ReconciliationSucceeded\",result=\"success\"";
    let grown = [
        ("reconciliations_total", succeeded),
        ("reconciliation_duration_seconds_count", "controller=\"wrapped_gateway\""),
        ("plan_duration_seconds_count", ""),
        ("apply_duration_seconds_count", ""),
        ("gateway_writes_total", ""),
        ("sync_latency_seconds_count", ""),
    ];
    for (metric, labels) in grown {
        let what = format!("{metric} has grown");
        let found = eventually(&what, WITHIN, async || {
            let now = Scrape::of(&place.world).await;
            if now.value(metric, labels) > before.value(metric, labels) { Ok(()) } else { Err(now.text) }
        });
        place.or_log(found.await).await;
    }
    let now = Scrape::of(&place.world).await;
    assert!(now.value("routes", "kind=\"HTTPRoute\"") >= 1.0);
    assert!(now.value("leader", "") >= 1.0);
    assert!(now.series.contains_key("gateway_route_sync_watch_restarts_total{kind=\"HTTPRoute\"}"), "{}", now.text);
    assert!(now.value("api_requests_total", "code=\"200\",verb=\"watch\"") >= 1.0, "{}", now.text);
    assert!(now.value("api_requests_total", "code=\"200\",verb=\"patch\"") > 0.0, "{}", now.text);
}

#[tokio::test]
async fn the_number_of_series_does_not_grow_with_routes() {
    let place = World::shared().await.namespace("bounded").await;
    place.wrap(json!({})).await;
    place.http("first-of-many", &["first-of-many.example.com"]).await;
    place.http("wrong-of-many", &["192.0.2.1"]).await;
    says(&place, "rejected_routes", Some("InvalidHostname"), 1.0).await;
    says(&place, "listeners", None, 1.0).await;
    let before = Scrape::of(&place.world).await.of_namespace(&place.name).len();
    for number in 0..20 {
        place.http(&format!("one-of-many-{number}"), &[&format!("one-of-many-{number}.example.com")]).await;
        place.http(&format!("other-of-many-{number}"), &["192.0.2.1"]).await;
    }
    says(&place, "rejected_routes", Some("InvalidHostname"), 21.0).await;
    says(&place, "listeners", None, 21.0).await;
    let scrape = Scrape::of(&place.world).await;
    assert_eq!(scrape.of_namespace(&place.name).len(), before);
    let names_a_route = |word: &&str| scrape.text.contains(*word);
    assert_eq!(["of-many", "192.0.2"].iter().find(|word| names_a_route(word)), None, "{}", scrape.text);
}

#[tokio::test]
async fn whatever_is_said_is_documented() {
    let world = World::shared().await;
    let scrape = Scrape::of(&world).await;
    let described = Metrics::new().describe();
    let mut families = scrape.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).peekable();
    assert!(families.peek().is_some());
    for family in families {
        let (name, kind) = family.split_once(' ').expect("a name and a type");
        let documented: &Family = described.iter().find(|family| family.name == name).expect(name);
        assert_eq!(documented.kind, kind, "{name}");
        assert!(scrape.text.contains(&format!("# HELP {name} {}\n", documented.help)), "{name}");
    }
}
