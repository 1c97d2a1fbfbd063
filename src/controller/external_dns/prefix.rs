//! Under which names external-dns reads annotations.

use std::fmt;
use std::str::FromStr;

use clap::Args as ClapArgs;

use crate::api::{GROUP, NAMES_MANAGER};
use crate::planner::hostname::Hostname;

/// A field manager's name may have so many bytes.
const LONGEST_MANAGER: usize = 128;

/// What external-dns is told, and how.
#[derive(Clone, Debug, ClapArgs)]
#[group(skip)]
pub struct Args {
    /// Prefixes of the annotations that tell external-dns the names of TCPRoutes and UDPRoutes
    #[arg(
        long,
        env = "DNS_PREFIXES",
        value_name = "PREFIXES",
        value_delimiter = ',',
        default_value = "external-dns.alpha.kubernetes.io,external-dns.kubernetes.io"
    )]
    dns_prefixes: Vec<Prefix>,
}

impl Args {
    /// Each prefix once.
    #[must_use]
    pub fn prefixes(&self) -> Vec<String> {
        let mut prefixes: Vec<String> = Vec::new();
        for Prefix(prefix) in &self.dns_prefixes {
            if !prefixes.contains(prefix) {
                prefixes.push(prefix.clone());
            }
        }
        prefixes
    }
}

/// What stands before `/hostname` in the name of an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix(String);

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; write what stands before `/hostname` in the annotation that external-dns reads, as external-dns.kubernetes.io"
)]
struct PrefixError(&'static str);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        // external-dns itself writes it with the slash.
        let prefix = text.trim();
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if prefix.is_empty() {
            return Err(PrefixError("a prefix is empty"));
        }
        if prefix.starts_with('*') || Hostname::parse(prefix).is_err() {
            return Err(PrefixError("a prefix is a DNS name"));
        }
        if prefix == GROUP {
            return Err(PrefixError("this is the prefix of the annotation that people write"));
        }
        if NAMES_MANAGER.len() + prefix.len() > LONGEST_MANAGER {
            return Err(PrefixError("a prefix may have at most 109 characters"));
        }
        Ok(Self(prefix.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn prefixes(written: &str) -> Result<Vec<String>, String> {
        let command = Command::try_parse_from(["x", "--dns-prefixes", written]);
        command.map(|command| command.args.prefixes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_prefix_is_taken_with_its_slash_and_without_and_once() {
        assert_eq!(prefixes("example.com/,a.example.com,example.com").unwrap(), ["example.com", "a.example.com"]);
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_an_example() {
        let long = format!("{}.{}", "a".repeat(60), "b".repeat(60));
        for wrong in ["", "a.example.com,", "*.example.com", "a_b", "example.com/hostname", GROUP, &long] {
            let error = prefixes(wrong).unwrap_err();
            assert!(error.contains("as external-dns.kubernetes.io"), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_longest_prefix_is_what_the_message_says() {
        assert_eq!(LONGEST_MANAGER - NAMES_MANAGER.len(), 109);
    }
}
