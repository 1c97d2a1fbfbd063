//! What is said on standard error: one line each, in an order that does not depend on that of the manifests.

use std::fmt::Write as _;

use super::Planned;
use crate::manifests::Manifests;

/// What could not be read.
pub(super) fn unreadable(manifests: &Manifests) -> Vec<String> {
    manifests.problems.iter().map(|problem| line(&format!("error: {problem}"))).collect()
}

/// What a plan has against the manifests.
pub(super) fn on_gateway(planned: &Planned<'_>) -> Vec<String> {
    let Planned { key, plan, .. } = planned;
    if let Some(why) = &planned.left_alone {
        return vec![line(&format!("left alone: Gateway {key}: {why}"))];
    }
    let problems = plan.problems.iter().map(|problem| format!("problem: WrappedGateway {key}: {problem}"));
    let rejections = plan.rejections.iter().map(|rejection| {
        format!("rejected: {} on Gateway {key}: {}: {}", rejection.route, rejection.reason, rejection.message)
    });
    let warnings = plan.warnings.iter().map(|warning| {
        let route = warning.route.as_ref().map(|route| format!("{route} on ")).unwrap_or_default();
        format!("warning: {route}Gateway {key}: {}: {}", warning.reason, warning.message)
    });
    problems.chain(rejections).chain(warnings).map(|text| line(&text)).collect()
}

/// What was read in vain; none where nothing was.
pub(super) fn ignored(manifests: &Manifests) -> Option<String> {
    let mut counts: Vec<String> = manifests.ignored.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let unattached = manifests.routes.iter().filter(|route| {
        route.parent_refs.iter().all(|parent| !manifests.wrapped_gateways.contains_key(&parent.gateway))
    });
    match unattached.count() {
        0 => {}
        1 => counts.push("1 route that is attached to none of these Gateways".to_owned()),
        several => counts.push(format!("{several} routes that are attached to none of these Gateways")),
    }
    (!counts.is_empty()).then(|| line(&format!("ignored: {}", counts.join(", "))))
}

/// A text without line breaks, and without anything else that a terminal would obey: manifests may hold both.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_moves_no_cursor() {
        assert_eq!(line("a\nb\u{1b}[2J ü"), "a\\nb\\u{1b}[2J ü");
    }
}
