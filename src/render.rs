//! Plans offline: manifests → the Gateways that the controller would make of them, without a cluster.

mod cluster;
mod diff;
mod explain;
mod read;
mod remarks;
mod yaml;

pub use diff::unified;

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Value, json};

use crate::api::WrappedGateway;
use crate::controller::wish::Wish;
use crate::kubeconfig;
use crate::manifests::Manifests;
use crate::planner::Plan;
use crate::routes::GatewayRef;

/// What `--help` says below the flags.
const NOTES: &str = "\
Manifests are read as they are: several documents in a file, YAML or JSON, List objects, what `helm template` and
`kustomize build` print. Kinds that mean nothing here are ignored. A Gateway among the manifests is what exists: its
listeners keep their names and places. In a folder, files named *.yaml, *.yml and *.json are read, in folders within it
as well; names that begin with a dot are not looked at.

The Gateways go to standard output, for `kubectl apply --server-side -f -`. They hold what the controller would write:
listeners that someone else put on a Gateway are not among theirs, and without --server-side kubectl would remove those.
Everything else goes to standard error, one line each.

With --diff nothing is printed but what the controller would change on the Gateways of the cluster, and nothing is
written. What belongs to others is not shown. WrappedGateways, routes and namespaces' labels are those of the cluster, or
where manifests are given, those: the manifests are then taken for all that there is, except that labels of namespaces
which are not among them come from the cluster.

Exit codes:
  0  everything is as the manifests ask for
  1  the Gateways are printed, but something is not to be had: a route is rejected (unless --allow-rejected), a listener
     of a WrappedGateway is left out, or a Gateway is left alone, mostly because it belongs to someone else
  2  the arguments or the manifests are of no use: each mistake is told, and nothing is printed, so that nothing that was
     planned from half of the manifests is applied
With --diff, as those of `kubectl diff`:
  0  nothing would change
  1  something would change
  2  something could not be read or compared; with manifests of no use, nothing is printed";

/// What is rendered, and how it is shown.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = NOTES)]
#[group(skip)]
pub struct Args {
    /// Manifests: files, folders, or `-` for standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "diff")]
    paths: Vec<PathBuf>,
    /// How the Gateways are printed
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Yaml)]
    output: Format,
    /// The namespace of objects that say none
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
    /// Take rejected routes for success
    #[arg(long)]
    allow_rejected: bool,
    /// Print, for people: each listener, who asks for it, why it has its name; each rejection and what to do about it
    #[arg(long, conflicts_with = "output")]
    explain: bool,
    /// Show what would change on the cluster's Gateways; without manifests, everything is read from the cluster
    #[arg(long, conflicts_with_all = ["output", "explain", "allow_rejected"])]
    diff: bool,
    #[command(flatten)]
    kubeconfig: kubeconfig::Args,
}

/// How Gateways are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Documents with `---` between them
    Yaml,
    /// The Gateway, or a List where there is not exactly one
    Json,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For standard output.
    pub output: String,
    /// For standard error, one line each.
    pub remarks: Vec<String>,
    /// The exit code.
    pub code: u8,
}

/// A Gateway and all that is said of it.
#[derive(Debug)]
struct Planned<'a> {
    key: &'a GatewayRef,
    wrapped: &'a WrappedGateway,
    plan: Plan,
    /// Why the controller would write nothing, if it would not.
    left_alone: Option<String>,
}

/// Reads the manifests and plans every Gateway for which there is a WrappedGateway among them.
pub async fn render(args: &Args) -> Outcome {
    let mut manifests = read::manifests(&args.paths, &args.namespace);
    let mut remarks = remarks::unreadable(&manifests);
    if remarks.is_empty() && manifests.wrapped_gateways.is_empty() && !args.paths.is_empty() {
        remarks.push("error: there is no WrappedGateway among the manifests".to_owned());
    }
    if !remarks.is_empty() {
        remarks.extend(remarks::ignored(&manifests));
        return Outcome { output: String::new(), remarks, code: 2 };
    }
    if args.diff {
        return match cluster::Cluster::connect(&args.kubeconfig).await {
            Ok(cluster) => cluster.diff(&mut manifests, args.paths.is_empty()).await,
            Err(error) => {
                Outcome { output: String::new(), remarks: vec![remarks::line(&format!("error: {error}"))], code: 2 }
            }
        };
    }
    let planned = all_planned(&manifests);
    let code = u8::from(planned.iter().any(|planned| planned.falls_short(args.allow_rejected)));
    let output = if args.explain {
        planned.iter().map(|planned| explain::explained(planned, &manifests)).collect::<Vec<_>>().join("\n")
    } else {
        remarks.extend(planned.iter().flat_map(remarks::on_gateway));
        printed(args.output, planned.iter().filter_map(Planned::manifest).collect())
    };
    remarks.extend(remarks::ignored(&manifests));
    Outcome { output, remarks, code }
}

fn all_planned(manifests: &Manifests) -> Vec<Planned<'_>> {
    manifests.wrapped_gateways.keys().filter_map(|key| planned(manifests, key)).collect()
}

fn planned<'a>(manifests: &'a Manifests, key: &GatewayRef) -> Option<Planned<'a>> {
    let (key, wrapped) = manifests.wrapped_gateways.get_key_value(key)?;
    let left_alone = manifests.left_alone(key);
    Some(Planned { key, wrapped, plan: manifests.plan(key)?, left_alone })
}

impl Planned<'_> {
    /// The Gateway as a manifest, unless it is left alone.
    fn manifest(&self) -> Option<Value> {
        self.left_alone.is_none().then(|| Wish::planned(self.wrapped, &self.plan).manifest(self.key))
    }

    /// Whether something that the manifests ask for is not to be had.
    fn falls_short(&self, allow_rejected: bool) -> bool {
        self.left_alone.is_some()
            || !self.plan.problems.is_empty()
            || !(allow_rejected || self.plan.rejections.is_empty())
    }
}

fn printed(format: Format, mut gateways: Vec<Value>) -> String {
    match format {
        Format::Yaml => gateways.iter().map(yaml::document).collect::<Vec<_>>().join("---\n"),
        Format::Json => {
            let object = match gateways.len() {
                1 => gateways.remove(0),
                _ => json!({ "apiVersion": "v1", "kind": "List", "items": gateways }),
            };
            format!("{object:#}\n")
        }
    }
}
