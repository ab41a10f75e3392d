//! What is seen of services at one moment, and what it says of an act.

use picket_core::action::RemediationKind;
use picket_core::anomaly::Symptom;
use picket_core::ids::ServiceId;
use picket_core::severity::has_impact;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// One service at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// When.
    pub at: Timestamp,
    /// Symptoms that are active on it.
    pub active: Vec<Symptom>,
    /// 95th percentile of its latency; `None` without requests.
    pub p95_s: Option<f64>,
    /// What is usual.
    pub p95_usual_s: Option<f64>,
    /// Share of its requests that fail, 0..1.
    pub error_ratio: Option<f64>,
    /// What is usual.
    pub error_ratio_usual: Option<f64>,
}

/// The service that was acted on, in its company.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// The service itself.
    pub target: Health,
    /// Services that call it: harm that an act does shows there too.
    pub callers: BTreeMap<ServiceId, Health>,
    /// Services of the cluster that have nothing to do with it and were not acted on: what befalls them as well is not the act's doing.
    pub peers: BTreeMap<ServiceId, Health>,
}

/// Latency within this factor of the usual is usual.
const LATENCY_USUAL: f64 = 1.5;
/// Failures within this of the usual share are usual.
const ERRORS_USUAL: f64 = 0.02;
/// Latency beyond this factor of what it was before the act is worse.
const LATENCY_WORSE: f64 = 1.5;
/// A share of failures higher by this than before the act is worse.
pub(super) const ERRORS_WORSE: f64 = 0.05;
/// Differences of latency below this are nobody's concern.
const LATENCY_FLOOR_S: f64 = 0.05;
/// Fewer peers than this say nothing about the cluster as a whole.
const PEERS_MIN: usize = 3;

impl Health {
    /// Latency is usual, or there is none to judge.
    pub(super) fn is_fast(&self) -> bool {
        within(self.p95_s, self.p95_usual_s, |now, usual| now <= usual * LATENCY_USUAL + LATENCY_FLOOR_S)
    }

    /// Failures are usual, or there is nothing to judge.
    pub(super) fn is_right(&self) -> bool {
        within(self.error_ratio, self.error_ratio_usual, |now, usual| now <= usual + ERRORS_USUAL)
    }

    /// In what it is worse than before; `None` when it is not.
    fn worse_than(&self, before: &Self) -> Option<String> {
        if let (Some(now), Some(before)) = (self.error_ratio, before.error_ratio.or(self.error_ratio_usual))
            && now > before + ERRORS_WORSE
        {
            return Some(format!("{:.1} % of requests fail, {:.1} % did before the act", now * 100.0, before * 100.0));
        }
        if let (Some(now), Some(before)) = (self.p95_s, before.p95_s.or(self.p95_usual_s))
            && now > before * LATENCY_WORSE + LATENCY_FLOOR_S
        {
            return Some(format!("p95 is {:.0} ms, it was {:.0} ms before the act", now * 1000.0, before * 1000.0));
        }
        None
    }
}

/// What one look says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    /// The act's target is well.
    pub well: bool,
    /// In what the target or a caller is worse than before the act.
    pub harm: Option<String>,
    /// So is the cluster as a whole: whatever is worse may not be the act's doing.
    pub common: bool,
}

/// Reads a look against the one before the act. A quarantined workload is meant to be cut off: its figures say nothing.
pub(super) fn read(kind: RemediationKind, symptoms: &[Symptom], before: &Look, now: &Look) -> Word {
    if kind == RemediationKind::Quarantine {
        return Word { well: !now.target.active.contains(&Symptom::SecurityFinding), ..Word::default() };
    }
    let counts = |s: &Symptom| has_impact(*s) || (is_risk(*s) && symptoms.contains(s));
    let well = !now.target.active.iter().any(counts) && now.target.is_fast() && now.target.is_right();
    let harm = now.target.worse_than(&before.target).or_else(|| new_symptom(symptoms, before, now)).or_else(|| caller_harmed(before, now));
    Word { well, harm, common: is_common(before, now) }
}

fn new_symptom(symptoms: &[Symptom], before: &Look, now: &Look) -> Option<String> {
    let new = now.target.active.iter().find(|s| {
        matches!(s, Symptom::CrashLoop | Symptom::OomKilled | Symptom::ReplicasUnavailable)
            && !before.target.active.contains(s)
            && !symptoms.contains(s)
    })?;
    Some(format!("{new:?} was not there before the act"))
}

/// A caller that was well before the act and is worse since. One that was not has troubles of its own.
fn caller_harmed(before: &Look, now: &Look) -> Option<String> {
    now.callers.iter().find_map(|(service, health)| {
        let then = before.callers.get(service).filter(|then| then.is_fast() && then.is_right())?;
        health.worse_than(then).map(|why| format!("at its caller {service}: {why}"))
    })
}

/// Half of the peers are worse as well.
fn is_common(before: &Look, now: &Look) -> bool {
    let compared: Vec<_> = now.peers.iter().filter_map(|(service, health)| Some((health, before.peers.get(service)?))).collect();
    let worse = compared.iter().filter(|(health, then)| health.worse_than(then).is_some()).count();
    compared.len() >= PEERS_MIN && worse * 2 >= compared.len()
}

/// What an act is about without users feeling it. Context (traffic, CPU, memory in use) comes and goes and grades nothing.
const fn is_risk(symptom: Symptom) -> bool {
    matches!(symptom, Symptom::DiskFilling | Symptom::CertificateExpiring | Symptom::SecurityFinding | Symptom::FailedScheduling)
}

fn within(now: Option<f64>, usual: Option<f64>, holds: impl Fn(f64, f64) -> bool) -> bool {
    match (now, usual) {
        (Some(now), Some(usual)) => holds(now, usual),
        _ => true,
    }
}
