//! The load test: a seeded model of clusters with services, faults and effects that speaks OTLP out and serves the Kubernetes API,
//! its scenarios, and the score of a run against the ground truth.
//!
//! Architecture invariant: depends on `picket-core` (plain data) and wire formats only. Who writes the faults must not share code
//! with who finds them. The model itself takes time and randomness as arguments.

pub mod bench;
pub mod bootstrap;
pub mod cluster;
pub mod disturbance;
pub mod faults;
pub mod kubernetes_api;
pub mod objects;
pub mod otlp_out;
pub mod parameters;
pub mod process;
pub mod quantity;
pub mod report;
pub mod rfc3339;
pub mod scenario;
pub mod store;
pub mod telemetry;
pub mod topology;
pub mod truth;

pub use cluster::SimCluster;
