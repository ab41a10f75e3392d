//! Public benchmarks: how they are read, run through picket's own detection and diagnosis, and scored.

mod dataset;

pub use dataset::{Dataset, DatasetError};
