//! A control plane with what one program needs, and everything that is made and changed there.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use controlplane::{ControlPlane, GatewayApi};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::{Size, Subject};
use crate::seen::{Key, Seen};

/// Hostnames of each Gateway of the work.
pub const HOSTS: usize = 40;
/// The namespace of the program's Gateways.
pub const EDGE: &str = "edge";
/// The namespace of the plain client's Gateways and of their routes.
pub const PLAIN: &str = "plain";
/// Where routes of Gateways live that nobody makes.
const ELSEWHERE: &str = "elsewhere";
/// Namespaces of routes.
const TEAMS: usize = 10;
/// Requests that are under way at a time.
const AT_A_TIME: usize = 16;

/// A route of one hostname, which is also the name of the listener that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub namespace: String,
    pub name: String,
    pub gateway: Key,
    pub host: String,
}

impl Wanted {
    /// A route of a Gateway. Routes of the plain client's Gateways live beside them, all others with a team.
    pub fn new(gateway: &Key, number: usize, host: &str) -> Self {
        let namespace = if gateway.0 == EDGE { format!("team-{}", number % TEAMS) } else { gateway.0.clone() };
        let host = format!("{host}.{}.example.com", gateway.1);
        Self { namespace, name: host.clone(), gateway: gateway.clone(), host }
    }

    /// The part of its spec that says what it asks for.
    pub fn asks(&self) -> Value {
        let (namespace, name) = &self.gateway;
        json!({
            "parentRefs": [{ "namespace": namespace, "name": name, "sectionName": self.host }], "hostnames": [self.host],
        })
    }

    fn object(&self) -> Value {
        let mut spec = self.asks();
        spec["rules"] = json!([{
            "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
            "backendRefs": [{ "name": "backend", "port": 8080 }],
        }]);
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec,
            "metadata": {
                "name": self.name, "namespace": self.namespace,
                "labels": { "app.kubernetes.io/name": "web", "app.kubernetes.io/managed-by": "Helm" },
                "annotations": { "meta.helm.sh/release-name": self.name, "note": "An example of a route.".repeat(8) },
            },
        })
    }
}

/// Its watches end before the control plane does.
pub struct Cluster {
    pub gateways: Seen,
    pub client: Client,
    group: String,
    pub plane: ControlPlane,
    /// Writes to routes that were made here, so that they are not taken for the program's.
    pub own_writes: AtomicU64,
}

impl Cluster {
    pub async fn start(subject: &Subject) -> Outcome<Self> {
        let plane = ControlPlane::start().await?;
        plane.install(GatewayApi::NEWEST).await?;
        plane.apply_yaml(&subject.crds).await?;
        let client = plane.client()?;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let teams = (0..TEAMS).map(|team| format!("team-{team}"));
        for name in [EDGE, PLAIN, ELSEWHERE].map(str::to_owned).into_iter().chain(teams) {
            namespaces
                .create(&PostParams::default(), &serde_json::from_value(json!({ "metadata": { "name": name } }))?)
                .await?;
        }
        let gateways = Seen::new(Api::all_with(client.clone(), &kind("gateway.networking.k8s.io", "Gateway")));
        Ok(Self { plane, client, group: subject.group.clone(), gateways, own_writes: AtomicU64::new(0) })
    }

    /// Makes the work: the routes and, where a program is to make its Gateways, the WrappedGateways.
    pub async fn fill(&self, size: Size) -> Outcome {
        self.wrap(&gateways(EDGE, size.gateways)).await?;
        self.create(work(size)).await?;
        let elsewhere = |number: usize| {
            let gateway = (ELSEWHERE.to_owned(), format!("other-{}", number / HOSTS));
            Wanted::new(&gateway, number, &format!("host-{number}"))
        };
        self.create((0..size.elsewhere).map(elsewhere)).await
    }

