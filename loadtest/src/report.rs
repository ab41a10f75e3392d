//! The score of a run: what picket saw, said and did, against the ground truth. Definitions as in the command line's contract.

use crate::faults::{FaultClass, FaultKind};
use crate::truth::{Remedier, TruthRecord};
use picket_core::calibration::{Judged, brier_score, expected_calibration_error};
use picket_core::cause::Cause;
use picket_core::coordination::LedgerEntry;
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::ServiceId;
use picket_core::incident::Incident;
use picket_core::invariants::{Invariant, no_violations};
use picket_core::ledger::EntryState;
use picket_core::outcome::{Outcome, Report as ActReport};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An incident that is opened this long after a fault's end still belongs to it: windows of telemetry lag.
pub const GRACE_MS: i64 = 60_000;

/// What was seen of picket in a run.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// Every incident that was opened, of every agent.
    pub incidents: Vec<Incident>,
    /// Every diagnosis, in the order in which they were made.
    pub diagnoses: Vec<Diagnosis>,
    /// The ledger's entries at the end.
    pub ledger: Vec<LedgerEntry>,
    /// Violations by invariant.
    pub violations: BTreeMap<Invariant, u64>,
}

/// Counts of one kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindRow {
    /// Injected.
    pub injected: u64,
    /// Detected: right service, before its end.
    pub detected: u64,
    /// Diagnosed: a cause was named.
    pub diagnosed: u64,
    /// With the right cause.
    pub right: u64,
    /// Acted on.
    pub acted: u64,
    /// Ended by picket.
    pub recovered_by_picket: u64,
    /// Seconds from onset to incident, of each that was detected.
    pub ttd_s: Vec<f64>,
    /// Seconds from onset to recovery; `null` for never.
    pub ttr_s: Vec<Option<f64>>,
}

/// Who ended the faults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecoveredBy {
    /// Picket.
    pub picket: u64,
    /// A person.
    pub person: u64,
    /// Nobody.
    pub itself: u64,
    /// Not over at the end of the run.
    pub nobody_yet: u64,
}

/// The report of a run. Times are event time. `null`: infinite, or nothing to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Faults that harm or threaten (traps and waste are counted apart).
    pub incidents_injected: u64,
    /// Of those, named with the right service before they ended.
    pub incidents_detected: u64,
    /// Onset to incident, median.
    pub mttd_p50_s: Option<f64>,
    /// Onset to incident.
    pub mttd_p95_s: Option<f64>,
    /// Onset until the service is back, median.
    pub mttr_p50_s: Option<f64>,
    /// Onset until the service is back.
    pub mttr_p95_s: Option<f64>,
    /// Incidents that match no fault / incidents.
    pub false_positive_rate: f64,
    /// Right cause among catalogued incidents that were diagnosed.
    pub diagnosis_accuracy: Option<f64>,
    /// Its lower bound (Wilson, one-sided, 95 %); over several runs the bootstrap's over runs, when that is lower.
    pub diagnosis_accuracy_low: Option<f64>,
    /// Faults whose cause is not in the catalogue.
    pub uncatalogued: u64,
    /// Of those, noticed and not given a cause.
    pub uncatalogued_abstained: u64,
    /// Acts that took effect (undos apart).
    pub actions_applied: u64,
    /// Acts that were taken back.
    pub actions_undone: u64,
    /// Acts that the observer graded as recovered.
    pub recovered: u64,
    /// Traps injected.
    pub traps: u64,
    /// Traps in which picket acted.
    pub traps_acted_on: u64,
    /// Violations by invariant.
    pub violations: BTreeMap<Invariant, u64>,
    /// Real time of a diagnosis.
    pub diagnosis_latency_p95_ms: Option<f64>,
    /// Money spent on reasoning, by opened incident.
    pub cost_usd_per_incident: f64,
    /// Expected calibration error of the stated confidences.
    pub ece: Option<f64>,
    /// Brier score of the stated confidences.
    #[serde(default)]
    pub brier: Option<f64>,
    /// The posterior of every cause that was named, and whether it was right: what a calibrator is fitted to.
    #[serde(default)]
    pub judged: Vec<Judged>,

    /// Catalogued faults injected.
    pub catalogued: u64,
    /// Of those, detected.
    pub catalogued_detected: u64,
    /// Of those, a cause was named.
    pub catalogued_diagnosed: u64,
    /// Of those, the right one.
    pub catalogued_right: u64,
    /// Of the detected ones, abstained.
    pub catalogued_abstained: u64,
    /// Uncatalogued faults that nobody noticed.
    pub uncatalogued_unnoticed: u64,
    /// Incidents opened.
    pub incidents_opened: u64,
    /// Incidents that match no fault.
    pub false_positives: u64,
    /// Wasteful services.
    pub waste: u64,
    /// Of those, found.
    pub waste_found: u64,
    /// Of those, remedied by picket.
    pub waste_remedied: u64,
    /// Undos that failed.
    pub undos_failed: u64,
    /// Acts on a service without any fault.
    pub actions_without_fault: u64,
    /// Who ended the faults (traps and waste apart).
    pub recovered_by: RecoveredBy,
    /// By kind of fault.
    pub by_kind: BTreeMap<FaultKind, KindRow>,
    /// Detail of what was missed or wrong, one sentence each.
    pub notes: Vec<String>,
}

