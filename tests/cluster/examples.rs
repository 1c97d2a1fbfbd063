use std::path::Path;

use controlplane::eventually;
use homelab_helper::api::WrappedGateway;
use kube::api::DynamicObject;
use kube::{Api, ResourceExt as _};

use super::world::{WITHIN, World, is};

/// The files of a folder and of those in it, in the order of their names.
fn manifests(folder: &Path) -> Vec<String> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    entries.iter().flat_map(|path| if path.is_dir() { manifests(path) } else { vec![read(path)] }).collect()
}

#[tokio::test]
async fn the_api_server_takes_every_example_and_every_gateway_of_them_gets_ready() {
    let world = World::shared().await;
    let mut gateways = 0;
    for manifest in manifests(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))) {
        let applied = world.cluster.apply_yaml(&manifest).await.expect("an example that the API server takes");
        let is_wrapped =
            |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "WrappedGateway");
        for wrapped in applied.iter().filter(is_wrapped) {
            gateways += 1;
            let client = world.cluster.client().expect("a client");
            let api: Api<WrappedGateway> = Api::namespaced(client, &wrapped.namespace().unwrap_or_default());
            eventually("it is Ready", WITHIN, async || {
                let status =
                    api.get(&wrapped.name_any()).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
                if is(&status, "Ready", "True") { Ok(()) } else { Err(format!("{status:?}")) }
            })
            .await
            .unwrap();
        }
    }
    assert!(gateways >= 4, "{gateways} WrappedGateways among the examples");
}
