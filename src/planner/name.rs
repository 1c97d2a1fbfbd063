//! Names of generated listeners and of their Secrets: pure functions of what a listener is.
//!
//! A name that is too long is cut and ends in a hash of the whole. A name that would end like one that is cut is
//! treated as if it were too long, so that no two names meet.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::claim::Slot;
use crate::routes::GatewayRef;

/// Longest listener name: Istio makes port names of them, which are DNS labels.
const MAX_LISTENER: usize = 63;
/// Longest name of a Secret.
const MAX_SECRET: usize = 253;
/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 16;

/// `<protocol>-<port>-<host>`, as `https-443-www-example-com`; without a hostname `<protocol>-<port>`.
#[must_use]
pub fn listener(slot: &Slot) -> String {
    let mut name = format!("{}-{}", slot.protocol.as_str().to_ascii_lowercase(), slot.port);
    if let Some(hostname) = &slot.hostname {
        name.push('-');
        name.push_str(&host_part(hostname.as_str()));
    }
    bounded(name, MAX_LISTENER)
}

/// The name that a listener gets where [`listener`]'s is taken, and the next one where that is taken too.
#[must_use]
pub fn alternative(name: &str) -> String {
    cut(name, MAX_LISTENER)
}

/// `<gateway>.<generated listener name>`. It ends like one that is cut only where it is, or the listener's name is.
#[must_use]
pub fn secret(gateway: &GatewayRef, slot: &Slot) -> String {
    let name = format!("{}.{}", gateway.name, listener(slot));
    if name.len() > MAX_SECRET { cut(&name, MAX_SECRET) } else { name }
}

/// Whether a Secret's name is the one that the Go implementation gave to a hostname's certificate: `gateway-` and the
/// hostname, with dashes for dots.
#[must_use]
pub fn is_legacy_secret(name: &str, slot: &Slot) -> bool {
    let Some((rest, hostname)) = name.strip_prefix("gateway-").zip(slot.hostname.as_ref()) else { return false };
    let dashed = hostname.as_str().bytes().map(|byte| if byte == b'.' { b'-' } else { byte });
    rest.bytes().eq(dashed)
}

/// A `.` becomes `-`, a `-` becomes `--`, a leading `*.` becomes `wildcard---`: no two hostnames meet.
fn host_part(hostname: &str) -> String {
    let (prefix, rest) = hostname.strip_prefix("*.").map_or(("", hostname), |rest| ("wildcard---", rest));
    // Most characters stay one; a hyphen becomes two.
    let mut part = String::with_capacity(prefix.len() + rest.len() + 8);
    part.push_str(prefix);
    for character in rest.chars() {
        match character {
            '.' => part.push('-'),
            '-' => part.push_str("--"),
            other => part.push(other),
        }
    }
    part
}

fn bounded(name: String, max: usize) -> String {
    if name.len() > max || ends_like_a_cut_one(&name) { cut(&name, max) } else { name }
}

fn ends_like_a_cut_one(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, end)| {
        end.len() == HASH_DIGITS && end.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn cut(name: &str, max: usize) -> String {
    let mut hash = String::with_capacity(HASH_DIGITS);
    for byte in &Sha256::digest(name)[..HASH_DIGITS / 2] {
        let _ = write!(hash, "{byte:02x}");
    }
    // A Gateway in a manifest may have a name that no API server would let it have.
    let kept = name.floor_char_boundary(max - HASH_DIGITS - 1);
    format!("{}-{hash}", &name[..kept])
}

#[cfg(test)]
mod tests {
    use super::super::hostname::Hostname;
    use super::*;
    use crate::api::Protocol;

    fn name_of(host: &str) -> String {
        let hostname = Some(Hostname::of_listener(host));
        listener(&Slot { port: 443, protocol: Protocol::Https, tls: None, hostname })
    }

    #[test]
    fn dots_hyphens_and_wildcards_never_meet() {
        assert_eq!(name_of("www.example.com"), "https-443-www-example-com");
        assert_eq!(name_of("a.b-c"), "https-443-a-b--c");
        assert_eq!(name_of("a-b.c"), "https-443-a--b-c");
        assert_eq!(name_of("*.example.com"), "https-443-wildcard---example-com");
        assert_eq!(name_of("wildcard.example.com"), "https-443-wildcard-example-com");
        assert_eq!(name_of("wildcard-.example.com"), "https-443-wildcard---example-com", "and no hostname has `-.`");
    }

    #[test]
    fn a_long_name_is_cut_to_63_and_ends_in_the_hash_of_the_whole() {
        let long = "a".repeat(60) + ".example.com";
        let name = name_of(&long);
        assert_eq!(name.len(), 63);
        assert!(ends_like_a_cut_one(&name));
        assert_ne!(name, name_of(&("a".repeat(61) + ".example.com")));
        assert_eq!(name_of(&"a".repeat(53)), format!("https-443-{}", "a".repeat(53)), "63 characters are not cut");
    }

    #[test]
    fn a_name_that_is_not_cut_never_ends_like_one_that_is() {
        let name = name_of("a.0123456789abcdef");
        assert!(name.starts_with("https-443-a-0123456789abcdef-"), "{name}");
        assert_eq!(name_of("a.0123456789abcdeg"), "https-443-a-0123456789abcdeg");
    }

    #[test]
    fn a_secret_is_named_after_gateway_and_generated_name() {
        let slot = Slot {
            port: 443,
            protocol: Protocol::Https,
            tls: None,
            hostname: Some(Hostname::of_listener("www.example.com")),
        };
        let gateway = |name: String| GatewayRef { namespace: "edge".into(), name };
        assert_eq!(secret(&gateway("public".into()), &slot), "public.https-443-www-example-com");
        assert_eq!(secret(&gateway("g".repeat(250)), &slot).len(), 253);
        let whole = format!("{}.https-443-www-example-com", "g".repeat(227));
        assert_eq!(secret(&gateway("g".repeat(227)), &slot), whole, "253 characters are not cut");
        assert_eq!(secret(&gateway("gé".repeat(100)), &slot).len(), 252);
        let long = Slot { hostname: Some(Hostname::of_listener(&"a".repeat(60))), ..slot.clone() };
        assert_eq!(secret(&gateway("public".into()), &long), format!("public.{}", listener(&long)));
    }

    #[test]
    fn a_secret_of_the_go_implementation_is_known_by_its_name() {
        let hostname = Some(Hostname::of_listener("www.example.com"));
        let slot = Slot { port: 443, protocol: Protocol::Https, tls: None, hostname };
        assert!(is_legacy_secret("gateway-www-example-com", &slot));
        for other in ["www-example-com", "gateway-www-example", "gateway-www.example.com", "gateway-www-example-com-2"]
        {
            assert!(!is_legacy_secret(other, &slot), "{other}");
        }
        assert!(!is_legacy_secret("gateway-", &Slot { hostname: None, ..slot }));
    }
}
