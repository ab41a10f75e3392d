//! The order of suspects, and whether there is one at all.

use super::blame::{Signs, blame, signs, symptoms};
use super::call_graph::CallGraph;
use super::evidence::Evidence;
use super::reasons::reasons;
use super::series::MetricKind;

/// An alert speaks for itself at least this much, in units of what normal windows stay under.
const ALERT_LEAST: f64 = 0.3;
/// Alert and first suspect must stand out together: the geometric mean of both reaches what 98 % of normal windows stay under.
const STANDS_OUT: f64 = 1.0;
/// Blame below this is none.
const BLAME_LEAST: f64 = 1e-9;

/// What was complained about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The node whose users complain.
    pub node: String,
    /// Of what kind of metric; none when that is not known.
    pub kind: Option<MetricKind>,
}

/// A node with what speaks against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Which.
    pub node: String,
    /// Share of the blame, 0..=1; 0 for nodes that none reached.
    pub blame: f64,
    /// Fisher's sum, which orders where blame does not.
    pub surprise: f64,
    /// In words.
    pub reasons: Vec<String>,
}

/// All nodes, the likeliest root first; ties by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// Them.
    pub suspects: Vec<Suspect>,
    /// Whether anything stands out. If not, the order is what to look at first, and no cause is named.
    pub stands_out: bool,
}

impl Ranking {
    /// The cause, when one is named.
    #[must_use]
    pub fn cause(&self) -> Option<&Suspect> {
        self.suspects.first().filter(|_| self.stands_out)
    }

    /// Position from 1.
    #[must_use]
    pub fn position(&self, node: &str) -> Option<usize> {
        self.suspects.iter().position(|s| s.node == node).map(|i| i + 1)
    }
}

/// Ranks. Where the graph knows callees of the alerting node, by blame passed along calls, then by surprise; where it knows none, every
/// node that had traffic is a suspect, by surprise.
#[must_use]
pub fn rank(evidence: &Evidence, graph: &CallGraph, alert: &Alert) -> Ranking {
    let signs = signs(evidence, graph, &alert.node, alert.kind);
    let calls_known = graph.callees(&alert.node).next().is_some();
    let blamed = if calls_known { blame(evidence, graph, &alert.node, &signs) } else { std::collections::BTreeMap::new() };
    let suspect = |(node, shown): (&String, &super::evidence::NodeEvidence)| {
        if !calls_known && shown.traffic <= 0.0 {
            return None;
        }
        // That it is slow is the complaint, not evidence against it.
        let surprise = if *node == alert.node { shown.own_surprise() } else { shown.surprise() };
        let blame = blamed.get(node).copied().filter(|b| *b > BLAME_LEAST).unwrap_or(0.0);
        let reasons = reasons(node, evidence, graph, &signs, blame);
        Some(Suspect { node: node.clone(), blame, surprise, reasons })
    };
    let mut suspects: Vec<_> = evidence.nodes.iter().filter_map(suspect).collect();
    suspects.sort_by(|a, b| {
        let order = b.blame.total_cmp(&a.blame).then_with(|| b.surprise.total_cmp(&a.surprise));
        order.then_with(|| a.node.cmp(&b.node))
    });
    let complaint = evidence
        .nodes
        .get(&alert.node)
        .map_or(0.0, |n| symptoms(alert.kind).iter().filter_map(|kind| n.trouble(*kind)).map(|t| t.sigma).fold(0.0, f64::max));
    let first = suspects.first().and_then(|s| signs.get(&s.node)).map_or(0.0, Signs::sigma);
    let stands_out = (complaint.max(ALERT_LEAST) * first).sqrt() >= STANDS_OUT;
    Ranking { suspects, stands_out }
}
