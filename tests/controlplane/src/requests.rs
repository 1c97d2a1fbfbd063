//! What the API server says of itself: what it was asked for, and how long processors have worked for it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::ControlPlane;
use crate::access::get;
use crate::error::{Error, Result};

const METRIC: &str = "apiserver_request_total{";
/// In seconds.
const PROCESSOR_TIME: &str = "process_cpu_seconds_total";

/// The verbs of requests that may change something, as the API server's metrics call them.
const WRITES: [&str; 6] = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"];

/// What kind of request is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// GET, LIST, WATCH, POST, PUT, PATCH, APPLY, DELETE or DELETECOLLECTION.
    pub verb: String,
    /// Group, resource and subresource, as in `gateway.networking.k8s.io/gateways/status`. The core group has no name,
    /// as in `events`.
    pub resource: String,
    /// The HTTP status of the answer.
    pub code: u16,
}

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.code)
    }
}

/// How many requests of which kind the API server has answered, those of its own and of the controller manager included.
///
/// The API server counts a request when it has answered it, so a watch is counted when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests(pub BTreeMap<RequestKey, u64>);

impl Requests {
    /// What came on top of `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let added = self.0.iter().map(|(key, count)| {
            // An API server that was started again counts from zero.
            (key.clone(), count.saturating_sub(earlier.0.get(key).copied().unwrap_or_default()))
        });
        Self(added.filter(|(_, count)| *count > 0).collect())
    }

    /// Only those that may change something.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.only(|key| WRITES.contains(&key.verb.as_str()))
    }

    /// Only those for a resource, its subresources included: `gateway.networking.k8s.io/gateways` has
    /// `gateway.networking.k8s.io/gateways/status` with it, and `gateway.networking.k8s.io` has the whole group.
    #[must_use]
    pub fn of(&self, resource: &str) -> Self {
        self.only(|key| {
            key.resource.strip_prefix(resource).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Only those that `wanted` says.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&RequestKey) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| wanted(key)).map(|(key, count)| (key.clone(), *count)).collect())
    }

    /// How many these are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Reads the metrics of an API server.
    fn parse(metrics: &str) -> Self {
        let mut requests = Self::default();
        for (key, count) in metrics.lines().filter_map(parse_line) {
            *requests.0.entry(key).or_default() += count;
        }
        requests
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, count)| writeln!(f, "{count} {key}"))
    }
}

impl ControlPlane {
    /// What the API server was asked for since it was started.
    ///
    /// # Errors
    /// When the API server cannot be reached.
    pub async fn requests(&self) -> Result<Requests> {
        Ok(Requests::parse(&self.metrics().await?))
    }

    /// How long processors have worked for the API server since it was started.
    ///
    /// # Errors
    /// When the API server cannot be reached, or does not say.
    pub async fn processor_time(&self) -> Result<Duration> {
        let metrics = self.metrics().await?;
        let seconds = metrics.lines().find_map(|line| line.strip_prefix(PROCESSOR_TIME)?.trim().parse().ok());
        seconds.map(Duration::from_secs_f64).ok_or(Error::NoMetric(PROCESSOR_TIME))
    }

    async fn metrics(&self) -> Result<String> {
        get(&self.client()?, "/metrics").await.map_err(Error::kube("reading the metrics"))
    }
}

/// Reads `apiserver_request_total{code="200",group="",resource="configmaps",...} 3`; requests for no resource, such as
/// those for health, are left out.
fn parse_line(line: &str) -> Option<(RequestKey, u64)> {
    let (labels, count) = line.strip_prefix(METRIC)?.rsplit_once("} ")?;
    let labels: BTreeMap<&str, &str> = labels
        .split(',')
        .filter_map(|label| label.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    let label = |name| labels.get(name).copied().filter(|value: &&str| !value.is_empty());
    let resource = [label("group"), Some(label("resource")?), label("subresource")];
    let key = RequestKey {
        verb: label("verb")?.to_owned(),
        resource: resource.into_iter().flatten().collect::<Vec<_>>().join("/"),
        code: label("code")?.parse().ok()?,
    };
    Some((key, parse_count(count)?))
}

/// Counters are printed as floating point numbers, large ones as `1.234567e+06`.
fn parse_count(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| format!("{:.0}", text.parse::<f64>().ok()?).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# HELP apiserver_request_total [STABLE] Counter of apiserver requests
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="PUT",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 9
apiserver_request_total{code="200",component="apiserver",dry_run="",group="g.io",resource="things",scope="resource",subresource="status",verb="APPLY",version="v1"} 1.5e+06
apiserver_request_total{code="200",component="apiserver",dry_run="",group="g.io",resource="things",scope="resource",subresource="",verb="LIST",version="v1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="g.io",resource="things",scope="resource",subresource="",verb="LIST",version="v2"} 1
apiserver_request_duration_seconds_count{group="g.io"} 4
"#;

    #[test]
    fn requests_are_read_from_metrics() {
        let requests = Requests::parse(METRICS);
        assert_eq!(
            requests.to_string(),
            "1500000 APPLY g.io/things/status 200\n2 LIST g.io/things 200\n3 PUT configmaps 200\n"
        );
        assert_eq!(requests.of("g.io/things").writes().total(), 1_500_000);
        assert_eq!(requests.of("g.io/thing").total(), 0);
        assert_eq!(requests.since(&requests), Requests::default());
    }
}
