//! What the API server and the data planes ask of a Gateway's listeners, read from the Gateway API, not from the planner.

use std::collections::BTreeSet;

use homelab_helper::api::{Listener, Protocol, TemplateProtocol, TlsMode, WrappedGatewaySpec};

/// The first rule of the Gateway's definition that the listeners break.
#[must_use]
pub fn broken(listeners: &[Listener]) -> Option<String> {
    if listeners.len() > 64 {
        return Some(format!("{} listeners", listeners.len()));
    }
    let mut names = BTreeSet::new();
    let mut places = BTreeSet::new();
    for listener in listeners {
        if let Some(rule) = broken_by(listener) {
            return Some(format!("{}: {rule}", listener.name));
        }
        if !names.insert(&listener.name) {
            return Some(format!("two listeners {}", listener.name));
        }
        if !places.insert((listener.port, &listener.protocol, &listener.hostname)) {
            return Some(format!("a second listener at the place of {}", listener.name));
        }
    }
    None
}

fn broken_by(listener: &Listener) -> Option<&'static str> {
    let Listener { name, hostname, port, protocol, tls, allowed_routes } = listener;
    let has_tls = matches!(protocol, Protocol::Https | Protocol::Tls);
    let mode = tls.as_ref().and_then(|tls| tls.mode);
    let rules = [
        (is_subdomain(name), "no DNS name"),
        (*port > 0, "port 0"),
        (hostname.as_deref().is_none_or(|host| is_subdomain(host.strip_prefix("*.").unwrap_or(host))), "bad hostname"),
        (hostname.as_deref().is_none_or(|host| host.len() <= 253), "long hostname"),
        (hostname.is_none() || !matches!(protocol, Protocol::Tcp | Protocol::Udp), "hostname on TCP or UDP"),
        (has_tls || tls.is_none(), "tls on HTTP, TCP or UDP"),
        (*protocol != Protocol::Https || mode != Some(TlsMode::Passthrough), "HTTPS passed through"),
        (*protocol != Protocol::Tls || mode.is_some(), "TLS without mode"),
        (
            tls.as_ref().is_none_or(|tls| {
                mode == Some(TlsMode::Passthrough) || !tls.certificate_refs.is_empty() || !tls.options.is_empty()
            }),
            "nothing to terminate with",
        ),
        (tls.as_ref().is_none_or(|tls| tls.certificate_refs.len() <= 64 && tls.options.len() <= 16), "too much tls"),
        (tls.as_ref().is_none_or(|tls| tls.certificate_refs.iter().all(|it| is_secret_name(&it.name))), "bad Secret"),
        (allowed_routes.as_ref().is_none_or(|allowed| allowed.kinds.len() <= 8), "too many kinds"),
    ];
    rules.into_iter().find(|(holds, _)| !holds).map(|(_, rule)| rule)
}

fn is_secret_name(name: &str) -> bool {
    is_subdomain(name)
}

/// The pattern `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`, at most 253 characters.
fn is_subdomain(name: &str) -> bool {
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &[u8]| {
        label.first().copied().is_some_and(is_plain)
            && label.last().copied().is_some_and(is_plain)
            && label.iter().all(|&c| is_plain(c) || c == b'-')
    };
    name.len() <= 253 && name.as_bytes().split(|&c| c == b'.').all(is_label)
}

/// What we ask of generated names beyond that: Istio makes Service ports of listener names.
#[must_use]
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.') && is_subdomain(name)
}

/// Whether a data plane can serve both listeners, which are on one Gateway.
#[must_use]
pub fn fit_together(a: &Listener, b: &Listener) -> bool {
    let udp = |listener: &Listener| listener.protocol == Protocol::Udp;
    if a.port != b.port || udp(a) || udp(b) {
        return true;
    }
    let family = |listener: &Listener| match listener.protocol {
        Protocol::Https | Protocol::Tls => "TLS",
        Protocol::Http => "HTTP",
        Protocol::Tcp => "TCP",
        Protocol::Udp | Protocol::Other(_) => "other",
    };
    family(a) == family(b)
        && (a.hostname != b.hostname || a.protocol == b.protocol && a.tls_mode() == b.tls_mode() && a.name == b.name)
}

/// The `WrappedGateway`'s own rules about the redirect.
#[must_use]
pub fn redirect_is_refused(spec: &WrappedGatewaySpec) -> bool {
    let Some(template) = &spec.listener_template else { return false };
    template.protocol == TemplateProtocol::Http || template.port == Some(80)
}
