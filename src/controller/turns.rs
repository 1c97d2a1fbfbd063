//! Whose turn it is: what is due is worked on in the order in which it came to be due, a few light ones at a time or a heavy
//! one, and none twice at once. What becomes due while it waits is worked on once; what becomes due while it is worked on,
//! once more.
//!
//! This is client-go's work queue. kube's own controller has another one, which takes of those that are due whichever comes
//! first in a hash set: where many Gateways keep changing, some wait for ever longer behind others that came after them.
//! It also puts each trigger through a timer, which costs a millisecond or two.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::future::pending;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// What is due, now or later.
#[derive(Debug)]
pub struct Turns<K> {
    state: Mutex<State<K>>,
    /// Something came to be due, or weighs nothing any more.
    changed: Arc<Notify>,
}

/// How much is worked on at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many at most.
    pub count: usize,
    /// What they weigh together at most. What weighs more by itself is worked on alone.
    pub weight: u32,
    /// What takes longer than this weighs nothing any more, so that others need not wait for it.
    pub patience: Duration,
}

#[derive(Debug)]
struct State<K> {
    /// What waits for its turn, the longest first.
    line: VecDeque<K>,
    /// What is due: all of the line, and what is due once more when it will have been worked on.
    due: HashSet<K>,
    under_way: HashSet<K>,
    /// What will be due by itself, the soonest first, and when each of it will.
    later: BTreeSet<(Instant, K)>,
    times: HashMap<K, Instant>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        let state = State {
            line: VecDeque::new(),
            due: HashSet::new(),
            under_way: HashSet::new(),
            later: BTreeSet::new(),
            times: HashMap::new(),
        };
        Self { state: Mutex::new(state), changed: Arc::default() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Turns<K> {
    /// Something is due now.
    pub fn push(&self, key: K) {
        self.lock().push(key);
        self.changed.notify_one();
    }

    /// Has what is due worked on, so much at once, until `stop` resolves and what was under way then has ended. `work` says
    /// after how long its object is due again by itself, if it is.
    ///
    /// # Panics
    /// Where `work` does.
    pub async fn work<F>(
        &self,
        limits: Limits,
        weigh: impl Fn(&K) -> usize,
        stop: impl Future<Output = ()>,
        work: impl Fn(K) -> F,
    ) where
        K: Send + 'static,
        F: Future<Output = Option<Duration>> + Send + 'static,
    {
        let stop = stop.fuse();
        futures::pin_mut!(stop);
        let load = Arc::new(Semaphore::new(limits.weight as usize));
        let take_on = |key: &K| {
            let weight = u32::try_from(weigh(key)).unwrap_or(u32::MAX).clamp(1, limits.weight);
            Arc::clone(&load).try_acquire_many_owned(weight).ok()
        };
        let mut workers = JoinSet::new();
        loop {
            let next_later = self.lock().fall_due(Instant::now());
            while workers.len() < limits.count
                && let Some((key, weight)) = self.lock().next(take_on)
            {
                let working = relieved(work(key.clone()), weight, limits.patience, Arc::clone(&self.changed));
                workers.spawn(async move { (key, working.await) });
            }
            let fall_due = async {
                match next_later {
                    Some(when) => sleep_until(when).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = workers.join_next() => {
                    let (key, again) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                    self.lock().done(&key, again.map(|wait| Instant::now() + wait));
                }
                () = self.changed.notified() => {}
                () = fall_due => {}
            }
        }
        while workers.join_next().await.is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that carries its weight until it has ended, and no longer than that.
async fn relieved<F: Future>(
    working: F,
    weight: OwnedSemaphorePermit,
    patience: Duration,
    changed: Arc<Notify>,
) -> F::Output {
    let mut working = pin!(working);
    if let Ok(done) = timeout(patience, &mut working).await {
        return done;
    }
    drop(weight);
    changed.notify_one();
    working.await
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    fn push(&mut self, key: K) {
        if self.due.insert(key.clone()) && !self.under_way.contains(&key) {
            self.line.push_back(key);
        }
    }

    /// Whose turn it is, if it can be taken on now. What was to be due later is done with this turn.
    fn next<T>(&mut self, take_on: impl FnOnce(&K) -> Option<T>) -> Option<(K, T)> {
        let taken = take_on(self.line.front()?)?;
        let key = self.line.pop_front()?;
        self.due.remove(&key);
        self.under_way.insert(key.clone());
        if let Some(when) = self.times.remove(&key) {
            self.later.remove(&(when, key.clone()));
        }
        Some((key, taken))
    }

    fn done(&mut self, key: &K, again: Option<Instant>) {
        self.under_way.remove(key);
        if self.due.contains(key) {
            self.line.push_back(key.clone());
        }
        if let Some(when) = again {
            self.times.insert(key.clone(), when);
            self.later.insert((when, key.clone()));
        }
    }

    /// Puts into the line what was to be due by now. Returns when the next will be due.
    fn fall_due(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let (when, key) = self.later.pop_first()?;
            if when > now {
                self.later.insert((when, key));
                return Some(when);
            }
            self.times.remove(&key);
            self.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use futures::channel::mpsc::{UnboundedReceiver, unbounded};
    use tokio::sync::Semaphore;

    use super::*;

    const LATER: Duration = Duration::from_mins(1);
    const LIMITS: Limits = Limits { count: 2, weight: 10, patience: Duration::from_secs(1) };

    /// What has begun so far.
    fn begun(beginnings: &mut UnboundedReceiver<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| beginnings.try_recv().ok()).collect()
    }

    /// Runs everything that need not wait.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// Turns, two at a time unless they are too heavy, which end when they are let to; and what has begun.
    fn turns() -> (Arc<Turns<&'static str>>, Arc<Semaphore>, UnboundedReceiver<&'static str>) {
        let (turns, ends) = (Arc::new(Turns::default()), Arc::new(Semaphore::new(0)));
        let (begins, beginnings) = unbounded();
        let (working, ending) = (Arc::clone(&turns), Arc::clone(&ends));
        tokio::spawn(async move {
            let work = |key: &'static str| {
                begins.unbounded_send(key).unwrap();
                let ending = Arc::clone(&ending);
                async move {
                    ending.acquire().await.unwrap().forget();
                    (key == "again").then_some(LATER)
                }
            };
            let weigh = |key: &&str| if key.starts_with("heavy") { 100 } else { 5 };
            working.work(LIMITS, weigh, pending(), work).await;
        });
        (turns, ends, beginnings)
    }

    #[tokio::test]
    async fn what_came_first_comes_first_though_others_keep_coming() {
        let (turns, ends, mut beginnings) = turns();
        for key in ["a", "b", "c", "d"] {
            turns.push(key);
        }
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a", "b"]);
        turns.push("a");
        turns.push("b");
        ends.add_permits(2);
        settle().await;
        assert_eq!(begun(&mut beginnings), ["c", "d"]);
        ends.add_permits(2);
        settle().await;
        assert_eq!(begun(&mut beginnings).len(), 2);
    }

    #[tokio::test]
    async fn what_is_due_several_times_is_worked_on_once_and_once_more_if_it_was_under_way() {
        let (turns, ends, mut beginnings) = turns();
        turns.push("a");
        turns.push("a");
        settle().await;
        for key in ["a", "a"] {
            turns.push(key);
        }
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a"], "none twice at once");
        ends.add_permits(9);
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a"]);
    }

    #[tokio::test]
    async fn what_is_heavy_is_worked_on_alone_and_nothing_overtakes_it() {
        let (turns, ends, mut beginnings) = turns();
        for key in ["a", "heavy", "b", "c"] {
            turns.push(key);
        }
        for expected in [&["a"][..], &["heavy"], &["b", "c"]] {
            settle().await;
            assert_eq!(begun(&mut beginnings), expected);
            ends.add_permits(1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_waited_for_no_more_by_others() {
        let (turns, _ends, mut beginnings) = turns();
        turns.push("heavy");
        turns.push("a");
        settle().await;
        assert_eq!(begun(&mut beginnings), ["heavy"]);
        tokio::time::advance(LIMITS.patience).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), ["a"]);
        turns.push("heavy");
        turns.push("b");
        tokio::time::advance(LIMITS.patience).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), [""; 0], "no more than two at a time, and none of them twice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_again_by_itself_is_so_in_its_time_and_not_where_it_had_a_turn_before() {
        let (turns, ends, mut beginnings) = turns();
        ends.add_permits(9);
        turns.push("again");
        settle().await;
        tokio::time::advance(LATER / 2).await;
        turns.push("again");
        settle().await;
        assert_eq!(begun(&mut beginnings), ["again", "again"]);
        tokio::time::advance(LATER * 3 / 4).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), [""; 0]);
        tokio::time::advance(LATER / 4).await;
        settle().await;
        assert_eq!(begun(&mut beginnings), ["again"]);
    }

    #[tokio::test]
    async fn what_is_under_way_ends_before_the_end_and_nothing_else_begins() {
        let (turns, (begins, mut beginnings)) = (Turns::default(), unbounded());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        for key in ["a", "b"] {
            turns.push(key);
        }
        let ends = Arc::new(Semaphore::new(0));
        let one = Limits { count: 1, ..LIMITS };
        let working = turns.work(
            one,
            |_| 0,
            stopped.map(drop),
            |key| {
                begins.unbounded_send(key).unwrap();
                let ends = Arc::clone(&ends);
                async move {
                    ends.acquire().await.unwrap().forget();
                    None
                }
            },
        );
        futures::pin_mut!(working);
        assert!(working.as_mut().now_or_never().is_none());
        stop.send(()).unwrap();
        assert!(working.as_mut().now_or_never().is_none(), "a is under way");
        ends.add_permits(9);
        working.await;
        assert_eq!(begun(&mut beginnings), ["a"]);
    }
}
