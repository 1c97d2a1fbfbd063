use controlplane::{ControlPlane, GatewayApi};
use homelab_helper::api::{self, GATEWAY_GROUP, GROUP};
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind, Status};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

// What neither a Gateway nor a WrappedGateway may say.
mod refused;
// What both may say, and what becomes of it.
mod admitted;
// The rules of the fields that only a WrappedGateway has.
mod own_fields;
// What people and programs get to see of the definition.
mod served;

/// One line of a table: what it is about, and the part of a spec that matters.
struct Case {
    about: &'static str,
    spec: String,
    /// Where the complaint has to be, or what it has to say; empty for what is admitted.
    complaint: &'static str,
}

/// A spec that is refused, with a part of what is said about it.
fn bad(about: &'static str, spec: impl Into<String>, complaint: &'static str) -> Case {
    Case { about, spec: spec.into(), complaint }
}

/// A spec that is admitted.
fn good(about: &'static str, spec: impl Into<String>) -> Case {
    Case { about, spec: spec.into(), complaint: "" }
}

/// Like [`bad`], of the only listener, as far as it differs from a good one.
fn bad_listener(about: &'static str, listener: impl Into<String>, complaint: &'static str) -> Case {
    let listener = over(json!({"name": "web", "port": 80, "protocol": "HTTP"}), &listener.into());
    bad(about, json!({"listeners": [listener]}).to_string(), complaint)
}

/// So many entries, each made from its number, the first from 1.
fn many(count: usize, entry: impl FnMut(usize) -> String) -> String {
    (1..=count).map(entry).collect::<Vec<_>>().join(", ")
}

impl Case {
    /// The whole spec: that of a good Gateway, with what the case says put over it.
    fn spec(&self) -> Value {
        let listener = json!({"name": "web", "port": 80, "protocol": "HTTP"});
        over(json!({"gatewayClassName": "example", "listeners": [listener]}), &self.spec)
    }

    /// The whole spec without listeners, unless the case itself has some.
    fn spec_of_template(&self) -> Value {
        over(json!({"gatewayClassName": "example"}), &self.spec)
    }
}

/// Puts the fields of a YAML text over those of an object. A `null` takes the field away.
fn over(mut object: Value, text: &str) -> Value {
    let fields: serde_json::Map<String, Value> =
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text} is not YAML: {error}"));
    let target = object.as_object_mut().expect("an object");
    for (name, value) in fields {
        target.insert(name, value);
    }
    target.retain(|_, value| !value.is_null());
    object
}

/// A control plane that all tests here share, with the newest Gateway API and with `WrappedGateway`. It ends with the
/// process.
async fn shared_control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            let control_plane = ControlPlane::start().await.expect("a control plane");
            control_plane.install(GatewayApi::chosen()).await.expect("the CRDs of the Gateway API");
            control_plane.apply([definition()]).await.expect("the CRD of WrappedGateway");
            control_plane
        })
        .await
}

/// The CRD of `WrappedGateway`, from what is printed for people to apply.
fn definition() -> Value {
    serde_saphyr::from_str(&api::crd_yaml()).expect("YAML")
}

/// An API server that is given the same specs as one kind and as the other, and stores none.
struct Server {
    client: Client,
}

impl Server {
    async fn shared() -> Self {
        Self { client: shared_control_plane().await.client().expect("a client") }
    }

    /// What becomes of a Gateway's spec: the same with defaults, or what is said against it, sorted.
    async fn gateway(&self, spec: &Value) -> Result<Value, Vec<String>> {
        self.create(GATEWAY_GROUP, "Gateway", spec).await
    }

    /// What becomes of a `WrappedGateway`'s spec: the same with defaults, or what is said against it, sorted.
    async fn wrapped_gateway(&self, spec: &Value) -> Result<Value, Vec<String>> {
        self.create(GROUP, "WrappedGateway", spec).await
    }

    async fn create(&self, group: &str, kind: &str, spec: &Value) -> Result<Value, Vec<String>> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let api: Api<DynamicObject> = Api::default_namespaced_with(self.client.clone(), &resource);
        let object = DynamicObject::new("case", &resource).data(json!({"spec": spec}));
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        match api.create(&dry_run, &object).await {
            Ok(admitted) => Ok(admitted.data["spec"].clone()),
            Err(kube::Error::Api(status)) => Err(complaints(&status)),
            Err(error) => panic!("the API server did not answer: {error}"),
        }
    }
}

fn complaints(status: &Status) -> Vec<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut complaints: Vec<_> = causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    complaints.sort();
    // What is said without a cause, for example that the server is busy, must not pass for no complaint.
    if complaints.is_empty() { vec![status.message.clone()] } else { complaints }
}
