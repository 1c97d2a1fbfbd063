//! Logs: what is said, how, and to whom (standard error).

use std::io::{self, IsTerminal as _};

use clap::Args as ClapArgs;
use tokio::signal::unix::Signal;
use tracing::info;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, registry, reload};

/// How much is logged, and how it looks. Checked by [`Args::init`] and not while it is read: clap reads a variable also
/// where a flag beats it, and one that is wrong would count.
#[derive(Clone, Debug, ClapArgs)]
#[group(skip)]
pub struct Args {
    /// How much is logged: error, warn, info, debug, trace or off; also by part of the program, after a comma
    #[arg(long, global = true, env = "LOG_LEVEL", value_name = "LOG_LEVEL", default_value = "info")]
    log_level: String,
    /// How each line of the log looks: text, for people, or json
    #[arg(long, global = true, env = "LOG_FORMAT", value_name = "LOG_FORMAT", default_value = "text")]
    log_format: String,
}

/// Why it is not known how to log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The level is none.
    #[error(
        "invalid value '{0}' for '--log-level <LOG_LEVEL>' (LOG_LEVEL): expected error, warn, info, debug, trace or off, \
         or a list of these and of target=level"
    )]
    Level(String),
    /// The format is none.
    #[error("invalid value '{0}' for '--log-format <LOG_FORMAT>' (LOG_FORMAT): expected text or json")]
    Format(String),
}

/// What the HTTP client and the watcher say is said better elsewhere, once and not at each retry; and the client would
/// print a whole list that it cannot read. What is reconciled is said by this program, with a name for each time.
const QUIET: &str = "kube_client=off,kube_runtime::watcher=off,kube_runtime::controller=warn";
/// Even somebody who looks for an error seldom wants to see each connection.
const QUIET_WHEN_DEBUGGING: &str = "hyper_util=info,rustls=info,tower=info,kube_runtime::controller=warn";
/// What is logged on demand: the reason of each decision, and not what libraries do.
const ON_DEMAND: &str = "info,homelab_helper=debug";

fn filter(level: &str) -> Result<Targets, Error> {
    directives(level).and_then(|directives| directives.parse().ok()).ok_or_else(|| Error::Level(level.to_owned()))
}

fn directives(level: &str) -> Option<String> {
    let is_valid = |part: &str| match part.rsplit_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(part),
    };
    let level = level.to_ascii_lowercase();
    let parts: Vec<_> =
        level.split(',').map(|part| if part.trim() == "warning" { "warn" } else { part.trim() }).collect();
    let quiet = match parts[..] {
        ["trace"] => return Some("trace".to_owned()),
        ["debug"] => QUIET_WHEN_DEBUGGING,
        _ => QUIET,
    };
    // What stands later wins, so that whoever names one of the quiet targets hears it.
    parts.iter().all(|part| is_valid(part)).then(|| format!("{quiet},{}", parts.join(",")))
}

fn is_level(text: &str) -> bool {
    matches!(text, "error" | "warn" | "info" | "debug" | "trace" | "off")
}

impl Args {
    /// Begins to log. A second call changes nothing.
    ///
    /// # Errors
    ///
    /// Where level or format is none.
    pub fn init(&self) -> Result<LogLevel, Error> {
        let (filter, handle) = reload::Layer::new(filter(&self.log_level)?);
        let filtered = registry().with(filter);
        let logs = fmt::layer().with_writer(io::stderr);
        // Fails only where logging has begun before.
        let _ = match self.log_format.to_ascii_lowercase().as_str() {
            "text" => filtered.with(logs.with_ansi(io::stderr().is_terminal())).try_init(),
            "json" => filtered.with(logs.json().flatten_event(true).with_span_list(false)).try_init(),
            _ => return Err(Error::Format(self.log_format.clone())),
        };
        Ok(LogLevel { configured: self.log_level.clone(), filter: handle })
    }
}

/// How much is logged, while the program runs.
pub struct LogLevel {
    configured: String,
    filter: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// Logs the reason of each decision from one signal to the next, for ever.
    ///
    /// A signal and no request: whoever can send one may end the process as well, and nobody else gets to fill the log.
    pub async fn follow(self, mut signals: Signal) {
        loop {
            for level in [ON_DEMAND, &self.configured] {
                if signals.recv().await.is_none() {
                    // The process is ending.
                    return std::future::pending().await;
                }
                // Both have been read once, so that neither makes no sense.
                let Ok(filter) = filter(level) else { continue };
                info!(now = level, "SIGUSR1 changes what is logged");
                // Fails only where [`Args::init`] came second, and then nothing is to be changed.
                let _ = self.filter.reload(filter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_in_any_case() {
        for text in ["info", "INFO", "Warning", "off", ON_DEMAND, "warn, kube_client=debug"] {
            assert!(filter(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in ["", "verbose", "info,", "info,homelab_helper", "=info", "homelab_helper=loud"] {
            assert_eq!(filter(text).unwrap_err(), Error::Level(text.to_owned()));
        }
    }

    #[test]
    fn each_retry_of_the_client_is_heard_only_by_those_who_ask() {
        assert!(directives("info").unwrap().starts_with(QUIET));
        assert_eq!(directives("trace").unwrap(), "trace");
        assert!(directives("info,kube_client=debug").unwrap().ends_with(",kube_client=debug"));
    }
}
