/// The words of these tests.
mod game;
/// What outlives a route, a WrappedGateway or a controller, and what does not.
mod lives;
/// The annotation, and what stands in its way.
mod names;
