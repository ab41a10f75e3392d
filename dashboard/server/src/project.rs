//! From what the coordinator and the bus say to what the page shows. Pure.

use crate::wire::{
    Agent, Clock, ClusterFreshness, Entry, Freshness, Gate, Headline, Incident, InvariantCount, Lease, Safety, Snapshot, Stop, Tone,
};
use crate::{entry_view, incident_view, words};
use picket_core::coordination::{BreakerView, CoordinatorStatus, LedgerEntry};
use picket_core::ids::ClusterName;
use picket_core::incident_record::IncidentRecord;
use picket_core::invariants::Invariant;
use picket_core::phase::GateRule;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// What was heard last.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The coordinator; `None` before the first answer.
    pub status: Option<CoordinatorStatus>,
    /// The ledger.
    pub entries: Vec<LedgerEntry>,
    /// Incidents by id.
    pub incidents: BTreeMap<String, IncidentRecord>,
    /// Newest signal by cluster.
    pub telemetry: BTreeMap<ClusterName, Timestamp>,
    /// What could not be heard, and what to do; empty when all is well.
    pub fault: String,
}

/// What does not change while the server runs.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the gate asks for.
    pub gate: GateRule,
    /// In whose name the buttons act.
    pub person: String,
    /// Telemetry older than this is late.
    pub fresh_within_ms: i64,
}

/// Puts the page's data together. `now` is the run clock, used while the coordinator is not heard.
#[must_use]
pub fn snapshot(heard: &Heard, terms: &Terms, now: Timestamp) -> Snapshot {
    let status = heard.status.as_ref();
    let phase_of = |entry: &LedgerEntry| status.and_then(|s| s.phases.get(&entry.proposal.agent)).map(|p| p.state.phase);
    let mut entries: Vec<Entry> = heard.entries.iter().map(|e| entry_view::view(e, phase_of(e))).collect();
    entries.sort_by(|a, b| made_ms(b).cmp(&made_ms(a)).then_with(|| b.id.cmp(&a.id)));
    let by_id: HashMap<&str, &Entry> = entries.iter().map(|e| (e.id.as_str(), e)).collect();
    let mut incidents: Vec<Incident> = heard
        .incidents
        .values()
        .map(|record| incident_view::view(record, record.entry.as_ref().and_then(|id| by_id.get(id.as_str()).copied())))
        .collect();
    incidents.sort_by(|a, b| b.opened_at_ms.cmp(&a.opened_at_ms).then_with(|| b.id.cmp(&a.id)));
    let safety = safety(heard, &terms.gate);
    Snapshot {
        clock: Clock {
            now_ms: status.map_or(now.0, |s| s.now.0),
            leader: status.and_then(|s| s.leader),
            revision: status.map_or(0, |s| s.revision),
            restore_epoch: status.map_or(0, |s| s.restore_epoch),
            demonstration: status.is_some_and(|s| s.demonstration),
            person: terms.person.clone(),
            fault: if status.is_none() && heard.fault.is_empty() {
                "The coordinator has not been heard yet.".to_owned()
            } else {
                heard.fault.clone()
            },
        },
        headline: headline(&safety, &incidents, &entries, status.and_then(|s| s.breakers.first_key_value())),
        leases: status.map(leases).unwrap_or_default(),
        safety,
        freshness: freshness(heard, terms.fresh_within_ms),
        incidents,
        entries,
    }
}

fn made_ms(entry: &Entry) -> i64 {
    entry.history.first().map_or(0, |(at, _)| *at)
}

fn leases(status: &CoordinatorStatus) -> Vec<Lease> {
    status
        .leases
        .iter()
        .map(|l| Lease {
            scope: l.scope.to_string(),
            holder: l.holder.clone(),
            token: l.token.0,
            expires_at_ms: l.expires_at.0,
            waiting: l.waiting.clone(),
        })
        .collect()
}

