//! The statuses written last, which stores may not have yet, and what happened since without being told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::core::ObjectMeta;
use tokio::time::Instant;

use crate::api::WrappedGatewayStatus;
use crate::routes::GatewayRef;

/// The statuses written last. The store that a reconciliation reads may not have them yet.
#[derive(Debug, Default)]
pub struct Reports(Mutex<HashMap<GatewayRef, Report>>);

#[derive(Clone, Debug)]
struct Report {
    uid: Option<String>,
    /// Version of the WrappedGateway that the status was computed from.
    seen: Option<String>,
    status: WrappedGatewayStatus,
    written: Instant,
    /// Names of the Gateway's listeners before the first change since that was not told.
    untold: Option<Vec<String>>,
}

impl Reports {
    /// The status that is in force: the one in the store, unless that is older than what was written.
    #[must_use]
    pub fn current(
        &self,
        key: &GatewayRef,
        metadata: &ObjectMeta,
        stored: Option<&WrappedGatewayStatus>,
    ) -> WrappedGatewayStatus {
        let reports = self.lock();
        let newer =
            reports.get(key).filter(|report| report.uid == metadata.uid && report.seen == metadata.resource_version);
        newer.map(|report| report.status.clone()).or_else(|| stored.cloned()).unwrap_or_default()
    }

    /// Every WrappedGateway that was reported on.
    #[must_use]
    pub fn all(&self) -> Vec<GatewayRef> {
        self.lock().keys().cloned().collect()
    }

    /// Forgets a WrappedGateway that is gone.
    pub fn forget(&self, key: &GatewayRef) {
        self.lock().remove(key);
    }

    /// Records a status that was written.
    pub fn record(&self, key: &GatewayRef, metadata: &ObjectMeta, status: WrappedGatewayStatus) {
        let (uid, seen) = (metadata.uid.clone(), metadata.resource_version.clone());
        let mut reports = self.lock();
        let untold = reports.remove(key).and_then(|before| before.untold);
        reports.insert(key.clone(), Report { uid, seen, status, written: Instant::now(), untold });
    }

    /// How long until one may be written that says nothing but numbers.
    #[must_use]
    pub fn pause(&self, key: &GatewayRef, pace: Duration) -> Option<Duration> {
        let left = pace.checked_sub(self.lock().get(key)?.written.elapsed())?;
        (!left.is_zero()).then_some(left)
    }

    /// Leaves a change of the Gateway to be told later, together with those that come until then. `before` names the
    /// listeners that there were.
    pub fn postpone(&self, key: &GatewayRef, before: &[String]) {
        if let Some(report) = self.lock().get_mut(key) {
            report.untold.get_or_insert_with(|| before.to_vec());
        }
    }

    /// The names of the listeners that there were before the first change that was left untold. It counts as told now.
    #[must_use]
    pub fn take_untold(&self, key: &GatewayRef) -> Option<Vec<String>> {
        self.lock().get_mut(key)?.untold.take()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GatewayRef, Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_in_force_until_the_store_has_something_newer() {
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        let version = |version: &str| ObjectMeta {
            uid: Some("1".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let (stored, reports) = (WrappedGatewayStatus::default(), Reports::default());
        let written = WrappedGatewayStatus { routes: 7, ..WrappedGatewayStatus::default() };
        reports.record(&key, &version("1"), written.clone());
        assert_eq!(reports.current(&key, &version("1"), Some(&stored)), written);
        assert_eq!(reports.current(&key, &version("2"), Some(&stored)), stored);
    }

    #[test]
    fn changes_that_are_left_untold_count_from_the_first_until_they_are_told() {
        let (key, reports) =
            (GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() }, Reports::default());
        reports.postpone(&key, &["never-reported-on".to_owned()]);
        assert_eq!(reports.take_untold(&key), None);
        reports.record(&key, &ObjectMeta::default(), WrappedGatewayStatus::default());
        reports.postpone(&key, &["a".to_owned()]);
        reports.postpone(&key, &["a".to_owned(), "b".to_owned()]);
        reports.record(&key, &ObjectMeta::default(), WrappedGatewayStatus::default());
        assert_eq!(reports.take_untold(&key), Some(vec!["a".to_owned()]));
        assert_eq!(reports.take_untold(&key), None);
    }
}
