use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use controlplane::supervisor::{Scratch, Supervised};
use controlplane::{Channel, ControlPlane, GatewayApi, Program, TimedOut, Version, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use neighbours::{Client, Programs, cert_manager, contour, envoy_gateway};
use tokio::sync::Mutex;

use crate::release::{CHART, NAMESPACE, RELEASE, helm, run};

/// How long all of them together may take for anything. They need a second or two; the rest is for busy machines.
pub const WITHIN: Duration = Duration::from_mins(2);

/// Prefix of the project's annotations.
pub const GROUP: &str = "gateway-route-sync.homelab-helper.benfiola.com";

/// What Envoy Gateway is made for; this channel has all kinds of routes, as every neighbour reads them.
pub const GATEWAY_API: GatewayApi = GatewayApi { version: Version::V1_6_1, channel: Channel::Experimental };

/// Tells the person who waits what was seen. Tests capture what `eprintln!` prints, so this does not use it.
pub fn report(line: &str) {
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr(), "e2e: {line}");
}

/// Who serves the Gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlane {
    /// All Gateways of its class.
    EnvoyGateway,
    /// The Gateways for which tests start one.
    Contour,
}

impl DataPlane {
    /// The class of its Gateways.
    pub fn class(self) -> &'static str {
        match self {
            Self::EnvoyGateway => envoy_gateway::CLASS,
            Self::Contour => contour::CLASS,
        }
    }

    /// Where it listens for the listeners of that port.
    pub fn entry(self, port: u16) -> u16 {
        match self {
            Self::EnvoyGateway => port,
            Self::Contour => port + contour::ABOVE,
        }
    }
}

/// A cluster with cert-manager and one data plane, and with the controller that the chart installs.
pub struct World {
    pub data_plane: DataPlane,
    // Fields are dropped in this order, so the folder goes after all that write to it.
    pub controller: Mutex<Option<Program>>,
    _neighbours: Vec<Supervised>,
    pub cluster: ControlPlane,
    pub programs: Programs,
    pub folder: Scratch,
}

impl World {
    /// The world that all tests of a data plane share. Each test has a runtime of its own, and so needs clients of its own.
    pub async fn shared(data_plane: DataPlane) -> Arc<Self> {
        static SHARED: Mutex<Option<Arc<World>>> = Mutex::const_new(None);
        let mut shared = SHARED.lock().await;
        if let Some(world) = shared.as_ref().filter(|world| world.data_plane == data_plane) {
            return Arc::clone(world);
        }
        // Envoy Gateway has ports that Contour's Envoy wants, so the one ends before the other begins.
        drop(shared.take());
        Arc::clone(shared.insert(Arc::new(Self::start(data_plane).await)))
    }

    async fn start(data_plane: DataPlane) -> Self {
        assert!(std::env::var_os("APART").is_some(), "these tests need namespaces of their own: run `make e2e`");
        let programs = Programs::ensure().expect("the neighbours");
        let folder = Scratch::create().expect("a folder");
        let cluster = ControlPlane::start().await.expect("a control plane");
        cluster.install(GATEWAY_API).await.expect("the Gateway API");
        let cert_manager = cert_manager::start(&cluster, &programs, folder.path()).await.expect("cert-manager");
        let mut neighbours = vec![cert_manager];
        match data_plane {
            DataPlane::EnvoyGateway => {
                neighbours.push(envoy_gateway::start(&cluster, &programs, folder.path()).await.expect("Envoy Gateway"));
            }
            DataPlane::Contour => contour::install(&cluster).await.expect("Contour's CRDs and class"),
        }
        cert_manager::make_authority(&cluster).await.expect("an authority");
        let world =
            Self { data_plane, controller: Mutex::default(), _neighbours: neighbours, cluster, programs, folder };
        world.helm(&["install", RELEASE, CHART, "--create-namespace"]);
        *world.controller.lock().await = Some(world.start_controller().await);
        world
    }

    /// Helm, at work in the namespace of the release.
    pub fn helm(&self, arguments: &[&str]) -> String {
        let mut command = helm();
        command.env("KUBECONFIG", self.cluster.kubeconfig()).args(arguments).args(["--namespace", NAMESPACE]);
        run(&mut command)
    }

    /// What the pod of the Deployment would be: its arguments, and the rights of its account.
    pub async fn start_controller(&self) -> Program {
        static PODS: AtomicU8 = AtomicU8::new(0);
        let kubeconfig = self.cluster.service_account_kubeconfig(NAMESPACE, RELEASE).await.expect("a token");
        let deployments: Api<Deployment> = Api::namespaced(self.cluster.client().expect("a client"), NAMESPACE);
        let deployment = deployments.get(RELEASE).await.expect("the Deployment");
        let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("its pod");
        let arguments = pod.containers.into_iter().next().and_then(|container| container.args).unwrap_or_default();
        // A pod has an address of its own, and so all ports; here they are given.
        let is_address = |argument: &String| argument.contains("-address=");
        let mut command = Command::new(env!("CARGO_BIN_EXE_homelab-helper"));
        command.env("POD_NAME", format!("{RELEASE}-{}", PODS.fetch_add(1, Ordering::Relaxed)));
        command.args(arguments.iter().filter(|argument| !is_address(argument)));
        let program = Program::start(command, &kubeconfig).expect("the controller");
        program.ready().await.expect("a ready controller");
        program
    }

    /// Clients that trust what cert-manager's authority issues, and nothing else.
    pub async fn clients(&self) -> Client {
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client().expect("a client"), cert_manager::NAMESPACE);
        let found = eventually("the authority has its certificate", WITHIN, async || {
            let secret = secrets.get(cert_manager::AUTHORITY).await.map_err(|error| error.to_string())?;
            let certificate = secret.data.unwrap_or_default().remove("tls.crt").ok_or("it is not in there")?;
            Client::trusting(&String::from_utf8_lossy(&certificate.0)).map_err(|error| error.to_string())
        });
        self.or_logs(found.await).await
    }

    pub fn api(&self, group_version: &str, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let (group, version) = group_version.rsplit_once('/').unwrap_or(("", group_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.cluster.client().expect("a client"), namespace, &resource)
    }

    /// What was found, or else a panic that says where everybody's logs are.
    pub async fn or_logs<T>(&self, found: Result<T, TimedOut>) -> T {
        match found {
            Ok(found) => found,
            Err(error) => panic!("{error}\nThe logs are in {}", self.keep_logs().await.display()),
        }
    }

    /// Copies everybody's logs to where they stay after the tests.
    async fn keep_logs(&self) -> PathBuf {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-logs");
        fs::create_dir_all(&kept).expect("a folder");
        let controller = self.controller.lock().await.as_ref().map(Program::log).unwrap_or_default();
        fs::write(kept.join("controller.log"), controller).expect("a file");
        for entry in fs::read_dir(self.folder.path()).expect("the folder").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                fs::copy(entry.path(), kept.join(entry.file_name())).expect("a file");
            }
        }
        kept
    }
}
