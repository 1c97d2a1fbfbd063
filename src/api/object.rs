//! An object of any kind, as the API server gives it.

use std::borrow::Cow;

use kube::Resource;
use kube::api::ApiResource;
use kube::core::{DynamicResourceScope, ObjectMeta};
use serde::Deserialize;
use serde_json::Value;

/// Where an object says who wrote what of it.
const MANAGED_FIELDS: &str = "/metadata/managedFields";

/// An object of any kind, as JSON. A `DynamicObject` holds the same, but takes several times as long to be read and to be made
/// JSON again.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct Object {
    /// The whole object.
    pub whole: Value,
    /// Its metadata, without `managedFields`: those may be large, and [`Object::managed_fields`] has them.
    pub metadata: ObjectMeta,
}

impl Object {
    /// The entries of those who wrote it.
    #[must_use]
    pub fn managed_fields(&self) -> &[Value] {
        self.whole.pointer(MANAGED_FIELDS).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

impl TryFrom<Value> for Object {
    type Error = serde_json::Error;

    fn try_from(mut whole: Value) -> Result<Self, Self::Error> {
        let managed_fields = whole.pointer_mut(MANAGED_FIELDS).map(Value::take);
        let metadata = whole.get("metadata").map_or_else(|| Ok(ObjectMeta::default()), ObjectMeta::deserialize)?;
        if let (Some(place), Some(managed_fields)) = (whole.pointer_mut(MANAGED_FIELDS), managed_fields) {
            *place = managed_fields;
        }
        Ok(Self { whole, metadata })
    }
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_stays_whole() {
        let whole = json!({
            "kind": "Thing",
            "metadata": { "name": "a", "uid": "1", "managedFields": [{ "manager": "kay", "fieldsV1": { "f:spec": {} } }] },
            "spec": { "x": null },
        });
        let object = Object::try_from(whole.clone()).unwrap();
        assert_eq!(object.whole, whole);
        assert_eq!((object.metadata.name.as_deref(), object.metadata.uid.as_deref()), (Some("a"), Some("1")));
        assert_eq!(
            (object.metadata.managed_fields.as_ref(), object.managed_fields()[0]["manager"].as_str()),
            (None, Some("kay"))
        );
    }

    #[test]
    fn what_has_no_metadata_is_an_object_too_and_wrong_metadata_is_an_error() {
        for whole in [json!({}), json!([]), json!({ "metadata": {} }), json!({ "metadata": { "managedFields": null } })]
        {
            let object = Object::try_from(whole.clone()).unwrap();
            assert_eq!((&object.whole, object.managed_fields().len()), (&whole, 0));
        }
        assert!(Object::try_from(json!({ "metadata": { "labels": [] } })).is_err());
    }
}
