//! Takes away what an implementation that came before left on an object: its finalizer, with which the object could never
//! be deleted again, and its bookkeeping.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::core::{ObjectMeta, TypeMeta};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::{self, Error};
use super::predecessor::Predecessor;
use crate::api::{FIELD_MANAGER, former};
use crate::routes::GatewayRef;

/// How often an object that changes meanwhile is read anew.
const ATTEMPTS: usize = 5;

/// Takes it away from the object of that name. Returns how long to wait before the next attempt, where the one that left
/// it still runs.
///
/// # Errors
/// Where the API server does not let it be taken away.
pub async fn remove(
    api: &Api<DynamicObject>,
    name: &str,
    what: &str,
    predecessor: &Predecessor,
) -> Result<Option<Duration>, Error> {
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        let metadata = match api.get_metadata(name).await {
            Ok(found) => found.metadata,
            Err(source) if error::code(&source) == Some(404) => return Ok(None),
            Err(source) => return Err(Error::Relics(source)),
        };
        let removal = removal(&metadata);
        if removal.is_empty() {
            return Ok(None);
        }
        // Nobody puts anything back on what is being deleted.
        if metadata.deletion_timestamp.is_none()
            && let Err(wait) = predecessor.permit(what, Instant::now())
        {
            return Ok(Some(wait));
        }
        match patch(api, name, removal).await {
            Ok(()) => {
                predecessor.cleaned(what, Instant::now());
                tracing::debug!(object = what, "took away what an earlier implementation had left");
                return Ok(None);
            }
            // Another change came in between: finalizers do not stand any more where they stood.
            Err(source) if matches!(error::code(&source), Some(404 | 409 | 422)) => refused = Some(source),
            Err(source) => return Err(Error::Relics(source)),
        }
    }
    refused.map_or(Ok(None), |source| Err(Error::Relics(source)))
}

/// Takes it away from the WrappedGateway that controlled a Gateway before ours did. It serves nothing any more, and no
/// program that runs would let it be deleted.
///
/// The Gateway does not depend on it, so that a failure is only told.
pub async fn release(client: &Client, key: &GatewayRef, former: &OwnerReference, predecessor: &Predecessor) {
    let types = TypeMeta { api_version: former.api_version.clone(), kind: former.kind.clone() };
    let Ok(kind) = GroupVersionKind::try_from(types) else { return };
    let api = Api::namespaced_with(client.clone(), &key.namespace, &ApiResource::from_gvk(&kind));
    let what = format!("WrappedGateway.{} {key}", former::LATER_GROUP);
    if let Err(error) = remove(&api, &former.name, &what, predecessor).await {
        let error = error.explain();
        tracing::warn!(object = what, error, "nothing depends on it any more, but it keeps its finalizer");
    }
}

async fn patch(api: &Api<DynamicObject>, name: &str, removal: Vec<Value>) -> Result<(), kube::Error> {
    let patch: Patch<()> = Patch::Json(serde_json::from_value(Value::Array(removal)).map_err(kube::Error::SerdeError)?);
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch_metadata(name, &parameters, &patch).await.map(drop)
}

/// A JSON patch that takes away all of it and nothing else, or nothing at all.
fn removal(metadata: &ObjectMeta) -> Vec<Value> {
    let mut operations = Vec::new();
    let finalizers = metadata.finalizers.iter().flatten().enumerate();
    // From the last to the first: what goes moves those behind it.
    for (place, finalizer) in finalizers.collect::<Vec<_>>().into_iter().rev() {
        if [former::FINALIZER, former::LATER_FINALIZER].contains(&finalizer.as_str()) {
            let path = format!("/metadata/finalizers/{place}");
            operations.push(json!({ "op": "test", "path": path, "value": finalizer }));
            operations.push(json!({ "op": "remove", "path": path }));
        }
    }
    let annotations = metadata.annotations.iter().flatten().map(|(key, _)| key.as_str());
    for key in annotations.filter(|key| [former::PARENT_REFS, former::LATER_PARENT_REFS].contains(key)) {
        operations.push(json!({ "op": "remove", "path": format!("/metadata/annotations/{}", key.replace('/', "~1")) }));
    }
    if !operations.is_empty() {
        operations.insert(0, json!({ "op": "test", "path": "/metadata/uid", "value": metadata.uid }));
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removal_from(finalizers: &[&str], annotations: &[&str]) -> Value {
        let annotations: serde_json::Map<_, _> =
            annotations.iter().map(|key| ((*key).to_owned(), json!("x"))).collect();
        let metadata = json!({ "uid": "1", "finalizers": finalizers, "annotations": annotations });
        json!(removal(&serde_json::from_value(metadata).unwrap()))
    }

    #[test]
    fn finalizers_are_removed_where_they_stand_and_from_the_last_to_the_first() {
        let found = [former::FINALIZER, "example.com/x", former::LATER_FINALIZER];
        assert_eq!(
            removal_from(&found, &[]),
            json!([
                { "op": "test", "path": "/metadata/uid", "value": "1" },
                { "op": "test", "path": "/metadata/finalizers/2", "value": former::LATER_FINALIZER },
                { "op": "remove", "path": "/metadata/finalizers/2" },
                { "op": "test", "path": "/metadata/finalizers/0", "value": former::FINALIZER },
                { "op": "remove", "path": "/metadata/finalizers/0" },
            ])
        );
    }

    #[test]
    fn of_annotations_only_the_bookkeeping_goes() {
        let path = "/metadata/annotations/gateway-route-sync.homelab-helper.benfiola.com~1previous-parent-refs";
        assert_eq!(
            removal_from(&[], &["a", former::PARENT_REFS]),
            json!([
                { "op": "test", "path": "/metadata/uid", "value": "1" },
                { "op": "remove", "path": path },
            ])
        );
    }

    #[test]
    fn where_nothing_is_left_nothing_is_done() {
        assert_eq!(removal_from(&["example.com/x"], &["a"]), json!([]));
    }
}
