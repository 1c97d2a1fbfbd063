//! Starting, stopping and removing a control plane.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::access::get;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::golang::blocking;
use crate::supervisor::{Scratch, Supervised};
use crate::{Binaries, audit, eventually};

/// Long enough for a machine that compiles something else at the same time; the usual time is three seconds.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// How often another port is tried when somebody took the one that was free a moment ago.
const PORTS_TO_TRY: usize = 5;

/// The first port that is looked at.
const FIRST_PORT: u16 = 20_000;

/// What of the controller manager is wanted: what makes owner references, namespaces, service accounts and aggregated
/// roles behave as in a cluster.
const CONTROLLERS: &str =
    "garbage-collector-controller,namespace-controller,serviceaccount-controller,clusterrole-aggregation-controller";

/// A process that may be absent, and may be replaced by any thread.
type Process = Mutex<Option<Supervised>>;

/// A running control plane. Dropping it ends its processes and removes its data.
///
/// It may live in a `static`: then its end is the end of the process. Several can run side by side.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order, so the folder goes after all that write to it.
    controller_manager: Process,
    apiserver: Process,
    etcd: Process,
    pub(crate) credentials: Credentials,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) binaries: Binaries,
    pub(crate) port: u16,
    strict: bool,
    pub(crate) scratch: Scratch,
}

impl ControlPlane {
    /// Starts a control plane and waits until it is ready. The first time ever, its programs are built before.
    ///
    /// # Errors
    /// When a program is missing and cannot be built, ends early, or does not become ready.
    pub async fn start() -> Result<Self> {
        Self::start_anywhere(false).await
    }

    /// Like [`ControlPlane::start`], with an API server that writes down what service accounts ask for (see
    /// [`ControlPlane::audit`]), and that admits an owner whose deletion is blocked only from those who may change that
    /// owner's finalizers, as some distributions do.
    ///
    /// It looks for kinds that may be owners every 30 seconds and when it starts: start it again after CRDs were installed.
    ///
    /// # Errors
    /// When a program is missing and cannot be built, ends early, or does not become ready.
    pub async fn start_strict() -> Result<Self> {
        Self::start_anywhere(true).await
    }

    async fn start_anywhere(strict: bool) -> Result<Self> {
        let binaries = blocking(Binaries::ensure).await?;
        for _ in 1..PORTS_TO_TRY {
            match Self::start_on(free_port(), binaries.clone(), strict).await {
                Err(error) if is_port_taken(&error) => {}
                outcome => return outcome,
            }
        }
        Self::start_on(free_port(), binaries, strict).await
    }

    async fn start_on(port: u16, binaries: Binaries, strict: bool) -> Result<Self> {
        let scratch = Scratch::create()?;
        let control_plane = Self {
            controller_manager: Process::default(),
            apiserver: Process::default(),
            etcd: Process::default(),
            credentials: Credentials::create(scratch.path())?,
            kubeconfig: scratch.path().join("kubeconfig"),
            binaries,
            port,
            strict,
            scratch,
        };
        control_plane.write_kubeconfig()?;
        if strict {
            audit::write_policy(control_plane.scratch.path())?;
        }
        control_plane.start_etcd().await?;
        control_plane.start_apiserver().await?;
        Ok(control_plane)
    }

    async fn start_etcd(&self) -> Result<()> {
        // The API server alone talks to etcd, and through a socket in our own folder no port can be taken by others.
        let socket = self.etcd_socket();
        let arguments = [
            format!("--data-dir={}", self.scratch.path().join("etcd").display()),
            format!("--listen-client-urls=unix://{}", socket.display()),
            format!("--listen-peer-urls=unix://{}", self.scratch.path().join("peer.sock").display()),
            // Advertised to other members, of which there are none.
            String::from("--advertise-client-urls=http://localhost:2379"),
            // The data does not outlive the process, so it may as well be lost with it.
            String::from("--unsafe-no-fsync"),
            // The only member waits for an election all the same: 0.1 s instead of a whole one.
            String::from("--heartbeat-interval=20"),
            String::from("--election-timeout=200"),
            String::from("--log-level=warn"),
        ];
        *guard(&self.etcd) = Some(self.supervise("etcd", self.binaries.etcd(), arguments)?);
        // An API server that finds no etcd backs off for a second, so it is started only once etcd listens.
        let listening = eventually("etcd listens", READY_WITHIN, async || UnixStream::connect(&socket));
        tokio::select! {
            listening = listening => listening.map(drop).map_err(Error::from),
            end = early_end(&self.etcd) => Err(end),
        }
    }

