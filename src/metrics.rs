//! Metrics, as Prometheus reads them. Labels are kinds and reasons, never error texts, and of all objects only
//! WrappedGateways are named, so that the number of series does not grow with the routes of the cluster.

mod families;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, IntGauge, IntGaugeVec, TextEncoder};

pub use families::Family;
use families::{Families, OfGateways, OfProcess, OfReconciliations, OfRequests};

/// Reconciliations end with this reason if they end well.
const SUCCEEDED: &str = "ReconciliationSucceeded";

/// Everything that is counted. One for each process, handed around.
pub struct Metrics {
    families: Families,
    reconciliations: OfReconciliations,
    gateways: OfGateways,
    requests: OfRequests,
    process: OfProcess,
}

/// What a plan makes of a WrappedGateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayNumbers {
    /// Listeners of its Gateway.
    pub listeners: u32,
    /// Routes that name it.
    pub routes: u32,
    /// How many of them are rejected, by reason.
    pub rejected: BTreeMap<String, u32>,
}

impl Metrics {
    /// Nothing is counted yet.
    ///
    /// # Panics
    ///
    /// Never: the names of all metrics are valid and each is there once, which the tests of this file show.
    #[must_use]
    pub fn new() -> Self {
        Self::try_new().expect("the names of the metrics are valid and different from each other")
    }

    fn try_new() -> prometheus::Result<Self> {
        let mut families = Families::default();
        Ok(Self {
            reconciliations: OfReconciliations::register(&mut families)?,
            gateways: OfGateways::register(&mut families)?,
            requests: OfRequests::register(&mut families)?,
            process: OfProcess::register(&mut families)?,
            families,
        })
    }

    /// A reconciliation of one of the controllers ended with a reason: `ReconciliationSucceeded`, or the category of its
    /// error.
    pub fn reconciled(&self, controller: &'static str, reason: &'static str, took: Duration) {
        let result = if reason == SUCCEEDED { "success" } else { "error" };
        self.reconciliations.ended.with_label_values(&[controller, result, reason]).inc();
        self.reconciliations.took.with_label_values(&[controller]).observe(took.as_secs_f64());
    }

    /// A plan was made.
    pub fn planned(&self, took: Duration) {
        self.reconciliations.planning.observe(took.as_secs_f64());
    }

    /// An apply was sent for a Gateway, and taken or refused.
    pub fn applied(&self, took: Duration) {
        self.reconciliations.applying.observe(took.as_secs_f64());
    }

    /// A Gateway was changed; `since` the first event that asked for it, where there was one.
    pub fn gateway_written(&self, since: Option<Duration>) {
        self.reconciliations.writes.inc();
        if let Some(since) = since {
            self.reconciliations.latency.observe(since.as_secs_f64());
        }
    }

    /// How many objects wait for a controller: to be kept up to date by whoever has them wait.
    #[must_use]
    pub fn queue(&self, controller: &'static str) -> IntGauge {
        self.reconciliations.queue.with_label_values(&[controller])
    }

    /// A plan was carried out.
    pub fn gateway_planned(&self, namespace: &str, name: &str, numbers: &GatewayNumbers) {
        let gateway = [namespace, name];
        self.gateways.listeners.with_label_values(&gateway).set(numbers.listeners.into());
        self.gateways.attached_routes.with_label_values(&gateway).set(numbers.routes.into());
        let rejected = &self.gateways.rejected_routes;
        // A reason that does not apply any more goes to 0: a series that ended would be taken for one that was not read.
        each_series_of(rejected, gateway, |labels| rejected.with(labels).set(0));
        for (reason, routes) in &numbers.rejected {
            rejected.with_label_values(&[namespace, name, reason]).set((*routes).into());
        }
    }

    /// Whether a WrappedGateway is ready.
    pub fn gateway_ready(&self, namespace: &str, name: &str, is_ready: bool) {
        self.gateways.ready.with_label_values(&[namespace, name]).set(is_ready.into());
    }

    /// A WrappedGateway is gone, and nothing is said of it any more.
    pub fn gateway_gone(&self, namespace: &str, name: &str) {
        let OfGateways { listeners, attached_routes, rejected_routes, ready } = &self.gateways;
        for gauges in [listeners, attached_routes, rejected_routes, ready] {
            // The only error is that it went meanwhile.
            each_series_of(gauges, [namespace, name], |labels| drop(gauges.remove(labels)));
        }
    }

    /// There are that many routes of a kind now.
    pub fn routes_known(&self, kind: &'static str, routes: usize) {
        self.requests.routes.with_label_values(&[kind]).set(i64::try_from(routes).unwrap_or(i64::MAX));
    }

    /// A kind is not served any more, so that its routes are no longer counted.
    pub fn kind_gone(&self, kind: &'static str) {
        // The only error is that it was never counted.
        let _ = self.requests.routes.remove_label_values(&[kind]);
    }

    /// A kind is watched from now on, so that its failures are counted from zero.
    pub fn watch_begun(&self, kind: &'static str) {
        let _ = self.requests.watch_errors.with_label_values(&[kind]);
        let _ = self.requests.watch_restarts.with_label_values(&[kind]);
    }

    /// Whether the cluster serves a kind.
    pub fn kind_served(&self, kind: &'static str, is_served: bool) {
        self.requests.served.with_label_values(&[kind]).set(i64::from(is_served));
    }

    /// A list or a watch of a kind failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.requests.watch_errors.with_label_values(&[kind]).inc();
    }

    /// A watch of a kind could not go on, and everything is listed again.
    pub fn watch_restarted(&self, kind: &'static str) {
        self.requests.watch_restarts.with_label_values(&[kind]).inc();
    }

    /// The API server answered a request with an HTTP status, or did not answer.
    pub fn requested(&self, verb: &'static str, code: Option<u16>) {
        let code = code.map_or_else(|| "error".to_owned(), |code| code.to_string());
        self.requests.requests.with_label_values(&[verb, &code]).inc();
    }

    /// Whether this process reconciles now.
    pub fn leads(&self, leads: bool) {
        self.process.leader.set(i64::from(leads));
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // A gathered family is always well-formed, and a vector takes every write.
        let _ = TextEncoder::new().encode(&self.families.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Every metric by name, also those of which nothing was counted yet.
    #[must_use]
    pub fn describe(&self) -> Vec<Family> {
        self.families.describe()
    }

    /// The content type of [`Metrics::render`].
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";
}

/// Does something with the labels of each series of a WrappedGateway.
fn each_series_of(gauges: &IntGaugeVec, [namespace, name]: [&str; 2], act: impl Fn(&HashMap<&str, &str>)) {
    for metric in gauges.collect().iter().flat_map(MetricFamily::get_metric) {
        let labels: HashMap<_, _> = metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        if labels.get("namespace") == Some(&namespace) && labels.get("name") == Some(&name) {
            act(&labels);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
