//! A report, written down: for people, or for programs. Pure.
//!
//! What is not well has a `!` at the beginning of its line, so that it is found by eye and by `grep '^!'`. There is no
//! colour: a mark says the same in a pipe, in a log and to everybody's eyes.

use std::fmt::Write as _;

use super::report::{ListenerView, Overview, Report, SecretState, Verdict};
use crate::api::{RejectedRoute, TlsMode};

/// How wide a terminal is taken to be.
const WIDTH: usize = 80;
/// What stands before a line, and what before one that is not well.
const MARGIN: [&str; 2] = ["! ", "  "];
/// Indentation of what is said of the line above.
const INDENT: &str = "    ";
/// Between two columns.
const GAP: &str = "  ";
/// The columns of the listeners.
const TITLES: [&str; 5] = ["LISTENER", "PORT", "CERTIFICATE", "ROUTES", "PROGRAMMED"];
/// The column of numbers, which are easier to compare when they end at the same place.
const NUMBERS: usize = 3;

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> String {
    // Texts, numbers and lists of them can always be written.
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// The report for people.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut parts: Vec<_> = report.wrapped_gateways.iter().map(overview).collect();
    parts.extend(report.notes.iter().map(|note| wrapped("", "", note)));
    parts.extend(summary(report));
    // Messages are by others, and a terminal would obey what is hidden in them.
    let harmless = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    parts.join("\n").chars().map(harmless).collect()
}

/// Worth a line where there is more to see than fits on a screen.
fn summary(report: &Report) -> Option<String> {
    let all = &report.wrapped_gateways;
    let names = all.iter().filter(|one| !one.well).map(|one| format!("{}/{}", one.namespace, one.name));
    let names: Vec<_> = names.collect();
    let text = match names.len() {
        _ if all.len() < 2 => return None,
        0 => format!("All {} WrappedGateways are well.", all.len()),
        1 => format!("1 of {} WrappedGateways needs a look: {}", all.len(), names[0]),
        number => format!("{number} of {} WrappedGateways need a look: {}", all.len(), names.join(", ")),
    };
    Some(wrapped("", "", &text))
}

fn overview(overview: &Overview) -> String {
    let class = overview.class.as_deref().unwrap_or("unknown");
    let address =
        overview.address.as_deref().map_or("no address yet".to_owned(), |address| format!("address {address}"));
    let mut text = wrapped("", INDENT, &format!("{}/{}: class {class}, {address}", overview.namespace, overview.name));
    text += &verdict("Ready", &overview.ready);
    text += &verdict("Programmed", &overview.programmed);
    for note in &overview.notes {
        text += &wrapped(MARGIN[1], MARGIN[1], note);
    }
    if !overview.listeners.is_empty() {
        text.push('\n');
        text += &table(&overview.listeners);
    }
    if overview.rejected > 0 {
        text.push('\n');
        text += &rejections(overview);
    }
    text
}

/// In one line, if it is short enough; why only where it is not a yes, except for what is said of a Gateway as planned.
fn verdict(title: &str, verdict: &Verdict) -> String {
    let answer = answer(verdict);
    let text = match (verdict.is_true(), title) {
        (true, "Ready") if !verdict.message.is_empty() => format!("{answer}. {}", verdict.message),
        (true, _) => answer.to_owned(),
        (false, _) if is_late(verdict) => because(answer, &verdict.message),
        (false, _) => because(&format!("{answer}, {}", verdict.reason), &verdict.message),
    };
    let first = format!("{}{title:<10}{GAP}", margin(verdict.is_true()));
    wrapped(&first, &" ".repeat(first.len()), &text)
}

fn answer(verdict: &Verdict) -> &'static str {
    match verdict.status.as_str() {
        "True" => "yes",
        "False" => "no",
        _ if is_late(verdict) => "not yet",
        _ => "unknown",
    }
}

/// Whether nobody has come to a verdict yet.
fn is_late(verdict: &Verdict) -> bool {
    verdict.status == "Unknown" && ["Pending", "Outdated"].contains(&verdict.reason.as_str())
}

fn because(reason: &str, message: &str) -> String {
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}

fn margin(well: bool) -> &'static str {
    MARGIN[usize::from(well)]
}

