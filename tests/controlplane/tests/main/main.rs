//! The control plane does what tests rely on. Everything here runs the real programs.

// What the API server and the controllers do for those who use them.
mod behaviour;
// Every release and channel of the Gateway API can be installed.
mod gateway_api;
// Nothing of a control plane outlives it.
mod leftovers;

use std::time::Duration;

/// Long enough for everything that a busy machine may delay.
const SOON: Duration = Duration::from_mins(1);
