//! What speaks against a node.

use super::series::{MetricKind, Series};
use super::yardstick::Straying;
use std::collections::BTreeMap;

/// A deviation in the direction that means trouble.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trouble {
    /// Size: log ratio to the harsher of the usual level and the level just before (availability: share of the usual).
    pub effect: f64,
    /// Size in units of what 98 % of normal windows stay under: from 1 on it counts.
    pub sigma: f64,
    /// The series it was read from.
    pub metric: String,
    /// First step of the incident beyond that.
    pub onset: Option<usize>,
}

impl Trouble {
    /// It, when it counts.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.sigma >= 1.0
    }
}

/// One node's troubles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeEvidence {
    /// By kind, each kind's furthest series. For [`MetricKind::Traffic`] it is the loss.
    pub troubles: BTreeMap<MetricKind, Trouble>,
    /// By kind: -log10 of the share of normal windows as high.
    pub surprises: BTreeMap<MetricKind, f64>,
    /// Mean requests in the incident, in the traffic series' unit.
    pub traffic: f64,
}

impl NodeEvidence {
    pub(crate) fn add(&mut self, series: &Series, straying: &Straying) {
        let (effect, sigma) = match series.kind {
            MetricKind::Availability | MetricKind::Traffic => (straying.down, straying.down_sigma),
            _ => (straying.up, straying.up_sigma),
        };
        let known = self.troubles.entry(series.kind).or_default();
        if sigma > known.sigma {
            *known = Trouble { effect, sigma, metric: series.metric.clone(), onset: straying.onset };
        }
        let surprise = self.surprises.entry(series.kind).or_default();
        *surprise = surprise.max(straying.surprise);
    }

    /// The trouble of one kind.
    #[must_use]
    pub fn trouble(&self, kind: MetricKind) -> Option<&Trouble> {
        self.troubles.get(&kind)
    }

    /// Fisher's sum: the log tail probabilities of answering slowly or wrongly, computing more and sending more than the traffic
    /// explains, and losing time on the way. Not gated: several faint signs may add up.
    #[must_use]
    pub fn surprise(&self) -> f64 {
        self.sum(&[MetricKind::Latency, MetricKind::Errors]) + self.own_surprise()
    }

    /// The same without what may be its callees' doing.
    #[must_use]
    pub fn own_surprise(&self) -> f64 {
        self.sum(&[MetricKind::Cpu, MetricKind::Sent, MetricKind::Network])
    }

    fn sum(&self, kinds: &[MetricKind]) -> f64 {
        kinds.iter().filter_map(|kind| self.surprises.get(kind)).sum()
    }
}

/// What a window shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// By node.
    pub nodes: BTreeMap<String, NodeEvidence>,
}
