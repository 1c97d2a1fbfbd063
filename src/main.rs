//! The command line: parse, do it, say how it ended.

use std::io::{self, Write as _};
use std::process::ExitCode;

use homelab_helper::cli::{self, Cli, Command, Instead};
use homelab_helper::render::{self, Outcome};
use homelab_helper::status::{self, Answer};
use homelab_helper::telemetry::LogLevel;
use homelab_helper::{api, run};

/// That of musl, which images would have, takes nearly as long as all else that is computed for a change; those of glibc and
/// mimalloc hold on to more memory (BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let log_level = match cli.telemetry.init() {
        Ok(log_level) => log_level,
        Err(error) => return failure(&error, 2),
    };
    let command = match cli.command {
        Command::GatewayRouteSync(command) => command,
        Command::Completions { shell } => return print(&cli::completions(shell), 0),
    };
    match command.instead {
        None => controller(command.run, log_level),
        Some(Instead::Crd) => print(&api::crd_yaml(), 0),
        Some(Instead::Render(args)) => asking(async move {
            let Outcome { output, remarks, code } = render::render(&args).await;
            tell(&output, &remarks, code)
        }),
        Some(Instead::Status(args)) => asking(async move {
            match status::run(args).await {
                Ok(Answer { text, remarks, well }) => tell(&text, &remarks, u8::from(!well)),
                Err(error) => failure(&error, 2),
            }
        }),
    }
}

fn controller(args: run::Args, log_level: LogLevel) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error, 1),
    };
    let ended = runtime.block_on(run::run(args, log_level));
    // A name that is being resolved blocks a thread, and must not hold up the end of the process.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error, error.exit_code()),
    }
}

/// Answers a question, which needs no more than one thread.
fn asking(question: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(question),
        Err(error) => failure(&error, 2),
    }
}

fn tell(output: &str, remarks: &[String], code: u8) -> ExitCode {
    let mut errors = io::stderr().lock();
    for remark in remarks {
        // Where nobody reads them, there is nobody to tell that either.
        let _ = writeln!(errors, "{remark}");
    }
    print(output, code)
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
