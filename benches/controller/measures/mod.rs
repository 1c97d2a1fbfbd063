//! The measures, in the order in which they are taken.

mod burst;
mod churn;
mod latency;
mod rest;
mod side;
mod start;
mod writes;

use std::time::Instant;

use crate::Outcome;
use crate::args::{Args, Measure, Size, Subject};
use crate::cluster::Cluster;
use crate::figures::{Figures, Program};
use side::Side;
use writes::PerRoute;

/// Listeners that a Gateway has when a route is added, of each measure of the latency.
const LISTENERS: [usize; 4] = [5, 20, 40, 60];
/// That of them which is measured at every size of the cluster.
pub const BESIDE: usize = 20;

/// How much is measured, and how often.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub size: Size,
    /// Everything, or only what is compared side by side.
    pub whole: bool,
    pub args: &'a Args,
    pub began: Instant,
}

impl Scope<'_> {
    fn listeners(&self) -> &'static [usize] {
        match (self.args.takes(Measure::Latency), self.whole) {
            (true, true) => &LISTENERS,
            (true, false) => &[BESIDE],
            (false, _) => &[],
        }
    }

    /// Whether what is not compared side by side is to be measured.
    fn takes(&self, measure: Measure) -> bool {
        self.whole && self.args.takes(measure)
    }

    /// Of the larger Gateways, each sample costs the API server up to a third of a second.
    fn samples(&self, listeners: usize) -> usize {
        if listeners <= 20 { self.args.samples } else { self.args.samples / 2 }
    }
}

/// Takes all measures of a program.
pub async fn take(subject: &Subject, scope: Scope<'_>) -> Outcome<Program> {
    let cluster = Cluster::start(subject).await?;
    let mut figures = Figures::new();
    start::empty(&cluster, subject, &mut figures).await?;
    say(scope, &format!("making {} routes", scope.size.total()));
    cluster.fill(scope.size).await?;
    say(scope, &format!("{}: start", subject.name));
    let process = start::full(&cluster, subject, scope.size, &mut figures).await?;
    let side = || Side::program(&cluster);
    for listeners in scope.listeners() {
        say(scope, &format!("latency at {listeners} listeners"));
        latency::at(&side(), *listeners, scope.samples(*listeners), Some(&process), &mut figures).await?;
    }
    let mut requests = PerRoute::new();
    if scope.args.takes(Measure::Writes) {
        say(scope, "writes");
        requests = writes::per_route(&side(), &mut figures).await?;
    }
    if scope.takes(Measure::Rest) {
        say(scope, "at rest");
        rest::rest(&cluster, &process, scope.args.rest, &mut figures).await?;
    }
    if scope.takes(Measure::Bursts) {
        say(scope, "bursts");
        burst::paced_and_at_once(&side(), &mut figures).await?;
    }
    if scope.takes(Measure::Changes) {
        say(scope, &format!("{} changes", scope.args.changes));
        churn::churn(&cluster, &process, scope, &mut figures).await?;
    }
    process.end()?;
    Ok(Program { name: subject.name.clone(), figures, requests })
}

/// Takes the measures of the plain client.
pub async fn floor(subject: &Subject, scope: Scope<'_>) -> Outcome<Figures> {
    let cluster = Cluster::start(subject).await?;
    let mut figures = Figures::new();
    say(scope, &format!("making {} routes for the plain client", scope.size.total()));
    cluster.fill(scope.size).await?;
    start::plain(&cluster, scope.size, &mut figures).await?;
    for listeners in scope.listeners() {
        say(scope, &format!("latency at {listeners} listeners"));
        latency::at(&Side::plain(&cluster)?, *listeners, scope.samples(*listeners), None, &mut figures).await?;
    }
    if scope.takes(Measure::Bursts) {
        say(scope, "bursts");
        burst::paced_and_at_once(&Side::plain(&cluster)?, &mut figures).await?;
    }
    Ok(figures)
}

/// Tells whoever waits what is being measured.
fn say(scope: Scope<'_>, what: &str) {
    eprintln!("{:6.1} s  {}: {what}", scope.began.elapsed().as_secs_f64(), scope.size);
}
