//! Random histories of a Gateway and its routes: what can happen, a world that it happens to, and a model of what the
//! API server makes of a plan. What has to hold in each such world is for the tests to say: `offline` asks the laws of the
//! planner, `cluster` a real API server.

pub mod generators;
pub mod rules;
mod world;

pub use world::{Step, World};
