//! What waits to be reconciled, and since when something asks for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntGauge;

/// Objects that something asks to be reconciled, until that was done.
#[derive(Debug)]
pub struct Queue<K> {
    depth: IntGauge,
    asked: Mutex<HashMap<K, Asked>>,
}

/// Since when something asks for an object.
#[derive(Debug, Default)]
struct Asked {
    /// What it has not been looked at for yet.
    waiting: Option<Instant>,
    /// What it was looked at for, and is not as it should be yet.
    begun: Option<Instant>,
}

impl<K: Eq + Hash + Clone> Queue<K> {
    /// Nothing waits. `depth` is kept equal to the number of objects that do.
    #[must_use]
    pub fn new(depth: IntGauge) -> Self {
        Self { depth, asked: Mutex::default() }
    }

    /// Something asks for an object.
    pub fn push(&self, key: &K) {
        self.with(key, |asked| {
            asked.waiting.get_or_insert_with(Instant::now);
        });
    }

    /// An object is being reconciled.
    pub fn begin(&self, key: &K) {
        self.with(key, |asked| {
            let waiting = asked.waiting.take();
            // What a reconciliation that failed was asked for is asked for still.
            asked.begun = asked.begun.or(waiting);
        });
    }

    /// An object is as it should be: how long ago something first asked for that. What asks since the reconciliation began
    /// waits for another one.
    pub fn done(&self, key: &K) -> Option<Duration> {
        self.with(key, |asked| asked.begun.take().map(|since| since.elapsed()))
    }

    /// An object is gone.
    pub fn forget(&self, key: &K) {
        self.with(key, |asked| *asked = Asked::default());
    }

    fn with<T>(&self, key: &K, change: impl FnOnce(&mut Asked) -> T) -> T {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = all.entry(key.clone()).or_default();
        let waited = asked.waiting.is_some();
        let result = change(asked);
        self.depth.add(i64::from(asked.waiting.is_some()) - i64::from(waited));
        if asked.waiting.is_none() && asked.begun.is_none() {
            all.remove(key);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> (Queue<&'static str>, IntGauge) {
        let depth = IntGauge::new("depth", "How many wait.").unwrap();
        (Queue::new(depth.clone()), depth)
    }

    #[test]
    fn an_object_waits_once_however_often_it_is_asked_for() {
        let (queue, depth) = queue();
        for key in ["a", "b", "a"] {
            queue.push(&key);
        }
        assert_eq!(depth.get(), 2);
        queue.begin(&"a");
        assert_eq!(depth.get(), 1);
        assert!(queue.done(&"a").is_some());
        assert_eq!((queue.done(&"a"), depth.get()), (None, 1));
    }

    #[test]
    fn what_asks_while_an_object_is_reconciled_waits_for_another_time() {
        let (queue, depth) = queue();
        queue.push(&"a");
        queue.begin(&"a");
        queue.push(&"a");
        assert!(queue.done(&"a").is_some());
        assert_eq!(depth.get(), 1);
        queue.begin(&"a");
        assert!(queue.done(&"a").is_some());
        assert_eq!(depth.get(), 0);
    }

    #[test]
    fn what_a_failure_left_undone_counts_from_when_it_was_first_asked_for() {
        let (queue, depth) = queue();
        queue.push(&"a");
        queue.begin(&"a");
        let first = queue.with(&"a", |asked| asked.begun);
        queue.push(&"a");
        queue.begin(&"a");
        assert_eq!(queue.with(&"a", |asked| asked.begun), first);
        assert_eq!(depth.get(), 0);
    }

    #[test]
    fn what_is_gone_does_not_wait() {
        let (queue, depth) = queue();
        queue.push(&"a");
        queue.forget(&"a");
        assert_eq!((queue.done(&"a"), depth.get()), (None, 0));
        assert!(queue.asked.lock().unwrap().is_empty());
    }
}
