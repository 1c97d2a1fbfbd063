//! Everything that can be tested without a cluster.

// Which module may use which, and what has no place where.
mod architecture;
// The Helm chart and what is made of it.
mod chart;
// The program as its users start it.
mod cli;
// The definition of WrappedGateway: its file, its words, and what it admits.
mod crd;
// What is generated is what stands there.
mod generated;
// The planner's rules, each as a pair of files: manifests in, plan out.
mod golden;
// What the image is built from.
mod image;
// What is counted, and that it is documented.
mod metrics;
// The laws of the planner, over random histories.
mod properties;
// Manifests in, Gateways out, without a cluster.
mod render;
// What `status` says of which objects.
mod status;
// Nobody else decides which code the workflows run.
mod workflows;
