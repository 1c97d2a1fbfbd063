//! How long each object waits after a failure.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// The waits after a failure that may go away by itself, from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));
/// The first wait after what only a change can mend. It is tried again all the same, in case the change is one that nobody
/// watches, such as one of rights.
const PERMANENT: Duration = Duration::from_secs(20);

/// The failures in a row of each object.
#[derive(Debug)]
pub struct Failures<K> {
    /// The longest wait after what only a change can mend.
    patience: Duration,
    inner: Mutex<HashMap<K, Row>>,
}

/// The failures in a row of one object.
#[derive(Debug)]
struct Row {
    retry: Backoff,
    permanent: Backoff,
    /// What the last one said.
    said: String,
}

impl<K: Eq + Hash + Clone> Failures<K> {
    /// Nothing has failed. What only a change can mend is tried again at the latest after `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self { patience, inner: Mutex::default() }
    }

    /// Counts a failure and says how long to wait.
    pub fn failed(&self, key: &K, permanent: bool) -> Duration {
        self.with(key, |row| if permanent { &mut row.permanent } else { &mut row.retry }.delay(Instant::now()))
    }

    /// Whether the object's last failure said something else, so that this one is worth a line in the log.
    pub fn is_news(&self, key: &K, said: &str) -> bool {
        self.with(key, |row| {
            let is_news = row.said != said;
            said.clone_into(&mut row.said);
            is_news
        })
    }

    fn with<T>(&self, key: &K, work: impl FnOnce(&mut Row) -> T) -> T {
        let mut rows = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        work(rows.entry(key.clone()).or_insert_with(|| Row {
            retry: Backoff::new(RETRY.0, RETRY.1),
            permanent: Backoff::new(PERMANENT, self.patience),
            said: String::new(),
        }))
    }

    /// Forgets an object's failures.
    pub fn succeeded(&self, key: &K) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_waits_longer_after_each_failure_and_briefly_after_a_success() {
        let failures = Failures::new(PERMANENT);
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
        let failures = Failures::new(PERMANENT);
        for _ in 0..10 {
            let wait = failures.failed(&"a", true);
            assert!(wait >= PERMANENT / 2 && wait <= PERMANENT, "{wait:?}");
        }
    }

    #[test]
    fn a_failure_is_news_once_until_it_changes_or_ends() {
        let failures = Failures::new(PERMANENT);
        let news = ["forbidden", "forbidden", "unreachable", "forbidden"].map(|said| failures.is_news(&"a", said));
        assert_eq!(news, [true, false, true, true]);
        failures.succeeded(&"a");
        assert!(failures.is_news(&"a", "forbidden"));
    }
}
