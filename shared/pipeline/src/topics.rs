//! The topics on which the observer keeps its latest words. (Incidents and freshness: `picket_core::incident_record`.)

use picket_core::facts::ClusterFacts;
use picket_core::ids::{ClusterName, ServiceId};
use picket_core::ports::Readings;
use picket_core::signal::clean_token;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The service graph of a cluster; value: [`picket_core::graph::GraphSnapshot`].
#[must_use]
pub fn graph(cluster: &ClusterName) -> String {
    format!("graph.{}", clean_token(cluster.as_str()))
}

/// The facts of a cluster; value: [`PublishedFacts`].
#[must_use]
pub fn facts(cluster: &ClusterName) -> String {
    format!("facts.{}", clean_token(cluster.as_str()))
}

/// What the observer tells the agents; the coordinator gets the facts by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublishedFacts {
    /// The facts.
    pub facts: ClusterFacts,
    /// What the cluster's API says of each service's sizes.
    pub readings: BTreeMap<ServiceId, Readings>,
}
