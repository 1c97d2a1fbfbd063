//! The composition root: the only file that knows all others.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use futures::channel::mpsc::{self, UnboundedReceiver};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::explain::explain;
use crate::leader::{self, Election, Lost};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::routes::{self, GatewayRef, Listing, RouteKey, RouteKind, State};
use crate::server::{self, Address};
use crate::telemetry::LogLevel;
use crate::{client, controller, kubeconfig};

/// How long what is under way may take to end. The process is to be gone within a second, on a busy machine too.
const GRACE: Duration = Duration::from_millis(600);
/// How long it may take after that to give the Lease back.
const GIVE_BACK: Duration = Duration::from_millis(150);

/// How the controller runs.
#[derive(Clone, Debug, ClapArgs)]
#[group(skip)]
pub struct Args {
    /// Where /healthz and /readyz are served; without a host: on all interfaces
    #[arg(long, env = "HEALTH_ADDRESS", value_name = "ADDRESS", default_value = ":8081")]
    health_address: Address,
    /// Where /metrics is served; without a host: on all interfaces
    #[arg(long, env = "METRICS_ADDRESS", value_name = "ADDRESS", default_value = ":8080")]
    metrics_address: Address,
    #[command(flatten)]
    leader: leader::Args,
    #[command(flatten)]
    external_dns: controller::external_dns::Args,
    #[command(flatten)]
    kubeconfig: kubeconfig::Args,
}

