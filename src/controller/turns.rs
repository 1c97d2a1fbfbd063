//! Whose turn it is: what is due is worked on in the order in which it came to be due, and none twice at once. What becomes
//! due while it waits is worked on once; what becomes due while it is worked on, once more. Either is in the midst of many
//! changes, and so is what had a turn only just after another one: it has its turn after them, and of those of which that is so
//! a few light ones are worked on at a time, or a heavy one. A single change waits for none of them.
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
    /// What those weigh together at most that are in the midst of many changes. What weighs more by itself is the only one
    /// of them. What waits for its turn meanwhile takes one turn for all that comes.
    pub weight: u32,
    /// What takes longer than this weighs nothing any more, so that others need not wait for it.
    pub patience: Duration,
    /// What is in the midst of many changes waits until there was none for so long,
    pub quiet: Duration,
    /// but no longer than this.
    pub delay: Duration,
}

/// Since when something is due.
#[derive(Clone, Copy, Debug)]
struct Due {
    first: Instant,
    /// When it last became due once more.
    last: Instant,
    amid: Amid,
}

/// What other changes there are beside the one that made something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amid {
    None,
    /// The one that is being worked on.
    One,
    Many,
}

impl Due {
    /// From when on it may have its turn. A few changes do not wait for others that may never come.
    fn begin(self, limits: Limits) -> Instant {
        if self.amid == Amid::Many { (self.last + limits.quiet).min(self.first + limits.delay) } else { self.first }
    }
}

/// The last turn that something had.
#[derive(Clone, Copy, Debug)]
struct Turn {
    began: Instant,
    /// Just after another one, or in the midst of many changes.
    followed: bool,
}

#[derive(Debug)]
struct State<K> {
    limits: Limits,
    /// What waits for its turn, the longest first.
    line: VecDeque<K>,
    /// What is due: all of the line, and what is due once more when it will have been worked on.
    due: HashMap<K, Due>,
    under_way: HashSet<K>,
    /// Turns that began within the time that counts as quiet.
    recent: HashMap<K, Turn>,
    /// What will be due by itself, the soonest first, and when each of it will.
    later: BTreeSet<(Instant, K)>,
    times: HashMap<K, Instant>,
}

impl<K: Clone + Eq + Hash + Ord> Turns<K> {
    /// Nothing is due yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            line: VecDeque::new(),
            due: HashMap::new(),
            under_way: HashSet::new(),
            recent: HashMap::new(),
            later: BTreeSet::new(),
            times: HashMap::new(),
        };
        Self { state: Mutex::new(state), changed: Arc::default() }
    }

    /// Something is due now.
    pub fn push(&self, key: K) {
        self.lock().push(key, Instant::now());
        self.changed.notify_one();
    }

    /// Has what is due worked on, as much at once as may be, until `stop` resolves and what was under way then has ended.
    /// `work` says after how long its object is due again by itself, if it is.
    ///
    /// # Panics
    /// Where `work` does.
    pub async fn work<F>(&self, weigh: impl Fn(&K) -> usize, stop: impl Future<Output = ()>, work: impl Fn(K) -> F)
    where
        K: Send + 'static,
        F: Future<Output = Option<Duration>> + Send + 'static,
    {
        let limits = self.lock().limits;
        let stop = stop.fuse();
        futures::pin_mut!(stop);
        let load = Arc::new(Semaphore::new(limits.weight as usize));
        let take_on = |key: &K, due: Due| {
            let weigh = || u32::try_from(weigh(key)).unwrap_or(u32::MAX).clamp(1, limits.weight);
            let weight = if due.amid == Amid::None { 0 } else { weigh() };
            Arc::clone(&load).try_acquire_many_owned(weight).ok()
        };
        let mut workers = JoinSet::new();
        loop {
            let now = Instant::now();
            let next_later = self.lock().fall_due(now);
            while workers.len() < limits.count
                && let Some((key, weight)) = self.lock().next(now, take_on)
            {
                let working = relieved(work(key.clone()), weight, limits.patience, Arc::clone(&self.changed));
                workers.spawn(async move { (key, working.await) });
            }
            let wake = self.lock().next_quiet(now).into_iter().chain(next_later).min();
            let time = async {
                match wake {
                    Some(when) => sleep_until(when).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = workers.join_next() => {
                    let (key, again) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
                    self.lock().done(&key, again, Instant::now());
                }
                () = self.changed.notified() => {}
                () = time => {}
            }
        }
        while workers.join_next().await.is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that carries its weight until it has ended, or until patience has.
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
    fn push(&mut self, key: K, now: Instant) {
        if let Some(due) = self.due.get_mut(&key) {
            (due.last, due.amid) = (now, Amid::Many);
            return;
        }
        let busy = self.under_way.contains(&key);
        let amid = if self.just_had_two(&key, now) {
            Amid::Many
        } else if busy {
            Amid::One
        } else {
            Amid::None
        };
        self.due.insert(key.clone(), Due { first: now, last: now, amid });
        if !busy {
            self.line.push_back(key);
        }
    }

    /// Whether it had a turn just now, and another one just before.
    fn just_had_two(&self, key: &K, now: Instant) -> bool {
        self.recent.get(key).is_some_and(|turn| turn.followed && now < turn.began + self.limits.quiet)
    }

    /// Whose turn it is, if it can be taken on now. What was to be due later is done with this turn.
    fn next<T>(&mut self, now: Instant, take_on: impl Fn(&K, Due) -> Option<T>) -> Option<(K, T)> {
        let mut full = false;
        let (place, taken) = self.line.iter().enumerate().find_map(|(place, key)| {
            let due = self.due[key];
            // Nothing light passes what is too heavy by now, so that this has its turn.
            if due.begin(self.limits) > now || (full && due.amid != Amid::None) {
                return None;
            }
            let taken = take_on(key, due);
            full |= taken.is_none();
            Some((place, taken?))
        })?;
        let key = self.line.remove(place)?;
        let due = self.due.remove(&key);
        self.under_way.insert(key.clone());
        self.recent.retain(|_, turn| now < turn.began + self.limits.quiet);
        let followed = due.is_some_and(|due| due.amid == Amid::Many) || self.recent.contains_key(&key);
        self.recent.insert(key.clone(), Turn { began: now, followed });
        if let Some(when) = self.times.remove(&key) {
            self.later.remove(&(when, key.clone()));
        }
        Some((key, taken))
    }

    /// When the first of those in line may begin that may not yet.
    fn next_quiet(&self, now: Instant) -> Option<Instant> {
        if self.limits.quiet.is_zero() {
            // A line of a hundred thousand routes need not be gone through at each step.
            return None;
        }
        self.line.iter().map(|key| self.due[key].begin(self.limits)).filter(|begin| *begin > now).min()
    }

    fn done(&mut self, key: &K, again: Option<Duration>, now: Instant) {
        self.under_way.remove(key);
        let had_two = self.just_had_two(key, now);
        if let Some(due) = self.due.get_mut(key) {
            // The last of a few changes at once need not wait, since the first did not.
            if !had_two && now < due.first + self.limits.quiet {
                due.amid = Amid::One;
            }
            self.line.push_back(key.clone());
        }
        if let Some(wait) = again {
            let when = now + wait;
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
            self.push(key, now);
        }
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
