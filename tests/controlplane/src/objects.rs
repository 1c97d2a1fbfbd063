//! Applying manifests, and waiting until new kinds are served.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt as _, discovery};
use serde_json::Value;

use crate::access::get;
use crate::error::{Error, Result};
use crate::golang::blocking;
use crate::{ControlPlane, GatewayApi, eventually};

/// Who owns the fields of what is applied here.
const FIELD_MANAGER: &str = "controlplane";

/// A new kind is served within a second; the rest is for busy machines.
const SERVED_WITHIN: Duration = Duration::from_mins(1);

impl ControlPlane {
    /// Installs the CRDs of a Gateway API release and waits until all its kinds are served.
    ///
    /// Where another release or channel is installed already, this is an upgrade: CRDs that only the other one has stay,
    /// and a version that it stored cannot be dropped. [`ControlPlane::uninstall`] the other one first to avoid both.
    ///
    /// # Errors
    /// When the release cannot be downloaded, or the API server refuses it.
    pub async fn install(&self, gateway_api: GatewayApi) -> Result<()> {
        self.apply(blocking(move || gateway_api.crds()).await?).await.map(drop)
    }

    /// Removes the CRDs of a Gateway API release, and with them all objects of their kinds; waits until they are gone.
    ///
    /// # Errors
    /// When the release cannot be downloaded, or the API server refuses.
    pub async fn uninstall(&self, gateway_api: GatewayApi) -> Result<()> {
        let existing: Api<CustomResourceDefinition> = Api::all(self.client()?);
        let names: Vec<String> = blocking(move || gateway_api.crds())
            .await?
            .iter()
            .filter_map(|crd| crd["metadata"]["name"].as_str().map(String::from))
            .collect();
        for name in &names {
            match existing.delete(name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                outcome => drop(outcome.map_err(Error::kube(format!("deleting {name}")))?),
            }
        }
        for name in &names {
            eventually(&format!("{name} is gone"), SERVED_WITHIN, async || match existing.get_opt(name).await {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err(String::from("it is still there")),
                Err(error) => Err(error.to_string()),
            })
            .await?;
        }
        Ok(())
    }

    /// Applies the objects of a YAML or JSON text, which may have several documents, and returns them as stored.
    ///
    /// # Errors
    /// When the text is not valid, or the API server refuses an object.
    pub async fn apply_yaml(&self, manifests: &str) -> Result<Vec<DynamicObject>> {
        let documents = serde_saphyr::from_multiple::<Value>(manifests)
            .map_err(|error| Error::Yaml { what: String::from("the manifest"), message: error.to_string() })?;
        self.apply(documents.into_iter().filter(|document| !document.is_null())).await
    }

    /// Applies objects one after the other, server-side and by force, and returns them as stored. A namespaced object
    /// without namespace goes to `default`. After a CRD it waits until the new kind is served everywhere.
    ///
    /// # Errors
    /// When the API server refuses an object.
    pub async fn apply(&self, objects: impl IntoIterator<Item = Value>) -> Result<Vec<DynamicObject>> {
        let client = self.client()?;
        let mut applied = Vec::new();
        let mut pending = Vec::new();
        for object in objects {
            let object: DynamicObject = serde_json::from_value(object)
                .map_err(|error| Error::Manifest(format!("this is no Kubernetes object: {error}")))?;
            let is_crd = object.types.as_ref().is_some_and(|types| types.kind == "CustomResourceDefinition");
            if !is_crd {
                // What follows may be of a kind that comes with it; further CRDs are not, so these can be waited for together.
                self.until_served(&client, &mut pending).await?;
            }
            let object = apply_one(&client, object).await?;
            if is_crd {
                pending.push(object.name_any());
            }
            applied.push(object);
        }
        self.until_served(&client, &mut pending).await?;
        Ok(applied)
    }

    /// Waits until the kinds of all CRDs named are served, and makes the garbage collector know them.
    async fn until_served(&self, client: &Client, crds: &mut Vec<String>) -> Result<()> {
        if crds.is_empty() {
            return Ok(());
        }
        for name in crds.drain(..) {
            eventually(&format!("{name} is served"), SERVED_WITHIN, async || served(client, &name).await).await?;
        }
        self.restart_controller_manager()
    }
}

async fn apply_one(client: &Client, object: DynamicObject) -> Result<DynamicObject> {
    let types =
        object.types.clone().ok_or_else(|| Error::Manifest(String::from("an object has no apiVersion or kind")))?;
    let name = object.metadata.name.clone();
    let name = name.ok_or_else(|| Error::Manifest(format!("an object of kind {} has no name", types.kind)))?;
    let kind = GroupVersionKind::try_from(&types).map_err(|error| Error::Manifest(error.to_string()))?;
    let what = format!("applying {} {name}", types.kind);
    let (resource, capabilities) = discovery::pinned_kind(client, &kind).await.map_err(Error::kube(what.clone()))?;
    let api: Api<DynamicObject> = match capabilities.scope {
        discovery::Scope::Cluster => Api::all_with(client.clone(), &resource),
        discovery::Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let patch = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &patch, &Patch::Apply(&object)).await.map_err(Error::kube(what))
}

/// Says why a kind is not yet served in every way that a client may look for it. The three do not change at once: the
/// CRD's conditions come first, then its requests are answered, then discovery lists it.
async fn served(client: &Client, name: &str) -> std::result::Result<(), String> {
    let crd =
        Api::<CustomResourceDefinition>::all(client.clone()).get(name).await.map_err(|error| error.to_string())?;
    let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
    if !conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True") {
        let reasons = conditions.iter().filter(|condition| condition.status != "True");
        let reasons: Vec<_> = reasons.filter_map(|condition| condition.message.as_deref()).collect();
        return Err(format!("it is not established. {}", reasons.join(". ")));
    }
    for version in crd.spec.versions.iter().filter(|version| version.served) {
        let group = format!("/apis/{}/{}", crd.spec.group, version.name);
        let plural = &crd.spec.names.plural;
        get(client, &format!("{group}/{plural}?limit=1")).await.map_err(|error| error.to_string())?;
        let listed = get(client, &group).await.map_err(|error| error.to_string())?;
        let listed: Value = serde_json::from_str(&listed).map_err(|error| error.to_string())?;
        let listed = listed["resources"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == **plural));
        if !listed {
            return Err(format!("{group} does not list it"));
        }
    }
    Ok(())
}
