//! Metrics, as Prometheus reads them. Labels are kinds and reasons, never names or error texts, so that the number of
//! series does not grow with the cluster.

use std::time::Duration;

use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

/// Beginning of each metric's name, save those of the process.
const PREFIX: &str = "gateway_route_sync";

/// Reconciliations end with this reason if they end well.
const SUCCEEDED: &str = "ReconciliationSucceeded";

/// From a status that needs no write to a Gateway with 64 listeners on a busy API server.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Everything that is counted. One for each process, handed around.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciliations: IntCounterVec,
    durations: HistogramVec,
    routes: IntGaugeVec,
    served: IntGaugeVec,
    watch_errors: IntCounterVec,
    gateway_writes: IntCounter,
    leader: IntGauge,
}

impl Metrics {
    /// Nothing is counted yet.
    ///
    /// # Panics
    ///
    /// Never: the names below are valid and each is there once, which the tests of this file show.
    #[must_use]
    pub fn new() -> Self {
        Self::try_new().expect("the names of the metrics are valid and different from each other")
    }

    fn try_new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let build = IntGaugeVec::new(named("build_info", "The version that runs; always 1."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let durations = HistogramOpts::new("reconciliation_duration_seconds", "How long reconciliations took.")
            .namespace(PREFIX)
            .buckets(DURATION_BUCKETS.to_vec());
        let metrics = Self {
            reconciliations: IntCounterVec::new(
                named("reconciliations_total", "Reconciliations that ended, by how they ended."),
                &["controller", "result", "reason"],
            )?,
            durations: HistogramVec::new(durations, &["controller"])?,
            routes: IntGaugeVec::new(named("routes", "Routes of the cluster, attached or not."), &["kind"])?,
            served: IntGaugeVec::new(named("kind_served", "1 where the cluster serves the kind."), &["kind"])?,
            watch_errors: IntCounterVec::new(
                named("watch_errors_total", "Lists and watches that failed; each is tried again."),
                &["kind"],
            )?,
            gateway_writes: IntCounter::with_opts(named(
                "gateway_writes_total",
                "Applies that were sent for Gateways.",
            ))?,
            leader: IntGauge::with_opts(named("leader", "1 where this process reconciles, 0 where it stands by."))?,
            registry,
        };
        metrics.registry.register(Box::new(metrics.reconciliations.clone()))?;
        metrics.registry.register(Box::new(metrics.durations.clone()))?;
        metrics.registry.register(Box::new(metrics.routes.clone()))?;
        metrics.registry.register(Box::new(metrics.served.clone()))?;
        metrics.registry.register(Box::new(metrics.watch_errors.clone()))?;
        metrics.registry.register(Box::new(metrics.gateway_writes.clone()))?;
        metrics.registry.register(Box::new(metrics.leader.clone()))?;
        Ok(metrics)
    }

    /// A reconciliation of one of the controllers ended with a reason: `ReconciliationSucceeded`, or the category of its
    /// error.
    pub fn reconciled(&self, controller: &'static str, reason: &'static str, took: Duration) {
        let result = if reason == SUCCEEDED { "success" } else { "error" };
        self.reconciliations.with_label_values(&[controller, result, reason]).inc();
        self.duration_of(controller).observe(took.as_secs_f64());
    }

    /// There are that many routes of a kind now.
    pub fn routes_known(&self, kind: &'static str, routes: usize) {
        self.routes.with_label_values(&[kind]).set(i64::try_from(routes).unwrap_or(i64::MAX));
    }

    /// A kind is not served any more, so that its routes are no longer counted.
    pub fn kind_gone(&self, kind: &'static str) {
        // The only error is that it was never counted.
        let _ = self.routes.remove_label_values(&[kind]);
    }

    /// Whether the cluster serves a kind.
    pub fn kind_served(&self, kind: &'static str, is_served: bool) {
        self.served.with_label_values(&[kind]).set(i64::from(is_served));
    }

    /// A list or a watch of a kind failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.with_label_values(&[kind]).inc();
    }

    /// A Gateway was written.
    pub fn gateway_written(&self) {
        self.gateway_writes.inc();
    }

    /// Whether this process reconciles now.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // A gathered family is always well-formed, and a vector takes every write.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// The content type of [`Metrics::render`].
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    fn duration_of(&self, controller: &'static str) -> Histogram {
        self.durations.with_label_values(&[controller])
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn named(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_by_result_and_reason() {
        let metrics = Metrics::new();
        metrics.reconciled("wrapped_gateway", "ReconciliationSucceeded", Duration::from_millis(20));
        metrics.reconciled("wrapped_gateway", "GatewaySyncFailed", Duration::from_millis(2));
        metrics.routes_known("HTTPRoute", 12);
        metrics.kind_served("Gateway", true);
        metrics.watch_failed("TCPRoute");
        metrics.gateway_written();
        metrics.leads(true);
        let text = metrics.render();
        for line in [
            r#"gateway_route_sync_reconciliations_total{controller="wrapped_gateway",reason="ReconciliationSucceeded",result="success"} 1"#,
            r#"gateway_route_sync_reconciliations_total{controller="wrapped_gateway",reason="GatewaySyncFailed",result="error"} 1"#,
            r#"gateway_route_sync_reconciliation_duration_seconds_count{controller="wrapped_gateway"} 2"#,
            r#"gateway_route_sync_routes{kind="HTTPRoute"} 12"#,
            r#"gateway_route_sync_kind_served{kind="Gateway"} 1"#,
            r#"gateway_route_sync_watch_errors_total{kind="TCPRoute"} 1"#,
            "gateway_route_sync_gateway_writes_total 1",
            "gateway_route_sync_leader 1",
            concat!(r#"gateway_route_sync_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not among\n{text}");
        }
    }

    #[test]
    fn a_kind_that_is_gone_has_no_series() {
        let metrics = Metrics::new();
        metrics.routes_known("TCPRoute", 0);
        metrics.kind_gone("TCPRoute");
        metrics.kind_gone("UDPRoute");
        assert!(!metrics.render().contains("gateway_route_sync_routes{"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_measured() {
        assert!(Metrics::new().render().contains("process_resident_memory_bytes"));
    }
}
