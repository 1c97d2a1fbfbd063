//! The plot: latency, memory and writes by the number of routes, as an SVG that readers of both themes can read.

use std::fmt::Write as _;

use crate::figures::Found;
use crate::table::{of, shown, thousands};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 200.0;
const MARGIN: f64 = 50.0;

/// A line of a panel: its label, its colour, and which figure it shows.
struct Curve {
    label: &'static str,
    colour: &'static str,
    name: &'static str,
    floor: bool,
}

const fn curve(label: &'static str, colour: &'static str, name: &'static str, floor: bool) -> Curve {
    Curve { label, colour, name, floor }
}

const PANELS: [(&str, &[Curve]); 3] = [
    (
        "latency at 20 listeners (ms)",
        &[
            curve("worst", "#d95f02", "latency, 20 listeners, worst", false),
            curve("median", "#1b9e77", "latency, 20 listeners, median", false),
            curve("median of the floor", "#7f7f7f", "latency, 20 listeners, median", true),
        ],
    ),
    ("memory (MiB)", &[curve("peak", "#d95f02", "peak", false), curve("resident", "#1b9e77", "resident", false)]),
    (
        "writes for a new route",
        &[curve("all", "#d95f02", "writes, added", false), curve("Gateway", "#1b9e77", "Gateway writes, added", false)],
    ),
];

/// Draws what was found, side by side.
pub fn svg(all: &[Found]) -> String {
    let (width, height) = (3.0 * (WIDTH + MARGIN), HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut left = MARGIN;
    for (title, curves) in PANELS {
        panel(&mut svg, left, title, curves, all);
        left += WIDTH + MARGIN;
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, left: f64, title: &str, curves: &[Curve], all: &[Found]) {
    let values = curves.iter().map(|curve| points(curve, all)).collect::<Vec<_>>();
    let most = values.iter().flatten().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max) * 1.15;
    let decades = all.iter().map(|found| f64::from(found.total()).log10());
    let (first, last) = decades.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
    let plot_width = WIDTH - MARGIN;
    let x = |routes: u32| left + (f64::from(routes).log10() - first) / (last - first).max(0.1) * plot_width;
    let y = |value: f64| MARGIN + HEIGHT * (1.0 - value / most);
    let (bottom, right) = (MARGIN + HEIGHT, left + plot_width);
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"20\" font-size=\"13\">{title}</text>");
    let _ = writeln!(svg, "<path d=\"M{left} {MARGIN}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>");
    for found in all {
        let (at, routes) = (x(found.total()), thousands(found.total()));
        let _ = writeln!(svg, "<text x=\"{at:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{routes}</text>", bottom + 15.0);
    }
    let middle = left + plot_width / 2.0;
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">routes</text>", bottom + 32.0);
    for (number, (Curve { label, colour, .. }, values)) in (0_u8..).zip(curves.iter().zip(&values)) {
        let path: Vec<String> =
            values.iter().map(|(routes, value)| format!("{:.1},{:.1}", x(*routes), y(*value))).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", path.join(" "));
        for (routes, value) in values {
            let (across, down) = (x(*routes), y(*value));
            let _ = writeln!(svg, "<circle cx=\"{across:.1}\" cy=\"{down:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
            let value = shown(Some(*value));
            let _ = writeln!(
                svg,
                "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{colour}\">{value}</text>",
                down - 6.0
            );
        }
        let across = left + f64::from(number) * 70.0;
        let _ = writeln!(svg, "<text x=\"{across}\" y=\"36\" fill=\"{colour}\">{label}</text>");
    }
}

fn points(curve: &Curve, all: &[Found]) -> Vec<(u32, f64)> {
    let value = |found: &Found| {
        let (program, floor) = of(found, curve.name);
        Some((found.total(), if curve.floor { floor } else { program }?))
    };
    all.iter().filter_map(value).collect()
}
