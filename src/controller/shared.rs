//! What reconciliations share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use kube::runtime::reflector::Store;

use super::announcer::Announcer;
use super::context::Context;
use super::external_dns::ExternalDns;
use super::failures::Failures;
use super::grants::Grants;
use super::kept::Kept;
use super::ledger::Ledger;
use super::looks::Looks;
use super::namespaces::Namespaces;
use super::predecessor::Predecessor;
use super::queue::Queue;
use super::reports::Reports;
use super::wrapped_gateway::Stored;
use crate::routes::GatewayRef;

/// What only a change can mend is tried again so often.
const PATIENCE: Duration = Duration::from_mins(1);

/// What reconciliations of every kind share.
#[derive(Clone)]
pub struct Parts {
    /// What the controllers are given.
    pub context: Arc<Context>,
    /// Says news.
    pub announcer: Arc<Announcer>,
    /// Whether an earlier implementation still runs.
    pub predecessor: Arc<Predecessor>,
    /// Passes names on to external-dns.
    pub external_dns: Arc<ExternalDns>,
}

impl Parts {
    /// Nothing has happened yet. `gateways` will have the WrappedGateways.
    #[must_use]
    pub fn new(context: Arc<Context>, announcer: Arc<Announcer>, gateways: &Store<Stored>) -> Self {
        let external_dns = ExternalDns::new(Arc::clone(&context), gateways.clone(), Arc::clone(&announcer));
        Self { context, announcer, predecessor: Arc::default(), external_dns: Arc::new(external_dns) }
    }
}

/// What reconciliations of WrappedGateways share.
pub struct Shared {
    /// What the controllers are given.
    pub context: Arc<Context>,
    /// Labels of namespaces.
    pub namespaces: Namespaces,
    /// ReferenceGrants.
    pub grants: Grants,
    /// Says news.
    pub announcer: Arc<Announcer>,
    /// Whether an earlier implementation still runs.
    pub predecessor: Arc<Predecessor>,
    /// Passes names on to external-dns.
    pub external_dns: Arc<ExternalDns>,
    /// What was written to each Gateway last.
    pub ledger: Ledger,
    /// In which version each Gateway was looked at last.
    pub looks: Looks,
    /// The Gateways that were looked at last.
    pub kept: Kept,
    /// What was written to the redirect of each last.
    pub redirects: Ledger,
    /// The statuses written last.
    pub reports: Reports,
    /// Failures in a row.
    pub failures: Failures<GatewayRef>,
    /// What waits to be reconciled.
    pub queue: Queue<GatewayRef>,
}

impl Shared {
    /// Nothing has happened yet. `changed` takes Gateways that are to be reconciled.
    #[must_use]
    pub fn new(parts: Parts, changed: UnboundedSender<GatewayRef>) -> Self {
        let Parts { context, announcer, predecessor, external_dns } = parts;
        let queue = Queue::new(context.metrics.queue("wrapped_gateway"));
        Self {
            context,
            announcer,
            predecessor,
            external_dns,
            namespaces: Namespaces::default(),
            grants: Grants::default(),
            ledger: Ledger::default(),
            looks: Looks::new(changed),
            kept: Kept::default(),
            redirects: Ledger::default(),
            reports: Reports::default(),
            failures: Failures::new(PATIENCE),
            queue,
        }
    }

    /// Forgets a WrappedGateway that is gone.
    pub fn forget(&self, key: &GatewayRef) {
        self.context.publish(key, BTreeMap::new());
        self.external_dns.look_at_routes_of(key);
        self.namespaces.forget(key);
        self.grants.forget(key);
        self.ledger.forget(key);
        self.looks.forget(key);
        self.redirects.forget(key);
        self.reports.forget(key);
        self.failures.succeeded(key);
        self.queue.forget(key);
        self.context.metrics.gateway_gone(&key.namespace, &key.name);
    }

    /// Forgets every WrappedGateway but these.
    pub fn retain(&self, is_there: impl Fn(&GatewayRef) -> bool) {
        for key in self.reports.all().iter().filter(|key| !is_there(key)) {
            self.forget(key);
        }
    }
}
