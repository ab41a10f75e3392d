//! Public benchmarks: how they are read, run through picket's own detection and diagnosis, and scored.

mod dataset;
pub mod nab;

pub use dataset::{Dataset, DatasetError};
