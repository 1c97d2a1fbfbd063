//! Objects of the cluster → what is to be said of them. Pure.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::ObjectMeta;
use serde::Serialize;

pub use super::listener::{Certificate, ListenerView, SecretKey, SecretState, Secrets};
use crate::api::{Object, RejectedRoute, StoredWrappedGateway, WrappedGateway, WrappedGatewayStatus};
use crate::controller::RESYNC;
use crate::controller::mirror::GatewayStatus;
use crate::controller::observe::{Existing, Unreadable};
use crate::controller::standing::Standing;

/// Annotations with either of which cert-manager makes certificates for a Gateway's listeners.
const ISSUERS: [&str; 2] = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];
/// After how many silent intervals a controller is doubted.
const DOUBTED_AFTER: u64 = 3;

/// What was read from the cluster.
#[derive(Debug)]
pub struct Found {
    /// The WrappedGateways that are asked about, in the order in which they are shown.
    pub wrapped: Vec<StoredWrappedGateway>,
    /// Their Gateways, and any others.
    pub gateways: Vec<Object>,
    /// The Secrets of [`certificates`].
    pub secrets: Secrets,
    /// When it was read.
    pub now: Timestamp,
}

/// Everything that is to be said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing is rejected and everything is ready.
    pub well: bool,
    /// Each WrappedGateway.
    pub wrapped_gateways: Vec<Overview>,
    /// What is said once for all.
    pub notes: Vec<String>,
}

/// What is to be said of one WrappedGateway.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether nothing is rejected and everything is ready.
    pub well: bool,
    /// The GatewayClass.
    pub class: Option<String>,
    /// The Gateway's first address.
    pub address: Option<String>,
    /// Whether the Gateway is as planned.
    pub ready: Verdict,
    /// Whether the data plane serves the Gateway.
    pub programmed: Verdict,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// The Gateway's listeners, in their order.
    pub listeners: Vec<ListenerView>,
    /// How many routes are rejected.
    pub rejected: u32,
    /// The first rejections.
    pub rejected_routes: Vec<RejectedRoute>,
}

/// What is said of something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why.
    pub message: String,
}

impl Verdict {
    pub(super) fn new(status: &str, reason: &str, message: impl Into<String>) -> Self {
        Self { status: status.to_owned(), reason: reason.to_owned(), message: message.into() }
    }

    pub(super) fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self::new("Unknown", reason, message)
    }

    /// Whether it is a yes.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// The Secrets that the listeners of these Gateways name, as far as their WrappedGateways are asked about.
#[must_use]
pub fn certificates(found: &Found) -> BTreeSet<SecretKey> {
    let wrapped = found.wrapped.iter().filter_map(|stored| stored.0.as_ref().ok());
    let existing = wrapped.filter_map(|wrapped| gateway_of(found, wrapped)?.ok());
    let ours = existing.filter(|existing| !matches!(existing.standing, Standing::Foreign(_)));
    let keys = |existing: Existing| {
        let namespace = existing.object.metadata.namespace.unwrap_or_default();
        let listeners = existing.listeners.into_iter();
        listeners.flat_map(|live| super::listener::secrets(&live.listener, &namespace)).collect::<Vec<_>>()
    };
    ours.flat_map(keys).collect()
}

impl Report {
    /// Judges what was read.
    #[must_use]
    pub fn new(found: &Found) -> Self {
        let wrapped_gateways: Vec<_> = found.wrapped.iter().map(|stored| Overview::new(stored, found)).collect();
        let notes = found.secrets.note().into_iter().collect();
        Self { well: wrapped_gateways.iter().all(|overview| overview.well), wrapped_gateways, notes }
    }
}

impl Overview {
    fn new(stored: &StoredWrappedGateway, found: &Found) -> Self {
        let mut overview =
            Self { namespace: stored.namespace().unwrap_or_default(), name: stored.name_any(), ..Self::default() };
        match &stored.0 {
            Ok(wrapped) => overview.of_wrapped(wrapped, found),
            Err(error) => {
                overview.ready = Verdict::new("False", "Unreadable", format!("It cannot be read: {error}"));
                overview.programmed = Verdict::unknown("Unreadable", "");
            }
        }
        let listeners = overview.listeners.iter().all(ListenerView::is_well);
        overview.well =
            overview.ready.is_true() && overview.programmed.is_true() && overview.rejected == 0 && listeners;
        overview
    }

