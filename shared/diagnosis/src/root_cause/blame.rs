//! Blame, passed from the alerting node along calls.

use super::call_graph::CallGraph;
use super::evidence::{Evidence, Trouble};
use super::series::MetricKind;
use std::collections::BTreeMap;

/// A trouble of a callee's own reaches through a caller that shows nothing itself, at this share for each call.
const THROUGH_QUIET: f64 = 0.5;
/// Longer than any sensible chain of calls.
const CALLS_MAX: usize = 12;
/// An alert that its own series hardly show still has some size to explain.
const EFFECT_LEAST: f64 = 1e-6;

/// What a node shows, sorted by what it means.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// Slow or failing answers: its own or its callees' trouble.
    pub symptom: Trouble,
    /// Trouble of its own: processor, memory, network, or calls that it has stopped making.
    pub own: Trouble,
    /// What kind `own` is; [`MetricKind::Traffic`] for calls no longer made.
    pub own_kind: Option<MetricKind>,
}

impl Signs {
    fn effect(&self) -> f64 {
        self.symptom.effect.max(self.own.effect)
    }

    /// The larger of both, in units of what normal windows stay under.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.symptom.sigma.max(self.own.sigma)
    }
}

/// Which symptoms an alert of this kind is about.
#[must_use]
pub fn symptoms(alert: Option<MetricKind>) -> &'static [MetricKind] {
    match alert {
        Some(MetricKind::Latency) => &[MetricKind::Latency],
        Some(MetricKind::Availability | MetricKind::Errors) => &[MetricKind::Errors, MetricKind::Availability],
        _ => &[MetricKind::Latency, MetricKind::Errors, MetricKind::Availability],
    }
}

fn furthest<'a>(troubles: impl Iterator<Item = (MetricKind, &'a Trouble)>) -> Option<(MetricKind, Trouble)> {
    troubles.filter(|(_, t)| t.sigma > 0.0).max_by(|a, b| a.1.sigma.total_cmp(&b.1.sigma)).map(|(kind, t)| (kind, t.clone()))
}

/// The signs of every node; what does not count is left out, but for the alerting node's symptom.
#[must_use]
pub fn signs(evidence: &Evidence, graph: &CallGraph, alert: &str, kind: Option<MetricKind>) -> BTreeMap<String, Signs> {
    let of = |node: &str| evidence.nodes.get(node);
    let one = |node: &str| {
        let known = |kinds: &'static [MetricKind]| kinds.iter().filter_map(|kind| Some((*kind, of(node)?.trouble(*kind)?)));
        let symptom = furthest(known(symptoms(kind)).filter(|(_, t)| node == alert || t.counts()));
        let mut own = furthest(known(&[MetricKind::Cpu, MetricKind::Memory, MetricKind::Network]).filter(|(_, t)| t.counts()));
        if kind != Some(MetricKind::Latency)
            && let Some(stopped) = stopped_calling(evidence, graph, node)
            && own.as_ref().is_none_or(|(_, t)| stopped.sigma > t.sigma)
        {
            own = Some((MetricKind::Traffic, stopped));
        }
        let (own_kind, own) = own.map_or((None, Trouble::default()), |(kind, t)| (Some(kind), t));
        Signs { symptom: symptom.map(|(_, t)| t).unwrap_or_default(), own, own_kind }
    };
    evidence.nodes.keys().map(|node| (node.clone(), one(node))).collect()
}

/// A callee that lost more of its traffic than its caller did is the caller's victim: the caller fails before it calls. It stands in for
/// failures that nobody measures; where the callee's own are measured, they say more.
fn stopped_calling(evidence: &Evidence, graph: &CallGraph, node: &str) -> Option<Trouble> {
    let loss = |node: &str| evidence.nodes.get(node)?.trouble(MetricKind::Traffic);
    let kept = loss(node).map_or(0.0, |t| t.effect);
    let measured = |node: &str| [MetricKind::Errors, MetricKind::Availability].iter().any(|k| evidence.nodes[node].trouble(*k).is_some());
    let lost = graph.callees(node).filter_map(|callee| Some((callee, loss(callee)?))).filter(|(callee, _)| !measured(callee));
    let beyond = lost.filter(|(_, t)| t.effect > kept).map(|(callee, t)| {
        let effect = t.effect - kept;
        Trouble { effect, sigma: t.sigma * effect / t.effect, metric: callee.to_owned(), onset: t.onset }
    });
    beyond.filter(Trouble::counts).max_by(|a, b| a.effect.total_cmp(&b.effect))
}

