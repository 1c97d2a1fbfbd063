//! Whether an implementation that came before still runs. It puts its finalizer and its bookkeeping back as soon as they are
//! taken away, and so would end up in a fight in which nobody wins and the API server loses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// How long nothing is taken away after something came back, at first and at last.
const PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(2));
/// How long one object that is tried after a pause has to stay clean before all others follow. They wait as long for it to
/// be cleaned.
const TRIAL: Duration = Duration::from_secs(5);
/// What comes back later than this is no sign of a fight.
const SOON: Duration = Duration::from_mins(10);

/// What is known of it.
#[derive(Debug)]
pub struct Predecessor {
    inner: Mutex<Inner>,
    at_work: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inner {
    /// When each object was cleaned.
    cleaned: HashMap<String, Instant>,
    sighting: Option<Sighting>,
    pauses: Backoff,
}

#[derive(Debug)]
struct Sighting {
    /// The first object on which something came back. It stays the same, so that what is said of it stays the same.
    object: String,
    until: Instant,
    /// The one object that is cleaned after a pause, while all others wait.
    on_trial: Option<String>,
}

impl Default for Predecessor {
    fn default() -> Self {
        let inner = Inner { cleaned: HashMap::new(), sighting: None, pauses: Backoff::new(PAUSE.0, PAUSE.1) };
        Self { inner: Mutex::new(inner), at_work: watch::Sender::new(false) }
    }
}

impl Predecessor {
    /// Whether to take away what the object bears now; if not, how long to wait.
    pub fn permit(&self, object: &str, now: Instant) -> Result<(), Duration> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let came_back = inner.cleaned.remove(object).is_some_and(|cleaned| now < cleaned + SOON);
        let result = if came_back { Err(inner.came_back(object, now)) } else { inner.permit(object, now) };
        let at_work = inner.sighting.is_some();
        drop(inner);
        self.at_work.send_if_modified(|known| std::mem::replace(known, at_work) != at_work);
        result
    }

    /// How long the object is not even looked at. The one on trial always is: what comes back on it is to be seen before all
    /// others follow.
    pub fn pause(&self, object: &str, now: Instant) -> Option<Duration> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let sighting = inner.sighting.as_ref().filter(|sighting| !sighting.is_on_trial(object))?;
        Some(sighting.until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Records that the object bears nothing any more.
    pub fn cleaned(&self, object: &str, now: Instant) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Looking through all of them only when they have doubled keeps this cheap.
        if inner.cleaned.len() == inner.cleaned.capacity() {
            inner.cleaned.retain(|_, cleaned| now < *cleaned + SOON);
        }
        inner.cleaned.insert(object.to_owned(), now);
        if let Some(sighting) = inner.sighting.as_mut().filter(|sighting| sighting.is_on_trial(object)) {
            sighting.until = now + TRIAL;
        }
    }

    /// What is to be said of it on each WrappedGateway, as long as there is reason to.
    pub fn notice(&self, now: Instant) -> Option<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits looks again when the pause ends. Nobody does where all that bore something is gone.
        let sighting = inner.sighting.as_ref().filter(|sighting| now < sighting.until + PAUSE.1)?;
        Some(format!(
            "An earlier implementation of gateway-route-sync seems to be running still: what it leaves on objects came back \
             on {}. Scale it to zero; until then, its finalizers stay on routes.",
            sighting.object
        ))
    }

    /// Forgets that the object was cleaned: what it bears from now on is no sign of anything.
    pub fn forget(&self, object: &str) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).cleaned.remove(object);
    }

    /// Changes when it is noticed, and when it is not any more.
    pub fn at_work(&self) -> watch::Receiver<bool> {
        self.at_work.subscribe()
    }
}

impl Inner {
    fn came_back(&mut self, object: &str, now: Instant) -> Duration {
        let pause = self.pauses.delay(now);
        // What came back on others meanwhile is no further sign: only what is cleaned after the pause can be one.
        self.cleaned.clear();
        let object = self.sighting.take().map_or_else(|| object.to_owned(), |sighting| sighting.object);
        tracing::warn!(
            object,
            pause_seconds = pause.as_secs(),
            "an earlier implementation of gateway-route-sync seems to be running still, and puts back what it leaves on objects; \
             scale it to zero"
        );
        self.sighting = Some(Sighting { object, until: now + pause, on_trial: None });
        pause
    }

