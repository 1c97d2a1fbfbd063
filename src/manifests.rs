//! Manifests as people keep them → what the planner reads. The offline command and the golden tests share it.

mod document;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::Value;

use crate::api::{self, FIELD_MANAGER, GATEWAY_GROUP, GROUP, ReferenceGrant, WrappedGateway, annotation, former};
use crate::planner::{self, Control, LiveListener, Plan, live_listeners};
use crate::routes::{self, GatewayRef, Route, RouteKind};

/// Namespace of an object that says none, as in `kubectl apply` without a context.
const DEFAULT_NAMESPACE: &str = "default";
/// Label of what a program manages, with the program's name as value.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// All that was read so far.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The templates.
    pub wrapped_gateways: BTreeMap<GatewayRef, WrappedGateway>,
    /// The Gateways among the manifests: what exists.
    pub gateways: BTreeMap<GatewayRef, ExistingGateway>,
    /// The routes, in the order read.
    pub routes: Vec<Arc<Route>>,
    /// Labels of the namespaces among the manifests.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// The ReferenceGrants that let Gateways use Secrets.
    pub reference_grants: Vec<ReferenceGrant>,
    /// Whether there may be others of which nothing is known.
    pub lacks_grants: bool,
    /// Objects that mean nothing here, counted by kind (`Deployment.apps`).
    pub ignored: BTreeMap<String, usize>,
    /// Documents and objects that could not be read. They are not among the above.
    pub problems: Vec<Problem>,
    /// Namespace of an object that says none; none: as in `kubectl apply` without a context.
    namespace: Option<String>,
    /// Where each object was read, and a hash of what it says, so that another one of the same name is told.
    places: BTreeMap<String, (Place, u64)>,
}

/// A Gateway that exists.
#[derive(Clone, Debug, PartialEq)]
pub struct ExistingGateway {
    /// Its listeners.
    pub live: Vec<LiveListener>,
    /// Whether it is ours to write.
    pub control: Control,
    /// Kind and name of somebody else who controls it.
    pub controller: Option<String>,
}

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or whatever else the text came from.
    pub source: String,
    /// Which document of it, from 1; 0: the source as a whole.
    pub document: usize,
    /// The line where the object's document begins, or where it stops making sense.
    pub line: usize,
}

