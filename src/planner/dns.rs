//! The names in DNS that the annotation `hostname` gives to a TCPRoute or UDPRoute, which have no hostnames of their own.

use std::net::IpAddr;

use super::hostname::Hostname;
use super::refusal::quoted;
use super::verdict::{Warning, WarningReason};
use crate::api::annotation;
use crate::routes::Route;

/// What is said to whoever wrote the annotation in another way than it is read.
const WAY_OUT: &str = "Write DNS names with commas between them, as \"play.example.com, *.play.example.com\", or remove the \
                       annotation";

/// What the annotation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Nothing: it is not there, or the route is of a kind that has hostnames.
    Unnamed,
    /// It is there, and names nothing.
    Empty,
    /// These names, each once and with commas between them, in the order written.
    Named(String),
    /// Something in it is no name, so that it is not known what it was meant to say.
    Invalid(String),
}

impl Naming {
    /// What the annotation of that route says.
    #[must_use]
    pub fn of(route: &Route) -> Self {
        let Some(written) = route.wishes.hostname.as_deref().filter(|_| !route.key.kind.has_hostnames()) else {
            return Self::Unnamed;
        };
        if written.trim().is_empty() {
            return Self::Empty;
        }
        let mut names: Vec<&str> = Vec::new();
        for entry in written.split(',').map(str::trim) {
            if let Err(problem) = check(entry) {
                return Self::Invalid(format!(
                    "annotation {} is `{}`, and {problem}",
                    annotation::HOSTNAME,
                    quoted(written)
                ));
            }
            if !names.contains(&entry) {
                names.push(entry);
            }
        }
        Self::Named(names.join(","))
    }

    /// What is wrong with it, and what to do about it.
    fn problem(&self) -> Option<String> {
        match self {
            Self::Unnamed | Self::Named(_) => None,
            Self::Empty => Some(format!(
                "annotation {} is empty, so the route has no name in DNS. {WAY_OUT}",
                annotation::HOSTNAME
            )),
            Self::Invalid(problem) => {
                Some(format!("{problem}; names that the route has in DNS already stay as they are. {WAY_OUT}"))
            }
        }
    }
}

fn check(entry: &str) -> Result<(), String> {
    if entry.is_empty() {
        return Err("a comma in it has no name on one of its sides".to_owned());
    }
    if entry.parse::<IpAddr>().is_ok() {
        return Err(format!("`{entry}` is an address"));
    }
    Hostname::parse(entry).map(drop).map_err(|problem| format!("`{}` {problem}", quoted(entry)))
}

/// The warnings for annotations that say something else than their authors think.
pub(super) fn warnings(routes: &[&Route]) -> impl Iterator<Item = Warning> {
    routes.iter().filter_map(|route| {
        let message = Naming::of(route).problem()?;
        Some(Warning { route: Some(route.key.clone()), reason: WarningReason::InvalidDnsName, message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{RouteKind, decode};

    fn naming(kind: RouteKind, written: &str) -> Naming {
        let metadata = serde_json::json!({
            "namespace": "apps", "name": "game", "annotations": { annotation::HOSTNAME: written },
        });
        Naming::of(&decode(kind, serde_json::json!({ "metadata": metadata, "spec": {} })).unwrap())
    }

    #[test]
    fn names_are_taken_as_written_each_once() {
        for (written, names) in [
            ("play.example.com", "play.example.com"),
            (" b.example.com ,a.example.com, b.example.com", "b.example.com,a.example.com"),
            ("*.play.example.com", "*.play.example.com"),
        ] {
            for kind in [RouteKind::Tcp, RouteKind::Udp] {
                assert_eq!(naming(kind, written), Naming::Named(names.to_owned()), "{written}");
            }
        }
    }

    #[test]
    fn one_bad_entry_voids_the_annotation() {
        for (written, problem) in [
            ("a.example.com,,b.example.com", "a comma in it has no name"),
            ("a.example.com,", "a comma in it has no name"),
            ("a.example.com, 192.0.2.7", "`192.0.2.7` is an address"),
            ("a.example.com b.example.com", "`a.example.com b.example.com` is no DNS name"),
            ("Play.example.com", "lower-case letters"),
            ("a.*.example.com", "at most a leading `*.`"),
            ("https://play.example.com", "is no DNS name"),
        ] {
            let Naming::Invalid(why) = naming(RouteKind::Tcp, written) else { panic!("{written}") };
            assert!(why.contains(problem), "{why}");
        }
    }

    #[test]
    fn an_empty_annotation_names_nothing() {
        for written in ["", "  "] {
            assert_eq!(naming(RouteKind::Udp, written), Naming::Empty);
        }
    }

    #[test]
    fn kinds_with_hostnames_are_named_by_these() {
        for kind in [RouteKind::Http, RouteKind::Grpc, RouteKind::Tls] {
            assert_eq!(naming(kind, "play.example.com"), Naming::Unnamed);
        }
    }
}
