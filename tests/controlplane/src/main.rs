//! `controlplane`: a control plane for development, on the command line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use controlplane::{Binaries, Channel, ControlPlane, Error, GatewayApi, Helm, Version};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// A Kubernetes control plane on this machine, without containers and without nodes.
#[derive(Parser)]
#[command(name = "controlplane")]
enum Command {
    /// Run a control plane until Ctrl-C or SIGTERM, and leave nothing behind.
    Up(Up),
    /// Only build the programs and download the CRDs, so that nothing later has to wait for them.
    Build,
}

#[derive(clap::Args)]
struct Up {
    /// The release of the Gateway API to install.
    #[arg(long, default_value = "1.7.0")]
    gateway_api: Version,
    /// The channel of that release, or none to install no Gateway API.
    #[arg(long, default_value = "standard")]
    channel: ChannelArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum ChannelArg {
    Standard,
    Experimental,
    None,
}

impl Up {
    fn gateway_api(&self) -> Option<GatewayApi> {
        let channel = match self.channel {
            ChannelArg::Standard => Channel::Standard,
            ChannelArg::Experimental => Channel::Experimental,
            ChannelArg::None => return None,
        };
        Some(GatewayApi { version: self.gateway_api, channel })
    }
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Up(arguments) => up(&arguments),
        Command::Build => build(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("controlplane: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

fn up(arguments: &Up) -> Result<(), Error> {
    let runtime = Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        // Leaving `run` early drops the control plane, which ends it, however far it got.
        tokio::select! {
            outcome = run(arguments) => outcome,
            () = stop_requested() => Ok(()),
        }
    });
    // Whoever asks to stop does not want to wait until the first build is over.
    runtime.shutdown_background();
    outcome
}

async fn run(arguments: &Up) -> Result<(), Error> {
    let control_plane = ControlPlane::start().await?;
    let installed = match arguments.gateway_api() {
        Some(gateway_api) => {
            control_plane.install(gateway_api).await?;
            format!("the Gateway API {gateway_api}")
        }
        None => String::from("no Gateway API"),
    };
    let told = format!(
        "# A control plane with {installed} runs at {} until Ctrl-C.\n\
         # In another terminal:\n\
         export KUBECONFIG={}\n\
         # If there is no kubectl yet:\n\
         alias kubectl={}\n",
        control_plane.url(),
        control_plane.kubeconfig().display(),
        control_plane.kubectl().get_program().display()
    );
    // Whoever reads may have had enough; the control plane runs all the same.
    let _ = std::io::stdout().write_all(told.as_bytes());
    std::future::pending().await
}

fn build() -> Result<(), Error> {
    let binaries = Binaries::ensure()?;
    Helm::ensure()?;
    for gateway_api in GatewayApi::all() {
        gateway_api.crds()?;
    }
    controlplane::monitoring_crds()?;
    println!("{}", binaries.kube_apiserver().parent().unwrap_or(binaries.kube_apiserver()).display());
    Ok(())
}

async fn stop_requested() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal can be listened for inside a runtime");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// An error in one line, with what led to it.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut text: Vec<String> = Vec::new();
    for cause in causes {
        // Some errors already say what their cause says.
        if !text.iter().any(|said| said.contains(&cause)) {
            text.push(cause);
        }
    }
    text.join(": ")
}
