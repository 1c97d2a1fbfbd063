//! What the controller would change on the Gateways of a cluster, of which nothing is written.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, ListParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource as _};
use serde_json::{Value, json};

use super::{Outcome, diff, planned, remarks, yaml};
use crate::api::{Object, ReferenceGrant, WrappedGateway};
use crate::controller::error::Error;
use crate::controller::needs_labels;
use crate::controller::observe::{Existing, observe};
use crate::controller::preview::preview;
use crate::controller::standing::Standing;
use crate::explain::explain;
use crate::kubeconfig;
use crate::manifests::{ExistingGateway, Manifests};
use crate::planner::Control;
use crate::planner::reference::needs_grants;
use crate::routes::{GatewayRef, discover};

/// What the cluster is called among problems.
const SOURCE: &str = "the cluster";
/// Objects of a page: with some hundred kilobytes each, a page of more would be a large piece of memory.
const PAGE: u32 = 100;
/// An answer that takes longer than this is not waited for: somebody sits in front of it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A cluster that is read.
pub(super) struct Cluster {
    client: Client,
}

/// What was found out so far.
#[derive(Default)]
struct Findings {
    output: String,
    remarks: Vec<String>,
    failed: bool,
    /// Whether labels of the cluster's namespaces were read.
    knows_labels: bool,
    /// Whether the cluster's ReferenceGrants were read.
    knows_grants: bool,
}

impl Cluster {
    /// The cluster of a kubeconfig. It is not asked anything yet.
    pub async fn connect(args: &kubeconfig::Args) -> Result<Self, String> {
        let mut config = args.load().await.map_err(|error| error.to_string())?;
        config.read_timeout = Some(READ_TIMEOUT);
        config.default_retry = false;
        let client = Client::try_from(config);
        client
            .map(|client| Self { client })
            .map_err(|error| format!("cannot make a client of the kubeconfig: {}", explain(&error)))
    }

    /// Compares every planned Gateway with the one that is there. The cluster's own WrappedGateways and routes are planned
    /// where `everything` says so, and else the manifests.
    pub async fn diff(&self, manifests: &mut Manifests, everything: bool) -> Outcome {
        let mut findings = Findings::default();
        let prepared = if everything { self.read_all(manifests).await } else { self.identify(manifests).await };
        match prepared {
            Ok(()) => {
                // The Gateways that exist are the cluster's.
                manifests.gateways.clear();
                for key in manifests.wrapped_gateways.keys().cloned().collect::<Vec<_>>() {
                    if let Err(error) = self.compare(&key, manifests, &mut findings).await {
                        findings.fail(&format!("Gateway {key}: {error}"));
                    }
                }
            }
            Err(error) => findings.fail(&error),
        }
        findings.remarks.extend(remarks::unreadable(manifests));
        findings.failed |= !manifests.problems.is_empty();
        if !everything {
            findings.remarks.extend(remarks::ignored(manifests));
        }
        let code = if findings.failed { 2 } else { u8::from(!findings.output.is_empty()) };
        Outcome { output: findings.output, remarks: findings.remarks, code }
    }

    /// Reads WrappedGateways and routes.
    async fn read_all(&self, manifests: &mut Manifests) -> Result<(), String> {
        let served = discover::discover(&self.client).await.map_err(|error| error.to_string())?;
        if !served.wrapped_gateway {
            return Err("the cluster does not serve WrappedGateways".to_owned());
        }
        for resource in std::iter::once(&ApiResource::erase::<WrappedGateway>(&())).chain(served.routes.values()) {
            self.each(resource, |object| manifests.read_object(SOURCE, object)).await?;
        }
        Ok(())
    }

