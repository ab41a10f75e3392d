//! Grades an applied act from what is measured, without any model (I10).

use picket_core::action::RemediationKind;
use picket_core::anomaly::Symptom;
use picket_core::outcome::Outcome;
use picket_core::severity::has_impact;
use picket_core::time::Timestamp;

/// One look at the service that was acted on.
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

/// An act under watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// What was done.
    pub kind: RemediationKind,
    /// It takes an earlier act back.
    pub undo: bool,
    /// What it was done about.
    pub symptoms: Vec<Symptom>,
    /// When it took effect (event time).
    pub applied_at: Timestamp,
    /// The last look before that.
    pub before: Health,
    /// Looks since, oldest first.
    pub after: Vec<Health>,
}

/// After a write, pods are replaced: what is seen before this has passed is the change itself.
const SETTLE_MS: i64 = 15_000;
/// Looks in a row that decide: at a 5 s interval, 15 s of agreement.
const LOOKS: usize = 3;
/// Looks that must be well when the window ends.
const LOOKS_AT_END: usize = 2;
/// Looks in a row that show neither health nor a step towards it.
const LOOKS_STUCK: usize = 5;
/// Of the failures or the latency at the first of these looks: less is a step towards health.
const STUCK_SHARE: f64 = 0.8;
/// A saving must have done no harm for longer than a repair must have done good.
const LOOKS_SAVING: usize = 6;
/// Latency within this factor of the usual is usual.
const LATENCY_USUAL: f64 = 1.5;
/// Failures within this of the usual share are usual.
const ERRORS_USUAL: f64 = 0.02;
/// Latency beyond this factor of what it was before the act is worse.
const LATENCY_WORSE: f64 = 1.5;
/// A share of failures higher by this than before the act is worse.
const ERRORS_WORSE: f64 = 0.05;
/// Differences of latency below this are nobody's concern.
const LATENCY_FLOOR_S: f64 = 0.05;

impl Watch {
    /// Grades it, or `None`: keep watching. `window_ms` bounds the watch.
    #[must_use]
    pub fn grade(&self, now: Timestamp, window_ms: i64) -> Option<Outcome> {
        let settled: Vec<_> = self.after.iter().filter(|h| h.at.since_ms(self.applied_at) >= SETTLE_MS).collect();
        let looks = if self.is_saving() { LOOKS_SAVING } else { LOOKS };
        let last = &settled[settled.len().saturating_sub(looks)..];
        if last.len() == looks && last.iter().all(|h| self.worse(h).is_some()) {
            let why = last.last().and_then(|h| self.worse(h)).unwrap_or_default();
            // An undo is not undone: a person must look.
            return Some(if self.undo { Outcome::Inconclusive { why } } else { Outcome::Regressed { why } });
        }
        if last.len() == looks && last.iter().all(|h| self.well(h)) {
            return Some(Outcome::Recovered {
                why: format!("nothing of it was seen in the last {looks} looks{}", figures(last.last().copied())),
            });
        }
        if !self.undo && !self.is_saving() && self.stands_still(&settled) {
            // Whoever waits for the end of the window loses the time in which somebody else could help.
            return Some(Outcome::NoEffect { why: format!("no better from look to look{}", figures(settled.last().copied())) });
        }
        if now.since_ms(self.applied_at) < window_ms {
            return None;
        }
        let end = &settled[settled.len().saturating_sub(LOOKS_AT_END)..];
        Some(if settled.len() >= looks && end.iter().all(|h| self.well(h)) {
            Outcome::Recovered { why: format!("well at the end of the window{}", figures(end.last().copied())) }
        } else if settled.len() < looks {
            Outcome::Inconclusive { why: format!("only {} looks in {} s: too little telemetry to grade", settled.len(), window_ms / 1000) }
        } else {
            Outcome::NoEffect {
                why: format!(
                    "still {:?} after {} s{}",
                    settled.last().map_or(&[][..], |h| &h.active),
                    window_ms / 1000,
                    figures(settled.last().copied())
                ),
            }
        })
    }

