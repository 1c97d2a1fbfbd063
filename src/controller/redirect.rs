//! The HTTPRoute that answers plain HTTP with a redirect to https. The only writer of it, and it is the only route that is
//! written as a whole.

use kube::api::{Api, ApiResource, DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::apply::is_outdated;
use super::error::{self, Error};
use super::fields::{self, Shape};
use super::ledger::Permit;
use super::shared::Shared;
use super::standing::MANAGED_BY;
use super::wish::{guard, owner};
use crate::api::{FIELD_MANAGER, Object, REDIRECT_SUFFIX, WrappedGateway, annotation};
use crate::planner::{Origin, Plan};
use crate::routes::{GatewayRef, RouteKey, RouteKind};

/// How often a route that changes meanwhile is read anew.
const ATTEMPTS: usize = 5;

/// What came of one attempt.
enum Settled {
    /// The route is as it should be.
    Done,
    /// It is not, and nothing can be done about it here.
    Hindered(String),
    /// What was read is no longer so.
    Outdated,
}

/// The Gateway that a route of that name would be the redirect of.
pub(super) fn gateway_of(route: &RouteKey) -> Option<GatewayRef> {
    let name = route.name.strip_suffix(REDIRECT_SUFFIX).filter(|_| route.kind == RouteKind::Http)?;
    Some(GatewayRef { namespace: route.namespace.clone(), name: name.to_owned() })
}

/// Makes the route be there where the plan has a listener for it, and be gone where not. Returns what stands in the way.
///
/// # Errors
/// Where the API server cannot be asked, or does not take it.
pub(super) async fn settle(
    shared: &Shared,
    key: &GatewayRef,
    wrapped: &WrappedGateway,
    plan: &Plan,
) -> Result<Option<String>, Error> {
    let name = format!("{}{REDIRECT_SUFFIX}", key.name);
    let listener = plan.listeners.iter().find(|planned| planned.origin == Origin::Redirect);
    let known = RouteKey { namespace: key.namespace.clone(), name: name.clone(), kind: RouteKind::Http };
    // A route that is not known yet is looked at when the watch shows it.
    if listener.is_none() && shared.context.routes.get(&known).is_none() {
        return Ok(None);
    }
    let resource =
        shared.context.served.borrow().as_ref().and_then(|served| served.routes.get(&RouteKind::Http).cloned());
    let Some(resource) = resource else {
        let why = "httpsRedirect needs an HTTPRoute, and the cluster does not serve HTTPRoutes.";
        return Ok(listener.map(|_| why.to_owned()));
    };
    let api = Api::namespaced_with(shared.context.client.clone(), &key.namespace, &resource);
    for _ in 0..ATTEMPTS {
        let existing = match api.get(&name).await {
            Ok(existing) => Some(existing),
            Err(source) if error::code(&source) == Some(404) => None,
            Err(source) => return Err(Error::Redirect(source)),
        };
        let settled = match (listener, existing) {
            (Some(planned), existing) => {
                let wish = wish(key, wrapped, &planned.listener.name);
                let route = Route { api: &api, resource: &resource, name: &name, existing };
                route.make(shared, key, wrapped, &wish).await?
            }
            (None, Some(existing)) if is_controlled(&existing.metadata, wrapped) && is_labelled(&existing.metadata) => {
                remove(&api, &name, &existing.metadata).await?
            }
            (None, _) => Settled::Done,
        };
        match settled {
            Settled::Done => return Ok(None),
            Settled::Hindered(why) => return Ok(Some(why)),
            Settled::Outdated => {}
        }
    }
    Err(Error::Contended("The HTTPRoute of httpsRedirect changes faster than it can be read and written."))
}

/// What of the route is ours, which is all of it.
fn wish(key: &GatewayRef, wrapped: &WrappedGateway, listener: &str) -> Value {
    let redirect = json!({ "type": "RequestRedirect", "requestRedirect": { "scheme": "https", "statusCode": 301 } });
    json!({
        "metadata": {
            // It is there for a listener that is there already, and asks for none.
            "annotations": { annotation::IGNORE: "true" },
            "labels": { MANAGED_BY: FIELD_MANAGER },
            "ownerReferences": Vec::from_iter(owner(wrapped)),
        },
        "spec": {
            "parentRefs": [{ "name": key.name, "sectionName": listener }],
            "rules": [{ "filters": [redirect] }],
        },
    })
}

/// The route of that name, if there is one.
struct Route<'a> {
    api: &'a Api<Object>,
    resource: &'a ApiResource,
    name: &'a str,
    existing: Option<Object>,
}

