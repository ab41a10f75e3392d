//! ITBench: what live diagnosis makes of the alerts of an incident alone (Jha et al. 2025, arXiv 2502.05352; faults in the OpenTelemetry
//! Demo on Kubernetes). The set has no telemetry: per scenario the alerts, and what was behind them.

mod alerts;
mod architecture;
mod entity;
mod evaluate;
mod read;
mod report;

pub use evaluate::evaluate;
pub use report::{ItBenchError, ItBenchReport, Judged, Outcome};

#[cfg(test)]
mod tests;
