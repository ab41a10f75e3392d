//! Why a node is suspected, in words.

use super::blame::Signs;
use super::call_graph::CallGraph;
use super::evidence::{Evidence, Trouble};
use super::series::MetricKind;
use std::collections::BTreeMap;

const fn what(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Latency => "latency rose",
        MetricKind::Errors => "failures rose",
        MetricKind::Availability => "availability fell",
        MetricKind::Traffic => "traffic fell",
        MetricKind::Cpu => "processor time rose beyond what its traffic explains,",
        MetricKind::Memory => "memory rose",
        MetricKind::Network => "time on the way to it rose",
        MetricKind::Sent => "bytes sent rose beyond what its traffic explains,",
        MetricKind::Other => "a metric moved",
    }
}

fn measure(trouble: &Trouble) -> String {
    let onset = trouble.onset.map(|step| format!(", first at step +{step}")).unwrap_or_default();
    format!("{:.1} times what 98 % of normal windows stay under{onset}", trouble.sigma)
}

/// Sentences for one node, strongest first.
pub(crate) fn reasons(node: &str, evidence: &Evidence, graph: &CallGraph, signs: &BTreeMap<String, Signs>, blame: f64) -> Vec<String> {
    let mut said = Vec::new();
    let shown = evidence.nodes.get(node);
    let sign = signs.get(node);
    if let Some(sign) = sign.filter(|s| s.own_kind == Some(MetricKind::Traffic)) {
        said.push(format!("{} lost its traffic while this node kept its own: calls are no longer made", sign.own.metric));
    }
    let mut troubles: Vec<_> = shown.iter().flat_map(|n| &n.troubles).filter(|(_, t)| t.counts()).collect();
    troubles.sort_by(|a, b| b.1.sigma.total_cmp(&a.1.sigma));
    said.extend(troubles.iter().map(|(kind, t)| match kind {
        MetricKind::Traffic => format!("traffic fell {}: a victim's sign", measure(t)),
        _ => format!("{} {}", what(**kind), measure(t)),
    }));
    let deviating = |node: &&str| signs.get(*node).is_some_and(|s| s.symptom.counts());
    let callers: Vec<_> = graph.callers(node).filter(deviating).collect();
    if blame > 0.0 && !callers.is_empty() {
        said.push(format!("its callers follow: {}", callers.join(", ")));
    }
    let callees: Vec<_> = graph.callees(node).filter(deviating).collect();
    if sign.is_some_and(|s| s.symptom.counts()) && !callees.is_empty() {
        said.push(format!("{:.0} % of the blame stays here, the rest goes to what it calls: {}", blame * 100.0, callees.join(", ")));
    }
    said
}
