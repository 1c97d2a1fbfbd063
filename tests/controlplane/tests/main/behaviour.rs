use std::time::Duration;

use controlplane::{ControlPlane, Error, GatewayApi, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::json;
use tokio::time::sleep;

use crate::SOON;

/// The garbage collector asks for new kinds every 30 seconds; a test should not have to wait for that.
const BEFORE_THE_NEXT_DISCOVERY: Duration = Duration::from_secs(20);

#[tokio::test]
async fn two_run_side_by_side() -> Result<(), Error> {
    // Spawning also shows that starting one may change threads, which some tests need.
    let (one, other) = (tokio::spawn(ControlPlane::start()), tokio::spawn(ControlPlane::start()));
    let (one, other) = (one.await.expect("no panic")?, other.await.expect("no panic")?);
    assert_ne!(one.url(), other.url());
    one.apply_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: only-here}}").await?;
    let there: Api<ConfigMap> = Api::default_namespaced(other.client()?);
    assert!(there.get_opt("only-here").await.expect("the other answers").is_none());
    Ok(())
}

#[tokio::test]
async fn an_owned_object_of_a_new_kind_goes_with_its_owner() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    control_plane.install(GatewayApi::NEWEST).await?;
    let stored = control_plane.apply_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: owner}}").await?;
    let uid = stored[0].uid().expect("a stored object has a uid");
    let owned = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": "owned",
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}],
        },
        "spec": {"gatewayClassName": "any", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    });
    control_plane.apply([owned]).await?;

    let client = control_plane.client()?;
    let config_maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    config_maps.delete("owner", &DeleteParams::background()).await.expect("the owner can be deleted");
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway"));
    let gateways: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
    eventually("the owned Gateway is gone", BEFORE_THE_NEXT_DISCOVERY, async || {
        gateways.get_opt("owned").await.expect("Gateways can be read").map_or(Ok(()), |_| Err("it is there"))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn namespaces_service_accounts_and_roles_behave() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let client = control_plane.client()?;
    control_plane.apply_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: short-lived}}").await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "short-lived");
    eventually("the namespace has its service account", SOON, async || accounts.get("default").await).await?;
    let roles: Api<ClusterRole> = Api::all(client.clone());
    eventually("the role admin is aggregated", SOON, async || {
        let admin = roles.get("admin").await.expect("the role is there");
        admin.rules.filter(|rules| !rules.is_empty()).ok_or("it has no rules")
    })
    .await?;
    let namespaces: Api<Namespace> = Api::all(client);
    namespaces.delete("short-lived", &DeleteParams::default()).await.expect("the namespace can be deleted");
    eventually("the namespace is gone", SOON, async || {
        namespaces.get_opt("short-lived").await.expect("namespaces can be read").map_or(Ok(()), |_| Err("it is there"))
    })
    .await?;
    Ok(())
}

const READER: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: team}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: team}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: team}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: team}]
";

#[tokio::test]
async fn a_service_account_may_do_what_it_is_granted_and_nothing_else() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    control_plane.apply_yaml(READER).await?;
    let path = control_plane.service_account_kubeconfig("team", "reader").await?;
    let kubeconfig = Kubeconfig::read_from(path).expect("the kubeconfig can be read");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.expect("the kubeconfig is complete")).expect("a client can be made");

    let all = ListParams::default();
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), "team");
    // The authorizer learns of the binding by a watch, a moment after it was written.
    eventually("it may list config maps", SOON, async || config_maps.list(&all).await).await?;
    let secrets: Api<Secret> = Api::namespaced(client, "team");
    let refused = secrets.list(&all).await.expect_err("it may not list secrets").to_string();
    assert!(refused.contains("system:serviceaccount:team:reader"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn the_api_server_can_go_away_and_come_back() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    control_plane.apply_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}}").await?;
    let client = control_plane.client()?;
    let config_maps: Api<ConfigMap> = Api::default_namespaced(client);
    control_plane.stop_apiserver();
    assert!(config_maps.get("kept").await.is_err());
    control_plane.start_apiserver().await?;
    config_maps.get("kept").await.expect("what was there is still there, for a client that was there as well");
    Ok(())
}

/// Left alone, they look for an API server that went away less and less often, and find it after minutes.
#[tokio::test]
async fn the_controllers_work_soon_after_an_absence() -> Result<(), Error> {
    const ABSENCE: Duration = Duration::from_secs(10);

    let control_plane = ControlPlane::start().await?;
    let namespaces: Api<Namespace> = Api::all(control_plane.client()?);
    let goes = async |name: &str| {
        control_plane.apply_yaml(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}")).await?;
        namespaces.delete(name, &DeleteParams::default()).await.expect("a namespace can be deleted");
        let gone = format!("{name} is gone");
        eventually(&gone, SOON, async || {
            namespaces.get_opt(name).await.expect("an answer").map_or(Ok(()), |_| Err("it is there"))
        })
        .await?;
        Ok::<(), Error>(())
    };
    control_plane.stop_apiserver();
    sleep(ABSENCE).await;
    control_plane.start_apiserver().await?;
    goes("after-the-api-server").await?;
    control_plane.pause_etcd()?;
    sleep(ABSENCE * 2).await;
    control_plane.resume_etcd()?;
    goes("after-etcd").await?;
    Ok(())
}

#[tokio::test]
async fn kubectl_is_ready_to_use() -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let output = control_plane.kubectl().args(["version", "-o", "json"]).output().expect("kubectl runs");
    let versions: serde_json::Value = serde_json::from_slice(&output.stdout).expect("kubectl prints JSON");
    assert_eq!(versions["serverVersion"]["gitVersion"], versions["clientVersion"]["gitVersion"]);
    Ok(())
}

#[tokio::test]
async fn nothing_is_written_at_rest() -> Result<(), Error> {
    /// More than the ten seconds after which leases and the like are renewed.
    const A_WHILE: Duration = Duration::from_secs(15);

    let control_plane = ControlPlane::start().await?;
    // What happens once after the start is over when a second goes by without a write.
    let before = eventually("the controllers have settled", SOON, async || {
        let earlier = control_plane.requests().await.expect("there are metrics");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = control_plane.requests().await.expect("there are metrics");
        let writes = now.since(&earlier).writes();
        if writes.total() == 0 { Ok(now) } else { Err(writes.to_string()) }
    })
    .await?;
    // That nothing happens can only be seen by waiting.
    tokio::time::sleep(A_WHILE).await;
    let writes = control_plane.requests().await?.since(&before).writes();
    assert_eq!(writes.total(), 0, "{writes}");

    control_plane.apply_yaml("{apiVersion: v1, kind: ConfigMap, metadata: {name: counted}}").await?;
    let writes = control_plane.requests().await?.since(&before).writes();
    assert_eq!(writes.of("configmaps").total(), 1, "{writes}");
    Ok(())
}
