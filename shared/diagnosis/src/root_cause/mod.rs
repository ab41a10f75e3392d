//! Where, from numbers alone: ranks the nodes of a call graph as the root of an alert, from metric series of a normal period and of
//! the incident.
//!
//! Pure, and without names or units: every reading is compared with its own series, so neither a shift in time nor a change of a
//! metric's unit changes an answer. The way through:
//! 1. [`normality`] learns from the normal period, per series, how far windows of the incident's shape stray by themselves;
//! 2. [`evidence`] says per node and kind of metric how far the incident strays, in the direction that means trouble;
//! 3. [`blame`] starts at the alerting node and passes blame along calls: a caller keeps what its callees do not explain
//!    ("deepest deviating node reachable from the alert", with shares instead of a yes or no);
//! 4. [`ranking`] orders, gives reasons, and says whether anything stands out at all.
//!
//! Methods: tail quantiles of the same statistic over normal windows in place of a distribution (conformal prediction: Vovk et al.
//! 2005); traversal of the graph to the deepest anomalous node (Chen et al., `CauseInfer`, 2014; Hardt et al., `PetShop`, 2023);
//! personalised walks against the calls (Kim et al., `MonitorRank`, 2013); Fisher's sum of log tail probabilities (1925) where no calls
//! are known.

pub mod blame;
pub mod call_graph;
pub mod evidence;
pub mod normality;
pub mod ranking;
mod reasons;
pub mod series;
mod yardstick;

pub use call_graph::CallGraph;
pub use evidence::{Evidence, NodeEvidence, Trouble};
pub use normality::Normality;
pub use ranking::{Alert, Ranking, Suspect, rank};
pub use series::{MetricKind, Period, Series, WindowShape};

#[cfg(test)]
mod tests;
