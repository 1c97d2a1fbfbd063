//! `neighbours`: has the programs of the end-to-end tests built.

use std::process::ExitCode;

use neighbours::{Programs, Result, cert_manager, contour, envoy_gateway};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments != ["build"] {
        eprintln!("usage: neighbours build");
        return ExitCode::FAILURE;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("neighbours: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    Programs::ensure()?;
    cert_manager::crds()?;
    contour::crds()?;
    envoy_gateway::crds()?;
    Ok(())
}
