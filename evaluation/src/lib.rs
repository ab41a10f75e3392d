//! Public benchmarks: how they are read, run through picket's own detection and diagnosis, and scored.

mod calendar;
mod csv;
mod dataset;
pub mod grounding;
pub mod itbench;
pub mod nab;
pub mod nezha;
pub mod petshop;
pub mod retrieval;
mod root_cause;

pub use dataset::{Dataset, DatasetError};
pub use root_cause::{Part, Placed, RootCauseReport};
