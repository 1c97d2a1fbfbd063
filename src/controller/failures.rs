//! How long each object waits after a failure.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// The waits after a failure that may go away by itself, from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));
/// What only a change can mend is tried again all the same, in case the change is one that nobody watches.
const PERMANENT: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(5));

/// The failures in a row of each object.
#[derive(Debug)]
pub struct Failures<K>(Mutex<HashMap<K, (Backoff, Backoff)>>);

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Failures<K> {
    /// Counts a failure and says how long to wait.
    pub fn failed(&self, key: &K, permanent: bool) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = || (Backoff::new(RETRY.0, RETRY.1), Backoff::new(PERMANENT.0, PERMANENT.1));
        let (retry, patient) = failures.entry(key.clone()).or_insert_with(begin);
        if permanent { patient } else { retry }.delay(Instant::now())
    }

    /// Forgets an object's failures.
    pub fn succeeded(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_waits_longer_after_each_failure_and_briefly_after_a_success() {
        let failures = Failures::default();
        for _ in 0..10 {
            failures.failed(&"a", false);
        }
        assert!(failures.failed(&"a", false) >= RETRY.1 / 2);
        assert!(failures.failed(&"b", false) <= RETRY.0);
        failures.succeeded(&"a");
        assert!(failures.failed(&"a", false) <= RETRY.0);
    }

    #[test]
    fn what_only_a_change_can_mend_is_tried_seldom() {
        assert!(Failures::default().failed(&"a", true) >= PERMANENT.0 / 2);
    }
}