impl Route<'_> {
    /// Makes it what it should be, with no write where it is so already.
    async fn make(
        &self,
        shared: &Shared,
        key: &GatewayRef,
        wrapped: &WrappedGateway,
        wish: &Value,
    ) -> Result<Settled, Error> {
        let metadata = self.existing.as_ref().map(|existing| &existing.metadata);
        if let Some(why) = self.existing.as_ref().and_then(|existing| self.hindrance(existing, wrapped)) {
            return Ok(Settled::Hindered(why));
        }
        let version = metadata.and_then(|metadata| metadata.resource_version.as_deref());
        let permit = shared.redirects.permit(key, wish, version);
        let is_fulfilled = self.existing.as_ref().is_some_and(|existing| is_fulfilled(wish, existing));
        if is_fulfilled || permit == Permit::Futile {
            return Ok(Settled::Done);
        }
        if permit == Permit::Wait {
            return Err(Error::Contended(
                "Someone else keeps undoing what is written to the HTTPRoute of httpsRedirect.",
            ));
        }
        let mut body = wish.clone();
        body["apiVersion"] = json!(self.resource.api_version);
        body["kind"] = json!(self.resource.kind);
        body["metadata"]["name"] = json!(self.name);
        guard(&mut body["metadata"], metadata);
        match self.api.patch(self.name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&body)).await {
            Ok(written) => {
                let written = written.metadata.resource_version;
                shared.redirects.record(key, wish, written.as_deref(), written.as_deref() == version);
                Ok(Settled::Done)
            }
            Err(source) if error::api_status(&source).is_some_and(is_outdated) => Ok(Settled::Outdated),
            Err(source) => Err(Error::Redirect(source)),
        }
    }

    /// Why it is not ours to write.
    fn hindrance(&self, existing: &Object, wrapped: &WrappedGateway) -> Option<String> {
        let name = self.name;
        if !is_ours(existing, wrapped) && !is_orphaned(existing) {
            return Some(format!(
                "An HTTPRoute {name} exists and was not made by gateway-route-sync, so it is left alone, and plain HTTP is not \
                 redirected. Delete or rename it, or switch httpsRedirect off."
            ));
        }
        let is_leaving = existing.metadata.deletion_timestamp.is_some();
        is_leaving.then(|| format!("The HTTPRoute {name} is being deleted; it is made anew when it is gone."))
    }
}

/// Whether the WrappedGateway controls it.
fn is_controlled(metadata: &ObjectMeta, wrapped: &WrappedGateway) -> bool {
    let mut owners = metadata.owner_references.iter().flatten();
    owners.any(|owner| owner.controller == Some(true) && Some(&owner.uid) == wrapped.metadata.uid.as_ref())
}

fn is_labelled(metadata: &ObjectMeta) -> bool {
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY));
    label.is_some_and(|manager| manager == FIELD_MANAGER)
}

fn is_ours(route: &Object, wrapped: &WrappedGateway) -> bool {
    is_controlled(&route.metadata, wrapped) && (is_labelled(&route.metadata) || fields::own_entry(route).is_some())
}

/// We made it, and nobody controls it: a restore, or a deletion of the WrappedGateway that left it behind.
fn is_orphaned(route: &Object) -> bool {
    let mut owners = route.metadata.owner_references.iter().flatten();
    !owners.any(|owner| owner.controller == Some(true))
        && is_labelled(&route.metadata)
        && fields::own_entry(route).is_some()
}

