/// Routes and WrappedGateways that it put its finalizer on.
mod finalizers;
/// Gateways that it wrote, and wrote again.
mod gateways;
/// What the Go implementation does to a cluster, as far as it can be seen there.
pub mod golang;
