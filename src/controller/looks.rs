//! In which version each Gateway was looked at last, so that what a reconciliation itself read or wrote is no reason for
//! another one when the watch shows it; and which version was seen last, so that it need not be asked for where it is costly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::channel::mpsc::UnboundedSender;

use crate::routes::GatewayRef;

/// Decides which Gateways that the watch shows are to be reconciled, and has that done.
#[derive(Debug)]
pub struct Looks {
    changed: UnboundedSender<GatewayRef>,
    /// Of Gateways that were reconciled since their WrappedGateway came.
    last: Mutex<HashMap<GatewayRef, Look>>,
}

/// The last reconciliation of a Gateway.
#[derive(Debug, Default)]
struct Look {
    under_way: bool,
    /// The version that was seen last, by the watch or by a reconciliation.
    seen: Shown,
    /// The version of which everything is done that was to be done.
    settled: Option<String>,
    /// What the watch has shown since the reconciliation began, if it is under way: the watch may be ahead of an answer.
    shown: Option<Shown>,
}

/// The version that the watch shows; none of a Gateway that is gone.
type Shown = Option<String>;

impl Looks {
    /// Nothing was looked at. `changed` takes the Gateways that are to be.
    #[must_use]
    pub fn new(changed: UnboundedSender<GatewayRef>) -> Self {
        Self { changed, last: Mutex::default() }
    }

    /// A reconciliation begins.
    pub fn begin(&self, gateway: &GatewayRef) {
        let mut last = self.lock();
        let look = last.entry(gateway.clone()).or_default();
        *look = Look { under_way: true, seen: look.seen.take(), ..Look::default() };
    }

    /// The version of a Gateway that was seen last, if any was.
    #[must_use]
    pub fn seen(&self, gateway: &GatewayRef) -> Option<String> {
        self.lock().get(gateway)?.seen.clone()
    }

    /// The reconciliation that is under way leaves nothing to do, as long as the Gateway has this version.
    pub fn settled(&self, gateway: &GatewayRef, version: Option<&str>) {
        if let Some(look) = self.lock().get_mut(gateway) {
            look.settled = version.map(str::to_owned);
            look.seen.clone_from(&look.settled);
        }
    }

    /// The reconciliation has ended. Where the watch has shown something else than it saw, another one is due.
    pub fn end(&self, gateway: &GatewayRef) {
        let shown = self.lock().get_mut(gateway).and_then(|look| {
            look.under_way = false;
            look.shown.take()
        });
        if let Some(shown) = shown {
            self.shown(gateway.clone(), shown);
        }
    }

    /// The watch shows a Gateway, or that it is gone.
    pub fn shown(&self, gateway: GatewayRef, shown: Shown) {
        if let Some(look) = self.lock().get_mut(&gateway) {
            look.seen.clone_from(&shown);
            if look.under_way {
                look.shown = Some(shown);
                return;
            }
            if shown.is_some() && look.settled == shown {
                return;
            }
        }
        // Nobody listens when the process is ending.
        let _ = self.changed.unbounded_send(gateway);
    }

    /// Forgets a Gateway of which the WrappedGateway is gone.
    pub fn forget(&self, gateway: &GatewayRef) {
        self.lock().remove(gateway);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GatewayRef, Look>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc::{UnboundedReceiver, unbounded};

    use super::*;

    fn public() -> GatewayRef {
        GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() }
    }

    fn looks() -> (Looks, UnboundedReceiver<GatewayRef>) {
        let (changed, due) = unbounded();
        (Looks::new(changed), due)
    }

    fn show(looks: &Looks, version: &str) {
        looks.shown(public(), Some(version.to_owned()));
    }

    /// A reconciliation that leaves nothing to do.
    fn reconcile(looks: &Looks, version: &str) {
        looks.begin(&public());
        looks.settled(&public(), Some(version));
        looks.end(&public());
    }

    /// How many reconciliations have become due.
    fn due(due: &mut UnboundedReceiver<GatewayRef>) -> usize {
        std::iter::from_fn(|| due.try_recv().ok()).count()
    }

    #[test]
    fn what_was_not_looked_at_is_due() {
        let (looks, mut reconciliations) = looks();
        show(&looks, "1");
        assert_eq!(due(&mut reconciliations), 1);
        reconcile(&looks, "1");
        show(&looks, "2");
        looks.shown(public(), None);
        assert_eq!(due(&mut reconciliations), 2);
    }

    #[test]
    fn what_was_written_is_not_due_whether_the_watch_or_the_answer_comes_first() {
        let (looks, mut reconciliations) = looks();
        looks.begin(&public());
        show(&looks, "2");
        looks.settled(&public(), Some("2"));
        looks.end(&public());
        show(&looks, "2");
        assert_eq!(due(&mut reconciliations), 0);
    }

    #[test]
    fn what_changes_while_it_is_reconciled_is_due_afterwards() {
        let (looks, mut reconciliations) = looks();
        looks.begin(&public());
        show(&looks, "2");
        show(&looks, "3");
        looks.settled(&public(), Some("2"));
        assert_eq!(due(&mut reconciliations), 0);
        looks.end(&public());
        assert_eq!(due(&mut reconciliations), 1);
    }

    #[test]
    fn what_goes_while_it_is_reconciled_is_due_afterwards() {
        let (looks, mut reconciliations) = looks();
        looks.begin(&public());
        looks.shown(public(), None);
        looks.settled(&public(), Some("2"));
        looks.end(&public());
        assert_eq!(due(&mut reconciliations), 1);
    }

    #[test]
    fn what_a_failed_reconciliation_saw_is_due() {
        let (looks, mut reconciliations) = looks();
        reconcile(&looks, "2");
        looks.begin(&public());
        show(&looks, "2");
        looks.end(&public());
        assert_eq!(due(&mut reconciliations), 1);
        show(&looks, "2");
        assert_eq!(due(&mut reconciliations), 1);
    }

    #[test]
    fn the_version_seen_last_is_known_whether_it_was_shown_or_written() {
        let (looks, _reconciliations) = looks();
        looks.begin(&public());
        assert_eq!(looks.seen(&public()), None);
        looks.settled(&public(), Some("2"));
        looks.end(&public());
        looks.begin(&public());
        assert_eq!(looks.seen(&public()).as_deref(), Some("2"));
        looks.end(&public());
        show(&looks, "3");
        looks.begin(&public());
        assert_eq!(looks.seen(&public()).as_deref(), Some("3"), "a reconciliation that fails takes nothing away");
        looks.shown(public(), None);
        looks.end(&public());
        looks.begin(&public());
        assert_eq!(looks.seen(&public()), None, "it is gone");
    }

    #[test]
    fn what_is_forgotten_is_due_again() {
        let (looks, mut reconciliations) = looks();
        reconcile(&looks, "2");
        looks.forget(&public());
        show(&looks, "2");
        assert_eq!(due(&mut reconciliations), 1);
        assert!(looks.lock().is_empty());
    }
}
