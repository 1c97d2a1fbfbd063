//! Reads what a report needs, and no more: of a Secret its metadata alone.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, ListParams};
use kube::{Api, Client, ResourceExt as _};

use super::report::{Found, SecretKey, SecretState, Secrets, certificates};
use crate::api::{Object, StoredWrappedGateway, WrappedGateway};
use crate::controller::observe::gateway_resource;
use crate::explain::explain;

/// How long the API server may be silent.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How many Secrets are asked for at a time.
const AT_A_TIME: usize = 8;

/// Which WrappedGateways are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces.
    All,
    /// Those of one namespace.
    Namespace(String),
    /// One.
    One {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("any namespace"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}; -A looks at all namespaces"),
            Self::One { namespace, .. } => write!(f, "namespace {namespace}"),
        }
    }
}

/// Why the cluster does not say it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It refuses, or cannot be reached.
    #[error("cannot read {what}: {}", explain(.source))]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// The definition of WrappedGateway is missing.
    #[error(
        "the cluster does not know WrappedGateways; install their definition: homelab-helper gateway-route-sync crd | \
         kubectl apply --server-side -f -"
    )]
    NoWrappedGateways,
    /// The Gateway API is missing.
    #[error("the cluster does not know Gateways (gateway.networking.k8s.io/v1); install the Gateway API's CRDs")]
    NoGateways,
    /// There is none of that name.
    #[error("there is no WrappedGateway {name} in namespace {namespace}")]
    NotFound {
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
}

/// Reads everything that a report is made of.
///
/// # Errors
/// Where WrappedGateways or Gateways cannot be read, or there is none of the wanted name.
pub async fn look(client: &Client, scope: &Scope) -> Result<Found, Error> {
    let wrapped = match read(client, scope, &ApiResource::erase::<WrappedGateway>(&())).await {
        Ok(Some(objects)) => objects.into_iter().filter_map(stored).collect::<Vec<_>>(),
        Ok(None) => return Err(Error::NoWrappedGateways),
        Err(source) => return Err(Error::Refused { what: "WrappedGateways", source: Box::new(source) }),
    };
    if let (Scope::One { namespace, name }, []) = (scope, wrapped.as_slice()) {
        return Err(Error::NotFound { namespace: namespace.clone(), name: name.clone() });
    }
    let gateways = match read(client, scope, &gateway_resource()).await {
        Ok(Some(gateways)) => gateways,
        Ok(None) => return Err(Error::NoGateways),
        Err(source) => return Err(Error::Refused { what: "Gateways", source: Box::new(source) }),
    };
    let mut found = Found { wrapped, gateways, secrets: Secrets::default(), now: Timestamp::now() };
    found.secrets = secrets(client, certificates(&found)).await;
    Ok(found)
}

/// The objects of a kind, in the order of namespace and name; none at all where the kind is not served.
///
/// One object is listed as well: that an object is missing and that its kind is would be the same answer otherwise.
async fn read(client: &Client, scope: &Scope, resource: &ApiResource) -> Result<Option<Vec<Object>>, kube::Error> {
    let in_namespace = |namespace: &str| Api::namespaced_with(client.clone(), namespace, resource);
    let (api, parameters): (Api<Object>, _) = match scope {
        Scope::All => (Api::all_with(client.clone(), resource), ListParams::default()),
        Scope::Namespace(namespace) => (in_namespace(namespace), ListParams::default()),
        Scope::One { namespace, name } => {
            (in_namespace(namespace), ListParams::default().fields(&format!("metadata.name={name}")))
        }
    };
    let mut objects = match api.list(&parameters).await {
        Ok(list) => list.items,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        Err(error) => return Err(error),
    };
    objects.sort_by_key(|object| (object.namespace(), object.name_any()));
    Ok(Some(objects))
}

/// Never none: all that it takes is metadata, which every object has.
fn stored(object: Object) -> Option<StoredWrappedGateway> {
    serde_json::from_value(object.whole).ok()
}

/// Which of these Secrets exist. Each is asked for by its name, which needs the permission `get` alone.
async fn secrets(client: &Client, wanted: BTreeSet<SecretKey>) -> Secrets {
    let states = stream::iter(wanted).map(async |key| {
        let state = secret(client, &key).await;
        (key, state)
    });
    let mut secrets = Secrets::default();
    let mut states = std::pin::pin!(states.buffered(AT_A_TIME));
    while let Some((key, state)) = states.next().await {
        match state {
            Ok(state) => secrets.insert(key, state),
            Err(error) => secrets.unreadable(key, &explain(&error)),
        }
    }
    secrets
}

async fn secret(client: &Client, key: &SecretKey) -> Result<SecretState, kube::Error> {
    // A Gateway admits names that no object can have, and they must not become part of a path.
    if !is_name(&key.name) || !is_name(&key.namespace) {
        return Ok(SecretState::Missing);
    }
    let api: Api<Secret> = Api::namespaced(client.clone(), &key.namespace);
    let metadata = api.get_metadata_opt(&key.name).await?;
    Ok(if metadata.is_some() { SecretState::Present } else { SecretState::Missing })
}

/// Whether an object can have this name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|label| {
            label.starts_with(is_inner) && label.ends_with(is_inner) && label.chars().all(|c| is_inner(c) || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_gets_into_no_path() {
        for name in ["edge", "my-gateway.https-443-www-example-com", "1", "a.b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "../a", "Edge", "-a", "a-", "a..b", "a?b", "a%2fb", &"a".repeat(254)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
