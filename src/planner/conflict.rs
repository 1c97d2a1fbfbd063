//! Which listeners cannot stand beside each other. The Gateway API has data planes reject both of such a pair, so that
//! it must never be written.

use super::claim::Slot;
use super::verdict::Reason;
use crate::api::Protocol;

/// Why two listeners cannot both stand on a Gateway; none where they can.
pub(super) fn incompatible(one: &Slot, other: &Slot) -> Option<Reason> {
    use Protocol::{Http, Https, Tcp, Tls};
    if one.port != other.port {
        return None;
    }
    let layers_differ =
        |a: &Slot, b: &Slot| matches!((&a.protocol, &b.protocol), (Tcp, Http | Https | Tls) | (Http, Https | Tls));
    if layers_differ(one, other) || layers_differ(other, one) {
        return Some(Reason::PortConflict);
    }
    let encrypted = |slot: &Slot| matches!(slot.protocol, Https | Tls);
    let differ = one.protocol != other.protocol || one.tls != other.tls;
    (encrypted(one) && encrypted(other) && differ && one.hostname == other.hostname).then_some(Reason::HostnameConflict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TlsMode;

    fn slot(protocol: Protocol, tls: Option<TlsMode>) -> Slot {
        Slot { port: 443, protocol, tls, hostname: None }
    }

    #[test]
    fn which_protocols_share_a_port() {
        let terminate = Some(TlsMode::Terminate);
        let (http, https) = (slot(Protocol::Http, None), slot(Protocol::Https, terminate));
        let (tls, through) = (slot(Protocol::Tls, terminate), slot(Protocol::Tls, Some(TlsMode::Passthrough)));
        let (tcp, udp) = (slot(Protocol::Tcp, None), slot(Protocol::Udp, None));
        let expected = [
            (&tcp, &http, Some(Reason::PortConflict)),
            (&tcp, &https, Some(Reason::PortConflict)),
            (&tcp, &tls, Some(Reason::PortConflict)),
            (&http, &https, Some(Reason::PortConflict)),
            (&http, &tls, Some(Reason::PortConflict)),
            (&https, &tls, Some(Reason::HostnameConflict)),
            (&tls, &through, Some(Reason::HostnameConflict)),
            (&udp, &tcp, None),
            (&udp, &https, None),
            (&https, &https, None),
        ];
        for (one, other, reason) in expected {
            assert_eq!(incompatible(one, other), reason, "{one} beside {other}");
            assert_eq!(incompatible(other, one), reason, "{other} beside {one}");
            let elsewhere = Slot { port: 8443, ..other.clone() };
            assert_eq!(incompatible(one, &elsewhere), None, "{one} beside {elsewhere}");
        }
    }
}
