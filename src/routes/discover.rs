//! Which of the kinds that matter here this cluster serves, and at which version.
//!
//! Absent is not an error, and an error is not absence. Plain discovery is asked, one version after the other: the
//! aggregated kind leaves out what an unreachable API service serves, which would look like absence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIResourceList};
use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use serde::de::DeserializeOwned;

use super::RouteKind;
use crate::api::{GATEWAY_GROUP, GROUP};
use crate::explain::explain;

/// Versions of the Gateway API that are understood, the one to be preferred first.
const VERSIONS: [&str; 4] = ["v1", "v1beta1", "v1alpha3", "v1alpha2"];

/// Discovery is answered from memory; an answer that takes longer than this does not come.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What the cluster serves, each kind at the newest version that is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// The route kinds that are served.
    pub routes: BTreeMap<RouteKind, ApiResource>,
    /// `Gateway`, if it is served.
    pub gateway: Option<ApiResource>,
    /// `ReferenceGrant`, if it is served.
    pub reference_grant: Option<ApiResource>,
    /// Whether `WrappedGateway` is served.
    pub wrapped_gateway: bool,
}

impl Served {
    /// The route kinds that are not served.
    #[must_use]
    pub fn absent(&self) -> BTreeSet<RouteKind> {
        RouteKind::ALL.into_iter().filter(|kind| !self.routes.contains_key(kind)).collect()
    }

    /// What is not served, and without which there is nothing to do.
    #[must_use]
    pub fn missing(&self) -> BTreeSet<Required> {
        let is_served = |required: &Required| match required {
            Required::Gateway => self.gateway.as_ref().is_some_and(|gateway| gateway.version == VERSIONS[0]),
            Required::WrappedGateway => self.wrapped_gateway,
        };
        Required::ALL.into_iter().filter(|required| !is_served(required)).collect()
    }

    fn is_complete(&self) -> bool {
        self.gateway.is_some() && self.reference_grant.is_some() && self.routes.len() == RouteKind::ALL.len()
    }
}

/// A kind without which there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Required {
    /// `Gateway`, as v1.
    Gateway,
    /// `WrappedGateway`.
    WrappedGateway,
}

impl Required {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Gateway, Self::WrappedGateway];

    /// The kind's name.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::WrappedGateway => "WrappedGateway",
        }
    }

    /// What to do where it is not served.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Gateway => "install the Gateway API's CRDs, in version 1.0 or newer",
            Self::WrappedGateway => "install the CRD that `homelab-helper gateway-route-sync crd` prints",
        }
    }
}

/// Why it is not known what the cluster serves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer, or not what was asked for.
    #[error("{path}: {}", explain(source))]
    Request {
        /// What was asked for.
        path: String,
        /// What came of it.
        source: Box<kube::Error>,
    },
    /// The API server took too long.
    #[error("{path}: no answer within {} s", TIMEOUT.as_secs())]
    Timeout {
        /// What was asked for.
        path: String,
    },
    /// A version is in the list of versions and has no list of kinds: a change is under way.
    #[error("{path}: listed as served, but not found")]
    Vanished {
        /// What was asked for.
        path: String,
    },
}

/// Asks the API server what it serves. Costs one request for each version up to the one that completes the picture, and
/// two more.
///
/// # Errors
///
/// Whenever the answer is anything but complete: then nothing is known, absence least of all.
pub async fn discover(client: &Client) -> Result<Served, Error> {
    let mut served = Served::default();
    let group: Option<APIGroup> = get(client, format!("/apis/{GATEWAY_GROUP}")).await?;
    let listed: Vec<String> = group.into_iter().flat_map(|group| group.versions).map(|found| found.version).collect();
    for version in VERSIONS.into_iter().filter(|version| listed.iter().any(|listed| listed == version)) {
        let path = format!("/apis/{GATEWAY_GROUP}/{version}");
        let resources = get(client, path.clone()).await?.ok_or(Error::Vanished { path })?;
        for kind in RouteKind::ALL {
            if !served.routes.contains_key(&kind) && is_served(&resources, kind.plural(), kind.name()) {
                served.routes.insert(kind, resource(version, kind.plural(), kind.name()));
            }
        }
        if served.gateway.is_none() && is_served(&resources, "gateways", "Gateway") {
            served.gateway = Some(resource(version, "gateways", "Gateway"));
        }
        if served.reference_grant.is_none() && is_served(&resources, "referencegrants", "ReferenceGrant") {
            served.reference_grant = Some(resource(version, "referencegrants", "ReferenceGrant"));
        }
        if served.is_complete() {
            break;
        }
    }
    let ours: Option<APIResourceList> = get(client, format!("/apis/{GROUP}/v1")).await?;
    served.wrapped_gateway = ours.is_some_and(|ours| is_served(&ours, "wrappedgateways", "WrappedGateway"));
    Ok(served)
}

/// Believes in absence only when two looks in a row agree: for a moment after it started, an API server answers before it
/// knows all of its kinds.
#[derive(Debug, Default)]
pub struct Looks {
    absent: BTreeSet<RouteKind>,
    missing: BTreeSet<Required>,
}

/// What a look, compared with the one before, says of the kinds that it does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Not served.
    pub believed: BTreeSet<RouteKind>,
    /// Not served, so that there is nothing to do.
    pub missing: BTreeSet<Required>,
    /// Whether other kinds may not be served, so that it is worthwhile to look again soon.
    pub doubtful: bool,
}

impl Looks {
    /// Takes in another look.
    pub fn look(&mut self, served: &Served) -> Absence {
        let (absent, missing) = (served.absent(), served.missing());
        let absence = Absence {
            believed: &absent & &self.absent,
            missing: &missing & &self.missing,
            doubtful: !absent.is_subset(&self.absent) || !missing.is_subset(&self.missing),
        };
        *self = Self { absent, missing };
        absence
    }
}

fn is_served(resources: &APIResourceList, plural: &str, kind: &str) -> bool {
    let can = |verbs: &[String], verb: &str| verbs.iter().any(|can| can == verb);
    resources.resources.iter().any(|found| {
        found.name == plural && found.kind == kind && can(&found.verbs, "list") && can(&found.verbs, "watch")
    })
}

fn resource(version: &str, plural: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GATEWAY_GROUP, version, kind), plural)
}

/// `None` where the API server says that there is no such thing.
async fn get<T: DeserializeOwned>(client: &Client, path: String) -> Result<Option<T>, Error> {
    let failed = |path: String, source| Error::Request { path, source: Box::new(source) };
    let request = match Request::get(&path).body(Vec::new()) {
        Ok(request) => request,
        Err(invalid) => return Err(failed(path, kube::Error::HttpError(invalid))),
    };
    match tokio::time::timeout(TIMEOUT, client.request(request)).await {
        Err(_) => Err(Error::Timeout { path }),
        Ok(Ok(found)) => Ok(Some(found)),
        // The body of this 404 is no `Status`, so that nothing but its code tells.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
        Ok(Err(error)) => Err(failed(path, error)),
    }
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
