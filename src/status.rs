//! What the controller did, for people, read from the cluster: `homelab-helper gateway-route-sync status`.
//!
//! [`cluster`] reads, [`report`] judges what was read, [`text`] writes it down. The last two ask nobody.

pub mod cluster;
mod listener;
pub mod report;
pub mod text;

use clap::{Args as ClapArgs, ValueEnum};
use kube::{Client, Config};

use crate::explain::explain;
use crate::kubeconfig;
use cluster::Scope;
use report::Report;

/// What `--help` says below the flags.
const NOTES: &str = "\
What is not well has a `!` at the beginning of its line. Of Secrets only the metadata is asked for, never a value; where
even that is not permitted, certificates are `unknown`.

Exit codes:
  0  everything is well
  1  something is not: a route is rejected, or a Gateway or listener is not ready or not programmed, or a Secret is missing
  2  there is no answer: the arguments or the kubeconfig are of no use, or the cluster does not answer";

/// What is asked, and how the answer looks.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = NOTES)]
#[group(skip)]
pub struct Args {
    /// Only the WrappedGateway of this name
    #[arg(value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// The namespace to look at; not given: the one of the kubeconfig's context
    #[arg(short, long, value_name = "NAMESPACE", value_parser = name)]
    namespace: Option<String>,
    /// Look at all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    all_namespaces: bool,
    /// How the answer looks
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    kubeconfig: kubeconfig::Args,
}

/// How the answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, at 80 columns
    Text,
    /// For programs
    Json,
}

/// What is to be printed, and whether all is well.
#[derive(Debug)]
pub struct Answer {
    /// For standard output.
    pub text: String,
    /// For standard error, one line each.
    pub remarks: Vec<String>,
    /// Whether nothing is rejected and everything is ready.
    pub well: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not known which cluster to speak to.
    #[error(transparent)]
    Kubeconfig(#[from] kubeconfig::Error),
    /// The cluster's address or credentials are of no use.
    #[error("cannot make a client of the kubeconfig: {}", explain(.0))]
    Client(#[source] Box<kube::Error>),
    /// The cluster does not say it.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

/// Asks the cluster.
///
/// # Errors
/// Where there is no answer: no cluster, no permission, or nothing of that name.
pub async fn run(args: Args) -> Result<Answer, Error> {
    let mut config = args.kubeconfig.load().await?;
    // Somebody waits for the answer, and sees for themselves whether it is worth asking again.
    config.default_retry = false;
    config.read_timeout = Some(cluster::PATIENCE);
    let output = args.output;
    let scope = args.scope(&config);
    let client = Client::try_from(config).map_err(|error| Error::Client(Box::new(error)))?;
    let report = Report::new(&cluster::look(&client, &scope).await?);
    let nothing = report.wrapped_gateways.is_empty().then(|| format!("There are no WrappedGateways in {scope}."));
    Ok(Answer { text: output.write(&report), remarks: nothing.into_iter().collect(), well: report.well })
}

impl Args {
    fn scope(self, config: &Config) -> Scope {
        if self.all_namespaces {
            return Scope::All;
        }
        let namespace = self.namespace.unwrap_or_else(|| config.default_namespace.clone());
        match self.name {
            Some(name) => Scope::One { namespace, name },
            None => Scope::Namespace(namespace),
        }
    }
}

impl Format {
    fn write(self, report: &Report) -> String {
        match self {
            Self::Text => text::text(report),
            Self::Json => text::json(report),
        }
    }
}

/// A name becomes part of a path, and what is none would ask for something else.
fn name(text: &str) -> Result<String, String> {
    if cluster::is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a name has lower case letters, digits, `-` and `.`, and begins and ends with a letter or a digit"
            .to_owned())
    }
}
