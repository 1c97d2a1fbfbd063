//! What can be said of the election, and whether it makes sense together.

use std::str::FromStr;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::BoolishValueParser;

/// How the replica that works is found.
#[derive(Clone, Debug, ClapArgs)]
#[group(skip)]
pub struct Args {
    /// Whether one of several replicas works and the others stand by
    #[arg(
        long,
        env = "LEADER_ELECTION",
        value_name = "BOOL",
        default_value = "false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub leader_election: bool,
    /// Name of the Lease
    #[arg(long, env = "LEADER_ELECTION_NAME", value_name = "NAME", default_value = "gateway-route-sync")]
    leader_election_name: String,
    /// Namespace of the Lease; empty: that of the pod, or of the kubeconfig's context
    #[arg(
        long,
        env = "LEADER_ELECTION_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "",
        hide_default_value = true
    )]
    leader_election_namespace: String,
    /// After this long without renewal another replica may take the Lease; in whole seconds
    #[arg(long, env = "LEADER_ELECTION_LEASE_DURATION", value_name = "DURATION", default_value = "15s")]
    leader_election_lease_duration: Span,
    /// After this long without renewal the replica that holds the Lease gives up
    #[arg(long, env = "LEADER_ELECTION_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s")]
    leader_election_renew_deadline: Span,
    /// Between attempts to win or renew the Lease
    #[arg(long, env = "LEADER_ELECTION_RETRY_PERIOD", value_name = "DURATION", default_value = "2s")]
    leader_election_retry_period: Span,
}

/// Which Lease is fought for, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// After this long without renewal another may take it, in seconds.
    pub lease_seconds: i32,
    /// After this long without renewal its holder gives up.
    pub renew_within: Duration,
    /// Between attempts to win or renew it.
    pub retry: Duration,
}

impl Terms {
    /// How long one request may take: two of them fit between the first renewal and the end.
    pub(super) fn request_timeout(&self) -> Duration {
        self.renew_within.saturating_sub(self.retry) / 2
    }
}

/// Times that make no sense together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Senseless {
    /// A Lease has whole seconds.
    #[error("--leader-election-lease-duration is in whole seconds, and at least 1s")]
    Duration,
    /// Two would work at once.
    #[error(
        "--leader-election-renew-deadline has to be shorter than --leader-election-lease-duration, or two replicas could \
         work at once"
    )]
    Deadline,
    /// There would be no time for a second attempt.
    #[error(
        "--leader-election-retry-period has to be more than nothing, and less than half of \
         --leader-election-renew-deadline, or one slow answer would end the replica that works"
    )]
    Retry,
}

impl Args {
    /// The terms, if these are wanted and make sense. `namespace` is taken where none is named.
    ///
    /// # Errors
    ///
    /// Where the times make no sense together.
    pub fn terms(&self, namespace: &str) -> Result<Option<Terms>, Senseless> {
        let Span(lease) = self.leader_election_lease_duration;
        let (Span(renew_within), Span(retry)) =
            (self.leader_election_renew_deadline, self.leader_election_retry_period);
        let lease_seconds =
            i32::try_from(lease.as_secs()).ok().filter(|seconds| *seconds > 0 && lease.subsec_nanos() == 0);
        let lease_seconds = lease_seconds.ok_or(Senseless::Duration)?;
        if renew_within >= lease {
            return Err(Senseless::Deadline);
        }
        if retry.is_zero() || 2 * retry >= renew_within {
            return Err(Senseless::Retry);
        }
        let named = &self.leader_election_namespace;
        let namespace = if named.is_empty() { namespace } else { named }.to_owned();
        let name = self.leader_election_name.clone();
        Ok(self.leader_election.then_some(Terms { name, namespace, lease_seconds, renew_within, retry }))
    }
}

/// A span of time as people write it: `15s`, `500ms`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => number.checked_mul(60).map(Duration::from_secs),
            _ => None,
        }
        .map(Self)
        .ok_or(EXPECTED)
    }
}

const EXPECTED: &str = "expected a number with a unit, as in 15s, 500ms or 2m";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn terms(words: &[&str]) -> Result<Option<Terms>, Senseless> {
        let words = ["x", "--leader-election"].iter().chain(words);
        Line::try_parse_from(words).unwrap().args.terms("infra")
    }

    #[test]
    fn nothing_said_means_what_kubernetes_itself_does() {
        let wanted = Terms {
            name: "gateway-route-sync".to_owned(),
            namespace: "infra".to_owned(),
            lease_seconds: 15,
            renew_within: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        };
        assert_eq!(wanted.request_timeout(), Duration::from_secs(4));
        assert_eq!(terms(&[]), Ok(Some(wanted)));
        assert_eq!(Line::try_parse_from(["x"]).unwrap().args.terms("infra"), Ok(None));
    }

    #[test]
    fn everything_can_be_said() {
        let words = ["name=a", "namespace=b", "lease-duration=1m", "renew-deadline=4s", "retry-period=500ms"];
        let words = words.map(|word| format!("--leader-election-{word}"));
        let terms = terms(&words.each_ref().map(String::as_str)).unwrap().unwrap();
        assert_eq!((terms.name.as_str(), terms.namespace.as_str(), terms.lease_seconds), ("a", "b", 60));
        assert_eq!((terms.renew_within, terms.retry), (Duration::from_secs(4), Duration::from_millis(500)));
    }

    #[test]
    fn times_that_make_no_sense_are_refused() {
        assert_eq!(terms(&["--leader-election-lease-duration=1500ms"]), Err(Senseless::Duration));
        assert_eq!(terms(&["--leader-election-lease-duration=0s"]), Err(Senseless::Duration));
        assert_eq!(terms(&["--leader-election-renew-deadline=15s"]), Err(Senseless::Deadline));
        assert_eq!(terms(&["--leader-election-retry-period=5s"]), Err(Senseless::Retry));
        assert_eq!(terms(&["--leader-election-retry-period=0s"]), Err(Senseless::Retry));
    }

    #[test]
    fn a_span_of_time_has_a_unit() {
        for text in ["", "15", "s", "-1s", "1.5s", "1h", "99999999999999999999s", "999999999999999999m"] {
            assert_eq!(text.parse::<Span>(), Err(EXPECTED), "{text}");
        }
    }
}
