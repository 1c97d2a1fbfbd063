//! Everything that can be tested without a cluster.

// The definition of WrappedGateway: its file, its words, and what it admits.
mod crd;