    fn of_wrapped(&mut self, wrapped: &WrappedGateway, found: &Found) {
        let nothing = WrappedGatewayStatus::default();
        let status = wrapped.status.as_ref().unwrap_or(&nothing);
        self.class = Some(wrapped.spec.gateway_class_name.clone());
        self.address.clone_from(&status.address);
        self.ready = ready(&wrapped.metadata, status);
        self.programmed = mirrored(status, "Programmed").unwrap_or_else(|| Verdict::unknown("Pending", ""));
        self.rejected = status.rejected;
        self.rejected_routes.clone_from(&status.rejected_routes);
        self.notes.extend(deletion(&wrapped.metadata));
        self.notes.extend(silence(status, found.now));
        match gateway_of(found, wrapped) {
            Some(Ok(existing)) => self.of_gateway(&existing, &found.secrets),
            Some(Err(error)) => self.notes.push(error.to_string()),
            None => {
                self.programmed = Verdict::new("False", "NoGateway", "There is no Gateway of this name.");
            }
        }
    }

    /// What the Gateway itself says is newer than what the controller repeated of it.
    fn of_gateway(&mut self, existing: &Existing, secrets: &Secrets) {
        if matches!(existing.standing, Standing::Foreign(_)) {
            self.notes.push("The Gateway of this name belongs to somebody else, and is not shown.".to_owned());
            return;
        }
        let status = GatewayStatus::read(&existing.object.whole).unwrap_or_else(|error| {
            self.notes.push(format!("The Gateway's status cannot be read: {error}"));
            GatewayStatus::default()
        });
        self.address = status.address().or(self.address.take());
        self.programmed = match status.programmed() {
            Some(said) => Verdict::new(&said.status, &said.reason, &said.message),
            None => Verdict::unknown("Pending", status.untouched()),
        };
        let view = |live| ListenerView::new(live, &self.namespace, status.listener(&live.listener.name), secrets);
        self.listeners = existing.listeners.iter().map(view).collect();
        let lacks_certificates = self.listeners.iter().any(|listener| listener.missing().next().is_some());
        let has_issuer = ISSUERS.iter().any(|issuer| {
            existing.object.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(*issuer))
        });
        if lacks_certificates && !has_issuer {
            self.notes.push(format!(
                "cert-manager makes no certificates for it: it has neither annotation {} nor {}.",
                ISSUERS[0], ISSUERS[1]
            ));
        }
    }
}

/// The Gateway of a WrappedGateway, if there is one.
fn gateway_of(found: &Found, wrapped: &WrappedGateway) -> Option<Result<Existing, Unreadable>> {
    let wanted = &wrapped.metadata;
    let is_it = |found: &ObjectMeta| found.name == wanted.name && found.namespace == wanted.namespace;
    let gateway = found.gateways.iter().find(|gateway| is_it(&gateway.metadata))?;
    Some(Existing::read(gateway.clone(), wrapped))
}

/// `Ready`, which is worth nothing where it speaks of another version than the present one.
fn ready(metadata: &ObjectMeta, status: &WrappedGatewayStatus) -> Verdict {
    let Some(ready) = mirrored(status, "Ready") else {
        return Verdict::unknown("Pending", "No controller has looked at it yet. Does one run?");
    };
    match (status.observed_generation, metadata.generation) {
        (Some(seen), Some(present)) if seen < present => Verdict::unknown(
            "Outdated",
            format!(
                "The controller has not looked at the latest change yet (generation {present}; it has seen {seen}). \
                 Before, it said {}: {}",
                ready.reason, ready.message
            ),
        ),
        _ => ready,
    }
}

fn mirrored(status: &WrappedGatewayStatus, type_: &str) -> Option<Verdict> {
    let said = status.conditions.iter().find(|condition: &&Condition| condition.type_ == type_)?;
    Some(Verdict::new(&said.status, &said.reason, &said.message))
}

fn deletion(metadata: &ObjectMeta) -> Option<String> {
    let finalizers = metadata.finalizers.as_deref().unwrap_or_default().join(", ");
    metadata.deletion_timestamp.as_ref()?;
    Some(if finalizers.is_empty() {
        "It is being deleted.".to_owned()
    } else {
        format!("It is being deleted, and waits for: {finalizers}")
    })
}

/// A controller that works writes at least the time, once in a while.
fn silence(status: &WrappedGatewayStatus, now: Timestamp) -> Option<String> {
    let last = status.last_reconciled_time.as_ref()?.0;
    let minutes = u64::try_from(now.as_second().saturating_sub(last.as_second())).unwrap_or(0) / 60;
    let interval = RESYNC.as_secs() / 60;
    (minutes >= DOUBTED_AFTER * interval).then(|| {
        format!(
            "The controller has last written to it {} ago, and does so every {interval} minutes. Does it run?",
            duration(minutes)
        )
    })
}

fn duration(minutes: u64) -> String {
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
