//! The Gateway as it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{Api, ApiResource, GetParams, GroupVersionKind};
use thiserror::Error;

use super::error::{self, Error};
use super::fields;
use super::standing::{Standing, is_former_owner, standing};
use crate::api::{GATEWAY_GROUP, Object, WrappedGateway};
use crate::planner::{Control, LiveListener, NoListener, live_listeners};
use crate::routes::GatewayRef;

/// A Gateway that exists.
#[derive(Clone, Debug)]
pub struct Existing {
    /// The object.
    pub object: Object,
    /// Whose it is.
    pub standing: Standing,
    /// Its listeners, in their order.
    pub listeners: Vec<LiveListener>,
}

/// A Gateway that makes no sense.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// Its listeners do not.
    #[error("The Gateway cannot be read: {0}")]
    Listeners(#[from] NoListener),
    /// Its status does not.
    #[error("The Gateway's status cannot be read: {0}")]
    Status(#[source] serde_json::Error),
}

/// Gateways, at the version that is written.
#[must_use]
pub fn gateway_resource() -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(GATEWAY_GROUP, "v1", "Gateway"))
}

/// The Gateways of a namespace.
#[must_use]
pub fn gateways(client: &Client, namespace: &str) -> Api<Object> {
    Api::namespaced_with(client.clone(), namespace, &gateway_resource())
}

/// Reads the WrappedGateway's Gateway; none where there is none. `seen` is its version as far as it is known already.
///
/// # Errors
/// Where the API server cannot be asked, does not know Gateways, or gives one that makes no sense.
pub async fn observe(
    client: &Client,
    key: &GatewayRef,
    wrapped: &WrappedGateway,
    seen: Option<String>,
) -> Result<Option<Existing>, Error> {
    match read(client, key, seen).await {
        Ok(object) => Ok(Some(Existing::read(object, wrapped)?)),
        Err(source) if error::code(&source) == Some(404) => {
            // The same code says that there is no such Gateway and that there is no such kind of thing; only the first names it.
            let of_object = error::api_status(&source)
                .and_then(|status| status.details.as_ref())
                .is_some_and(|details| details.name == key.name);
            if of_object { Ok(None) } else { Err(Error::NotServed(source)) }
        }
        Err(source) => Err(Error::Fetch(source)),
    }
}

/// Reads the Gateway: as the API server has it in memory, where that is the version that was seen last, and else as etcd has
/// it, which costs the API server three times as much or more. Should it have changed again since it was seen, an apply is
/// refused, and the watch tells of it.
async fn read(client: &Client, key: &GatewayRef, seen: Option<String>) -> kube::Result<Object> {
    let gateways = gateways(client, &key.namespace);
    if seen.is_some()
        && let Ok(gateway) = gateways.get_with(&key.name, &GetParams::any()).await
        && gateway.metadata.resource_version == seen
    {
        return Ok(gateway);
    }
    gateways.get(&key.name).await
}

impl Existing {
    /// A Gateway as the API server gave it.
    ///
    /// # Errors
    /// Where its listeners make no sense.
    pub fn read(object: Object, wrapped: &WrappedGateway) -> Result<Self, Unreadable> {
        let standing = standing(&object, wrapped);
        let control = match standing {
            Standing::Controlled | Standing::Inherited | Standing::Orphaned => Control::Ours,
            Standing::Adopted | Standing::Foreign(_) => Control::NotOurs,
        };
        let listeners = live_listeners(&object.whole, control)?;
        Ok(Self { object, standing, listeners })
    }

    /// Whether something counts as ours that our Apply entry does not have, so that an apply could not remove it, or
    /// someone is the controller in whose place an apply could not put us.
    #[must_use]
    pub fn has_unclaimed(&self) -> bool {
        let claimed = fields::own_entry(&self.object).map(fields::listener_names).unwrap_or_default();
        self.standing == Standing::Inherited
            || self.is_former()
            || self.listeners.iter().any(|live| live.ours && !claimed.contains(&live.listener.name))
    }

    /// The WrappedGateway that controls it and that an implementation before us read, if there is one.
    #[must_use]
    pub fn former_owner(&self, wrapped: &WrappedGateway) -> Option<&OwnerReference> {
        self.object.metadata.owner_references.iter().flatten().find(|owner| is_former_owner(owner, wrapped))
    }

    /// Whether it is ours and an implementation that came before wrote it since we last did.
    #[must_use]
    pub fn is_former(&self) -> bool {
        let ours = !matches!(self.standing, Standing::Adopted | Standing::Foreign(_));
        ours && self.object.managed_fields().iter().any(fields::is_former)
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{FIELD_MANAGER, GROUP};

    fn wrapped() -> WrappedGateway {
        serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "WrappedGateway",
            "metadata": { "namespace": "infra", "name": "public", "uid": "us" },
            "spec": { "gatewayClassName": "x" },
        }))
        .unwrap()
    }

    fn existing(managed_fields: &Value) -> Existing {
        let owner = json!({ "apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "us", "controller": true });
        let object = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": { "name": "public", "ownerReferences": [owner], "managedFields": managed_fields },
            "spec": { "listeners": [{ "name": "a", "port": 80, "protocol": "HTTP" }] },
        });
        Existing::read(Object::try_from(object).unwrap(), &wrapped()).unwrap()
    }

    #[test]
    fn listeners_that_nobody_is_known_to_own_are_ours_and_yet_unclaimed() {
        let forgotten = existing(&json!([]));
        assert!(forgotten.listeners[0].ours && forgotten.has_unclaimed());
        let fields = json!({ "f:spec": { "f:listeners": { r#"k:{"name":"a"}"#: { ".": {} } } } });
        let applied = existing(&json!([{ "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields }]));
        assert!(applied.listeners[0].ours && !applied.has_unclaimed());
        let foreign = existing(&json!([{ "manager": "kay", "operation": "Update", "fieldsV1": fields }]));
        assert!(!foreign.listeners[0].ours && !foreign.has_unclaimed());
    }

    /// The version that is read of a Gateway of version 7, where the API server has that version in memory, if any, and the
    /// other one was seen last.
    async fn version_read(in_memory: Option<&'static str>, seen: Option<&str>) -> Option<String> {
        let router = axum::Router::new().fallback(async move |request: Request| {
            let asks_memory = request.uri().query().is_some_and(|query| query.contains("resourceVersion=0"));
            let Some(version) = (if asks_memory { in_memory } else { Some("7") }) else {
                return StatusCode::NOT_FOUND.into_response();
            };
            let metadata = json!({ "namespace": "infra", "name": "public", "resourceVersion": version });
            json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": metadata })
                .to_string()
                .into_response()
        });
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        read(&Client::new(router, "default"), &key, seen.map(str::to_owned)).await.unwrap().metadata.resource_version
    }

    #[tokio::test]
    async fn what_the_api_server_has_in_memory_counts_only_where_it_is_what_was_seen_last() {
        assert_eq!(version_read(Some("6"), Some("6")).await.as_deref(), Some("6"), "the watch will tell of the other");
        for (in_memory, seen) in [(Some("6"), Some("7")), (Some("6"), Some("5")), (None, Some("6")), (Some("6"), None)]
        {
            assert_eq!(version_read(in_memory, seen).await.as_deref(), Some("7"), "{in_memory:?} {seen:?}");
        }
    }
}