    /// Starts the API server again after [`ControlPlane::stop_apiserver`], on the same port and with the same data, and
    /// waits until it is ready. The controllers start afresh with it. Does nothing where it runs.
    ///
    /// # Errors
    /// When it ends early or does not become ready.
    pub async fn start_apiserver(&self) -> Result<()> {
        {
            let mut apiserver = guard(&self.apiserver);
            if apiserver.as_mut().is_some_and(|apiserver| apiserver.ended().is_none()) {
                return Ok(());
            }
            *apiserver =
                Some(self.supervise("kube-apiserver", self.binaries.kube_apiserver(), self.apiserver_flags())?);
        }
        let client = self.client()?;
        let ready = eventually("the API server is ready", READY_WITHIN, async || get(&client, "/readyz").await);
        tokio::select! {
            ready = ready => ready.map(drop).map_err(|source| {
                let log = guard(&self.apiserver).as_ref().map(Supervised::log_tail);
                Error::NotReady { source, log: log.unwrap_or_default() }
            }),
            end = early_end(&self.apiserver) => Err(end),
            end = early_end(&self.etcd) => Err(end),
        }?;
        self.restart_controller_manager()
    }

    /// Kills the API server, as a crash would. Its data stays.
    pub fn stop_apiserver(&self) {
        *guard(&self.apiserver) = None;
    }

    /// Makes etcd stand still, as on a machine whose disk hangs, until [`ControlPlane::resume_etcd`].
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn pause_etcd(&self) -> Result<()> {
        guard(&self.etcd).as_mut().map_or(Ok(()), |etcd| etcd.signal("STOP"))
    }

    /// Lets etcd go on. The controllers start afresh.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn resume_etcd(&self) -> Result<()> {
        guard(&self.etcd).as_mut().map_or(Ok(()), |etcd| etcd.signal("CONT"))?;
        self.restart_controller_manager()
    }

    /// Starts the controller manager, or starts it afresh.
    ///
    /// The garbage collector looks for new kinds only every 30 seconds, and all of them look for an API server that was
    /// away less and less often, but at once when they start. So they are started afresh whenever CRDs were installed,
    /// and when the API server or etcd came back.
    pub(crate) fn restart_controller_manager(&self) -> Result<()> {
        let kubeconfig = self.kubeconfig().display();
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--controllers={CONTROLLERS}"),
            String::from("--leader-elect=false"),
            // It serves nothing, so it needs no port.
            String::from("--secure-port=0"),
            String::from("--kube-api-qps=500"),
            String::from("--kube-api-burst=1000"),
        ];
        let mut running = guard(&self.controller_manager);
        // The old one has to be gone before the new one starts, or both would act.
        *running = None;
        let program = self.binaries.kube_controller_manager();
        *running = Some(self.supervise("kube-controller-manager", program, arguments)?);
        Ok(())
    }

    fn apiserver_flags(&self) -> Vec<String> {
        let fixed = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            // It would refuse Pods whose token nobody mounts.
            "--disable-admission-plugins=ServiceAccount",
            // Both write objects of their own again and again, and tests count writes. Without fairness the plain limit
            // on requests in flight is in force, which no test reaches.
            "--enable-priority-and-fairness=false",
            "--feature-gates=APIServerIdentity=false,UnknownVersionInteroperabilityProxy=false",
        ];
        let own =
            [format!("--secure-port={}", self.port), format!("--etcd-servers=unix://{}", self.etcd_socket().display())];
        let strict = self.strict.then(|| audit::apiserver_flags(self.scratch.path())).into_iter().flatten();
        fixed.map(String::from).into_iter().chain(own).chain(self.credentials.apiserver_flags()).chain(strict).collect()
    }

    fn etcd_socket(&self) -> PathBuf {
        self.scratch.path().join("etcd.sock")
    }

    fn supervise(
        &self,
        program: &'static str,
        path: &Path,
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Supervised> {
        Supervised::start(program, path, arguments, self.scratch.path())
    }
}

fn guard(process: &Process) -> MutexGuard<'_, Option<Supervised>> {
    // A process is replaced as a whole, so a panic elsewhere cannot have left it half-changed.
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends when the process does.
async fn early_end(process: &Process) -> Error {
    loop {
        if let Some(error) = guard(process).as_mut().and_then(Supervised::ended) {
            return error;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether somebody else took the port between the moment it was found free and the start of the API server.
fn is_port_taken(error: &Error) -> bool {
    matches!(error, Error::Exited { log, .. } if log.contains("address already in use"))
}

/// A port of the loopback interface that was free a moment ago.
fn free_port() -> u16 {
    take_free_port().local_addr().map_or(FIRST_PORT, |address| address.port())
}

/// Takes a free port of the loopback interface.
///
/// It is not one of those that the system hands out to connections: a client that keeps calling an API server that is
/// down would sooner or later be given its port as its own, and the API server could not come back.
fn take_free_port() -> TcpListener {
    const COUNT: u64 = 10_000;
    let random = || u16::try_from(RandomState::new().hash_one(()) % COUNT).unwrap_or_default();
    loop {
        if let Ok(taken) = TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST_PORT + random())) {
            return taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_somebody_took_is_recognised() -> Result<()> {
        // A port that was given back need not be free at once: whatever process begins meanwhile holds it a moment longer.
        let somebody = take_free_port();
        let port = somebody.local_addr().expect("it is bound").port();
        let error = ControlPlane::start_on(port, Binaries::ensure()?, false).await.expect_err("the port is taken");
        assert!(is_port_taken(&error), "{error}");
        Ok(())
    }
}