fn safety(heard: &Heard, rule: &GateRule) -> Safety {
    let status = heard.status.as_ref();
    let count = |i: Invariant| status.and_then(|s| s.violations.get(&i)).copied().unwrap_or(0);
    Safety {
        violations: Invariant::ALL
            .into_iter()
            .map(|i| InvariantCount { id: i.as_str().to_owned(), says: i.says().to_owned(), count: count(i) })
            .collect(),
        stop: status
            .map(|s| Stop {
                set: s.stop.set,
                epoch: s.stop.epoch,
                by: s.stop.by.clone(),
                stopping: s.stop.stopping,
                open_claims: s.stop.open_claims,
                fences_missing: s.stop.fences_missing.iter().map(ToString::to_string).collect(),
            })
            .unwrap_or_default(),
        agents: status
            .iter()
            .flat_map(|s| &s.phases)
            .map(|(kind, view)| {
                let (state, gate) = (&view.state, &view.gate);
                Agent {
                    id: kind.to_string(),
                    title: words::agent(*kind).to_owned(),
                    phase: state.phase.to_string(),
                    since_ms: state.since.0,
                    because: state.because.clone(),
                    by_fiat: state.by_fiat,
                    gate: Gate {
                        episodes: state.episodes,
                        correct: state.correct,
                        abstained: state.abstained,
                        violations: state.violations,
                        accuracy: gate.accuracy,
                        low: gate.accuracy_low,
                        high: gate.accuracy_high,
                        threshold: rule.accuracy_threshold,
                        coverage: gate.coverage,
                        coverage_min: rule.coverage_min,
                        episodes_min: rule.episodes_min,
                        missing: gate.missing.clone(),
                    },
                }
            })
            .collect(),
    }
}

fn freshness(heard: &Heard, fresh_within_ms: i64) -> Freshness {
    let status = heard.status.as_ref();
    let mut clusters: BTreeMap<&ClusterName, ClusterFreshness> = BTreeMap::new();
    for (cluster, at) in &heard.telemetry {
        clusters.entry(cluster).or_default().telemetry_at_ms = Some(at.0);
    }
    for (cluster, age_ms) in status.iter().flat_map(|s| &s.facts_age_ms) {
        let at = status.map(|s| s.now.plus_ms(-age_ms).0);
        clusters.entry(cluster).or_default().facts_at_ms = at;
    }
    Freshness {
        clusters: clusters.into_iter().map(|(cluster, of)| ClusterFreshness { cluster: cluster.to_string(), ..of }).collect(),
        fresh_within_ms,
    }
}

/// The sentence that answers: is it safe, what is it doing, do I need to act?
fn headline(safety: &Safety, incidents: &[Incident], entries: &[Entry], breaker: Option<(&ClusterName, &BreakerView)>) -> Headline {
    let violated: Vec<_> = safety.violations.iter().filter(|v| v.count > 0).map(|v| v.id.as_str()).collect();
    let waiting = entries.iter().filter(|e| e.can.iter().any(|c| c == "approve")).count();
    let look = entries.iter().filter(|e| e.paging && !e.state.over && !e.can.iter().any(|c| c == "approve")).count();
    let acting: Vec<_> = entries.iter().filter(|e| !e.state.over && e.state.tone == Tone::Acting).collect();
    let open = incidents.iter().filter(|i| i.open).count();
    let mut parts = Vec::new();
    let mut tone = Tone::Quiet;
    parts.push(match open {
        0 => "No incident is open".to_owned(),
        n => format!("{} open", words::count(n, "incident is", "incidents are")),
    });
    match acting.as_slice() {
        [] => {}
        [one] => {
            tone = Tone::Acting;
            parts.push(format!("picket is about one act: {} ({})", one.action, one.state.words));
        }
        many => {
            tone = Tone::Acting;
            parts.push(format!("{} acts are in flight", many.len()));
        }
    }
    if waiting + look > 0 {
        tone = Tone::Asks;
    }
    if waiting > 0 {
        parts.push(format!("{} for your answer", words::count(waiting, "act waits", "acts wait")));
    }
    if look > 0 {
        parts.push(format!("{} you to look", words::count(look, "act needs", "acts need")));
    }
    if waiting + look == 0 {
        parts.push("nothing waits for you".to_owned());
    }
    let mut text = format!("{}.", parts.join("; "));
    if let Some((cluster, breaker)) = breaker {
        tone = Tone::Asks;
        text = format!("Picket does nothing more in {cluster} until somebody has looked: {} (picket cluster reset). {text}", breaker.why);
    }
    if safety.stop.set {
        tone = Tone::Asks;
        let stop = &safety.stop;
        text = match stop.open_claims {
            _ if !stop.stopping => format!("STOP is set: picket changes nothing until a person resumes. {text}"),
            0 => format!("STOP is set: the fences of {} are not confirmed yet. {text}", stop.fences_missing.join(", ")),
            n => {
                format!("STOP is set: {} to its end. {text}", words::count(n as usize, "claimed act still runs", "claimed acts still run"))
            }
        };
    }
    if !violated.is_empty() {
        tone = Tone::Bad;
        text =
            format!("{} was broken: the agent concerned is back in Observe; read the audit before you resume. {text}", violated.join(", "));
    }
    Headline { text, tone }
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
