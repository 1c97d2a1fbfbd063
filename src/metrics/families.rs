//! What there is to count: each metric once, with its name, its labels and what it means.

use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
};

/// Beginning of each metric's name, save those of the process.
const PREFIX: &str = "gateway_route_sync";

/// From a status that needs no write to a Gateway with 64 listeners on a busy API server, in seconds.
const REQUESTS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// From a plan for one route to one for ten thousand, in seconds.
const PLANS: [f64; 10] = [0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0];
/// From one apply to an API server that was away for a while, in seconds.
const LATENCIES: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];

/// The labels that say which WrappedGateway.
const GATEWAY: [&str; 2] = ["namespace", "name"];

/// Every metric.
pub(super) struct Families {
    registry: Registry,
    all: Vec<Box<dyn Collector>>,
}

/// What is known of a metric before anything is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Family {
    /// Its whole name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// What it means.
    pub help: String,
}

impl Families {
    fn add<C: Collector + Clone + 'static>(&mut self, metric: Result<C>) -> Result<C> {
        let metric = metric?;
        self.registry.register(Box::new(metric.clone()))?;
        self.all.push(Box::new(metric.clone()));
        Ok(metric)
    }

    fn gauge(&mut self, name: &str, help: &str) -> Result<IntGauge> {
        self.add(IntGauge::with_opts(named(name, help)))
    }

    fn gauges(&mut self, name: &str, labels: &[&str], help: &str) -> Result<IntGaugeVec> {
        self.add(IntGaugeVec::new(named(name, help), labels))
    }

    fn counters(&mut self, name: &str, labels: &[&str], help: &str) -> Result<IntCounterVec> {
        self.add(IntCounterVec::new(named(name, help), labels))
    }

    fn histogram(&mut self, name: &str, buckets: &[f64], help: &str) -> Result<Histogram> {
        self.add(Histogram::with_opts(timed(name, buckets, help)))
    }

    /// What there is of each metric now.
    pub fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }

    /// Every metric by name, also those of which there is nothing yet.
    pub fn describe(&self) -> Vec<Family> {
        let mut described = Vec::new();
        for metric in &self.all {
            let (families, descriptions) = (metric.collect(), metric.desc());
            let of = |name: &str| descriptions.iter().find(|description| description.fq_name == name);
            described.extend(families.iter().map(|family| Family {
                name: family.name().to_owned(),
                kind: kind(family.get_field_type()),
                labels: of(family.name()).map(|found| found.variable_labels.clone()).unwrap_or_default(),
                help: family.help().to_owned(),
            }));
        }
        described.sort();
        described
    }
}

const fn kind(of: MetricType) -> &'static str {
    match of {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

fn named(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(PREFIX)
}

fn timed(name: &str, buckets: &[f64], help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).namespace(PREFIX).buckets(buckets.to_vec())
}

/// What is said of each WrappedGateway.
pub(super) struct OfGateways {
    pub listeners: IntGaugeVec,
    pub attached_routes: IntGaugeVec,
    pub rejected_routes: IntGaugeVec,
    pub ready: IntGaugeVec,
}

impl OfGateways {
    pub fn register(families: &mut Families) -> Result<Self> {
        Ok(Self {
            listeners: families.gauges("wrapped_gateway_listeners", &GATEWAY, "Listeners of the Gateway.")?,
            attached_routes: families.gauges(
                "wrapped_gateway_attached_routes",
                &GATEWAY,
                "Routes that name the Gateway, rejected ones among them.",
            )?,
            rejected_routes: families.gauges(
                "wrapped_gateway_rejected_routes",
                &[GATEWAY[0], GATEWAY[1], "reason"],
                "Routes that do not get what they ask for. A route that is rejected for two reasons counts for both.",
            )?,
            ready: families.gauges("wrapped_gateway_ready", &GATEWAY, "1 where the condition Ready is True.")?,
        })
    }
}

/// What is counted of reconciliations.
pub(super) struct OfReconciliations {
    pub ended: IntCounterVec,
    pub took: HistogramVec,
    pub planning: Histogram,
    pub applying: Histogram,
    pub latency: Histogram,
    pub writes: IntCounter,
    pub queue: IntGaugeVec,
}

impl OfReconciliations {
    pub fn register(families: &mut Families) -> Result<Self> {
        let took = timed("reconciliation_duration_seconds", &REQUESTS, "How long reconciliations took.");
        Ok(Self {
            ended: families.counters(
                "reconciliations_total",
                &["controller", "result", "reason"],
                "Reconciliations that ended, by how they ended.",
            )?,
            took: families.add(HistogramVec::new(took, &["controller"]))?,
            planning: families.histogram("plan_duration_seconds", &PLANS, "How long plans took to be made.")?,
            applying: families.histogram(
                "apply_duration_seconds",
                &REQUESTS,
                "How long it took to write a Gateway, or to be refused.",
            )?,
            latency: families.histogram(
                "sync_latency_seconds",
                &LATENCIES,
                "From the first event of a watch that concerns a Gateway to the write that answers it.",
            )?,
            writes: families
                .add(IntCounter::with_opts(named("gateway_writes_total", "Applies that changed a Gateway.")))?,
            queue: families.gauges("queue_depth", &["controller"], "Objects that wait to be reconciled.")?,
        })
    }
}

/// What is counted of what is asked of the API server.
pub(super) struct OfRequests {
    pub routes: IntGaugeVec,
    pub served: IntGaugeVec,
    pub watch_errors: IntCounterVec,
    pub watch_restarts: IntCounterVec,
    pub requests: IntCounterVec,
}

impl OfRequests {
    pub fn register(families: &mut Families) -> Result<Self> {
        Ok(Self {
            routes: families.gauges("routes", &["kind"], "Routes of the cluster, attached or not.")?,
            served: families.gauges(
                "kind_served",
                &["kind"],
                "1 where the cluster serves the kind of route, Gateway or WrappedGateway.",
            )?,
            watch_errors: families.counters(
                "watch_errors_total",
                &["kind"],
                "Lists and watches that failed; each is tried again.",
            )?,
            watch_restarts: families.counters(
                "watch_restarts_total",
                &["kind"],
                "Lists that were begun anew because a watch could not go on.",
            )?,
            requests: families.counters(
                "api_requests_total",
                &["verb", "code"],
                "Requests to the API server by HTTP status, or by error where it did not answer.",
            )?,
        })
    }
}

/// What the process says of itself.
pub(super) struct OfProcess {
    pub leader: IntGauge,
}

impl OfProcess {
    pub fn register(families: &mut Families) -> Result<Self> {
        let build = families.gauges("build_info", &["version"], "The version that runs; always 1.")?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        #[cfg(target_os = "linux")]
        {
            use prometheus::process_collector::ProcessCollector;
            families.registry.register(Box::new(ProcessCollector::for_self()))?;
            families.all.push(Box::new(ProcessCollector::for_self()));
        }
        Ok(Self { leader: families.gauge("leader", "1 where this process reconciles, 0 where it stands by.")? })
    }
}

impl Default for Families {
    fn default() -> Self {
        Self { registry: Registry::new(), all: Vec::new() }
    }
}