    fn permit(&mut self, object: &str, now: Instant) -> Result<(), Duration> {
        let Some(sighting) = &mut self.sighting else { return Ok(()) };
        if now < sighting.until {
            // Where another change came in between, the one on trial is tried again.
            return if sighting.is_on_trial(object) { Ok(()) } else { Err(sighting.until - now) };
        }
        if sighting.on_trial.as_ref().is_some_and(|tried| self.cleaned.contains_key(tried)) {
            tracing::info!("the earlier implementation of gateway-route-sync does not put anything back any more");
            self.sighting = None;
        } else {
            // A trial in which nothing was taken away says nothing.
            (sighting.on_trial, sighting.until) = (Some(object.to_owned()), now + TRIAL);
        }
        Ok(())
    }
}

impl Sighting {
    fn is_on_trial(&self, object: &str) -> bool {
        self.on_trial.as_deref() == Some(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(predecessor: &Predecessor, object: &str, now: Instant) {
        assert_eq!(predecessor.permit(object, now), Ok(()), "{object}");
        predecessor.cleaned(object, now);
    }

    #[test]
    fn nothing_is_said_while_nothing_comes_back() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        for object in ["a", "b"] {
            cleaned(&predecessor, object, now);
        }
        assert_eq!((predecessor.notice(now), predecessor.pause("a", now)), (None, None));
    }

    #[test]
    fn what_comes_back_stops_everything_until_one_object_stays_clean() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        let mut at_work = predecessor.at_work();
        for object in ["a", "b", "c"] {
            cleaned(&predecessor, object, now);
        }
        let pause = predecessor.permit("a", now).unwrap_err();
        assert!(*at_work.borrow_and_update());
        assert!(predecessor.notice(now).unwrap().contains("on a."));
        for object in ["a", "b"] {
            assert_eq!(predecessor.permit(object, now), Err(pause));
        }
        let later = now + pause;
        cleaned(&predecessor, "b", later);
        assert_eq!(predecessor.permit("c", later), Err(TRIAL));
        cleaned(&predecessor, "c", later + TRIAL);
        assert!(!*at_work.borrow_and_update());
        assert_eq!(predecessor.notice(later + TRIAL), None);
    }

    #[test]
    fn what_comes_back_on_trial_makes_the_pause_longer() {
        let (predecessor, mut now) = (Predecessor::default(), Instant::now());
        cleaned(&predecessor, "a", now);
        predecessor.permit("a", now).unwrap_err();
        for _ in 0..5 {
            now += predecessor.pause("b", now).unwrap();
            cleaned(&predecessor, "b", now);
            assert_eq!((predecessor.pause("b", now), predecessor.pause("c", now)), (None, Some(TRIAL)));
            predecessor.permit("b", now).unwrap_err();
        }
        assert!(predecessor.pause("b", now).unwrap() >= PAUSE.1 / 2);
        assert!(predecessor.notice(now).unwrap().contains("on a."), "what is said stays the same");
    }

    #[test]
    fn a_trial_in_which_nothing_was_taken_away_is_followed_by_another() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        cleaned(&predecessor, "a", now);
        let later = now + predecessor.permit("a", now).unwrap_err();
        for _ in 0..3 {
            assert_eq!(predecessor.permit("b", later), Ok(()), "the one on trial is tried again");
            assert_eq!(predecessor.permit("c", later), Err(TRIAL));
        }
        let next = later + TRIAL;
        cleaned(&predecessor, "c", next);
        assert_eq!(predecessor.permit("b", next), Err(TRIAL));
        assert!(predecessor.notice(next).is_some());
        cleaned(&predecessor, "b", next + TRIAL);
        assert_eq!(predecessor.notice(next + TRIAL), None);
    }

    #[test]
    fn what_we_put_there_ourselves_is_no_sign() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        cleaned(&predecessor, "a", now);
        predecessor.forget("a");
        cleaned(&predecessor, "a", now);
        assert_eq!(predecessor.notice(now), None);
    }

    #[test]
    fn what_comes_back_much_later_is_taken_away_again() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        cleaned(&predecessor, "a", now);
        cleaned(&predecessor, "a", now + SOON);
    }

    #[test]
    fn it_is_not_spoken_of_for_ever_where_nobody_looks_again() {
        let (predecessor, now) = (Predecessor::default(), Instant::now());
        cleaned(&predecessor, "a", now);
        predecessor.permit("a", now).unwrap_err();
        assert_eq!(predecessor.notice(now + 2 * PAUSE.1), None);
    }
}
