//! Puts models' opinions beside the built-in reasoner's answer.
//!
//! A model has not been calibrated on anybody's incidents, and what it reads may have been written for it to read. So its word never raises
//! the confidence: what may be acted on is what the evidence alone makes sure enough. Doubt costs nothing but an act, so doubt counts.

use crate::reason::cause_words;
use picket_core::diagnosis::{Abstention, Diagnosis, Verdict};
use picket_core::opinion::{Opinion, Stance};

/// What the odds are multiplied by when a model names another cause that the evidence allows. A model that is right two times in three, and
/// right by chance hardly ever among thirteen causes on several services, disagrees three times as often with a wrong answer as with a right one.
const DISSENT_ODDS: f64 = 1.0 / 3.0;
/// When it knows no cause: half a dissent, in log-odds.
const DOUBT_ODDS: f64 = 0.577;

/// The diagnosis with the opinions in it. `needed` is the confidence from which its cause may be named, 0..1.
pub(super) fn combine(mut diagnosis: Diagnosis, opinions: Vec<Opinion>, needed: f64) -> Diagnosis {
    diagnosis.cost_usd = opinions.iter().map(|o| o.cost_usd).sum();
    let heard: Vec<_> = opinions.iter().filter(|o| !matches!(o.stance, Stance::Pending | Stance::Unusable { .. })).collect();
    diagnosis.reasoner = heard.iter().fold(diagnosis.reasoner, |all, o| format!("{all}, {}", o.model));
    if let Verdict::Cause { cause, action, .. } = &diagnosis.verdict {
        let cause = *cause;
        if action.is_some() && opinions.iter().any(|o| o.stance == Stance::Pending) {
            diagnosis.verdict = Verdict::Abstained { why: Abstention::AwaitingOpinion };
        } else {
            diagnosis.confidence = tempered(diagnosis.confidence, &opinions);
            if diagnosis.confidence < needed {
                let other = opinions.iter().find_map(|o| match o.stance {
                    Stance::Disagrees { cause, .. } => Some(cause),
                    _ => None,
                });
                let percent = (diagnosis.confidence * 100.0).floor() as u8;
                let why = other.map_or(Abstention::LowConfidence { percent }, |other| Abstention::Ambiguous { between: [cause, other] });
                diagnosis.verdict = Verdict::Abstained { why };
            }
        }
        if matches!(diagnosis.verdict, Verdict::Abstained { .. }) {
            diagnosis.documents.clear();
            // The candidate stays first in the ranking; what would have been proposed is not said.
            let said = diagnosis.sentence.split("; I propose to").next().unwrap_or_default().trim_end_matches('.').to_owned();
            let why =
                if diagnosis.confidence < needed { "the models that were asked leave it too unsure" } else { "I wait for the models" };
            diagnosis.sentence = format!("{said}; I change nothing: {why}.");
        }
    }
    let words: Vec<_> = opinions.iter().map(words).collect();
    if !words.is_empty() {
        diagnosis.sentence = format!("{} ({}.)", diagnosis.sentence, words.join("; "));
    }
    diagnosis.opinions = opinions;
    diagnosis
}

/// The confidence after what the models said; never above what it was.
fn tempered(confidence: f64, opinions: &[Opinion]) -> f64 {
    let factor: f64 = opinions
        .iter()
        .map(|o| match o.stance {
            Stance::Disagrees { .. } => DISSENT_ODDS,
            Stance::Unknown => DOUBT_ODDS,
            _ => 1.0,
        })
        .product();
    if factor >= 1.0 {
        return confidence;
    }
    let odds = confidence / (1.0 - confidence).max(f64::EPSILON) * factor;
    odds / (1.0 + odds)
}

/// For people and for the record: the proposal carries the sentence into the audit log.
fn words(opinion: &Opinion) -> String {
    let model = &opinion.model;
    match &opinion.stance {
        Stance::Pending => format!("{model} is being asked"),
        Stance::Agrees => format!("{model} agrees"),
        Stance::Compatible { cause, service } => format!("{model} sees {} on {} besides", cause_words(*cause), service.name),
        Stance::Disagrees { cause, service } => format!("{model} sees {} on {} instead", cause_words(*cause), service.name),
        Stance::Unknown => format!("{model} names no cause"),
        Stance::Suggests { cause, service } => format!("{model} suggests {} on {}", cause_words(*cause), service.name),
        Stance::Unusable { why } => format!("{model} was not used: {why}"),
    }
}