/// Scores a run.
#[must_use]
pub fn score(truths: &[TruthRecord], seen: &Observations) -> Report {
    let mut tally = Tally::default();
    for truth in truths {
        tally.add(truth, truths, seen);
    }
    let mut violations = no_violations();
    violations.extend(seen.violations.iter().map(|(invariant, count)| (*invariant, *count)));
    let done: Vec<_> = seen.ledger.iter().filter(|entry| matches!(entry.work, Work::Do { .. }) && applied_at(entry).is_some()).collect();
    let false_positives = seen.incidents.iter().filter(|incident| !truths.iter().any(|truth| belongs(truth, incident))).count() as u64;
    let opened = seen.incidents.len() as u64;
    let without = done.iter().filter(|entry| !truths.iter().any(|truth| acted_in(truth, entry, &truth.affected))).count();
    // Each diagnosis says what its incident has cost so far.
    let mut cost_of: BTreeMap<_, f64> = BTreeMap::new();
    for diagnosis in seen.diagnoses.iter().filter(|d| d.cost_usd.is_finite()) {
        let most = cost_of.entry(&diagnosis.incident).or_default();
        *most = most.max(diagnosis.cost_usd);
    }
    let costs: f64 = cost_of.values().sum();
    let latencies: Vec<_> = seen.diagnoses.iter().map(|d| Some(d.latency_ms)).collect();
    let Tally { by_kind, notes, ttd, ttr, .. } = &tally;
    Report {
        incidents_injected: tally.injected,
        incidents_detected: tally.detected,
        mttd_p50_s: percentile(ttd, 0.50),
        mttd_p95_s: percentile(ttd, 0.95),
        mttr_p50_s: percentile(ttr, 0.50),
        mttr_p95_s: percentile(ttr, 0.95),
        false_positive_rate: if opened == 0 { 0.0 } else { false_positives as f64 / opened as f64 },
        diagnosis_accuracy: ratio(tally.right, tally.diagnosed),
        diagnosis_accuracy_low: wilson_low(tally.right, tally.diagnosed),
        uncatalogued: tally.uncatalogued,
        uncatalogued_abstained: tally.uncatalogued_abstained,
        actions_applied: done.len() as u64,
        actions_undone: seen.ledger.iter().filter(|e| matches!(e.work, Work::Do { .. }) && e.state == EntryState::RolledBack).count()
            as u64,
        recovered: done.iter().filter(|e| matches!(e.outcome, Some(Outcome::Recovered { .. }))).count() as u64,
        traps: tally.traps,
        traps_acted_on: tally.traps_acted_on,
        violations,
        diagnosis_latency_p95_ms: percentile(&latencies, 0.95),
        cost_usd_per_incident: if opened == 0 { 0.0 } else { costs / opened as f64 },
        ece: expected_calibration_error(&tally.calibration),
        brier: brier_score(&tally.calibration),
        judged: tally.judged.clone(),
        catalogued: tally.catalogued,
        catalogued_detected: tally.catalogued_detected,
        catalogued_diagnosed: tally.diagnosed,
        catalogued_right: tally.right,
        catalogued_abstained: tally.catalogued_abstained,
        uncatalogued_unnoticed: tally.uncatalogued_unnoticed,
        incidents_opened: opened,
        false_positives,
        waste: tally.waste,
        waste_found: tally.waste_found,
        waste_remedied: tally.waste_remedied,
        undos_failed: seen.ledger.iter().filter(|e| e.state == EntryState::UndoFailed).count() as u64,
        actions_without_fault: without as u64,
        recovered_by: tally.recovered_by.clone(),
        by_kind: by_kind.clone(),
        notes: notes.clone(),
    }
}

