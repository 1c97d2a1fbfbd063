//! The words of the annotations `protocol` and `tls-mode`.

use super::claim::Slot;
use crate::api::{Protocol, TlsMode};

/// What an annotation can say of a route's protocol or TLS mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Plain.
    Http,
    /// With TLS.
    Https,
    /// TLS ends at the Gateway.
    Terminate,
    /// TLS goes on to the backend.
    Passthrough,
}

impl Mode {
    /// The word in the annotation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Terminate => "Terminate",
            Self::Passthrough => "Passthrough",
        }
    }

    /// Whether a listener for that slot is of this mode.
    pub fn fits(self, slot: &Slot) -> bool {
        match self {
            Self::Http => slot.protocol == Protocol::Http,
            Self::Https => slot.protocol == Protocol::Https,
            Self::Terminate => slot.tls == Some(TlsMode::Terminate),
            Self::Passthrough => slot.tls == Some(TlsMode::Passthrough),
        }
    }
}
