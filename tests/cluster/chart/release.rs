use std::process::{Command, Output};
use std::sync::OnceLock;

use controlplane::Helm;

pub const RELEASE: &str = "gateway-route-sync";
pub const NAMESPACE: &str = "gateway-system";

pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/gateway-route-sync");

/// Helm, which is told of no cluster.
pub fn helm() -> Command {
    static HELM: OnceLock<Helm> = OnceLock::new();
    HELM.get_or_init(|| Helm::ensure().expect("Helm")).v4()
}

/// What the program prints; it has to end well.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("the program can be started");
    assert!(status.success(), "{command:?}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}
