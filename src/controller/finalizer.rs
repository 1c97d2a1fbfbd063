//! The finalizer of a WrappedGateway: there while a route attached to it may bear names in DNS, and at no other time, so
//! that a WrappedGateway without such routes can be deleted when no controller runs any more. The only writer of it.
//!
//! It has the name of the one that an earlier implementation put on every WrappedGateway, so that what was left of that
//! goes in the same way.

use std::time::Duration;

use kube::Resource as _;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::error::{self, Error};
use super::external_dns::bears_finalizer;
use super::relics;
use super::shared::Shared;
use super::wrapped_gateway::Stored;
use crate::api::{FIELD_MANAGER, FINALIZER, WrappedGateway};
use crate::routes::GatewayRef;

/// How often an object that changes meanwhile is read anew.
const ATTEMPTS: usize = 5;

/// Puts it on where it is needed and lacks. Takes it away where it is not needed, after the names that it stands for; where
/// an earlier implementation still runs, returns how long to wait before that.
///
/// # Errors
/// Where the API server does not let it be put or taken, or a route keeps names.
pub(super) async fn settle(key: &GatewayRef, stored: &Stored, shared: &Shared) -> Result<Option<Duration>, Error> {
    let metadata = stored.meta();
    let needed = metadata.deletion_timestamp.is_none() && shared.external_dns.needs_finalizer(key);
    let resource = ApiResource::erase::<WrappedGateway>(&());
    let api = Api::namespaced_with(shared.context.client.clone(), &key.namespace, &resource);
    let what = format!("WrappedGateway {key}");
    match (bears_finalizer(metadata), needed) {
        (false, true) => {
            put(&api, metadata.clone()).await.map_err(Error::Finalizer)?;
            // That it is there again is no sign of an earlier implementation.
            shared.predecessor.forget(&what);
        }
        (true, false) => {
            // Routes that are not known yet may bear names.
            shared.context.routes_listed()?;
            let kept = |error| Error::Kept(Box::new(error));
            let _nothing_is_written = shared.external_dns.retire(key).await.map_err(kept)?;
            return relics::remove(&api, &key.name, &what, &shared.predecessor).await.map_err(|error| match error {
                Error::Relics(source) => Error::Finalizer(source),
                error => error,
            });
        }
        (true, true) | (false, false) => {}
    }
    shared.external_dns.look_at_routes_of(key);
    Ok(None)
}

/// Adds it to those that there are. What is gone or being deleted gets none.
async fn put(api: &Api<DynamicObject>, mut metadata: ObjectMeta) -> Result<(), kube::Error> {
    let name = metadata.name.clone().unwrap_or_default();
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        if metadata.deletion_timestamp.is_some() || bears_finalizer(&metadata) {
            return Ok(());
        }
        let addition = serde_json::from_value(addition(&metadata)).map_err(kube::Error::SerdeError)?;
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(&name, &parameters, &Patch::<()>::Json(addition)).await {
            Ok(_) => return Ok(()),
            // Another change came in between.
            Err(source) if matches!(error::code(&source), Some(409 | 422)) => refused = Some(source),
            Err(source) if error::code(&source) == Some(404) => return Ok(()),
            Err(source) => return Err(source),
        }
        metadata = match api.get_metadata(&name).await {
            Ok(found) => found.metadata,
            Err(source) if error::code(&source) == Some(404) => return Ok(()),
            Err(source) => return Err(source),
        };
    }
    refused.map_or(Ok(()), Err)
}

/// A JSON patch that adds it to the object in that version, behind the finalizers of others.
fn addition(metadata: &ObjectMeta) -> Value {
    let add = if metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty()) {
        json!({ "op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER })
    } else {
        json!({ "op": "add", "path": "/metadata/finalizers", "value": [FINALIZER] })
    };
    json!([
        { "op": "test", "path": "/metadata/uid", "value": metadata.uid },
        { "op": "test", "path": "/metadata/resourceVersion", "value": metadata.resource_version },
        add,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added_to(finalizers: Option<&[&str]>) -> Value {
        let metadata = json!({ "uid": "1", "resourceVersion": "7", "finalizers": finalizers });
        addition(&serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn it_is_added_to_that_version_behind_those_of_others() {
        let guarded = |add: Value| {
            json!([
                { "op": "test", "path": "/metadata/uid", "value": "1" },
                { "op": "test", "path": "/metadata/resourceVersion", "value": "7" },
                add,
            ])
        };
        let first = json!({ "op": "add", "path": "/metadata/finalizers", "value": [FINALIZER] });
        assert_eq!(added_to(None), guarded(first.clone()));
        assert_eq!(added_to(Some(&[])), guarded(first));
        let last = json!({ "op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER });
        assert_eq!(added_to(Some(&["example.com/guard"])), guarded(last));
    }
}
