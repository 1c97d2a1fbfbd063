//! The command line, parsed. Arguments live beside what they configure.

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{render, run, status, telemetry};

/// Helps with a homelab's cluster
#[derive(Debug, Parser)]
#[command(name = "homelab-helper", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What is logged.
    #[command(flatten)]
    pub telemetry: telemetry::Args,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keeps the listeners of Gateways equal to what the routes attached to them ask for
    GatewayRouteSync(Box<GatewayRouteSync>),
    /// Prints a script that makes a shell complete this program's arguments
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
}

/// Runs the controller, or answers a question about it.
#[derive(Debug, Args)]
#[group(skip)]
pub struct GatewayRouteSync {
    /// How the controller runs.
    #[command(flatten)]
    pub run: run::Args,
    /// What to do instead.
    #[command(subcommand)]
    pub instead: Option<Instead>,
}

/// What to do instead of running the controller.
#[derive(Debug, Subcommand)]
pub enum Instead {
    /// Prints the CRD of WrappedGateway as YAML
    Crd,
    /// Plans offline: reads manifests, and prints the Gateways that the controller would make of them
    Render(render::Args),
    /// Shows what the controller did, and what is wrong: exit code 1 where something is
    Status(status::Args),
}

impl Cli {
    /// Reads arguments and environment. A flag beats its variable, and a variable that is empty counts as not set.
    ///
    /// Where there is nothing to do but to print (help, version, what is wrong), it does and ends the process: with code 2
    /// if something is wrong.
    #[must_use]
    pub fn read() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// The script that makes a shell complete this program's arguments.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    // In a name with a hyphen, clap_complete's script for bash takes the hyphen for the place between two commands where it
    // looks for what to complete, and so completes nothing after a command (clap-rs/clap#6421). Once that is mended there is
    // nothing to replace.
    String::from_utf8_lossy(&script).replace("homelab__subcmd__helper", "homelab__helper")
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg })
        .mut_subcommands(without_empty_variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