    /// Asks for Gateways; the plain client needs nobody to ask.
    pub async fn wrap(&self, gateways: &[Key]) -> Outcome {
        for (namespace, name) in gateways.iter().filter(|(namespace, _)| namespace == EDGE) {
            let kind = kind(&self.group, "WrappedGateway");
            let object = serde_json::from_value(json!({
                "apiVersion": kind.api_version, "kind": kind.kind, "metadata": { "name": name },
                "spec": { "gatewayClassName": "example" },
            }))?;
            self.objects(namespace, &kind).create(&PostParams::default(), &object).await?;
        }
        Ok(())
    }

    /// Takes Gateways away again, and waits until they are gone.
    pub async fn unwrap(&self, gateways: &[Key]) -> Outcome {
        for (namespace, name) in gateways {
            let gateway = kind("gateway.networking.k8s.io", "Gateway");
            let what = if namespace == EDGE { kind(&self.group, "WrappedGateway") } else { gateway };
            self.objects(namespace, &what).delete(name, &DeleteParams::default()).await?;
        }
        self.gateways.until_gone(gateways).await
    }

    /// Creates routes, many at a time.
    pub async fn create(&self, routes: impl IntoIterator<Item = Wanted>) -> Outcome {
        self.many(routes, async |route| self.create_one(&route).await).await
    }

    pub async fn create_one(&self, route: &Wanted) -> Outcome {
        let object = serde_json::from_value(route.object())?;
        self.routes(&route.namespace).create(&PostParams::default(), &object).await?;
        self.own_writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Deletes routes, many at a time.
    pub async fn delete(&self, routes: impl IntoIterator<Item = Wanted>) -> Outcome {
        self.many(routes, async |route| self.delete_one(&route).await).await
    }

    pub async fn delete_one(&self, route: &Wanted) -> Outcome {
        self.routes(&route.namespace).delete(&route.name, &DeleteParams::default()).await?;
        self.own_writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Changes part of a route.
    pub async fn change(&self, route: &Wanted, part: Value) -> Outcome {
        self.routes(&route.namespace).patch(&route.name, &PatchParams::default(), &Patch::Merge(part)).await?;
        self.own_writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Does something to many routes, several at a time, and begins with them in their order.
    pub async fn many(
        &self,
        routes: impl IntoIterator<Item = Wanted>,
        act: impl AsyncFn(Wanted) -> Outcome,
    ) -> Outcome {
        let act = &act;
        let doing: std::pin::Pin<Box<dyn Stream<Item = Outcome>>> =
            Box::pin(stream::iter(routes).map(|route| act(route)).buffer_unordered(AT_A_TIME));
        doing.try_collect().await
    }

    fn routes(&self, namespace: &str) -> Api<DynamicObject> {
        self.objects(namespace, &kind("gateway.networking.k8s.io", "HTTPRoute"))
    }

    fn objects(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }
}

/// A kind of object, at version 1.
pub fn kind(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}

/// The Gateways of the work.
pub fn gateways(namespace: &str, count: usize) -> Vec<Key> {
    (0..count).map(|number| (namespace.to_owned(), format!("edge-{number}"))).collect()
}

/// The routes of the work: one for each hostname, and then further ones for the same hostnames.
pub fn work(size: Size) -> Vec<Wanted> {
    let of = |number: usize| {
        let gateway = (EDGE.to_owned(), format!("edge-{}", number % size.gateways));
        let host = number / size.gateways % HOSTS;
        let mut route = Wanted::new(&gateway, host, &format!("host-{host}"));
        // Beyond the first round, routes differ in nothing but their names.
        route.name = format!("{}.{}", number / size.gateways / HOSTS, route.name);
        route
    };
    (0..size.routes).map(of).collect()
}

/// What each Gateway of these routes is to have.
pub fn right(routes: &[Wanted]) -> HashMap<Key, BTreeSet<String>> {
    let mut right: HashMap<Key, BTreeSet<String>> = HashMap::new();
    for route in routes {
        right.entry(route.gateway.clone()).or_default().insert(route.host.clone());
    }
    right
}
