//! `make bench`: how fast and how small the controller is, beside a plain client in the same run.
//!
//! It measures whole processes against a real API server, so that any program can be measured that makes Gateways of
//! WrappedGateways (`--program`). What it finds out goes to `benches/results`, a file for each size of the cluster; the page
//! and the plot are made of all that is there, so that sizes which take long to make need not be made every time.
//!
//! - `args.rs`: which programs, in how large clusters;
//! - `cluster.rs`, `seen.rs`, `process.rs`: the API server with its objects, what a watch of it shows, the program;
//! - `plain.rs`: the floor;
//! - `measures`: one file for each kind of measure;
//! - `figures.rs`, `aims.rs`, `table.rs`, `plot.rs`, `explained.md`: what was found out, and how it is shown;
//! - `findings.md`: what was learned from it, written by hand.

mod aims;
mod args;
mod cluster;
mod figures;
mod measures;
mod plain;
mod plot;
mod process;
mod seen;
mod table;

use std::fs;
use std::time::Instant;

use args::{Args, Size};
use figures::Found;
use measures::Scope;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::read();
    if args.plain {
        return plain::run().await;
    }
    let began = Instant::now();
    let results = args.output.join("benches/results");
    for size in &args.beside {
        measure(&args, *size, false, began).await?.save(&results)?;
    }
    for size in &args.sizes {
        measure(&args, *size, true, began).await?.save(&results)?;
    }
    let all = Found::all(&results)?;
    let page = table::page(&all);
    println!("{page}");
    fs::write(results.join("plot.svg"), plot::svg(&all))?;
    fs::write(args.output.join("BENCHMARKS.md"), page)?;
    Ok(())
}

async fn measure(args: &Args, size: Size, whole: bool, began: Instant) -> Outcome<Found> {
    let mut found = Found::new(size, whole);
    let scope = Scope { size, whole, args, began };
    let subjects = args.subjects()?;
    // The floor is the same for all.
    found.floor = measures::floor(&subjects[0], scope).await?;
    for subject in &subjects {
        found.programs.push(measures::take(subject, scope).await?);
    }
    Ok(found)
}
