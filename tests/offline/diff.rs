//! What changed between two texts, for a person to read.

use std::fmt::Write;

/// Every line of both texts in order, with `-` before a line of `old` alone and `+` before a line of `new` alone.
pub fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let common = common_lengths(&old, &new);
    let (mut at, mut to) = (0, 0);
    let mut text = String::new();
    while at < old.len() || to < new.len() {
        let (sign, line) = if at < old.len() && to < new.len() && old[at] == new[to] {
            (at, to) = (at + 1, to + 1);
            (' ', old[at - 1])
        } else if to == new.len() || at < old.len() && common[at + 1][to] >= common[at][to + 1] {
            at += 1;
            ('-', old[at - 1])
        } else {
            to += 1;
            ('+', new[to - 1])
        };
        let _ = writeln!(text, "{sign} {line}");
    }
    text
}

/// For each pair of ends of the two texts, how many lines they have in common, in order.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            let longer = common[at + 1][to].max(common[at][to + 1]);
            common[at][to] = if old[at] == new[to] { common[at + 1][to + 1] + 1 } else { longer };
        }
    }
    common
}

#[test]
fn a_changed_line_stands_between_the_lines_that_stayed() {
    assert_eq!(lines("a\nb\nc", "a\nx\nc\nd"), "  a\n- b\n+ x\n  c\n+ d\n");
}
