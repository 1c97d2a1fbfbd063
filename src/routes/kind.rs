//! The only table that knows one route kind from another.

use std::fmt;

use crate::api::Protocol;

/// A kind of route of the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// `GRPCRoute`.
    Grpc,
    /// `HTTPRoute`.
    Http,
    /// `TCPRoute`.
    Tcp,
    /// `TLSRoute`.
    Tls,
    /// `UDPRoute`.
    Udp,
}

impl RouteKind {
    /// Every kind, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Grpc, Self::Http, Self::Tcp, Self::Tls, Self::Udp];

    /// The `kind` of its objects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "GRPCRoute",
            Self::Http => "HTTPRoute",
            Self::Tcp => "TCPRoute",
            Self::Tls => "TLSRoute",
            Self::Udp => "UDPRoute",
        }
    }

    /// Its name in a sentence, with the article as it is spoken: one says `an aitch`.
    #[must_use]
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Grpc => "a GRPCRoute",
            Self::Http => "an HTTPRoute",
            Self::Tcp => "a TCPRoute",
            Self::Tls => "a TLSRoute",
            Self::Udp => "a UDPRoute",
        }
    }

    /// The resource's name in URLs and RBAC rules.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Grpc => "grpcroutes",
            Self::Http => "httproutes",
            Self::Tcp => "tcproutes",
            Self::Tls => "tlsroutes",
            Self::Udp => "udproutes",
        }
    }

    /// The kind of that name, if it is one of the five.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether its routes say by hostname what they serve. TCP and UDP know no hostnames.
    #[must_use]
    pub const fn has_hostnames(self) -> bool {
        matches!(self, Self::Grpc | Self::Http | Self::Tls)
    }

    /// Whether a route of this kind can attach to a listener of that protocol.
    #[must_use]
    pub fn fits(self, protocol: &Protocol) -> bool {
        match self {
            Self::Grpc | Self::Http => matches!(protocol, Protocol::Http | Protocol::Https),
            Self::Tcp => *protocol == Protocol::Tcp,
            Self::Tls => *protocol == Protocol::Tls,
            Self::Udp => *protocol == Protocol::Udp,
        }
    }
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
