//! What changed between two texts, as `diff -u` shows it.

use std::fmt::Write as _;
use std::ops::Range;

/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 3;

/// The changed lines of two texts with what stands around them, a `-` before each line of `old` alone and a `+` before
/// each of `new` alone; nothing where the texts are the same. There is no heading with the texts' names.
#[must_use]
pub fn unified(old: &str, new: &str) -> String {
    let lines = compared(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let mut text = String::new();
    let (mut old_line, mut new_line) = (0, 0);
    let mut at = 0;
    for hunk in hunks(&lines) {
        advance(&lines[at..hunk.start], &mut old_line, &mut new_line);
        at = hunk.end;
        let (mut old_end, mut new_end) = (old_line, new_line);
        advance(&lines[hunk.clone()], &mut old_end, &mut new_end);
        let _ = writeln!(text, "@@ -{} +{} @@", range(old_line..old_end), range(new_line..new_end));
        (old_line, new_line) = (old_end, new_end);
        for (sign, line) in &lines[hunk] {
            let _ = writeln!(text, "{sign}{line}");
        }
    }
    text
}

/// Every line of both texts in order: with a `-` what only the old one has, with a `+` what only the new one has.
fn compared<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (head, old, new) = (&old[..same], &old[same..], &new[same..]);
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, tail) = old.split_at(old.len() - same);
    let new = &new[..new.len() - same];
    let common = common_lengths(old, new);
    let mut lines: Vec<_> = head.iter().map(|line| (' ', *line)).collect();
    let (mut at, mut to) = (0, 0);
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            lines.push((' ', old[at]));
            (at, to) = (at + 1, to + 1);
        } else if to == new.len() || at < old.len() && common[at + 1][to] >= common[at][to + 1] {
            lines.push(('-', old[at]));
            at += 1;
        } else {
            lines.push(('+', new[to]));
            to += 1;
        }
    }
    lines.extend(tail.iter().map(|line| (' ', *line)));
    lines
}

/// For each pair of places in the two texts, how many lines they have in common from there on, in order.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for at in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            let longer = common[at + 1][to].max(common[at][to + 1]);
            common[at][to] = if old[at] == new[to] { common[at + 1][to + 1] + 1 } else { longer };
        }
    }
    common
}

/// Which lines are shown together.
fn hunks(lines: &[(char, &str)]) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    for (place, _) in lines.iter().enumerate().filter(|(_, (sign, _))| *sign != ' ') {
        let (start, end) = (place.saturating_sub(CONTEXT), (place + CONTEXT + 1).min(lines.len()));
        match hunks.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => hunks.push(start..end),
        }
    }
    hunks
}

fn advance(lines: &[(char, &str)], old: &mut usize, new: &mut usize) {
    *old += lines.iter().filter(|(sign, _)| *sign != '+').count();
    *new += lines.iter().filter(|(sign, _)| *sign != '-').count();
}

/// Lines as `diff` counts them: from 1, with their number unless there is one; where there is none, the line before them.
fn range(lines: Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => (lines.start + 1).to_string(),
        several => format!("{},{several}", lines.start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_of_equal_texts() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), "");
        assert_eq!(unified("", ""), "");
    }

    #[test]
    fn a_changed_line_stands_between_the_lines_that_stayed() {
        assert_eq!(unified("a\nb\nc", "a\nx\nc\nd"), "@@ -1,3 +1,4 @@\n a\n-b\n+x\n c\n+d\n");
    }

    #[test]
    fn what_is_far_from_a_change_is_left_out() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n";
        let new = old.replace("\n5\n", "\nfive\n").replace("16\n", "");
        let expected = "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -13,4 +13,3 @@\n 13\n 14\n 15\n-16\n";
        assert_eq!(unified(old, &new), expected);
    }

    #[test]
    fn changes_near_each_other_are_shown_together() {
        let hunk = unified("1\n2\n3\n4\n5\n6\n7\n8\n", "one\n2\n3\n4\n5\n6\n7\neight\n");
        assert_eq!(hunk.matches("@@ -").count(), 1, "{hunk}");
    }

    #[test]
    fn a_new_text_is_all_of_its_lines() {
        assert_eq!(unified("", "a\nb\n"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(unified("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
    }
}
