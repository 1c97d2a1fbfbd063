//! What was written to each Gateway last, so that no write is repeated in vain and no fight over a field is fast.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::routes::GatewayRef;

/// Repetitions of a write that are granted at once: people edit Gateways, and the edit is to be undone without delay.
const FREE_REPETITIONS: u32 = 3;
/// The longest time between repetitions of a write.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// After this long, a repetition is no sign of a fight any more.
const FORGIVEN: Duration = Duration::from_mins(10);

/// What was written to each object last, most often a Gateway.
#[derive(Debug)]
pub struct Ledger<K = GatewayRef>(Mutex<HashMap<K, Entry>>);

impl<K> Default for Ledger<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Whether to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Write,
    /// No: the same write to the same object changed nothing.
    Futile,
    /// Not yet: the same was written again and again.
    Wait,
}

#[derive(Debug)]
struct Entry {
    wish: u64,
    /// Version of the Gateway at which this wish changes nothing.
    futile_at: Option<String>,
    repetitions: u32,
    written: Instant,
}

impl<K: Clone + Eq + Hash> Ledger<K> {
    /// Whether `wish` is to be written to the object in this version.
    #[must_use]
    pub fn permit(&self, key: &K, wish: &impl Hash, version: Option<&str>) -> Permit {
        self.permit_at(key, digest(wish), version, Instant::now())
    }

    /// Records that `wish` was written, and the version that the object has since.
    pub fn record(&self, key: &K, wish: &impl Hash, version: Option<&str>, changed_nothing: bool) {
        self.record_at(key, digest(wish), version.filter(|_| changed_nothing), Instant::now());
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn permit_at(&self, key: &K, wish: u64, version: Option<&str>, now: Instant) -> Permit {
        let entries = self.lock();
        let Some(entry) = entries.get(key).filter(|entry| entry.wish == wish) else { return Permit::Write };
        if version.is_some() && entry.futile_at.as_deref() == version {
            Permit::Futile
        } else if now < entry.written + wait(entry.repetitions) {
            Permit::Wait
        } else {
            Permit::Write
        }
    }

    fn record_at(&self, key: &K, wish: u64, futile_at: Option<&str>, now: Instant) {
        let mut entries = self.lock();
        let before = entries.get(key).filter(|entry| entry.wish == wish && now < entry.written + FORGIVEN);
        // A write that changed nothing undid nothing.
        let repetitions = match before {
            Some(entry) if futile_at.is_none() => entry.repetitions.saturating_add(1),
            Some(entry) => entry.repetitions,
            None => 0,
        };
        entries.insert(key.clone(), Entry { wish, futile_at: futile_at.map(str::to_owned), repetitions, written: now });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Entry>> {
        // Each change is one insertion, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(repetitions: u32) -> Duration {
    match repetitions.checked_sub(FREE_REPETITIONS) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1 << beyond.min(6)).min(LONGEST_WAIT),
    }
}

fn digest(wish: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    wish.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> GatewayRef {
        GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() }
    }

    #[test]
    fn a_write_that_changed_nothing_is_not_repeated_on_the_same_version() {
        let (ledger, now) = (Ledger::default(), Instant::now());
        ledger.record_at(&key(), 1, Some("7"), now);
        assert_eq!(ledger.permit_at(&key(), 1, Some("7"), now), Permit::Futile);
        assert_eq!(ledger.permit_at(&key(), 1, Some("8"), now), Permit::Write);
        assert_eq!(ledger.permit_at(&key(), 2, Some("7"), now), Permit::Write);
    }

    #[test]
    fn what_is_undone_again_and_again_is_written_ever_more_slowly() {
        let (ledger, now) = (Ledger::default(), Instant::now());
        for _ in 0..FREE_REPETITIONS {
            ledger.record_at(&key(), 1, None, now);
            assert_eq!(ledger.permit_at(&key(), 1, None, now), Permit::Write);
        }
        ledger.record_at(&key(), 1, None, now);
        assert_eq!(ledger.permit_at(&key(), 1, None, now), Permit::Wait);
        assert_eq!(ledger.permit_at(&key(), 1, None, now + Duration::from_secs(1)), Permit::Write);
        for _ in 0..20 {
            ledger.record_at(&key(), 1, None, now);
        }
        assert_eq!(ledger.permit_at(&key(), 1, None, now + Duration::from_secs(59)), Permit::Wait);
        assert_eq!(ledger.permit_at(&key(), 1, None, now + LONGEST_WAIT), Permit::Write);
    }

    #[test]
    fn another_wish_is_written_at_once() {
        let (ledger, now) = (Ledger::default(), Instant::now());
        for _ in 0..20 {
            ledger.record_at(&key(), 1, None, now);
        }
        assert_eq!(ledger.permit_at(&key(), 2, None, now), Permit::Write);
        ledger.record_at(&key(), 2, None, now);
        assert_eq!(ledger.permit_at(&key(), 1, None, now), Permit::Write);
    }
}