/// Blame by node, of 1 that starts at the alerting node. A node passes on what its callees explain and keeps the rest:
/// - a callee explains the caller's symptom by the ratio of their effects, at most fully, less where siblings weigh far more;
/// - siblings share by effect times traffic (time and failures add up over requests), those with trouble of their own at full weight;
/// - trouble of its own keeps blame where it is.
#[must_use]
pub fn blame(evidence: &Evidence, graph: &CallGraph, alert: &str, signs: &BTreeMap<String, Signs>) -> BTreeMap<String, f64> {
    let busiest = evidence.nodes.values().map(|n| n.traffic).fold(f64::MIN_POSITIVE, f64::max);
    let traffic = |node: &str| (evidence.nodes.get(node).map_or(0.0, |n| n.traffic) / busiest).max(f64::EPSILON);
    let weight = |node: &str, s: &Signs| if s.own.effect > 0.0 { s.effect() } else { s.effect() * traffic(node) };
    // Effect and weight of each node, with the trouble of its own that reaches it from below.
    let mut reach: BTreeMap<&str, f64> = signs.iter().map(|(node, s)| (node.as_str(), s.own.effect)).collect();
    for _ in 0..CALLS_MAX {
        let below = |node: &str| graph.callees(node).filter_map(|c| reach.get(c)).fold(0.0, |most: f64, r| most.max(*r));
        reach = reach.iter().map(|(node, own)| (*node, own.max(THROUGH_QUIET * below(node)))).collect();
    }
    let effects: BTreeMap<&str, f64> = signs.iter().map(|(n, s)| (n.as_str(), s.effect().max(reach[n.as_str()]))).collect();
    let weights: BTreeMap<&str, f64> = signs.iter().map(|(n, s)| (n.as_str(), weight(n, s).max(reach[n.as_str()]))).collect();
    let (mut kept, mut moving) = (BTreeMap::<String, f64>::new(), BTreeMap::from([(alert, 1.0)]));
    for _ in 0..CALLS_MAX {
        let mut next: BTreeMap<&str, f64> = BTreeMap::new();
        for (node, amount) in moving {
            let mut symptom = signs.get(node).map_or(0.0, |s| s.symptom.effect);
            if node == alert {
                symptom = symptom.max(EFFECT_LEAST);
            }
            let own = signs.get(node).map_or(0.0, |s| s.own.effect);
            let callees: Vec<&str> = graph.callees(node).filter(|c| weights.get(c).is_some_and(|w| *w > 0.0)).collect();
            let heaviest = callees.iter().map(|c| weights[c]).fold(f64::MIN_POSITIVE, f64::max);
            let explains = |c: &str| if symptom > 0.0 { (effects[c] / symptom).min(1.0) } else { 1.0 };
            let unexplained: f64 = callees.iter().map(|c| 1.0 - explains(c) * weights[c] / heaviest).product();
            let deepest = callees.iter().map(|c| effects[c]).fold(0.0, f64::max);
            let passed = if callees.is_empty() { 0.0 } else { (1.0 - unexplained) * deepest / (deepest + own) };
            let total: f64 = callees.iter().map(|c| explains(c) * weights[c]).sum();
            for callee in &callees {
                *next.entry(callee).or_default() += amount * passed * explains(callee) * weights[callee] / total;
            }
            *kept.entry(node.to_owned()).or_default() += amount * (1.0 - passed);
        }
        moving = next;
    }
    // What still moves after so many calls runs in a circle: it stays where it is.
    for (node, amount) in moving {
        *kept.entry(node.to_owned()).or_default() += amount;
    }
    kept
}