/// Why the controller does not run any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port cannot be had.
    #[error("cannot listen on {address} ({flag}): {source}")]
    Bind {
        /// Where.
        address: Address,
        /// The flag that says so.
        flag: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// It is not known which cluster to speak to.
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    /// The times of the election make no sense.
    #[error(transparent)]
    Terms(#[from] leader::Senseless),
    /// The cluster's address or credentials are of no use.
    #[error("cannot make a client of the kubeconfig: {}", explain(.0))]
    Client(#[source] Box<kube::Error>),
    /// The system does not let the process hear signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
    /// Another process works from now on, or may.
    #[error("{0}")]
    Lost(#[source] Lost),
    /// Something that runs for ever has ended, by a mistake in the program.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

impl Error {
    /// The exit code: 2 where the user has to change something they wrote, 1 else.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Kubeconfig(_) | Self::Terms(_) | Self::Client(_) => 2,
            Self::Bind { .. } | Self::Signals(_) | Self::Lost(_) | Self::Ended(_) => 1,
        }
    }
}

/// Runs the controller until SIGTERM or SIGINT. SIGUSR1 changes how much is logged.
///
/// # Errors
///
/// Where it cannot begin, or cannot go on. A cluster that does not answer is neither.
pub async fn run(args: Args, log_level: LogLevel) -> Result<(), Error> {
    let stopped = stop_signal().map_err(Error::Signals)?;
    let louder = signal(SignalKind::user_defined1()).map_err(Error::Signals)?;
    let health = bind(args.health_address, "--health-address")?;
    let metrics_server = bind(args.metrics_address, "--metrics-address")?;
    let config = args.kubeconfig.load().await?;
    info!(version = env!("CARGO_PKG_VERSION"), cluster = %config.cluster_url, "starting");
    let metrics = Arc::new(Metrics::new());
    let mut leadership = Leadership::new(&args.leader, &config, &metrics)?;
    let client = client::patient(config, &metrics).map_err(no_client)?;
    let Parts { readiness, outputs, context, triggers, route_events, leads } =
        Parts::new(client, &metrics, &args.external_dns);

    let mut tasks = Tasks::default();
    tasks.spawn("the health server", server::serve(health, server::health(readiness)));
    tasks.spawn("the metrics server", server::serve(metrics_server, server::metrics(Arc::clone(&metrics))));
    tasks.spawn("the log level", log_level.follow(louder));
    tasks.spawn("the watch of routes", routes::watch::run(context.client.clone(), outputs));
    let (stop, stopping) = watch::channel(false);
    let mut controllers = Tasks::default();
    controllers.spawn("the controller", controller::run(context, triggers, route_events, until_true(stopping)));

    tokio::select! {
        signal = stopped => info!(signal, "stopping"),
        lost = leadership.until_lost(&leads, &metrics) => return Err(Error::Lost(lost)),
        ended = tasks.ended() => return Err(Error::Ended(ended)),
        ended = controllers.ended() => return Err(Error::Ended(ended)),
    }
    stop.send_replace(true);
    if timeout(GRACE, controllers.ended()).await.is_err() {
        warn!("what is under way takes too long and is given up");
    }
    drop(controllers);
    leadership.give_back().await;
    Ok(())
}

/// Everything that tasks share, and the channels between them.
struct Parts {
    readiness: Arc<Readiness>,
    outputs: routes::watch::Outputs,
    context: controller::Context,
    triggers: UnboundedReceiver<GatewayRef>,
    route_events: UnboundedReceiver<RouteKey>,
    leads: watch::Sender<bool>,
}

impl Parts {
    fn new(client: Client, metrics: &Arc<Metrics>, external_dns: &controller::external_dns::Args) -> Self {
        let state = Arc::new(State::default());
        let (awaited, awaited_kinds) = watch::channel(RouteKind::ALL.into());
        let (listing, listed) = watch::channel(Listing::Pending);
        let (served, served_kinds) = watch::channel(None);
        let readiness = Arc::new(Readiness::new(awaited_kinds, served_kinds.clone()));
        let (leads, leading) = watch::channel(false);
        let (gateways, triggers) = mpsc::unbounded();
        let (routes, route_events) = mpsc::unbounded();
        let context = controller::Context {
            client,
            routes: Arc::clone(&state),
            route_events: routes.clone(),
            served: served_kinds,
            leading,
            listing: listed,
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(metrics),
            external_dns_prefixes: external_dns.prefixes(),
        };
        let outputs =
            routes::watch::Outputs { state, gateways, routes, served, awaited, listing, metrics: Arc::clone(metrics) };
        Self { readiness, outputs, context, triggers, route_events, leads }
    }
}

/// Whether this process reconciles: always, or while it holds the Lease.
struct Leadership(Option<Election>);

impl Leadership {
    fn new(args: &leader::Args, config: &Config, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        let Some(terms) = args.terms(&config.default_namespace)? else {
            return Ok(Self(None));
        };
        // A renewal that is answered late is worse than one that fails.
        let client = client::impatient(config.clone(), metrics).map_err(no_client)?;
        Ok(Self(Some(Election::new(client, terms, leader::identity()))))
    }

    async fn until_lost(&mut self, leads: &watch::Sender<bool>, metrics: &Metrics) -> Lost {
        if let Self(Some(election)) = self {
            election.win().await;
        }
        leads.send_replace(true);
        metrics.leads(true);
        match self {
            Self(Some(election)) => election.hold().await,
            Self(None) => pending().await,
        }
    }

    async fn give_back(&mut self) {
        if let Self(Some(election)) = self
            && timeout(GIVE_BACK, election.give_back()).await.is_err()
        {
            warn!("the lease is not given back, and will expire");
        }
    }
}

fn no_client(error: kube::Error) -> Error {
    Error::Client(Box::new(error))
}

fn bind(address: Address, flag: &'static str) -> Result<TcpListener, Error> {
    let listener = server::bind(&address).map_err(|source| Error::Bind { address, flag, source })?;
    if let Ok(address) = listener.local_addr() {
        info!(%address, "listening ({flag})");
    }
    Ok(listener)
}

/// Hears signals from now on; resolves with the name of the first that asks to stop.
fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

async fn until_true(mut flag: watch::Receiver<bool>) {
    // That nobody can raise it any more is as good as raised.
    let _ = flag.wait_for(|raised| *raised).await;
}

/// Tasks that end only by mistake, or because they are dropped together with this.
#[derive(Default)]
struct Tasks(JoinSet<&'static str>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            task.await;
            name
        });
    }

    /// Resolves once one of them has ended, with its name.
    async fn ended(&mut self) -> &'static str {
        match self.0.join_next().await {
            Some(Ok(name)) => name,
            // The panic itself is on standard error already.
            Some(Err(_)) => "a task that panicked",
            None => pending().await,
        }
    }
}
