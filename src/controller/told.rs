//! What was said of each route, so that nothing is said twice.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash};
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::routes::RouteKey;

/// What was said of each route, and still holds. Of each saying it has a hash alone: of many routes there may be much to say.
#[derive(Debug)]
pub struct Told<T> {
    said: Mutex<HashMap<RouteKey, HashSet<u64>>>,
    hasher: RandomState,
    of: PhantomData<fn(T)>,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { said: Mutex::default(), hasher: RandomState::new(), of: PhantomData }
    }
}

impl<T: Hash + Ord> Told<T> {
    /// What of it was not said yet. What does not hold any more is forgotten, and is news when it holds again.
    pub fn news(&self, route: &RouteKey, holds: BTreeSet<T>) -> Vec<T> {
        let mut told = self.lock();
        let Some(said) = told.get_mut(route) else { return holds.into_iter().collect() };
        let held: HashSet<u64> = holds.iter().map(|saying| self.hash(saying)).collect();
        said.retain(|saying| held.contains(saying));
        let news = holds.into_iter().filter(|saying| !said.contains(&self.hash(saying))).collect();
        if said.is_empty() {
            told.remove(route);
        }
        news
    }

    /// Whether it was said, and holds as far as is known.
    pub fn has(&self, route: &RouteKey, saying: &T) -> bool {
        self.lock().get(route).is_some_and(|said| said.contains(&self.hash(saying)))
    }

    /// Records that it was said.
    pub fn record(&self, route: &RouteKey, saying: &T) {
        self.lock().entry(route.clone()).or_default().insert(self.hash(saying));
    }

    /// Forgets a route that is gone.
    pub fn forget(&self, route: &RouteKey) {
        self.lock().remove(route);
    }

    fn hash(&self, saying: &T) -> u64 {
        self.hasher.hash_one(saying)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RouteKey, HashSet<u64>>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::RouteKind;

    fn route() -> RouteKey {
        RouteKey { namespace: "apps".to_owned(), name: "www".to_owned(), kind: RouteKind::Http }
    }

    fn news(told: &Told<&'static str>, sayings: &[&'static str]) -> Vec<&'static str> {
        let news = told.news(&route(), sayings.iter().copied().collect());
        for saying in &news {
            told.record(&route(), saying);
        }
        news
    }

    #[test]
    fn everything_is_news_once() {
        let told = Told::default();
        assert_eq!(news(&told, &["PortConflict"]), ["PortConflict"]);
        assert_eq!(news(&told, &["PortConflict", "InvalidPort"]), ["InvalidPort"]);
        assert_eq!(news(&told, &["PortConflict", "InvalidPort"]), [""; 0]);
        assert!(told.has(&route(), &"InvalidPort"));
    }

    #[test]
    fn what_holds_again_is_news_again() {
        let told = Told::default();
        assert_eq!(news(&told, &["PortConflict"]), ["PortConflict"]);
        assert_eq!(news(&told, &[]), [""; 0]);
        assert!(told.lock().is_empty() && !told.has(&route(), &"PortConflict"));
        assert_eq!(news(&told, &["PortConflict"]), ["PortConflict"]);
    }
}
