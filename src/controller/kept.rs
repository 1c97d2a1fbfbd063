//! The Gateways that were read or written last, so that the next change of one of them need not wait until it is read again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::api::Object;
use crate::routes::GatewayRef;

/// What they may take together, in bytes: eight Gateways of 64 listeners, or a hundred of five.
const SPACE: usize = 512 * 1024;
/// For how long one is good. A version says what a Gateway is, but for what no version tells: a CRD with other defaults, an etcd
/// that was put back to an earlier time.
const GOOD_FOR: Duration = Duration::from_mins(1);

/// A few Gateways, as text: that takes a tenth of the memory of what is read from it.
#[derive(Debug, Default)]
pub struct Kept(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    key: GatewayRef,
    version: String,
    text: Vec<u8>,
    since: Instant,
}

impl Kept {
    /// Keeps a Gateway as it is now, in the place of those that were kept the longest.
    pub fn keep(&self, key: &GatewayRef, gateway: &Value) {
        let Some(version) = gateway["metadata"]["resourceVersion"].as_str() else { return };
        let Ok(text) = serde_json::to_vec(gateway) else { return };
        let entry = Entry { key: key.clone(), version: version.to_owned(), text, since: Instant::now() };
        let mut kept = self.lock();
        kept.retain(|entry| entry.key != *key);
        kept.push_back(entry);
        while kept.iter().map(|entry| entry.text.len()).sum::<usize>() > SPACE {
            kept.pop_front();
        }
    }

    /// The Gateway, if it was kept in this version. It is not kept any longer.
    #[must_use]
    pub fn take(&self, key: &GatewayRef, version: Option<&str>) -> Option<Object> {
        let entry = {
            let mut kept = self.lock();
            let place = kept.iter().position(|entry| entry.key == *key)?;
            kept.remove(place)?
        };
        let is_it = version == Some(&entry.version) && entry.since.elapsed() < GOOD_FOR;
        // Where a data plane writes the status, it most often is not, and is not worth being read.
        if is_it { serde_json::from_slice(&entry.text).ok() } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> GatewayRef {
        GatewayRef { namespace: "infra".to_owned(), name: name.to_owned() }
    }

    fn gateway(version: &str, size: usize) -> Value {
        json!({ "metadata": { "resourceVersion": version }, "spec": { "x": "x".repeat(size) } })
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_is_given_back_whole_and_once() {
        let kept = Kept::default();
        kept.keep(&key("a"), &gateway("6", 1));
        kept.keep(&key("a"), &gateway("7", 2));
        kept.keep(&key("b"), &gateway("7", 3));
        assert_eq!(kept.take(&key("a"), Some("7")).map(|object| object.whole), Some(gateway("7", 2)));
        assert!(kept.take(&key("a"), Some("7")).is_none());
        assert!(kept.take(&key("b"), Some("7")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn another_version_is_another_gateway() {
        let kept = Kept::default();
        for version in [Some("6"), None] {
            kept.keep(&key("a"), &gateway("7", 1));
            assert!(kept.take(&key("a"), version).is_none());
        }
        kept.keep(&key("a"), &json!({}));
        assert!(kept.take(&key("a"), None).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_read_again() {
        let kept = Kept::default();
        kept.keep(&key("a"), &gateway("7", 1));
        tokio::time::advance(GOOD_FOR).await;
        assert!(kept.take(&key("a"), Some("7")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_were_kept_the_longest_make_room() {
        let kept = Kept::default();
        let third = SPACE / 3;
        for name in ["a", "b", "c"] {
            kept.keep(&key(name), &gateway("7", third));
        }
        kept.keep(&key("large"), &gateway("7", SPACE));
        assert!(kept.lock().is_empty(), "what needs all the room leaves none, and has none");
        for name in ["a", "b", "c"] {
            kept.keep(&key(name), &gateway("7", third));
        }
        assert!(kept.take(&key("a"), Some("7")).is_none());
        assert!(kept.take(&key("b"), Some("7")).is_some() && kept.take(&key("c"), Some("7")).is_some());
    }
}
