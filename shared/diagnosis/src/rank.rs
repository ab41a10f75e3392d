//! Where: ranks services as the root of an incident by a walk on the service graph.
//!
//! Each service's anomaly score is carried from callers to callees, as blame goes: a slow caller of a slow callee is a victim.
//! Who showed first, and who was changed just before, gets more.

use crate::signs::{change_before, own_trouble};
use picket_core::anomaly::Symptom;
use picket_core::ids::ServiceId;
use picket_core::incident::{ChangeKind, Incident};
use picket_core::ports::DiagnosisContext;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Share of a service's score that goes on to its callees in each round.
const CARRIED: f64 = 0.7;
/// Rounds: longer than any sensible chain of calls.
const ROUNDS: usize = 12;
/// Scores above this many deviations say no more.
const SCORE_CAP: f64 = 10.0;
/// Symptoms that come from calling somebody speak of the callee, little of the caller.
const VICTIM_WEIGHT: f64 = 0.2;
/// Latency, errors and traffic may be its own or its callee's.
const SHARED_WEIGHT: f64 = 0.6;
/// Added for the earliest onset, falling linearly to nothing over [`ONSET_SPAN_MS`].
const ONSET_BONUS: f64 = 0.5;
const ONSET_SPAN_MS: f64 = 120_000.0;
/// Added when it was changed within [`CHANGE_WINDOW_MS`] before its first symptom.
const CHANGE_BONUS: f64 = 0.5;
const CHANGE_WINDOW_MS: i64 = 600_000;

/// A service with its score as the root, 1 for the best.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedService {
    /// Which.
    pub service: ServiceId,
    /// 0..=1, relative to the best.
    pub score: f64,
    /// In words, what raised it.
    pub reasons: Vec<String>,
}

/// Ranks the incident's services and whatever their dependency symptoms point at, best first; ties by name.
#[must_use]
pub fn rank(incident: &Incident, context: &DiagnosisContext) -> Vec<RankedService> {
    let mut own: BTreeMap<&ServiceId, f64> = incident.services.iter().map(|s| (s, 0.0)).collect();
    let mut onset: BTreeMap<&ServiceId, Timestamp> = BTreeMap::new();
    let mut worst: BTreeMap<&ServiceId, (f64, &str)> = BTreeMap::new();
    for anomaly in &incident.anomalies {
        let score = if anomaly.score.is_finite() { anomaly.score.abs().min(SCORE_CAP) / SCORE_CAP } else { 1.0 };
        let weight = weight(anomaly.symptom) * score;
        *own.entry(&anomaly.service).or_default() += weight;
        if let Some(peer) = &anomaly.peer {
            *own.entry(peer).or_default() += SHARED_WEIGHT * score;
        }
        let first = onset.entry(&anomaly.service).or_insert(anomaly.onset);
        *first = (*first).min(anomaly.onset);
        let most = worst.entry(&anomaly.service).or_insert((weight, &anomaly.series));
        if weight > most.0 {
            *most = (weight, &anomaly.series);
        }
    }
    let callees = callees_among(&own, incident, context);
    let mut scores = own.clone();
    for _ in 0..ROUNDS {
        let mut next = own.clone();
        for (caller, targets) in &callees {
            let total: f64 = targets.iter().map(|t| own[t]).sum();
            if total <= 0.0 {
                continue;
            }
            for target in targets {
                *next.entry(target).or_default() += CARRIED * scores[caller] * own[target] / total;
            }
        }
        // A cycle of calls would feed itself: the sum stays bounded because CARRIED < 1.
        scores = next;
    }
    let earliest = onset.values().min().copied();
    let mut ranked: Vec<_> = scores
        .iter()
        .map(|(service, carried)| {
            let mut reasons = Vec::new();
            let mut score = *carried;
            if let Some((_, series)) = worst.get(service) {
                reasons.push(format!("it deviates itself, most in {series}"));
            }
            let from_callers = carried - own[service];
            if from_callers > 0.05 {
                reasons.push("services that call it deviate too".to_owned());
            }
            if let (Some(first), Some(earliest)) = (onset.get(service), earliest) {
                let late = first.since_ms(earliest) as f64 / ONSET_SPAN_MS;
                score += ONSET_BONUS * (1.0 - late).max(0.0);
                if late <= 0.0 {
                    reasons.push("it was the first to deviate".to_owned());
                }
                if let Some(change) = change_before(service, ChangeKind::Deployment, *first, CHANGE_WINDOW_MS, context) {
                    score += CHANGE_BONUS;
                    reasons.push(format!("it was changed shortly before: {}", change.what));
                }
            }
            RankedService { service: (*service).clone(), score, reasons }
        })
        .collect();
    let best = ranked.iter().map(|r| r.score).fold(0.0, f64::max);
    if best > 0.0 {
        ranked.iter_mut().for_each(|r| r.score /= best);
    }
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.service.cmp(&b.service)));
    ranked
}

fn weight(symptom: Symptom) -> f64 {
    match symptom {
        Symptom::DependencyLatencyHigh | Symptom::DependencyErrorsHigh | Symptom::TrafficLow | Symptom::ErrorLogsHigh => VICTIM_WEIGHT,
        _ if own_trouble(symptom) => 1.0,
        _ => SHARED_WEIGHT,
    }
}

/// Direct callees among the services that have a score; the incident's own subgraph counts where the graph has forgotten an edge.
fn callees_among<'a>(
    own: &BTreeMap<&'a ServiceId, f64>,
    incident: &'a Incident,
    context: &DiagnosisContext,
) -> BTreeMap<&'a ServiceId, BTreeSet<&'a ServiceId>> {
    let mut found: BTreeMap<&ServiceId, BTreeSet<&ServiceId>> = BTreeMap::new();
    for service in own.keys() {
        for callee in context.graph.callees(service) {
            if let Some((known, _)) = own.get_key_value(&callee) {
                found.entry(service).or_default().insert(known);
            }
        }
    }
    let pointed = incident.anomalies.iter().filter_map(|a| a.peer.as_ref().map(|peer| (&a.service, peer)));
    for (caller, callee) in incident.subgraph.iter().map(|(a, b)| (a, b)).chain(pointed) {
        if own.contains_key(caller) && own.contains_key(callee) && caller != callee {
            found.entry(caller).or_default().insert(callee);
        }
    }
    found
}