#[derive(Default)]
struct Tally {
    injected: u64,
    detected: u64,
    ttd: Vec<Option<f64>>,
    ttr: Vec<Option<f64>>,
    catalogued: u64,
    catalogued_detected: u64,
    catalogued_abstained: u64,
    diagnosed: u64,
    right: u64,
    uncatalogued: u64,
    uncatalogued_abstained: u64,
    uncatalogued_unnoticed: u64,
    traps: u64,
    traps_acted_on: u64,
    waste: u64,
    waste_found: u64,
    waste_remedied: u64,
    recovered_by: RecoveredBy,
    calibration: Vec<Judged>,
    judged: Vec<Judged>,
    by_kind: BTreeMap<FaultKind, KindRow>,
    notes: Vec<String>,
}

impl Tally {
    fn add(&mut self, truth: &TruthRecord, all: &[TruthRecord], seen: &Observations) {
        let incidents: Vec<_> = seen.incidents.iter().filter(|incident| names(truth, incident)).collect();
        // What is right of another fault at that time is not said of this one: incidents are reopened, and faults overlap.
        let of_another = |d: &Diagnosis| {
            !is_right(truth, &d.verdict)
                && all.iter().any(|t| !std::ptr::eq(t, truth) && within(t, d.at, GRACE_MS) && is_right(t, &d.verdict))
        };
        let of_them = |d: &&Diagnosis| incidents.iter().any(|incident| incident.id == d.incident) && !of_another(d);
        let mut diagnoses: Vec<_> = seen.diagnoses.iter().filter(of_them).collect();
        // A diagnosis that places the cause at the faulty service detects it too, though its incident began at a caller.
        let placed = |d: &Diagnosis| {
            let waste = truth.class == FaultClass::Waste;
            matches!(&d.verdict, Verdict::Cause { service, cause, .. }
                if truth.right_services.contains(service) && waste == matches!(cause, Cause::OverRequested | Cause::IdleService))
                && within(truth, d.at, 0)
        };
        for diagnosis in &seen.diagnoses {
            if placed(diagnosis) && !of_another(diagnosis) && !diagnoses.iter().any(|d| std::ptr::eq(*d, diagnosis)) {
                diagnoses.push(diagnosis);
            }
        }
        let first_diagnosis = diagnoses.iter().filter(|d| placed(d)).map(|d| d.at).min();
        let found_at = incidents.iter().map(|i| i.opened_at).chain(first_diagnosis).min();
        // The first named cause is what would be acted on.
        let named = diagnoses.iter().filter(|d| matches!(d.verdict, Verdict::Cause { .. })).min_by_key(|d| d.at);
        let right = named.is_some_and(|d| is_right(truth, &d.verdict));
        let acted = seen.ledger.iter().any(|entry| acted_in(truth, entry, &truth.right_services));
        self.calibration.extend(named.map(|d| Judged { confidence: d.confidence, right }));
        // The first of the ranking is the one that was named.
        let posterior = |d: &Diagnosis| d.ranking.first().map_or(d.confidence, |candidate| candidate.probability);
        self.judged.extend(named.map(|d| Judged { confidence: posterior(d), right }));
        let row = self.by_kind.entry(truth.kind).or_default();
        row.injected += 1;
        row.detected += u64::from(found_at.is_some());
        row.diagnosed += u64::from(named.is_some());
        row.right += u64::from(right);
        row.acted += u64::from(acted);
        row.recovered_by_picket += u64::from(truth.remedied_by == Some(Remedier::Picket));
        let ttd = found_at.map(|at| at.since_ms(truth.onset) as f64 / 1000.0);
        let ttr = truth.sli_back.map(|at| at.since_ms(truth.onset) as f64 / 1000.0);
        match truth.class {
            FaultClass::Trap => {
                self.traps += 1;
                self.traps_acted_on += u64::from(acted);
                if acted {
                    self.notes.push(format!("{} {} on {}: acted in a trap", truth.id, truth.kind.as_str(), truth.service));
                }
                return;
            }
            FaultClass::Waste => {
                self.waste += 1;
                self.waste_found += u64::from(found_at.is_some());
                self.waste_remedied += u64::from(truth.remedied_by == Some(Remedier::Picket));
                return;
            }
            FaultClass::Catalogued | FaultClass::Uncatalogued => {}
        }
        row.ttd_s.extend(ttd);
        row.ttr_s.push(ttr);
        self.injected += 1;
        self.detected += u64::from(found_at.is_some());
        self.ttr.push(ttr);
        match truth.remedied_by {
            Some(Remedier::Picket) => self.recovered_by.picket += 1,
            Some(Remedier::Person) => self.recovered_by.person += 1,
            Some(Remedier::Itself) => self.recovered_by.itself += 1,
            None => self.recovered_by.nobody_yet += 1,
        }
        if let Some(ttd) = ttd {
            self.ttd.push(Some(ttd));
        } else {
            self.notes.push(format!("{} {} on {}: not detected", truth.id, truth.kind.as_str(), truth.service));
        }
        if truth.class == FaultClass::Uncatalogued {
            self.uncatalogued += 1;
            self.uncatalogued_abstained += u64::from(found_at.is_some() && named.is_none());
            self.uncatalogued_unnoticed += u64::from(found_at.is_none());
            if let Some(named) = named {
                self.notes.push(format!("{} {} on {}: given a cause, {}", truth.id, truth.kind.as_str(), truth.service, named.sentence));
            }
            return;
        }
        self.catalogued += 1;
        self.catalogued_detected += u64::from(found_at.is_some());
        self.catalogued_abstained += u64::from(found_at.is_some() && named.is_none());
        self.diagnosed += u64::from(named.is_some());
        self.right += u64::from(right);
        if let Some(named) = named.filter(|_| !right) {
            self.notes.push(format!("{} {} on {}: wrong cause, {}", truth.id, truth.kind.as_str(), truth.service, named.sentence));
        }
    }
}

