use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use controlplane::{ControlPlane, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams};
use serde_json::json;

use super::{CHART, NAMESPACE, RELEASE, cluster, helm, run};
use crate::world::{GROUP, Place, WITHIN, World};

/// Helm, at work in the namespace of the release.
struct Installation {
    world: Arc<World>,
}

impl Installation {
    fn cluster(&self) -> &ControlPlane {
        &self.world.cluster
    }

    fn helm(&self, arguments: &[&str]) -> Command {
        let mut command = helm();
        command.env("KUBECONFIG", self.cluster().kubeconfig()).args(arguments).args(["--namespace", NAMESPACE]);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        run(&mut self.helm(arguments))
    }

    async fn deployment(&self) -> Option<Deployment> {
        let api: Api<Deployment> = Api::namespaced(self.cluster().client().expect("a client"), NAMESPACE);
        api.get_opt(RELEASE).await.expect("an answer")
    }

    /// Replicas, and how pods are replaced.
    async fn replicas(&self) -> (i32, String) {
        let spec = self.deployment().await.expect("the Deployment").spec.expect("its spec");
        let strategy = spec.strategy.and_then(|strategy| strategy.type_).unwrap_or_default();
        (spec.replicas.unwrap_or_default(), strategy)
    }

    /// Whether the CRD is there, and knows the column `Rejected`.
    async fn crd(&self) -> Option<bool> {
        let api: Api<CustomResourceDefinition> = Api::all(self.cluster().client().expect("a client"));
        let crd = api.get_opt(&format!("wrappedgateways.{GROUP}")).await.expect("an answer")?;
        let mut columns = crd.spec.versions[0].additional_printer_columns.iter().flatten();
        Some(columns.any(|column| column.name == "Rejected"))
    }

    /// Starts the controller with the account of the release, and sees that it works.
    async fn works(&self, place: &Place, hostname: &str) {
        let account = self.cluster().service_account_kubeconfig(NAMESPACE, RELEASE).await.expect("a token");
        self.world.start_controller_as(&account).await;
        place.http("web", &[hostname]).await;
        place.has_hostnames(&[hostname]).await;
        place.is_ready().await;
        self.world.stop_controller().await;
    }
}

/// The chart as it might have been: its CRD lacks a column.
fn older_chart() -> String {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("older-chart");
    // What a run before left.
    let _ = fs::remove_dir_all(&copy);
    run(Command::new("cp").arg("-r").arg(CHART).arg(&copy));
    let path = copy.join("templates/crd.yaml");
    let crd = fs::read_to_string(&path).expect("the template of the CRD");
    let column = "    - jsonPath: .status.rejected\n      name: Rejected\n      type: integer\n";
    assert!(crd.contains(column), "the column is not there");
    fs::write(&path, crd.replace(column, "")).expect("the template can be written");
    copy.to_string_lossy().into_owned()
}

#[tokio::test]
async fn from_nothing_to_an_installation_that_is_upgraded_rolled_back_removed_and_there_again() {
    let older = older_chart();
    let installation = Installation { world: Arc::new(World::bare(cluster().await)) };

    let notes = installation.run(&["install", RELEASE, &older, "--create-namespace"]);
    assert!(notes.contains("kubectl -n gateway-system rollout status deployment/gateway-route-sync"), "{notes}");
    assert_eq!(installation.replicas().await, (1, "Recreate".to_owned()));
    assert_eq!(installation.crd().await, Some(false));
    let place = installation.world.namespace("installed").await;
    place.wrap(json!({})).await;
    installation.works(&place, "first.example.com").await;

    // The pod that is there does not take part in an election: it has to be gone before others begin.
    installation.run(&["upgrade", RELEASE, CHART, "--set", "deployment.replicas=2"]);
    assert_eq!(installation.replicas().await, (2, "Recreate".to_owned()));
    assert_eq!(installation.crd().await, Some(true));
    installation.run(&["upgrade", RELEASE, CHART, "--set", "deployment.replicas=3"]);
    assert_eq!(installation.replicas().await, (3, "RollingUpdate".to_owned()));
    installation.works(&place, "second.example.com").await;

    installation.run(&["rollback", RELEASE, "1"]);
    assert_eq!(installation.replicas().await, (1, "Recreate".to_owned()));
    installation.works(&place, "third.example.com").await;

    installation.run(&["upgrade", RELEASE, CHART]);
    installation.run(&["uninstall", RELEASE]);
    assert_eq!(installation.deployment().await, None);
    assert_eq!(installation.crd().await, Some(true), "the CRD is kept");
    place.has_hostnames(&["third.example.com"]).await;
    assert_eq!(leftovers(&installation), Vec::<String>::new());

    installation.run(&["install", RELEASE, CHART]);
    installation.works(&place, "fourth.example.com").await;

    installation.run(&["upgrade", RELEASE, CHART, "--set", "crds.keep=false"]);
    installation.run(&["uninstall", RELEASE]);
    eventually("the CRD is gone where it is not to be kept", WITHIN, async || match installation.crd().await {
        None => Ok(()),
        Some(_) => Err("it is there"),
    })
    .await
    .unwrap();
}

/// What of the release is left after it was uninstalled, besides the CRD.
fn leftovers(installation: &Installation) -> Vec<String> {
    let kinds = "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,services,deployments,\
        poddisruptionbudgets,networkpolicies,secrets,configmaps";
    let mut kubectl = installation.cluster().kubectl();
    let arguments = ["get", kinds, "--all-namespaces", "--output=name", "--selector"];
    let left = run(kubectl.args(arguments).arg(format!("app.kubernetes.io/instance={RELEASE}")));
    left.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_crd_of_another_release_is_taken_only_where_that_is_wanted() {
    let installation = Installation { world: Arc::new(World::bare(cluster().await)) };
    installation.run(&["install", "one", CHART, "--create-namespace"]);
    installation.run(&["uninstall", "one"]);
    let output = installation.helm(&["install", RELEASE, CHART]).output().expect("Helm");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("invalid ownership metadata"), "{said}");
    installation.run(&["install", RELEASE, CHART, "--take-ownership"]);
    assert_eq!(installation.crd().await, Some(true));
    let api: Api<Deployment> = Api::all(installation.cluster().client().expect("a client"));
    assert_eq!(api.list(&ListParams::default()).await.expect("an answer").items.len(), 1);
}

#[tokio::test]
async fn the_plain_manifests_install_the_same_and_again_without_a_change() {
    let installation = Installation { world: Arc::new(World::bare(cluster().await)) };
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/install.yaml");
    let apply = || {
        let mut kubectl = installation.cluster().kubectl();
        run(kubectl.args(["apply", "--server-side", "--validate=strict", "--filename"]).arg(&manifests))
    };
    apply();
    let generation = installation.deployment().await.expect("the Deployment").metadata.generation;
    let place = installation.world.namespace("plain").await;
    place.wrap(json!({})).await;
    installation.works(&place, "plain.example.com").await;
    apply();
    assert_eq!(installation.deployment().await.expect("the Deployment").metadata.generation, generation);
}
