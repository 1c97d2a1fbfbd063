//! The command line: parse, do it, say how it ended.

use std::io::{self, Write as _};
use std::process::ExitCode;

use homelab_helper::cli::{Cli, Command, Instead};
use homelab_helper::render::{self, Outcome};
use homelab_helper::{api, run};

fn main() -> ExitCode {
    let cli = Cli::read();
    if let Err(error) = cli.telemetry.init() {
        return failure(&error, 2);
    }
    let Command::GatewayRouteSync(command) = cli.command;
    match command.instead {
        None => controller(command.run),
        Some(Instead::Crd) => print(&api::crd_yaml(), 0),
        Some(Instead::Render(args)) => rendering(&args),
    }
}

fn controller(args: run::Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error, 1),
    };
    let ended = runtime.block_on(run::run(args));
    // A name that is being resolved blocks a thread, and must not hold up the end of the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error, error.exit_code()),
    }
}

fn rendering(args: &render::Args) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => tell(&runtime.block_on(render::render(args))),
        Err(error) => failure(&error, 2),
    }
}

fn tell(outcome: &Outcome) -> ExitCode {
    let mut errors = io::stderr().lock();
    for remark in &outcome.remarks {
        // Where nobody reads them, there is nobody to tell that either.
        let _ = writeln!(errors, "{remark}");
    }
    print(&outcome.output, outcome.code)
}

/// Prints a text, and then ends with that code.
fn print(text: &str, code: u8) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        // Whoever read has had enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(error) => failure(&error, 1),
    }
}

fn failure(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}