fn table(listeners: &[ListenerView]) -> String {
    let digits = listeners.iter().map(|listener| listener.port.to_string().len()).max().unwrap_or(0);
    let rows: Vec<_> = listeners.iter().map(|listener| cells(listener, digits)).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // The first column takes what the others leave. What does not fit into it gets a line for itself.
    let others: usize = widths[1..].iter().map(|width| GAP.len() + width).sum();
    widths[0] = widths[0].min(WIDTH.saturating_sub(MARGIN[1].len() + others));
    let mut text = line(MARGIN[1], &TITLES.map(str::to_owned), &widths);
    for (row, listener) in rows.iter().zip(listeners) {
        text += &line(margin(listener.is_well()), row, &widths);
        text += &why(listener);
    }
    text
}

fn line(margin: &str, row: &[String; 5], widths: &[usize; 5]) -> String {
    let mut line = format!("{margin}{:width$}", row[0], width = widths[0]);
    if row[0].chars().count() > widths[0] {
        line = format!("{margin}{}\n{:width$}", row[0], "", width = margin.len() + widths[0]);
    }
    for (column, (cell, width)) in row.iter().zip(widths).enumerate().skip(1) {
        let _ =
            if column == NUMBERS { write!(line, "{GAP}{cell:>width$}") } else { write!(line, "{GAP}{cell:width$}") };
    }
    format!("{}\n", line.trim_end())
}

/// A listener is known by its hostname; one that has none, by its name.
fn cells(listener: &ListenerView, digits: usize) -> [String; 5] {
    [
        listener.hostname.clone().unwrap_or_else(|| listener.name.clone()),
        format!("{:>digits$} {}", listener.port, listener.protocol),
        certificate(listener).to_owned(),
        listener.attached_routes.map_or("-".to_owned(), |number| number.to_string()),
        answer(&listener.programmed).to_owned(),
    ]
}

/// Of several certificates, the worst.
fn certificate(listener: &ListenerView) -> &'static str {
    match listener.certificates.iter().map(|certificate| certificate.state).max() {
        Some(SecretState::Missing) => "missing",
        Some(SecretState::Unknown) => "unknown",
        Some(SecretState::Present) => "present",
        None if listener.tls == Some(TlsMode::Passthrough) => "passthrough",
        None => "-",
    }
}

/// Why a listener does not work, under its name: the one that a sectionName and the data plane's log use.
fn why(listener: &ListenerView) -> String {
    let verdict = &listener.programmed;
    let mut reasons = Vec::new();
    // That the data plane is late is said of the whole Gateway.
    if !verdict.is_true() && !is_late(verdict) {
        reasons.push(because(&verdict.reason, &verdict.message));
    }
    reasons.extend(listener.missing().map(|secret| format!("There is no Secret {secret}.")));
    let named = reasons.iter().enumerate().map(|(index, reason)| match index {
        0 => wrapped(INDENT, &format!("{INDENT}{GAP}"), &format!("{}: {reason}", listener.name)),
        _ => wrapped(&format!("{INDENT}{GAP}"), &format!("{INDENT}{GAP}"), reason),
    });
    named.collect()
}

fn rejections(overview: &Overview) -> String {
    let plural = if overview.rejected == 1 { "" } else { "s" };
    let mut text = format!("{}{} route{plural} rejected\n", margin(false), overview.rejected);
    for RejectedRoute { kind, namespace, name, reason, message } in &overview.rejected_routes {
        text += &wrapped(INDENT, &format!("{INDENT}{GAP}"), &format!("{kind} {namespace}/{name}: {reason}"));
        text += &wrapped(&format!("{INDENT}{GAP}"), &format!("{INDENT}{GAP}"), message);
    }
    let key = |route: &RejectedRoute| (route.kind.clone(), route.namespace.clone(), route.name.clone());
    let mut listed: Vec<_> = overview.rejected_routes.iter().map(key).collect();
    listed.dedup();
    match overview.rejected.saturating_sub(u32::try_from(listed.len()).unwrap_or(u32::MAX)) {
        0 => {}
        more => text += &wrapped(INDENT, INDENT, &format!("and {more} more, which the status has no room for")),
    }
    text
}

/// A text in lines that are short enough, unless a word is not. The first begins with `first`, and all others with `rest`.
fn wrapped(first: &str, rest: &str, text: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            rest.clone_into(&mut line);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_wrapped_between_words_and_a_long_word_is_left_whole() {
        let word = "w".repeat(90);
        assert_eq!(wrapped("a: ", "   ", &format!("x {word} y")), format!("a: x\n   {word}\n   y\n"));
        assert_eq!(wrapped("", "", &"abc ".repeat(20)), format!("{}\n", ["abc"; 20].join(" ")));
        assert_eq!(wrapped("", "", "a\n b"), "a b\n");
        assert_eq!(wrapped("a: ", "   ", ""), "a:\n");
    }
}
