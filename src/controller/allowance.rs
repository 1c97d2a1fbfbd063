//! How much may be said: so much at once, and then ever so often. Whoever can write thousands of routes, and change them as
//! fast as the API server takes it, must not be able to fill it with events.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What each of many is allowed.
#[derive(Debug)]
pub struct Allowance<K> {
    at_once: u32,
    every: Duration,
    /// When each will be allowed as much at once again as at first.
    restored: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Allowance<K> {
    /// Each is allowed so much at once, and as much again as passes of `every`.
    #[must_use]
    pub fn new(at_once: u32, every: Duration) -> Self {
        Self { at_once, every, restored: Mutex::default() }
    }

    /// Takes one, if there is one.
    pub fn take(&self, key: K, now: Instant) -> bool {
        let mut restored = self.restored.lock().unwrap_or_else(PoisonError::into_inner);
        // Looking through all of them only when they have doubled keeps this cheap.
        if restored.len() == restored.capacity() {
            restored.retain(|_, restored| now < *restored);
        }
        let then = restored.get(&key).copied().filter(|then| now < *then).unwrap_or(now) + self.every;
        let allowed = then <= now + self.every * self.at_once;
        if allowed {
            restored.insert(key, then);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    #[test]
    fn so_much_at_once_and_then_ever_so_often() {
        let (allowance, now) = (Allowance::new(3, EVERY), Instant::now());
        let taken = |seconds| (0..10).filter(|_| allowance.take("a", now + Duration::from_secs(seconds))).count();
        assert_eq!([taken(0), taken(9), taken(10), taken(35), taken(1000)], [3, 0, 1, 2, 3]);
    }

    #[test]
    fn one_takes_nothing_from_another() {
        let (allowance, now) = (Allowance::new(1, EVERY), Instant::now());
        assert_eq!([allowance.take("a", now), allowance.take("a", now), allowance.take("b", now)], [true, false, true]);
    }

    #[test]
    fn whoever_is_quiet_is_forgotten() {
        let (allowance, now) = (Allowance::new(1, EVERY), Instant::now());
        for number in 0..10_000_u32 {
            allowance.take(number, now + EVERY * number);
        }
        assert!(allowance.restored.lock().unwrap().len() < 100);
    }
}
