//! Awaiting a condition with a deadline.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// How long to wait before asking again: short beside what a test waits for, long beside what a question costs.
const INTERVAL: Duration = Duration::from_millis(50);

/// A condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {}s in vain until {what}; it last said: {last}", within.as_secs_f32())]
pub struct TimedOut {
    /// What was waited for, so that it reads well after "until".
    pub what: String,
    /// How long.
    pub within: Duration,
    /// Why the condition was not yet true when it was last asked.
    pub last: String,
}

/// Asks `probe` again and again until it answers `Ok`, and returns that answer.
///
/// An `Err` says why it is not so yet; the last one is in the error that the deadline brings. `what` should read well
/// after "until", as in `eventually("the Gateway is gone", ...)`. A probe that hangs does not outlast the deadline.
///
/// # Errors
/// [`TimedOut`] when `probe` has not answered `Ok` within `within`.
pub async fn eventually<T, E: Display, F: Future<Output = std::result::Result<T, E>>>(
    what: &str,
    within: Duration,
    // Not `AsyncFnMut`: for its futures the compiler cannot yet prove that they may change threads.
    mut probe: impl FnMut() -> F,
) -> std::result::Result<T, TimedOut> {
    let deadline = Instant::now() + within;
    let mut last = String::from("nothing");
    while let Ok(answer) = timeout_at(deadline, probe()).await {
        match answer {
            Ok(value) => return Ok(value),
            Err(reason) => last = reason.to_string(),
        }
        let next = Instant::now() + INTERVAL;
        if next >= deadline {
            break;
        }
        sleep_until(next).await;
    }
    Err(TimedOut { what: what.to_owned(), within, last })
}
