//! The `WrappedGateway` resource, the slice of `Gateway` that is read and written, objects of any kind, and every name that they
//! share.

mod crd;
mod defaults;
mod gateway;
mod lenient;
mod object;
mod reference_grant;
mod wrapped_gateway;

pub use crd::{SCHEMA, crd, crd_yaml};
pub use defaults::fill_defaults;
pub use gateway::{
    AllowedRoutes, Listener, ListenerTls, NamespacesFrom, Protocol, RouteGroupKind, RouteNamespaces, SecretReference,
    TlsMode,
};
pub use lenient::StoredWrappedGateway;
pub use object::Object;
pub use reference_grant::ReferenceGrant;
pub use wrapped_gateway::{
    HostnameGrant, HostnameOwnership, ListenerTemplate, RejectedRoute, TemplateAllowedRoutes, TemplateProtocol,
    TemplateTls, WrappedGateway, WrappedGatewaySpec, WrappedGatewayStatus,
};

/// API group of `WrappedGateway`, and prefix of every annotation and finalizer of this project.
pub const GROUP: &str = "gateway-route-sync.homelab-helper.benfiola.com";
/// API group of `Gateway` and of all route kinds.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// Field manager of every server-side apply, and value of the `app.kubernetes.io/managed-by` label.
pub const FIELD_MANAGER: &str = "gateway-route-sync";
/// What the field manager of a route's names in DNS has before the prefix of external-dns that they stand under.
pub const NAMES_MANAGER: &str = "gateway-route-sync/";
/// On a `WrappedGateway`, while names in DNS have to be taken from routes before it may go.
pub const FINALIZER: &str = "gateway-route-sync.homelab-helper.benfiola.com/finalizer";
/// What the name of the HTTPRoute of `httpsRedirect` has after the Gateway's name.
pub const REDIRECT_SUFFIX: &str = "-https-redirect";
/// Label that the API server puts on each namespace, with the namespace's name as value.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What the implementations that came before, in Go, wrote into clusters.
pub mod former {
    /// API group of the `WrappedGateway` of the later one; the earlier one had the group that is in use.
    pub const LATER_GROUP: &str = "gateway-route-sync.homelab-images.benfiola.com";
    /// Field managers of their updates: the names of their programs.
    pub const MANAGERS: [&str; 2] = ["gateway-route-sync", "homelab-helper"];
    /// The finalizer of the earlier one, which put it on each `WrappedGateway` and on each route of the cluster.
    /// What is left on a `WrappedGateway` may be ours.
    pub const FINALIZER: &str = super::FINALIZER;
    /// The finalizer of the later one, which put it on the same things.
    pub const LATER_FINALIZER: &str = "gateway-route-sync.homelab-images.benfiola.com/finalizer";
    /// On each route, what the earlier one knew of its parents.
    pub const PARENT_REFS: &str = "gateway-route-sync.homelab-helper.benfiola.com/previous-parent-refs";
    /// On each route, what the later one knew of its parents.
    pub const LATER_PARENT_REFS: &str = "gateway-route-sync.homelab-images.benfiola.com/previous-parent-refs";
}

/// Annotations that people write, by the part after `<group>/`.
pub mod annotation {
    /// On a route, `"true"`: the route is not looked at.
    pub const IGNORE: &str = "gateway-route-sync.homelab-helper.benfiola.com/ignore";
    /// On a route: comma-separated ports.
    pub const PORTS: &str = "gateway-route-sync.homelab-helper.benfiola.com/ports";
    /// On a route: the older, singular form of [`PORTS`].
    pub const PORT: &str = "gateway-route-sync.homelab-helper.benfiola.com/port";
    /// On an HTTPRoute or GRPCRoute: `HTTP` or `HTTPS`.
    pub const PROTOCOL: &str = "gateway-route-sync.homelab-helper.benfiola.com/protocol";
    /// On a TLSRoute: `Terminate` or `Passthrough`.
    pub const TLS_MODE: &str = "gateway-route-sync.homelab-helper.benfiola.com/tls-mode";
    /// On a TCPRoute or UDPRoute: its names in DNS, comma-separated.
    pub const HOSTNAME: &str = "gateway-route-sync.homelab-helper.benfiola.com/hostname";
    /// On a WrappedGateway, `"true"`: take over a Gateway that exists.
    pub const ADOPT: &str = "gateway-route-sync.homelab-helper.benfiola.com/adopt";
}
