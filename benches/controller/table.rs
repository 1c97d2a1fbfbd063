//! BENCHMARKS.md.

use std::fmt::Write as _;

use crate::aims::{self, Aim, Line, WHOLE};
use crate::figures::{Figures, Found};

/// The whole page.
pub fn page(all: &[Found]) -> String {
    let mut page = String::from(
        "# Benchmarks\n\nMade by `make bench`, which takes about a quarter of an hour, builds aside; other sizes and other programs: \
         `make bench BENCH=--help`.\n",
    );
    if let Some(last) = all.last() {
        let _ = writeln!(page, "Machine: {}; the API server, etcd and the benchmark run on it too.", last.machine);
    }
    page += "\n![Latency, memory and writes by the number of routes](benches/results/plot.svg)\n";
    page += &beside(all);
    for found in all.iter().filter(|found| found.whole) {
        page += &whole(found);
    }
    page + "\n" + include_str!("findings.md") + "\n" + include_str!("explained.md")
}

/// The first program's figures at every size.
fn beside(all: &[Found]) -> String {
    let mut text = String::from(
        "\n## Side by side\n\nRoutes in the cluster, and those of them that belong to our Gateways:\n\n|  |",
    );
    for found in all {
        let _ = write!(text, " {} ({} on {}) |", thousands(found.total()), thousands(found.routes), found.gateways);
    }
    let _ = writeln!(text, " aim |\n|---|{}---|", "---|".repeat(all.len()));
    for Line { name, unit, aim } in aims::beside() {
        let _ = write!(text, "| {} |", titled(name, unit));
        for found in all {
            let Some(program) = found.programs.first() else { continue };
            let (figure, floor) = (program.figures.get(*name).copied(), found.floor.get(*name).copied());
            let (_, met) = aim.judge(figure, floor, found.total());
            let beside = floor.map(|floor| format!(" (floor {})", shown(Some(floor)))).unwrap_or_default();
            let _ = write!(text, " {}{beside} |", marked(figure, met));
        }
        let aim = match aim {
            Aim::MostAt(small, large) => format!("{small}; {large} at 100,000"),
            aim => aim.judge(None, None, 0).0,
        };
        let _ = writeln!(text, " {aim} |");
    }
    text
}

/// Everything at one size.
fn whole(found: &Found) -> String {
    let mut text = format!(
        "\n## {} routes of {} Gateways, and {} of other Gateways\n\n|  | floor |",
        thousands(found.routes),
        found.gateways,
        thousands(found.elsewhere)
    );
    for program in &found.programs {
        let _ = write!(text, " {} |", program.name);
    }
    let _ = writeln!(text, " aim, at most |\n|---|---|{}---|", "---|".repeat(found.programs.len()));
    for Line { name, unit, aim } in WHOLE {
        let floor = found.floor.get(*name).copied();
        let _ = write!(text, "| {} | {} |", titled(name, unit), shown(floor));
        let mut said = String::new();
        for (number, program) in found.programs.iter().enumerate() {
            let figure = program.figures.get(*name).copied();
            let (aim, met) = aim.judge(figure, floor, found.total());
            let _ = write!(text, " {} |", marked(figure, met));
            if number == 0 {
                said = aim;
            }
        }
        let _ = writeln!(text, " {said} |");
    }
    for program in &found.programs {
        text += &requests(program);
    }
    text
}

fn requests(program: &crate::figures::Program) -> String {
    const DONE: [&str; 5] = ["added", "changed", "removed", "irrelevant change", "no change"];
    let name = &program.name;
    let mut text = format!("\nRequests of {name} for a route, by verb and resource:\n\n|  | {} |\n", DONE.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(DONE.len()));
    for (request, by) in &program.requests {
        let counts = DONE.map(|done| by.get(done).map_or("0".to_owned(), |count| format!("{count:.2}")));
        let _ = writeln!(text, "| {request} | {} |", counts.join(" | "));
    }
    text
}

fn titled(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.to_owned() } else { format!("{name} ({unit})") }
}

fn marked(figure: Option<f64>, met: Option<bool>) -> String {
    let shown = shown(figure);
    if met == Some(false) { format!("**{shown}**") } else { shown }
}

/// A figure with about three digits.
pub fn shown(figure: Option<f64>) -> String {
    match figure {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}

pub fn thousands(number: u32) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

/// One figure of the first program, and its floor.
pub fn of<'f>(found: &'f Found, name: &str) -> (Option<f64>, Option<f64>) {
    let get = |figures: &'f Figures| figures.get(name).copied();
    (found.programs.first().and_then(|program| get(&program.figures)), get(&found.floor))
}
