use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use controlplane::{GatewayApi, Program};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::chart;
use super::world::{World, served};

const PROGRAM: &str = env!("CARGO_BIN_EXE_homelab-helper");

/// Where the kubelet puts what a pod may know of its service account.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

/// Runs the program as the container runtime does with the chart's security context: as a user that is not root and has
/// no home, without any capability, in a root directory that has nothing else in it and cannot be written.
const CONFINE: &str = r#"
set -e
contents=$1 root=$2
mount -t tmpfs none "$root"
cp -R "$contents/." "$root"
mount -o remount,ro "$root"
if touch "$root/written" 2>/dev/null; then echo "the root directory can be written" >&2; exit 1; fi
unset HOME KUBECONFIG
exec unshare --user --map-user=65532 --map-group=65532 --root="$root" --wd=/ /homelab-helper gateway-route-sync
"#;

fn in_a_namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]);
    command
}

/// The program with the libraries that it is linked to, and what the kubelet would put beside it.
async fn contents(world: &World) -> TempDir {
    let folder = TempDir::new().unwrap();
    let put = |path: &Path| {
        let target = folder.path().join(path.strip_prefix("/").unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    };
    let linked = Command::new("ldd").arg(PROGRAM).output().unwrap();
    let linked = String::from_utf8_lossy(&linked.stdout);
    linked.split_whitespace().filter(|word| word.starts_with('/')).for_each(|library| put(Path::new(library)));
    fs::copy(PROGRAM, folder.path().join("homelab-helper")).unwrap();

    let token = world.cluster.service_account_token(chart::NAMESPACE, chart::RELEASE).await.unwrap();
    let kubeconfig: Value =
        serde_json::from_str(&fs::read_to_string(world.cluster.kubeconfig()).unwrap()).expect("a kubeconfig in JSON");
    let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority"].as_str().expect("its path");
    let account = folder.path().join(ACCOUNT);
    fs::create_dir_all(&account).unwrap();
    fs::copy(authority, account.join("ca.crt")).unwrap();
    fs::write(account.join("token"), token).unwrap();
    fs::write(account.join("namespace"), chart::NAMESPACE).unwrap();
    folder
}

#[tokio::test]
async fn it_works_as_a_user_without_home_or_capability_where_nothing_can_be_written() {
    if !in_a_namespace().args(["mount", "-t", "tmpfs", "none", "/mnt"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine does not let its users have namespaces of their own");
        return;
    }
    let world = Arc::new(World::without_controller(served(GatewayApi::chosen()).await).await);
    let (contents, root) = (contents(&world).await, TempDir::new().unwrap());
    let mut command = in_a_namespace();
    let port = world.cluster.url().rsplit(':').next().unwrap().to_owned();
    command.args(["sh", "-c", CONFINE, "confine"]).arg(contents.path()).arg(root.path());
    command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", port);
    let program = Program::start(command, world.cluster.kubeconfig()).unwrap();
    program.ready().await.unwrap();
    assert_eq!(program.line_of_proc("uid_map", "").unwrap().split_whitespace().next(), Some("65532"));
    assert_eq!(program.line_of_proc("status", "CapEff:").unwrap(), "0000000000000000");
    *world.controller.lock().await = Some(program);

    let place = world.namespace("confined").await;
    place.wrap(json!({})).await;
    place.http("web", &["www.example.com"]).await;
    place.has_hostnames(&["www.example.com"]).await;
    place.is_ready().await;
    let program = world.controller.lock().await.take().unwrap();
    assert!(program.metrics().await.unwrap().contains("gateway_route_sync_build_info"));
    assert!(program.terminate().unwrap().success());
}
