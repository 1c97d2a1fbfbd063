//! What is shown of each measure, and what it is to be.

/// A line of the tables.
pub struct Line {
    /// Name of the figure.
    pub name: &'static str,
    pub unit: &'static str,
    pub aim: Aim,
}

/// What a figure is to be at most.
#[derive(Clone, Copy)]
pub enum Aim {
    None,
    /// So many times its floor.
    Times(f64),
    /// So much.
    Most(f64),
    /// So much in clusters of up to 10,000 routes, and so much in those of up to 100,000.
    MostAt(f64, f64),
}

impl Aim {
    /// In words, and whether a figure meets it.
    pub fn judge(self, figure: Option<f64>, floor: Option<f64>, routes: u32) -> (String, Option<bool>) {
        match self {
            Self::None => (String::new(), None),
            Self::Times(times) => {
                let quotient =
                    figure.zip(floor).filter(|(_, floor)| *floor > 0.0).map(|(figure, floor)| figure / floor);
                let found = quotient.map(|quotient| format!(" ({quotient:.1})")).unwrap_or_default();
                (format!("{times} × floor{found}"), quotient.map(|quotient| quotient <= times))
            }
            Self::Most(most) => (format!("{most}"), figure.map(|figure| figure <= most)),
            Self::MostAt(small, large) => {
                Self::Most(if routes <= 10_000 { small } else { large }).judge(figure, floor, routes)
            }
        }
    }
}

const fn line(name: &'static str, unit: &'static str, aim: Aim) -> Line {
    Line { name, unit, aim }
}

/// The lines of a size at which everything was measured.
pub const WHOLE: &[Line] = &[
    line("start", "ms", Aim::Times(2.0)),
    line("ready", "ms", Aim::None),
    line("ready, empty cluster", "ms", Aim::None),
    line("latency, 5 listeners, median", "ms", Aim::Times(1.5)),
    line("latency, 5 listeners, 90 %", "ms", Aim::None),
    line("latency, 5 listeners, worst", "ms", Aim::Times(5.0)),
    line("latency, 20 listeners, median", "ms", Aim::Times(1.5)),
    line("latency, 20 listeners, 90 %", "ms", Aim::None),
    line("latency, 20 listeners, worst", "ms", Aim::Times(5.0)),
    line("latency, 40 listeners, median", "ms", Aim::Times(1.5)),
    line("latency, 40 listeners, 90 %", "ms", Aim::None),
    line("latency, 40 listeners, worst", "ms", Aim::Times(5.0)),
    line("latency, 60 listeners, median", "ms", Aim::Times(1.5)),
    line("latency, 60 listeners, 90 %", "ms", Aim::None),
    line("latency, 60 listeners, worst", "ms", Aim::Times(5.0)),
    line("latency at 50 changes a second, 5 listeners, median", "ms", Aim::Times(1.5)),
    line("latency at 50 changes a second, 5 listeners, 90 %", "ms", Aim::None),
    line("latency at 50 changes a second, 5 listeners, worst", "ms", Aim::Times(5.0)),
    line("latency at 50 changes a second, 5 to 15 listeners, median", "ms", Aim::Times(1.5)),
    line("latency at 50 changes a second, 5 to 15 listeners, 90 %", "ms", Aim::None),
    line("latency at 50 changes a second, 5 to 15 listeners, worst", "ms", Aim::Times(5.0)),
    line("API server's CPU for a change", "ms", Aim::None),
    line("Gateway writes, added", "", Aim::Most(1.0)),
    line("status writes, added", "", Aim::Most(1.0)),
    line("writes, added", "", Aim::None),
    line("Gateway writes, changed", "", Aim::Most(1.0)),
    line("status writes, changed", "", Aim::Most(1.0)),
    line("writes, changed", "", Aim::None),
    line("Gateway writes, removed", "", Aim::Most(1.0)),
    line("status writes, removed", "", Aim::Most(1.0)),
    line("writes, removed", "", Aim::None),
    line("writes, irrelevant change", "", Aim::Most(0.0)),
    line("writes, no change", "", Aim::Most(0.0)),
    line("restart, writes", "", Aim::Most(0.0)),
    line("at rest, writes", "", Aim::Most(0.0)),
    line("at rest, requests", "", Aim::None),
    line("at rest, CPU", "ms/s", Aim::Most(1.0)),
    line("burst", "ms", Aim::None),
    line("burst, created", "ms", Aim::None),
    line("burst, applies for a Gateway", "", Aim::Most(3.0)),
    line("resident", "MiB", Aim::MostAt(25.0, 150.0)),
    line("peak", "MiB", Aim::None),
    line("resident after half of the changes", "MiB", Aim::None),
    line("resident after all changes", "MiB", Aim::None),
    line("peak after all changes", "MiB", Aim::None),
    line("resident, empty cluster", "MiB", Aim::None),
    line("memory for a route", "KiB", Aim::None),
    line("start, CPU", "ms", Aim::None),
    line("CPU for a change, 20 listeners", "ms", Aim::None),
    line("CPU for a change, many at once", "ms", Aim::None),
    line("changes", "", Aim::None),
    line("changes a second", "", Aim::None),
    line("binary", "MiB", Aim::None),
];

/// What is compared side by side.
const BESIDE: [&str; 11] = [
    "latency, 20 listeners, median",
    "latency, 20 listeners, worst",
    "CPU for a change, 20 listeners",
    "Gateway writes, added",
    "status writes, added",
    "writes, added",
    "start",
    "start, CPU",
    "resident",
    "peak",
    "memory for a route",
];

/// The lines of what is compared side by side, with the aims that they have everywhere.
pub fn beside() -> impl Iterator<Item = &'static Line> {
    BESIDE.iter().filter_map(|name| WHOLE.iter().find(|line| line.name == *name))
}
