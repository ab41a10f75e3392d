//! Hands the alerts of every scenario to the live diagnosis.

use super::alerts::{Shown, shown};
use super::architecture::graph;
use super::read::{Scenario, Truth, scenarios};
use super::report::{ItBenchError, ItBenchReport, Judged, Outcome};
use crate::Dataset;
use picket_core::anomaly::Anomaly;
use picket_core::diagnosis::Verdict;
use picket_core::graph::ServiceGraph;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::incident::{Incident, IncidentStatus};
use picket_core::ports::DiagnosisContext;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use picket_diagnosis::{EvidenceEngine, RankedService, Retriever, Settings, rank, shipped};
use std::collections::BTreeSet;
use std::sync::Arc;

/// When all alerts arrive.
const NOW: Timestamp = Timestamp(1_767_600_000_000);

/// All that is known: no facts, no readings, no changes.
fn context(graph: &Arc<ServiceGraph>) -> DiagnosisContext {
    DiagnosisContext {
        graph: graph.clone(),
        facts: None,
        changes: Vec::new(),
        readings: Default::default(),
        now: NOW,
        reliability: Default::default(),
        post_mortems: Default::default(),
    }
}

/// The incident, on the service that ranks first, and the ranking. None without anomalies.
fn incident(name: &str, mut anomalies: Vec<Anomaly>, context: &DiagnosisContext) -> Option<(Incident, Vec<RankedService>)> {
    anomalies.truncate(Incident::ANOMALIES_MAX);
    let touched: BTreeSet<ServiceId> = anomalies.iter().map(|a| a.service.clone()).collect();
    let services: Vec<_> = touched.into_iter().collect();
    let mut incident = Incident {
        id: name.into(),
        agent: AgentKind::Sre,
        fingerprint: String::new(),
        service: services.first()?.clone(),
        subgraph: context.graph.calls_around(&services),
        services,
        severity: Severity::Three,
        opened_at: NOW,
        onset: NOW,
        updated_at: NOW,
        status: IncidentStatus::Open,
        anomalies,
    };
    let ranked = rank(&incident, context);
    incident.service = ranked.first()?.service.clone();
    incident.services.sort_by_key(|service| *service != incident.service);
    Some((incident, ranked))
}

fn judge(
    name: &str,
    truth: &Truth,
    anomalies: Vec<Anomaly>,
    engine: &EvidenceEngine,
    context: &DiagnosisContext,
) -> Result<Judged, ItBenchError> {
    let right = truth.accepted();
    let roots = truth.roots().map(|group| format!("{} {}", group.kind.as_deref().unwrap_or("entity"), group.id));
    let mut judged = Judged {
        scenario: name.to_owned(),
        outcome: if truth.root_services().is_empty() { Outcome::NotRankable } else { Outcome::Case },
        roots: roots.collect(),
        right: right.iter().map(|service| service.name.clone()).collect(),
        ..Judged::default()
    };
    let Some((incident, ranked)) = incident(name, anomalies, context) else {
        return Ok(Judged { outcome: Outcome::NoAlerts, ..judged });
    };
    judged.position = ranked.iter().position(|place| right.contains(&place.service)).map(|at| at + 1);
    judged.ranked = ranked.len();
    if let Some(first) = ranked.into_iter().next() {
        (judged.first, judged.reasons) = (Some(first.service.name), first.reasons);
    }
    let diagnosis = engine.diagnose_now(&incident, context)?;
    judged.sentence = diagnosis.sentence;
    if let Verdict::Cause { service, action, .. } = diagnosis.verdict {
        judged.named_wrong = !right.contains(&service);
        judged.named = Some(service.name);
        judged.act_wrong = action.as_ref().is_some_and(|action| !right.contains(&action.service));
        judged.act = action.map(|action| format!("{} {}", action.kind().as_str(), action.service.name));
    }
    Ok(judged)
}

/// Diagnoses every scenario of the set; `progress` is told what is done, of how much.
///
/// What live diagnosis is given: a scenario's alerts as symptoms that all began now, the demo's documented call graph, the runbooks that
/// ship (searched without a model) and default thresholds; no readings, changes or facts, for the set has none. Right is a service of the
/// demo that a root-cause group is, or that the truth calls the same. A scenario whose root-cause groups are no such services cannot be
/// ranked; it is diagnosed all the same, and an act in it is right only on an alias.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or the diagnosis fails.
pub fn evaluate(set: &Dataset, mut progress: impl FnMut(usize, usize)) -> Result<ItBenchReport, ItBenchError> {
    let scenarios = scenarios(set)?;
    let total = scenarios.len();
    let engine = EvidenceEngine::new(Arc::new(Retriever::new(shipped(), None)?), Settings::default());
    let context = context(&Arc::new(graph(NOW)));
    let (mut report, mut by_chance) = (ItBenchReport::default(), 0.0);
    for (done, (name, Scenario { category, truth })) in scenarios.into_iter().enumerate() {
        let mut judged = Judged { scenario: name.clone(), ..Judged::default() };
        if let Some(truth) = truth {
            let Shown { anomalies, unknown, unplaced } = shown(&truth, NOW);
            report.alerts += truth.alerts.len();
            report.alerts_unknown += unknown.values().sum::<usize>();
            report.alerts_unplaced += unplaced;
            unknown.into_iter().for_each(|(id, count)| *report.unknown.entry(id).or_default() += count);
            let services: BTreeSet<_> = anomalies.iter().map(|a| a.service.clone()).collect();
            judged = judge(&name, &truth, anomalies, &engine, &context)?;
            if judged.outcome == Outcome::Case {
                by_chance += services.intersection(&truth.accepted()).count() as f64 / services.len() as f64;
            }
        }
        report.judged.push(Judged { category, ..judged });
        progress(done + 1, total);
    }
    report.add_up();
    report.top1_by_chance = by_chance / report.cases.max(1) as f64;
    Ok(report)
}
