//! The Gateway as it is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::core::ObjectMeta;
use serde_json::Value;
use thiserror::Error;

use super::error::{self, Error};
use super::fields;
use super::standing::{Standing, is_former_owner, managed_fields, standing};
use crate::api::{GATEWAY_GROUP, WrappedGateway};
use crate::planner::{Control, LiveListener, NoListener, live_listeners};
use crate::routes::GatewayRef;

/// A Gateway that exists.
#[derive(Clone, Debug)]
pub struct Existing {
    /// The whole object.
    pub object: Value,
    /// Its metadata.
    pub metadata: ObjectMeta,
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
pub fn gateways(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &gateway_resource())
}

/// Reads the WrappedGateway's Gateway; none where there is none.
///
/// # Errors
/// Where the API server cannot be asked, does not know Gateways, or gives one that makes no sense.
pub async fn observe(client: &Client, key: &GatewayRef, wrapped: &WrappedGateway) -> Result<Option<Existing>, Error> {
    match gateways(client, &key.namespace).get(&key.name).await {
        Ok(object) => Ok(Some(Existing::read(&object, wrapped)?)),
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

impl Existing {
    /// A Gateway as the API server gave it.
    ///
    /// # Errors
    /// Where its listeners make no sense.
    pub fn read(object: &DynamicObject, wrapped: &WrappedGateway) -> Result<Self, Unreadable> {
        let whole = serde_json::to_value(object).unwrap_or_default();
        let standing = standing(&object.metadata, &whole, wrapped);
        let control = match standing {
            Standing::Controlled | Standing::Inherited | Standing::Orphaned => Control::Ours,
            Standing::Adopted | Standing::Foreign(_) => Control::NotOurs,
        };
        let listeners = live_listeners(&whole, control)?;
        Ok(Self { object: whole, metadata: object.metadata.clone(), standing, listeners })
    }

    /// Whether something counts as ours that our Apply entry does not have, so that an apply could not remove it, or
    /// someone is the controller in whose place an apply could not put us.
    #[must_use]
    pub fn has_unclaimed(&self) -> bool {
        let claimed = fields::own_entry(&self.metadata).map(fields::listener_names).unwrap_or_default();
        self.standing == Standing::Inherited
            || self.is_former()
            || self.listeners.iter().any(|live| live.ours && !claimed.contains(&live.listener.name))
    }

    /// The WrappedGateway that controls it and that an implementation before us read, if there is one.
    #[must_use]
    pub fn former_owner(&self, wrapped: &WrappedGateway) -> Option<&OwnerReference> {
        self.metadata.owner_references.iter().flatten().find(|owner| is_former_owner(owner, wrapped))
    }

    /// Whether it is ours and an implementation that came before wrote it since we last did.
    #[must_use]
    pub fn is_former(&self) -> bool {
        let ours = !matches!(self.standing, Standing::Adopted | Standing::Foreign(_));
        ours && managed_fields(&self.object).iter().any(fields::is_former)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        Existing::read(&serde_json::from_value(object).unwrap(), &wrapped()).unwrap()
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
}
