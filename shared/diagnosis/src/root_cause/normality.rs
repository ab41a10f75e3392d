//! What is normal, for every series of a period.

use super::evidence::{Evidence, NodeEvidence};
use super::series::{MetricKind, Period, Series, WindowShape};
use super::yardstick::Yardstick;
use std::collections::BTreeMap;

type Key = (String, String, String);

/// Learned once per normal period and shape of window; then it reads any number of windows.
#[derive(Clone, Debug)]
pub struct Normality {
    shape: WindowShape,
    yardsticks: BTreeMap<Key, Yardstick>,
}

fn traffic_of(period: &Period) -> BTreeMap<(&str, &str), &[f64]> {
    let traffic = period.series.iter().filter(|s| s.kind == MetricKind::Traffic);
    traffic.map(|s| ((s.node.as_str(), s.instance.as_str()), s.readings.as_slice())).collect()
}

impl Normality {
    /// Learns how far windows of this shape stray in the period. Series with fewer than 30 such windows are not judged later.
    #[must_use]
    pub fn learn(period: &Period, shape: WindowShape) -> Self {
        let traffic = traffic_of(period);
        let usable = |row: usize| period.usable.is_empty() || period.usable.get(row).copied().unwrap_or(false);
        let learn = |s: &Series| {
            let traffic = traffic.get(&(s.node.as_str(), s.instance.as_str())).copied();
            Some((s.key(), Yardstick::learn(s.kind, &s.readings, traffic, shape, &usable)?))
        };
        let used = period.series.iter().filter(|s| s.kind != MetricKind::Other);
        Self { shape, yardsticks: used.filter_map(learn).collect() }
    }

    /// The shape it was learned for.
    #[must_use]
    pub const fn shape(&self) -> WindowShape {
        self.shape
    }

    /// What a window of that shape shows, by node: each kind's furthest series. Nodes that were never seen before are there, without
    /// evidence: somebody who is newly called is his caller's doing.
    #[must_use]
    pub fn read(&self, window: &Period) -> Evidence {
        let traffic = traffic_of(window);
        let mut evidence = Evidence::default();
        for series in &window.series {
            let node = evidence.nodes.entry(series.node.clone()).or_insert_with(NodeEvidence::default);
            let traffic = traffic.get(&(series.node.as_str(), series.instance.as_str())).copied();
            if series.kind == MetricKind::Traffic {
                let during: Vec<_> = series.readings.iter().skip(self.shape.before).copied().filter(|v| v.is_finite()).collect();
                node.traffic += during.iter().sum::<f64>() / during.len().max(1) as f64;
            }
            let yardstick = self.yardsticks.get(&series.key());
            if let Some(straying) = yardstick.and_then(|y| y.measure(&series.readings, traffic, self.shape)) {
                node.add(series, &straying);
            }
        }
        evidence
    }
}