impl Place {
    /// A source as a whole.
    #[must_use]
    pub fn whole(source: &str) -> Self {
        Self { source: source.to_owned(), document: 0, line: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.document == 0 {
            return f.write_str(&self.source);
        }
        write!(f, "{}:{} (document {})", self.source, self.line, self.document)
    }
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl Manifests {
    /// Nothing yet. Objects that say no namespace will be in this one.
    #[must_use]
    pub fn in_namespace(namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::default() }
    }

    /// Reads one more text: documents in YAML or JSON, `List` objects taken apart.
    pub fn read(&mut self, source: &str, text: &str) {
        for document in document::documents(text) {
            let place = Place { source: source.to_owned(), document: document.number, line: document.line };
            match document.content {
                Ok(object) => self.object(&place, object),
                Err(message) => self.problems.push(Problem { place, message }),
            }
        }
    }

    /// Reads one object that stands in no text.
    pub fn read_object(&mut self, source: &str, object: Value) {
        self.object(&Place::whole(source), object);
    }

    /// What ought to be on a Gateway; none where no `WrappedGateway` asks for it.
    #[must_use]
    pub fn plan(&self, gateway: &GatewayRef) -> Option<Plan> {
        let spec = &self.wrapped_gateways.get(gateway)?.spec;
        let names_it = |route: &&Arc<Route>| route.parent_refs.iter().any(|parent| parent.gateway == *gateway);
        let routes: Vec<_> = self.routes.iter().filter(names_it).cloned().collect();
        let live = self.gateways.get(gateway).map(|existing| existing.live.as_slice()).unwrap_or_default();
        let input = planner::Input { gateway, spec, live, routes: &routes, namespaces: &self.namespaces };
        let mut plan = planner::plan(&input);
        if !self.lacks_grants {
            plan.warnings.extend(planner::reference::warnings(gateway, spec, &self.reference_grants));
        }
        Some(plan)
    }

    /// Why a Gateway is not written to although a `WrappedGateway` asks for it: it exists, is not ours, and nothing lets us
    /// take it over.
    #[must_use]
    pub fn left_alone(&self, gateway: &GatewayRef) -> Option<String> {
        let existing = self.gateways.get(gateway).filter(|existing| existing.control == Control::NotOurs)?;
        if let Some(controller) = &existing.controller {
            return Some(format!("it exists and is controlled by {controller}"));
        }
        let annotations = self.wrapped_gateways.get(gateway).and_then(|wrapped| wrapped.metadata.annotations.as_ref());
        let adopts = annotations.and_then(|annotations| annotations.get(annotation::ADOPT));
        (adopts.is_none_or(|adopts| adopts != "true")).then(|| {
            format!(
                "it exists and was not made by gateway-route-sync; to hand it over, set the annotation {}: \"true\" on the \
                 WrappedGateway",
                annotation::ADOPT
            )
        })
    }

    fn object(&mut self, place: &Place, mut object: Value) {
        let (group, kind) = group_and_kind(&object);
        if let Some(items) = items(&mut object, &kind) {
            for item in items {
                self.object(place, item);
            }
            return;
        }
        if kind.is_empty() {
            self.problem(place, "no Kubernetes object: it has no kind".to_owned());
            return;
        }
        let route = RouteKind::from_name(&kind);
        let read = match (group.as_str(), kind.as_str(), route) {
            (GROUP, "WrappedGateway", _) => Self::wrapped_gateway,
            (GATEWAY_GROUP, "Gateway", _) => Self::gateway,
            (GATEWAY_GROUP, "ReferenceGrant", _) => Self::reference_grant,
            (GATEWAY_GROUP, _, Some(_)) => Self::route,
            ("", "Namespace", _) => Self::namespace,
            _ => {
                let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
                *self.ignored.entry(kind).or_default() += 1;
                return;
            }
        };
        let namespace = self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let Some(name) = identify(&mut object, &kind, namespace) else {
            self.problem(place, format!("{kind} without metadata.name"));
            return;
        };
        let label = format!("{kind} {}", full_name(&name));
        let hash = hash(&object);
        if let Some((first, known)) = self.places.get(&label) {
            // Where several apps bring the namespace that they share, they say the same.
            if *known == hash {
                return;
            }
            let message = format!("{label} is there twice; the first one counts, at {first}");
            self.problem(place, message);
            return;
        }
        if let Err(error) = read(self, name, &object) {
            self.problem(place, format!("{label}: {error}"));
        }
        self.places.insert(label, (place.clone(), hash));
    }

    fn problem(&mut self, place: &Place, message: String) {
        self.problems.push(Problem { place: place.clone(), message });
    }

    fn wrapped_gateway(&mut self, name: GatewayRef, object: &Value) -> Result<(), Box<dyn Error>> {
        let mut object = object.clone();
        api::fill_defaults(&mut object);
        self.wrapped_gateways.insert(name, WrappedGateway::deserialize(&object)?);
        Ok(())
    }

    fn gateway(&mut self, name: GatewayRef, object: &Value) -> Result<(), Box<dyn Error>> {
        let (control, controller) = control(&name, &object["metadata"]);
        let live = live_listeners(object, control)?;
        self.gateways.insert(name, ExistingGateway { live, control, controller });
        Ok(())
    }

    fn route(&mut self, _: GatewayRef, object: &Value) -> Result<(), Box<dyn Error>> {
        let kind = object["kind"].as_str().and_then(RouteKind::from_name).ok_or("no kind of route")?;
        self.routes.push(Arc::new(routes::decode(kind, object.clone())?));
        Ok(())
    }

    fn reference_grant(&mut self, name: GatewayRef, object: &Value) -> Result<(), Box<dyn Error>> {
        if !object["spec"].is_object() {
            return Err("it has no spec".into());
        }
        self.reference_grants.extend(ReferenceGrant::read(name.namespace, object));
        Ok(())
    }

    fn namespace(&mut self, name: GatewayRef, object: &Value) -> Result<(), Box<dyn Error>> {
        let labels = Option::<BTreeMap<String, String>>::deserialize(&object["metadata"]["labels"])?;
        let mut labels = labels.unwrap_or_default();
        // The API server puts it on every namespace; a manifest need not say it.
        labels.insert(api::NAMESPACE_NAME_LABEL.to_owned(), name.name.clone());
        self.namespaces.insert(name.name, labels);
        Ok(())
    }
}

/// Group and kind of an object; empty where it does not say.
fn group_and_kind(object: &Value) -> (String, String) {
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    (group.to_owned(), text("kind").to_owned())
}

/// The objects in a list. Those of a typed list (`HTTPRouteList`) may leave their kind to the list.
fn items(object: &mut Value, kind: &str) -> Option<Vec<Value>> {
    let item_kind = kind.strip_suffix("List")?;
    let version = object["apiVersion"].clone();
    let Value::Array(mut items) = object.get_mut("items")?.take() else { return None };
    for item in items.iter_mut().filter_map(Value::as_object_mut).filter(|_| !item_kind.is_empty()) {
        item.entry("apiVersion").or_insert_with(|| version.clone());
        item.entry("kind").or_insert_with(|| item_kind.into());
    }
    Some(items)
}

/// Namespace and name of an object; the namespace is filled in where it is missing, and empty where the kind has none.
fn identify(object: &mut Value, kind: &str, default_namespace: &str) -> Option<GatewayRef> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    let name = metadata.get("name")?.as_str().filter(|name| !name.is_empty())?.to_owned();
    if kind == "Namespace" {
        return Some(GatewayRef { namespace: String::new(), name });
    }
    let given = metadata.get("namespace").and_then(Value::as_str).filter(|namespace| !namespace.is_empty());
    let namespace = given.unwrap_or(default_namespace).to_owned();
    metadata.insert("namespace".to_owned(), namespace.clone().into());
    Some(GatewayRef { namespace, name })
}

/// Tells objects apart without keeping them: a cluster has many, and each is large.
fn hash(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

fn full_name(name: &GatewayRef) -> String {
    if name.namespace.is_empty() { name.name.clone() } else { name.to_string() }
}

/// Whether a Gateway is ours, and who else controls it. A uid means nothing in manifests, so the owner's name decides;
/// without an owner, our label does (a restore, or a Gateway printed without its managedFields).
fn control(name: &GatewayRef, metadata: &Value) -> (Control, Option<String>) {
    let mut owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let Some(owner) = owners.find(|owner| owner["controller"] == true) else {
        let ours = metadata["labels"][MANAGED_BY_LABEL] == FIELD_MANAGER;
        return (if ours { Control::Ours } else { Control::NotOurs }, None);
    };
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    let is_ours = [GROUP, former::LATER_GROUP].contains(&group);
    if is_ours && text("kind") == "WrappedGateway" && text("name") == name.name {
        return (Control::Ours, None);
    }
    (Control::NotOurs, Some(format!("{} {}", text("kind"), text("name"))))
}

#[cfg(test)]
mod tests;