    /// Requests fail or are slow, and neither is getting better; none of these looks was well.
    fn stands_still(&self, settled: &[&Health]) -> bool {
        let Some(recent) = settled.len().checked_sub(LOOKS_STUCK).map(|from| &settled[from..]) else { return false };
        let (Some(first), Some(last)) = (recent.first(), recent.last()) else { return false };
        let failing = last.error_ratio.is_some_and(|now| now > ERRORS_WORSE);
        let better = |then: Option<f64>, now: Option<f64>| then.zip(now).is_some_and(|(then, now)| now < then * STUCK_SHARE);
        let fewer = first.error_ratio.is_some_and(|then| then > ERRORS_WORSE) && better(first.error_ratio, last.error_ratio);
        let faster = !usual_latency(first) && better(first.p95_s, last.p95_s);
        (failing || !usual_latency(last)) && !fewer && !faster && recent.iter().all(|h| !self.well(h))
    }

    /// Rightsizing and scaling down idle services: nothing was wrong before, so "well" means "no harm".
    fn is_saving(&self) -> bool {
        self.symptoms.iter().any(|s| matches!(s, Symptom::OverRequested | Symptom::Idle))
    }

    fn well(&self, health: &Health) -> bool {
        if self.kind == RemediationKind::Quarantine {
            return !health.active.contains(&Symptom::SecurityFinding);
        }
        let counts = |s: &Symptom| has_impact(*s) || (is_risk(*s) && self.symptoms.contains(s));
        let quiet = !health.active.iter().any(counts);
        let fast = usual_latency(health);
        let right = within(health.error_ratio, health.error_ratio_usual, |now, usual| now <= usual + ERRORS_USUAL);
        quiet && fast && right
    }

    /// In what it is worse than before the act; `None` when it is not. A quarantined workload is meant to be cut off.
    fn worse(&self, health: &Health) -> Option<String> {
        if self.kind == RemediationKind::Quarantine {
            return None;
        }
        if let (Some(now), Some(before)) = (health.error_ratio, self.before.error_ratio.or(health.error_ratio_usual))
            && now > before + ERRORS_WORSE
        {
            return Some(format!("{:.1} % of requests fail, {:.1} % did before the act", now * 100.0, before * 100.0));
        }
        if let (Some(now), Some(before)) = (health.p95_s, self.before.p95_s.or(health.p95_usual_s))
            && now > before * LATENCY_WORSE + LATENCY_FLOOR_S
        {
            return Some(format!("p95 is {:.0} ms, it was {:.0} ms before the act", now * 1000.0, before * 1000.0));
        }
        let new = health.active.iter().find(|s| {
            matches!(s, Symptom::CrashLoop | Symptom::OomKilled | Symptom::ReplicasUnavailable)
                && !self.before.active.contains(s)
                && !self.symptoms.contains(s)
        })?;
        Some(format!("{new:?} was not there before the act"))
    }
}

/// What an act is about without users feeling it. Context (traffic, CPU, memory in use) comes and goes and grades nothing.
const fn is_risk(symptom: Symptom) -> bool {
    matches!(symptom, Symptom::DiskFilling | Symptom::CertificateExpiring | Symptom::SecurityFinding | Symptom::FailedScheduling)
}

fn usual_latency(health: &Health) -> bool {
    within(health.p95_s, health.p95_usual_s, |now, usual| now <= usual * LATENCY_USUAL + LATENCY_FLOOR_S)
}

fn within(now: Option<f64>, usual: Option<f64>, holds: impl Fn(f64, f64) -> bool) -> bool {
    match (now, usual) {
        (Some(now), Some(usual)) => holds(now, usual),
        _ => true,
    }
}

