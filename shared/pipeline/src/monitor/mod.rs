//! Grades an applied act from what is measured, without any model (I10).
//!
//! The target is compared with itself before the act, its callers with themselves, and what is worse counts against the act only where the
//! rest of the cluster is not worse as well. Each look is a yes or a no; a sequential test says when there were enough of them.

mod look;
mod sequential;
#[cfg(test)]
mod tests;

pub use look::{Health, Look};

use look::{ERRORS_WORSE, Word};
use picket_core::action::RemediationKind;
use picket_core::anomaly::Symptom;
use picket_core::outcome::Outcome;
use picket_core::time::Timestamp;
use sequential::PageTest;

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
    pub before: Look,
    /// Looks since, oldest first.
    pub after: Vec<Look>,
}

/// After a write, pods are replaced: what is seen before this has passed is the change itself.
const SETTLE_MS: i64 = 15_000;
/// Time between two looks, roughly: how many a window has.
const LOOK_MS: i64 = 5_000;
/// A short window is held to the bound of one with so many looks (ten minutes): two in a row are no proof in any.
const LOOKS_FEWEST: f64 = 120.0;
/// One look in fifty seems worse by chance where nothing has changed; six in ten do where something has.
const HARM: (f64, f64) = (0.02, 0.6);
/// Of a thing that has not recovered three looks in ten seem well; of one that has, nearly all.
const WELL: (f64, f64) = (0.3, 0.95);
/// An act that did no harm is called harmful in at most one watch of twenty.
const FALSE_HARM: f64 = 0.05;
/// Three looks in a row: what seems well and is not shows soon enough, as an incident that opens again.
const WELL_BOUND: f64 = 3.0;
/// A saving must have done no harm for longer than a repair must have done good: six looks.
const WELL_BOUND_SAVING: f64 = 6.5;
/// Looks below which there is nothing to grade by.
const LOOKS_MIN: usize = 3;
/// Looks that must be well when the window ends.
const LOOKS_AT_END: usize = 2;
/// Looks in a row that show neither health nor a step towards it.
const LOOKS_STUCK: usize = 5;
/// Of the failures or the latency at the first of these looks: less is a step towards health.
const STUCK_SHARE: f64 = 0.8;

impl Watch {
    /// Grades it, or `None`: keep watching. `window_ms` bounds the watch.
    #[must_use]
    pub fn grade(&self, now: Timestamp, window_ms: i64) -> Option<Outcome> {
        let looks: Vec<_> = self.after.iter().filter(|l| l.target.at.since_ms(self.applied_at) >= SETTLE_MS).collect();
        let words: Vec<Word> = looks.iter().map(|l| look::read(self.kind, &self.symptoms, &self.before, l)).collect();
        let last = looks.last().map(|l| &l.target);
        let harm = PageTest::over(((window_ms / LOOK_MS) as f64).max(LOOKS_FEWEST), FALSE_HARM, HARM.0, HARM.1);
        // The newest look must be one of those that count: what has passed again is not undone.
        if let Some(Word { harm: Some(why), common: false, .. }) = words.last()
            && harm.holds(words.iter().map(|w| if w.common && w.harm.is_some() { None } else { Some(w.harm.is_some()) }))
        {
            // An undo is not undone: a person must look.
            let why = why.clone();
            return Some(if self.undo { Outcome::Inconclusive { why } } else { Outcome::Regressed { why } });
        }
        let bound = if self.is_saving() { WELL_BOUND_SAVING } else { WELL_BOUND };
        let well = PageTest { yes_if_not: WELL.0, yes_if_so: WELL.1, bound };
        let is_well = |word: &Word| word.well && (word.harm.is_none() || word.common);
        if words.last().is_some_and(is_well) && well.holds(words.iter().map(|w| Some(is_well(w)))) {
            return Some(Outcome::Recovered {
                why: format!("nothing of it is seen any more after {} looks{}", looks.len(), figures(last)),
            });
        }
        let targets: Vec<_> = looks.iter().map(|l| &l.target).collect();
        if !self.undo && !self.is_saving() && stands_still(&targets, &words) {
            // Whoever waits for the end of the window loses the time in which somebody else could help.
            return Some(Outcome::NoEffect { why: format!("no better from look to look{}", figures(last)) });
        }
        if now.since_ms(self.applied_at) < window_ms {
            return None;
        }
        Some(self.at_the_end(&words, last, window_ms))
    }

    fn at_the_end(&self, words: &[Word], last: Option<&Health>, window_ms: i64) -> Outcome {
        let looks = if self.is_saving() { 2 * LOOKS_MIN } else { LOOKS_MIN };
        let end = &words[words.len().saturating_sub(LOOKS_AT_END)..];
        if words.len() < looks {
            Outcome::Inconclusive { why: format!("only {} looks in {} s: too little telemetry to grade", words.len(), window_ms / 1000) }
        } else if end.iter().all(|w| w.well) {
            Outcome::Recovered { why: format!("well at the end of the window{}", figures(last)) }
        } else if end.iter().all(|w| w.common) {
            Outcome::Inconclusive {
                why: format!("the rest of the cluster is worse as well: nobody can tell what the act did{}", figures(last)),
            }
        } else {
            let active = last.map_or(&[][..], |h| &h.active);
            Outcome::NoEffect { why: format!("still {active:?} after {} s{}", window_ms / 1000, figures(last)) }
        }
    }

    /// Rightsizing and scaling down idle services: nothing was wrong before, so "well" means "no harm".
    fn is_saving(&self) -> bool {
        self.symptoms.iter().any(|s| matches!(s, Symptom::OverRequested | Symptom::Idle))
    }
}

/// Requests fail or are slow, and neither is getting better; none of these looks was well.
fn stands_still(targets: &[&Health], words: &[Word]) -> bool {
    let Some(from) = targets.len().checked_sub(LOOKS_STUCK) else { return false };
    let (Some(first), Some(last)) = (targets[from..].first(), targets.last()) else { return false };
    let failing = last.error_ratio.is_some_and(|now| now > ERRORS_WORSE);
    let better = |then: Option<f64>, now: Option<f64>| then.zip(now).is_some_and(|(then, now)| now < then * STUCK_SHARE);
    let fewer = first.error_ratio.is_some_and(|then| then > ERRORS_WORSE) && better(first.error_ratio, last.error_ratio);
    let faster = !first.is_fast() && better(first.p95_s, last.p95_s);
    (failing || !last.is_fast()) && !fewer && !faster && words[from..].iter().all(|w| !w.well && !w.common)
}

fn figures(health: Option<&Health>) -> String {
    let Some(health) = health else { return String::new() };
    let latency = health.p95_s.map(|s| format!("; p95 {:.0} ms", s * 1000.0)).unwrap_or_default();
    let errors = health.error_ratio.map(|r| format!(", {:.1} % of requests fail", r * 100.0)).unwrap_or_default();
    format!("{latency}{errors}")
}
