/// Routes and WrappedGateways that it put its finalizer on.
mod finalizers;
/// Gateways that it wrote, and wrote again.
mod gateways;
/// What the Go implementation does to a cluster, as far as it can be seen there.
mod golang;
/// All of this needs no rights but those that the README names.
pub mod rights;
