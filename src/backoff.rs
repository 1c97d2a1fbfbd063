//! Waiting longer after each failure, and never in step with others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// Delays that double from the first to the last. Each is shortened at random by up to a half, so that many that failed
/// at once do not come back at once.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    next: Duration,
    failed: Option<Instant>,
}

impl Backoff {
    /// Starts at `first`, and ends at `last`.
    #[must_use]
    pub const fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, next: first, failed: None }
    }

    /// How long to wait after a failure just now. What went well for twice the longest delay begins anew.
    pub fn delay(&mut self, now: Instant) -> Duration {
        if self.failed.is_some_and(|failed| now.duration_since(failed) > 2 * self.last) {
            self.reset();
        }
        let delay = self.next;
        self.next = (2 * delay).min(self.last);
        self.failed = Some(now);
        delay.mul_f64(1.0 - random_fraction() / 2.0)
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Evenly spread over 0.0 to 1.0: each `RandomState` has other keys, which is random enough for a delay.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LAST: Duration = Duration::from_secs(5);

    #[test]
    fn delays_double_up_to_the_last() {
        let (mut backoff, now) = (Backoff::new(FIRST, LAST), Instant::now());
        for full in [1, 2, 4, 5, 5] {
            let (full, delay) = (Duration::from_secs(full), backoff.delay(now));
            assert!(full / 2 <= delay && delay <= full, "{delay:?} of {full:?}");
        }
    }

    #[test]
    fn what_went_well_for_a_while_begins_anew() {
        let (mut backoff, now) = (Backoff::new(FIRST, LAST), Instant::now());
        for _ in 0..5 {
            backoff.delay(now);
        }
        assert!(backoff.delay(now + 2 * LAST) > FIRST);
        assert!(backoff.delay(now + 5 * LAST) <= FIRST);
    }

    #[test]
    fn delays_differ() {
        let now = Instant::now();
        let delays: std::collections::BTreeSet<_> = (0..16).map(|_| Backoff::new(FIRST, LAST).delay(now)).collect();
        assert!(delays.len() > 1);
    }
}
