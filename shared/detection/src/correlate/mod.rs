//! Correlation: from the anomalies of this moment to one incident per cause.
//!
//! Trouble travels from a callee to its callers (the premise of root-cause localisation on call graphs, such as M. Kim, R. Sumbaly,
//! S. Shah, "Root cause detection in a service-oriented architecture", SIGMETRICS 2013): every service that shows symptoms is
//! followed along its dependencies to the last one that explains it, and what ends at the same service is one incident.

mod blame;
mod correlator;
mod weight;

pub use correlator::{CorrelationSettings, Correlator, IncidentEvent};

#[cfg(test)]
mod tests;
