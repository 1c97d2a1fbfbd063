//! What has to be done to a route so that external-dns reads of it what it is to read. Pure.

use crate::routes::{Names, Owner};

/// What external-dns is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// This, under each prefix.
    Value(String),
    /// What it reads now: it is not known what the route's author means.
    AsItIs,
    /// Nothing of ours.
    Nothing,
}

/// One thing to do, to the annotation of one prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Give it this value.
    Apply {
        /// What stands before `/hostname`.
        prefix: String,
        /// The value.
        value: String,
    },
    /// Take it away.
    Retract {
        /// What stands before `/hostname`.
        prefix: String,
    },
    /// Leave it to whoever gave it another value, and say so.
    Leave(Left),
}

/// An annotation that is left to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Left {
    /// What stands before `/hostname`.
    pub prefix: String,
    /// The value that it has.
    pub there: String,
    /// The value that it would be given.
    pub wanted: String,
}

/// What has to be done where `names` stands on the route; nothing where all is as it should be.
#[must_use]
pub fn steps(prefixes: &[String], wanted: &Wanted, names: &[Names]) -> Vec<Step> {
    let obsolete = names
        .iter()
        .filter(|names| names.owner == Owner::Us && (*wanted == Wanted::Nothing || !prefixes.contains(&names.prefix)));
    let mut steps: Vec<Step> = obsolete.map(|names| Step::Retract { prefix: names.prefix.clone() }).collect();
    if let Wanted::Value(wanted) = wanted {
        steps.extend(prefixes.iter().filter_map(|prefix| {
            let apply = || Step::Apply { prefix: prefix.clone(), value: wanted.clone() };
            match names.iter().find(|names| names.prefix == *prefix) {
                // What belongs to nobody is made ours even where it is right, or else it could never be taken away.
                Some(Names { owner: Owner::Nobody, .. }) | None => Some(apply()),
                Some(names) if names.value == *wanted => None,
                Some(Names { owner: Owner::Us, .. }) => Some(apply()),
                Some(Names { owner: Owner::Another, value, .. }) => {
                    Some(Step::Leave(Left { prefix: prefix.clone(), there: value.clone(), wanted: wanted.clone() }))
                }
            }
        }));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old.example.com";
    const NEW: &str = "new.example.com";

    fn value(value: &str) -> Wanted {
        Wanted::Value(value.to_owned())
    }

    fn there(value: &str, owner: Owner) -> Vec<Names> {
        vec![Names { prefix: "p".to_owned(), value: value.to_owned(), owner }]
    }

    fn of(wanted: &Wanted, names: &[Names]) -> Vec<Step> {
        steps(&["p".to_owned()], wanted, names)
    }

    fn apply(value: &str) -> Vec<Step> {
        vec![Step::Apply { prefix: "p".to_owned(), value: value.to_owned() }]
    }

    fn retract() -> Vec<Step> {
        vec![Step::Retract { prefix: "p".to_owned() }]
    }

    #[test]
    fn what_is_missing_or_outdated_is_applied_and_what_is_right_is_left() {
        assert_eq!(of(&value(NEW), &[]), apply(NEW));
        assert_eq!(of(&value(NEW), &there(OLD, Owner::Us)), apply(NEW));
        assert_eq!(of(&value(NEW), &there(NEW, Owner::Us)), []);
    }

    #[test]
    fn what_someone_else_set_stays_and_is_told_where_it_differs() {
        let left = Left { prefix: "p".to_owned(), there: OLD.to_owned(), wanted: NEW.to_owned() };
        assert_eq!(of(&value(NEW), &there(OLD, Owner::Another)), [Step::Leave(left)]);
        assert_eq!(of(&value(NEW), &there(NEW, Owner::Another)), []);
        assert_eq!(of(&Wanted::Nothing, &there(OLD, Owner::Another)), []);
    }

    #[test]
    fn what_nobody_owns_is_made_ours_and_never_taken_away() {
        assert_eq!(of(&value(NEW), &there(OLD, Owner::Nobody)), apply(NEW));
        assert_eq!(of(&value(NEW), &there(NEW, Owner::Nobody)), apply(NEW));
        assert_eq!(of(&Wanted::Nothing, &there(NEW, Owner::Nobody)), []);
    }

    #[test]
    fn only_what_is_ours_is_taken_away() {
        assert_eq!(of(&Wanted::Nothing, &there(OLD, Owner::Us)), retract());
        assert_eq!(of(&Wanted::Nothing, &[]), []);
    }

    #[test]
    fn what_cannot_be_understood_changes_nothing() {
        for owner in [Owner::Us, Owner::Another, Owner::Nobody] {
            assert_eq!(of(&Wanted::AsItIs, &there(OLD, owner)), []);
        }
        assert_eq!(of(&Wanted::AsItIs, &[]), []);
    }

    #[test]
    fn what_stands_under_a_prefix_that_is_not_used_any_more_is_taken_away() {
        for wanted in [value(OLD), Wanted::AsItIs, Wanted::Nothing] {
            let mut expected = retract();
            if wanted == value(OLD) {
                expected.push(Step::Apply { prefix: "q".to_owned(), value: OLD.to_owned() });
            }
            assert_eq!(steps(&["q".to_owned()], &wanted, &there(OLD, Owner::Us)), expected);
        }
    }
}