fn is_fulfilled(wish: &Value, existing: &Object) -> bool {
    // What a route's spec has in it is owned as a whole: its lists are atomic.
    let spec = Shape::Object([].into());
    let shape = Shape::Object([("metadata".to_owned(), Shape::of_metadata()), ("spec".to_owned(), spec)].into());
    let is_owned = fields::own_entry(existing) == fields::owned(&shape, wish).as_ref();
    is_owned && fields::has(&shape, wish, &existing.whole)
}

/// Deletes that very object in that very version.
async fn remove(api: &Api<Object>, name: &str, metadata: &ObjectMeta) -> Result<Settled, Error> {
    if metadata.deletion_timestamp.is_some() {
        return Ok(Settled::Done);
    }
    let preconditions =
        Preconditions { uid: metadata.uid.clone(), resource_version: metadata.resource_version.clone() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &parameters).await {
        Ok(_) => Ok(Settled::Done),
        Err(source) => match error::code(&source) {
            Some(404) => Ok(Settled::Done),
            Some(409) => Ok(Settled::Outdated),
            _ => Err(Error::Redirect(source)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::GROUP;

    fn wrapped() -> WrappedGateway {
        serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "WrappedGateway",
            "metadata": { "namespace": "infra", "name": "public", "uid": "us" },
            "spec": { "gatewayClassName": "x", "httpsRedirect": true },
        }))
        .unwrap()
    }

    fn route(owner: Option<&str>, labelled: bool, applied: bool) -> Object {
        let owners = owner
            .map(|uid| json!([{ "apiVersion": "v1", "kind": "Thing", "name": "t", "uid": uid, "controller": true }]));
        let entry = json!([{ "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": { "f:spec": {} } }]);
        let metadata = json!({
            "ownerReferences": owners,
            "labels": labelled.then(|| json!({ MANAGED_BY: FIELD_MANAGER })),
            "managedFields": applied.then_some(entry),
        });
        Object::try_from(json!({ "metadata": metadata })).unwrap()
    }

    #[test]
    fn the_owner_and_what_we_put_on_it_make_it_ours() {
        assert!(is_ours(&route(Some("us"), true, true), &wrapped()));
        assert!(is_ours(&route(Some("us"), false, true), &wrapped()), "without its label it gets that back");
        assert!(is_ours(&route(Some("us"), true, false), &wrapped()), "as after a restore");
        assert!(!is_ours(&route(Some("us"), false, false), &wrapped()));
        assert!(!is_ours(&route(Some("them"), true, true), &wrapped()));
        assert!(!is_ours(&route(None, true, true), &wrapped()));
    }

    #[test]
    fn what_we_made_and_nobody_controls_is_taken_again() {
        assert!(is_orphaned(&route(None, true, true)));
        for other in [route(Some("them"), true, true), route(None, false, true), route(None, true, false)] {
            assert!(!is_orphaned(&other), "{other:?}");
        }
    }

    #[test]
    fn a_route_tells_its_gateway_by_its_name() {
        let route = |name: &str, kind| RouteKey { namespace: "infra".to_owned(), name: name.to_owned(), kind };
        let of = |name, kind| gateway_of(&route(name, kind)).map(|gateway| gateway.to_string());
        assert_eq!(of("public-https-redirect", RouteKind::Http).as_deref(), Some("infra/public"));
        assert_eq!(of("public-https-redirect", RouteKind::Grpc), None);
        assert_eq!(of("public", RouteKind::Http), None);
    }

    #[test]
    fn it_is_bound_to_its_listener_and_asks_for_none() {
        let key = GatewayRef { namespace: "infra".to_owned(), name: "public".to_owned() };
        let mut wish = wish(&key, &wrapped(), "http");
        wish["metadata"]["namespace"] = json!("infra");
        wish["metadata"]["name"] = json!("public-https-redirect");
        assert_eq!(wish["spec"]["parentRefs"], json!([{ "name": "public", "sectionName": "http" }]));
        assert_eq!(crate::routes::decode(RouteKind::Http, wish).unwrap().parent_refs, []);
    }
}