    /// Reads every object of a kind, a page at a time.
    async fn each(&self, resource: &ApiResource, mut take: impl FnMut(Value)) -> Result<(), String> {
        let failed = |error: &dyn Display| format!("{}: {error}", resource.plural);
        let api: Api<Object> = Api::all_with(self.client.clone(), resource);
        let mut parameters = ListParams::default().limit(PAGE);
        loop {
            let page = api.list(&parameters).await.map_err(|error| failed(&explain(&error)))?;
            for object in page.items {
                let mut object = object.whole;
                // A list says these once for all of its objects.
                object["apiVersion"] = json!(resource.api_version);
                object["kind"] = json!(resource.kind);
                take(object);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    /// Gives the manifests' WrappedGateways the uid that they have in the cluster, which tells whose a Gateway is.
    async fn identify(&self, manifests: &mut Manifests) -> Result<(), String> {
        let resource = ApiResource::erase::<WrappedGateway>(&());
        for (key, wrapped) in &mut manifests.wrapped_gateways {
            let api: Api<Object> = Api::namespaced_with(self.client.clone(), &key.namespace, &resource);
            let found = api.get_metadata_opt(&key.name).await;
            let found = found.map_err(|error| format!("WrappedGateway {key}: {}", explain(&error)))?;
            wrapped.meta_mut().uid = found.and_then(|found| found.metadata.uid);
        }
        Ok(())
    }

    async fn compare(
        &self,
        key: &GatewayRef,
        manifests: &mut Manifests,
        findings: &mut Findings,
    ) -> Result<(), String> {
        let Some(wrapped) = manifests.wrapped_gateways.get(key) else { return Ok(()) };
        if wrapped.metadata.deletion_timestamp.is_some() {
            findings.remarks.push(format!("left alone: Gateway {key}: its WrappedGateway is being deleted"));
            return Ok(());
        }
        let existing = observe(&self.client, key, wrapped, None).await.map_err(|error| error.explain())?;
        let live = existing.as_ref().map(|existing| existing.listeners.as_slice()).unwrap_or_default();
        if !findings.knows_labels && needs_labels(&wrapped.spec, live) {
            self.read_labels(&mut manifests.namespaces).await?;
            findings.knows_labels = true;
        }
        if !findings.knows_grants && needs_grants(key, &wrapped.spec) {
            // They decide about a warning alone, and whoever may not read them can do without.
            manifests.lacks_grants = self.read_grants(manifests).await.is_err();
            findings.knows_grants = true;
        }
        if let Some(existing) = &existing {
            manifests.gateways.insert(key.clone(), as_manifest(existing));
        }
        let Some(mut planned) = planned(manifests, key) else { return Ok(()) };
        match preview(key, planned.wrapped, existing.as_ref(), &planned.plan) {
            Ok(preview) => {
                planned.left_alone = None;
                let before = preview.live.as_ref().map(yaml::document).unwrap_or_default();
                findings.differences(key, &before, &yaml::document(&preview.planned));
            }
            Err(Error::Refused(why)) => planned.left_alone = Some(why),
            Err(error) => return Err(error.explain()),
        }
        findings.remarks.extend(remarks::on_gateway(&planned));
        Ok(())
    }

    /// The cluster's ReferenceGrants, beside those that are known.
    async fn read_grants(&self, manifests: &mut Manifests) -> Result<(), String> {
        let served = discover::discover(&self.client).await.map_err(|error| error.to_string())?;
        let resource = served.reference_grant.ok_or("the cluster does not serve ReferenceGrants")?;
        let grants = &mut manifests.reference_grants;
        let take = |object: Value| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            grants.extend(ReferenceGrant::read(namespace, &object));
        };
        self.each(&resource, take).await
    }

    /// Labels of the cluster's namespaces, beside those that are known.
    async fn read_labels(&self, known: &mut BTreeMap<String, BTreeMap<String, String>>) -> Result<(), String> {
        let take = |namespace: Value| {
            let metadata: ObjectMeta = serde_json::from_value(namespace["metadata"].clone()).unwrap_or_default();
            if let Some(name) = metadata.name {
                known.entry(name).or_insert_with(|| metadata.labels.unwrap_or_default());
            }
        };
        self.each(&ApiResource::erase::<Namespace>(&()), take).await
    }
}

impl Findings {
    fn fail(&mut self, error: &impl Display) {
        self.failed = true;
        self.remarks.push(remarks::line(&format!("error: {error}")));
    }

    /// Adds what differs, under headings that name the Gateway as `kubectl diff` does.
    fn differences(&mut self, key: &GatewayRef, before: &str, after: &str) {
        let hunks = diff::unified(before, after);
        if !hunks.is_empty() {
            let name = format!("gateway.networking.k8s.io.v1.Gateway.{}.{}", key.namespace, key.name);
            let _ = write!(self.output, "--- LIVE/{name}\n+++ PLANNED/{name}\n{hunks}");
        }
    }
}

fn as_manifest(existing: &Existing) -> ExistingGateway {
    let control = match existing.standing {
        Standing::Controlled | Standing::Inherited | Standing::Orphaned => Control::Ours,
        Standing::Adopted | Standing::Foreign(_) => Control::NotOurs,
    };
    ExistingGateway { live: existing.listeners.clone(), control, controller: None }
}
