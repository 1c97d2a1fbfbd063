//! Which kinds of routes still have to be listed before anything may be planned: a half-filled index would take listeners
//! away.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::RouteKind;

/// How far the first lists are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Some kind that is served has not been listed yet.
    Pending,
    /// And cannot be listed just now: why, in words that stay the same as long as the reason does.
    Failing(String),
    /// Every kind that is served was listed once. This does not change any more.
    Complete,
}

/// What the first lists still lack; tells whoever follows.
#[derive(Debug)]
pub(super) struct Progress {
    failures: BTreeMap<RouteKind, String>,
    discovery: Option<String>,
    awaited: watch::Sender<BTreeSet<RouteKind>>,
    listing: watch::Sender<Listing>,
}

impl Progress {
    pub(super) fn new(awaited: watch::Sender<BTreeSet<RouteKind>>, listing: watch::Sender<Listing>) -> Self {
        Self { failures: BTreeMap::new(), discovery: None, awaited, listing }
    }

    /// A kind was listed, or need not be because it is not served.
    pub(super) fn settled(&mut self, kind: RouteKind) {
        self.failures.remove(&kind);
        self.awaited.send_if_modified(|awaited| awaited.remove(&kind));
        self.tell();
    }

    /// A kind cannot be listed or watched.
    pub(super) fn failed(&mut self, kind: RouteKind, why: String) {
        self.failures.insert(kind, why);
        self.tell();
    }

    /// A kind is not tried any more, or in another way.
    pub(super) fn forgiven(&mut self, kind: RouteKind) {
        self.failures.remove(&kind);
        self.tell();
    }

    /// It is known what is served, or it is not known, and why.
    pub(super) fn discovered(&mut self, failure: Option<String>) {
        self.discovery = failure;
        self.tell();
    }

    fn tell(&self) {
        let now = self.now();
        self.listing.send_if_modified(|listing| {
            let changed = *listing != now && *listing != Listing::Complete;
            if changed {
                *listing = now;
            }
            changed
        });
    }

    fn now(&self) -> Listing {
        let awaited = self.awaited.borrow();
        if awaited.is_empty() {
            return Listing::Complete;
        }
        let discovery = self.discovery.iter().map(|why| format!("discovery: {why}"));
        let kinds = self.failures.iter().filter(|(kind, _)| awaited.contains(*kind));
        let failures: Vec<_> = discovery.chain(kinds.map(|(kind, why)| format!("{kind}: {why}"))).collect();
        if failures.is_empty() { Listing::Pending } else { Listing::Failing(failures.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(awaited: &[RouteKind]) -> (Progress, watch::Receiver<Listing>) {
        let (awaited, _) = watch::channel(awaited.iter().copied().collect());
        let (sender, listing) = watch::channel(Listing::Pending);
        (Progress::new(awaited, sender), listing)
    }

    #[test]
    fn complete_once_every_kind_is_settled_and_then_for_good() {
        let (mut progress, listing) = progress(&[RouteKind::Http, RouteKind::Tcp]);
        progress.settled(RouteKind::Http);
        assert_eq!(*listing.borrow(), Listing::Pending);
        progress.settled(RouteKind::Tcp);
        assert_eq!(*listing.borrow(), Listing::Complete);
        progress.failed(RouteKind::Tcp, "forbidden".into());
        progress.discovered(Some("unreachable".into()));
        assert_eq!(*listing.borrow(), Listing::Complete);
    }

    #[test]
    fn failures_are_told_sorted_and_only_of_kinds_that_are_awaited() {
        let (mut progress, listing) = progress(&[RouteKind::Http, RouteKind::Tcp]);
        progress.failed(RouteKind::Tcp, "forbidden".into());
        progress.failed(RouteKind::Http, "unreachable".into());
        progress.failed(RouteKind::Udp, "of no interest".into());
        let text = "HTTPRoute: unreachable; TCPRoute: forbidden";
        assert_eq!(*listing.borrow(), Listing::Failing(text.into()));
        progress.settled(RouteKind::Http);
        progress.forgiven(RouteKind::Tcp);
        assert_eq!(*listing.borrow(), Listing::Pending);
    }

    #[test]
    fn a_failing_discovery_is_told() {
        let (mut progress, listing) = progress(&[RouteKind::Http]);
        progress.discovered(Some("503".into()));
        assert_eq!(*listing.borrow(), Listing::Failing("discovery: 503".into()));
        progress.discovered(None);
        assert_eq!(*listing.borrow(), Listing::Pending);
    }

    #[test]
    fn the_same_failure_again_is_no_news() {
        let (mut progress, mut listing) = progress(&[RouteKind::Http]);
        progress.failed(RouteKind::Http, "forbidden".into());
        listing.mark_unchanged();
        progress.failed(RouteKind::Http, "forbidden".into());
        assert!(!listing.has_changed().unwrap());
    }
}