fn figures(health: Option<&Health>) -> String {
    let Some(health) = health else { return String::new() };
    let latency = health.p95_s.map(|s| format!("; p95 {:.0} ms", s * 1000.0)).unwrap_or_default();
    let errors = health.error_ratio.map(|r| format!(", {:.1} % of requests fail", r * 100.0)).unwrap_or_default();
    format!("{latency}{errors}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(at_s: i64, p95_s: f64, error_ratio: f64, active: &[Symptom]) -> Health {
        Health {
            at: Timestamp(at_s * 1000),
            active: active.to_vec(),
            p95_s: Some(p95_s),
            p95_usual_s: Some(0.1),
            error_ratio: Some(error_ratio),
            error_ratio_usual: Some(0.0),
        }
    }

    fn watch(after: Vec<Health>) -> Watch {
        let before = health(0, 0.5, 0.2, &[Symptom::LatencyHigh, Symptom::ErrorRateHigh]);
        Watch {
            kind: RemediationKind::Rollback,
            undo: false,
            symptoms: vec![Symptom::LatencyHigh, Symptom::ErrorRateHigh],
            applied_at: Timestamp(0),
            before,
            after,
        }
    }

    fn grade(after: Vec<Health>, now_s: i64) -> Option<&'static str> {
        watch(after).grade(Timestamp(now_s * 1000), 60_000).map(|o| o.as_str())
    }

    #[test]
    fn three_good_looks_after_settling_recover() {
        let good = |at| health(at, 0.1, 0.0, &[]);
        assert_eq!(grade(vec![good(5), good(10), good(15), good(20)], 20), None);
        assert_eq!(grade(vec![good(15), good(20), good(25)], 25), Some("recovered"));
    }

    #[test]
    fn three_worse_looks_regress() {
        let worse = |at| health(at, 0.5, 0.4, &[Symptom::ErrorRateHigh]);
        assert_eq!(grade(vec![worse(15), worse(20), worse(25)], 25), Some("regressed"));
    }

    #[test]
    fn as_bad_as_before_is_no_effect_at_the_end_of_the_window() {
        let same = |at| health(at, 0.5, 0.2, &[Symptom::ErrorRateHigh]);
        let looks: Vec<_> = (3..12).map(|i| same(i * 5)).collect();
        assert_eq!(grade(looks[..4].to_vec(), 20), None, "two looks after it settled");
        assert_eq!(grade(looks, 59), Some("no_effect"), "the failures do not fall");
        // They fall: it may still come right.
        let falling = |i: i64| health(i * 5, 0.5, 0.2 - 0.015 * i as f64, &[Symptom::ErrorRateHigh]);
        assert_eq!(grade((3..10).map(falling).collect(), 50), None);
        let slow = |i: i64| health(i * 5, 0.5, 0.0, &[Symptom::LatencyHigh]);
        assert_eq!(grade((3..7).map(slow).collect(), 34), None);
        assert_eq!(grade((3..8).map(slow).collect(), 39), Some("no_effect"), "as slow as ever");
        let faster = |i: i64| health(i * 5, 0.5 - 0.025 * i as f64, 0.0, &[Symptom::LatencyHigh]);
        assert_eq!(grade((3..8).map(faster).collect(), 39), None, "on its way");
        // What is neither slow nor failing, and still not well, gets the whole window.
        let seen = |i: i64| health(i * 5, 0.1, 0.0, &[Symptom::LatencyHigh]);
        assert_eq!(grade((3..12).map(seen).collect(), 59), None);
        assert_eq!(grade((3..12).map(seen).collect(), 60), Some("no_effect"));
        assert_eq!(grade(vec![], 60), Some("inconclusive"));
    }

    #[test]
    fn a_quarantined_workload_is_not_graded_by_its_traffic() {
        let mut watch = watch((3..6).map(|i| health(i * 5, 9.0, 1.0, &[Symptom::ErrorRateHigh])).collect());
        watch.kind = RemediationKind::Quarantine;
        watch.symptoms = vec![Symptom::SecurityFinding];
        assert_eq!(watch.grade(Timestamp(30_000), 60_000).map(|o| o.as_str()), Some("recovered"));
    }
}
