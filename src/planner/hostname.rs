//! Hostnames as the Gateway API knows them: a DNS name, or `*.` before one.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A hostname that the API server accepts on a listener. Cheap to clone, as each claim of a route carries it on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(Arc<str>);

impl Hostname {
    /// Checks a hostname of a route by the rules of the Gateway API's `Hostname` and of DNS.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the hostname.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        if written.parse::<IpAddr>().is_ok() {
            return Err("is an address; a listener's hostname is a DNS name");
        }
        if written.is_empty() || written.len() > 253 {
            return Err("does not have 1 to 253 characters");
        }
        let labels = written.strip_prefix("*.").unwrap_or(written);
        if labels.split('.').any(|label| label.len() > 63) {
            return Err("has a label of more than 63 characters, which DNS does not know");
        }
        if !labels.split('.').all(is_label) {
            return Err("is no DNS name: lower-case letters, digits and inner hyphens between single dots, \
                        at most a leading `*.`");
        }
        Ok(Self(written.into()))
    }

    /// The hostname of a listener that the API server has accepted.
    #[must_use]
    pub fn of_listener(hostname: &str) -> Self {
        Self(hostname.into())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For `*.example.com`, `.example.com`.
    #[must_use]
    pub fn wildcard_suffix(&self) -> Option<&str> {
        self.0.strip_prefix('*')
    }

    /// Whether every name that `other` stands for is one of this one's. A wildcard reaches to any depth.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self == other || self.wildcard_suffix().is_some_and(|suffix| other.0.ends_with(suffix))
    }

    /// Whether some name is meant by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Hostname {
        Hostname::parse(name).expect("a good hostname")
    }

    #[test]
    fn what_dns_and_the_gateway_api_admit() {
        for good in ["a", "a.b", "*.example.com", "xn--bcher-kva.example", "1.example", "a--b.c", &"a".repeat(63)] {
            assert!(Hostname::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_they_do_not() {
        let long_label = format!("{}.com", "a".repeat(64));
        let long_name = "a.".repeat(127) + "a";
        for bad in ["", "*", "*.", "a.*.b", "A.b", "a.", ".a", "a..b", "-a", "a-", "a_b", "1.2.3.4", "::1", "[::1]"] {
            assert!(Hostname::parse(bad).is_err(), "{bad}");
        }
        assert!(Hostname::parse(&long_label).is_err() && Hostname::parse(&long_name).is_err());
    }

    #[test]
    fn a_wildcard_contains_every_depth_below_its_suffix_and_not_the_suffix() {
        let wildcard = host("*.example.com");
        for inside in ["a.example.com", "a.b.example.com", "*.a.example.com", "*.example.com"] {
            assert!(wildcard.contains(&host(inside)), "{inside}");
        }
        for outside in ["example.com", "badexample.com", "*.com", "a.example.org"] {
            assert!(!wildcard.contains(&host(outside)), "{outside}");
        }
        assert!(wildcard.overlaps(&host("*.com")));
    }
}