/// From onset to the end (or for ever), and `grace_ms` more.
fn within(truth: &TruthRecord, at: Timestamp, grace_ms: i64) -> bool {
    at >= truth.onset && truth.end.is_none_or(|end| at <= end.plus_ms(grace_ms))
}

/// Detection: the right service, before the fault ends.
fn names(truth: &TruthRecord, incident: &Incident) -> bool {
    let waste = truth.class == FaultClass::Waste;
    waste == is_waste(incident) && truth.right_services.contains(&incident.service) && within(truth, incident.opened_at, 0)
}

fn is_waste(incident: &Incident) -> bool {
    use picket_core::anomaly::Symptom;
    !incident.anomalies.is_empty() && incident.anomalies.iter().all(|a| matches!(a.symptom, Symptom::OverRequested | Symptom::Idle))
}

/// The incident can be explained by the fault: any service that it may show on, until its traces have left the windows.
fn belongs(truth: &TruthRecord, incident: &Incident) -> bool {
    let over = truth.sli_back.or(truth.end);
    let in_time = incident.opened_at >= truth.onset && over.is_none_or(|over| incident.opened_at <= over.plus_ms(GRACE_MS));
    let waste = truth.class == FaultClass::Waste;
    in_time
        && waste == is_waste(incident)
        && incident.services.iter().chain([&incident.service]).any(|service| truth.affected.contains(service))
}

fn is_right(truth: &TruthRecord, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Cause { cause, service, .. } => {
            truth.right_services.contains(service) && (truth.cause == Some(*cause) || truth.also_right.contains(cause))
        }
        Verdict::Abstained { .. } => false,
    }
}

/// When the act took effect; `None` when it did not.
fn applied_at(entry: &LedgerEntry) -> Option<Timestamp> {
    matches!(entry.report, Some(ActReport::Applied { .. }))
        .then(|| entry.history.iter().rev().find(|(_, state)| *state == EntryState::Claimed).or(entry.history.last()).map(|(at, _)| *at))
        .flatten()
}

fn acted_in(truth: &TruthRecord, entry: &LedgerEntry, services: &[ServiceId]) -> bool {
    matches!(entry.work, Work::Do { .. })
        && services.contains(&entry.work.action().service)
        && applied_at(entry).is_some_and(|at| within(truth, at, GRACE_MS))
}

/// Nearest rank; `None` stands for infinity and sorts last. `None` when there is nothing, or the rank is infinite.
fn percentile(values: &[Option<f64>], share: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut sorted: Vec<f64> = values.iter().map(|value| value.unwrap_or(f64::INFINITY)).collect();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().filter(|value| value.is_finite())
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Wilson's score interval, lower end, one-sided 95 %.
fn wilson_low(part: u64, whole: u64) -> Option<f64> {
    const Z: f64 = 1.644_853_6;
    let share = ratio(part, whole)?;
    let n = whole as f64;
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(((middle - half) / (1.0 + Z * Z / n)).max(0.0))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
