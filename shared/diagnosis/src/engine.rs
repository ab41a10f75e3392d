//! The evidence engine: rank, weigh, retrieve, validate; then a cause with its remedy, or an abstention with its reason.

use crate::calibration::Calibrator;
use crate::experience::{experience, not_in_vain, told};
use crate::passing::passing;
use crate::rank::rank;
use crate::reason::{Weighed, cause_words, weigh};
use crate::retrieve::Retriever;
use crate::sentence;
use crate::signs::{figures, words};
use crate::size::remedy_for;
use crate::validate::{Rejection, supports, unrivalled, validate};
use picket_core::action::{Action, RemediationKind, Reversibility};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::diagnosis::{Abstention, Diagnosis, Verdict};
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::DocumentId;
use picket_core::incident::Incident;
use picket_core::knowledge::Passage;
use picket_core::ports::{DiagnosisContext, DiagnosticEngine, PortResult};
use std::sync::Arc;

/// Candidates shown in a diagnosis.
const RANKING_MAX: usize = 5;
/// Candidates that are validated before giving up.
const TRIED_MAX: usize = 3;
/// Pieces of evidence in a diagnosis.
const EVIDENCE_MAX: usize = 24;
/// Passages cited in a diagnosis.
const PASSAGES_CITED: usize = 3;
/// Below this the best candidate is no better than the unknown.
const UNKNOWN_BELOW: f64 = 0.5;
/// Two candidates are ambiguous when the second has at least this and both together make the case.
const AMBIGUOUS_SECOND: f64 = 0.2;
const AMBIGUOUS_TOGETHER: f64 = 0.75;

/// The thresholds in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Calibrated confidence from which a cause is named, 0..1.
    pub min_confidence: f64,
    /// The same for a cause whose remedy cannot be undone.
    pub min_confidence_irreversible: f64,
    /// Evidence older than this is stale.
    pub evidence_ttl_ms: i64,
    /// Without harm in the windows of this long, an incident is on its way out: two windows and a little at the usual interval.
    pub fading_ms: i64,
    /// A rollout younger than this is not blamed yet.
    pub rollout_grace_ms: i64,
    /// The same while its pods are still being replaced.
    pub rollout_settles_ms: i64,
    /// Passages asked of the knowledge base.
    pub top_k: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_confidence: 0.85,
            min_confidence_irreversible: 0.90,
            evidence_ttl_ms: 120_000,
            fading_ms: 12_000,
            rollout_grace_ms: 45_000,
            rollout_settles_ms: 45_000,
            top_k: 12,
        }
    }
}

/// The built-in [`DiagnosticEngine`]. It calls nobody out, costs nothing, and says the same twice.
///
/// [`Diagnosis::latency_ms`] is left at 0: this crate has no clock; whoever calls it measures.
#[derive(Clone, Debug)]
pub struct EvidenceEngine {
    retriever: Arc<Retriever>,
    settings: Settings,
}

impl EvidenceEngine {
    /// An engine over a knowledge base.
    #[must_use]
    pub const fn new(retriever: Arc<Retriever>, settings: Settings) -> Self {
        Self { retriever, settings }
    }

    /// The thresholds in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Diagnoses. Fails only when the retriever's embedder does.
    pub fn diagnose_now(&self, incident: &Incident, context: &DiagnosisContext) -> PortResult<Diagnosis> {
        self.examine(incident, context).map(|examined| examined.diagnosis)
    }

    /// Diagnoses, and gives what it was weighed from.
    pub(crate) fn examine(&self, incident: &Incident, context: &DiagnosisContext) -> PortResult<Examined> {
        let fresh = self.fresh(incident, context);
        if fresh.anomalies.is_empty() {
            let diagnosis = Self::abstain(incident, context, &Calibrator::default(), &[], Abstention::Stale);
            return Ok(Examined { diagnosis, weighed: Vec::new(), fresh: incident.clone() });
        }
        // Fitted to what was adjudicated; without any it leaves the posteriors as they are.
        let calibrator = Calibrator::fit(&context.reliability.judged());
        let mut weighed = weigh(&fresh, context, &rank(&fresh, context));
        let diagnosis = self.conclude(&fresh, context, &calibrator, &mut weighed)?;
        Ok(Examined { diagnosis, weighed, fresh })
    }

    fn conclude(
        &self,
        incident: &Incident,
        context: &DiagnosisContext,
        calibrator: &Calibrator,
        weighed: &mut [Weighed],
    ) -> PortResult<Diagnosis> {
        let confidence = |candidate: &Weighed| calibrator.apply(candidate.probability);
        // Both may be true of overlapping faults: this agent's own business first, then the service that shows the root symptom.
        let mut sure: Vec<_> = (0..weighed.len()).filter(|i| confidence(&weighed[*i]) >= self.needed(weighed[*i].cause)).collect();
        sure.sort_by(|a, b| {
            let order = |w: &Weighed| (w.cause.agent() != incident.agent, w.service != incident.service);
            order(&weighed[*a]).cmp(&order(&weighed[*b])).then(weighed[*b].score.total_cmp(&weighed[*a].score))
        });
        let leading = sure.first().map(|i| weighed[*i].cause);
        if let Some(why) = passing(incident, context, leading, &self.settings) {
            return Ok(Self::abstain(incident, context, calibrator, weighed, Abstention::SelfHealing { why }));
        }
        let mut against = None;
        for index in sure.into_iter().take(TRIED_MAX) {
            number(&mut weighed[index].evidence);
            let chosen = &weighed[index];
            let protected = context.facts.as_ref().and_then(|f| f.services.get(&chosen.service)).is_some_and(|s| s.protected);
            let action = if protected { None } else { remedy_for(chosen.cause, &chosen.service, object(incident, chosen), context) };
            let passages = self.passages(incident, chosen, action.as_ref())?;
            let checked = unrivalled(chosen)
                .and_then(|()| not_in_vain(chosen, action.as_ref(), context))
                .and_then(|()| validate(&chosen.hypothesis(), action.as_ref(), &chosen.evidence, &passages, incident, context));
            match checked {
                Ok(documents) => {
                    let found = found(incident, context, weighed, index, action, protected, documents, &passages);
                    return Ok(Diagnosis { confidence: confidence(&weighed[index]), ..found });
                }
                Err(Rejection::Contradicted(why)) => against = against.or(Some(Abstention::Contradicted { why })),
                Err(Rejection::Rivalled(rival)) => against = against.or(Some(Abstention::Ambiguous { between: [chosen.cause, rival] })),
                // Discarded as if it had never been said.
                Err(Rejection::NoCause | Rejection::Uncited) => {}
            }
        }
        let why = against.unwrap_or_else(|| self.not_sure(calibrator, weighed));
        Ok(Self::abstain(incident, context, calibrator, weighed, why))
    }

    /// What is written about a candidate and its remedy.
    pub(crate) fn passages(&self, incident: &Incident, chosen: &Weighed, action: Option<&Action>) -> PortResult<Vec<Passage>> {
        let mut found = self.retriever.search(&query(incident, chosen, action), self.settings.top_k)?;
        if !found.iter().any(|passage| supports(passage, chosen.cause, action)) {
            // Where much shows at once, its many words drown the cause's own: it is asked for by name.
            found.extend(self.retriever.search(&name(chosen, action).join(". "), self.settings.top_k)?);
        }
        Ok(found)
    }

    /// The incident without what was last seen too long ago to be evidence (its old troubles are not today's), and without what happened
    /// after the time up to which everything is known: what belongs to it cannot be seen yet.
    fn fresh(&self, incident: &Incident, context: &DiagnosisContext) -> Incident {
        let mut fresh = incident.clone();
        fresh.anomalies.retain(|a| context.now.since_ms(a.last_seen) <= self.settings.evidence_ttl_ms && a.onset <= context.now);
        fresh
    }

    /// Confidence from which a cause is named, 0..1.
    pub(crate) fn needed(&self, cause: Cause) -> f64 {
        match cause.remedies().first().map(|kind: &RemediationKind| kind.reversibility()) {
            Some(Reversibility::None) => self.settings.min_confidence.max(self.settings.min_confidence_irreversible),
            _ => self.settings.min_confidence,
        }
    }

    fn not_sure(&self, calibrator: &Calibrator, weighed: &[Weighed]) -> Abstention {
        let Some(best) = weighed.first() else { return Abstention::UnknownCause };
        if let Some(second) = weighed.get(1) {
            let together = best.probability + second.probability;
            // Candidates that are no rivals may add up to more than 1: those are two weak stories, not one choice.
            if calibrator.apply(best.probability) < self.needed(best.cause)
                && second.probability >= AMBIGUOUS_SECOND
                && (AMBIGUOUS_TOGETHER..=1.0).contains(&together)
            {
                return Abstention::Ambiguous { between: [best.cause, second.cause] };
            }
        }
        if best.probability < UNKNOWN_BELOW {
            return Abstention::UnknownCause;
        }
        Abstention::LowConfidence { percent: (calibrator.apply(best.probability) * 100.0).floor() as u8 }
    }

    fn abstain(
        incident: &Incident,
        context: &DiagnosisContext,
        calibrator: &Calibrator,
        weighed: &[Weighed],
        why: Abstention,
    ) -> Diagnosis {
        let best = weighed.first();
        let mut evidence: Vec<Evidence> = best.map(|b| b.evidence.iter().take(EVIDENCE_MAX / 2).cloned().collect()).unwrap_or_default();
        evidence.extend(incident.anomalies.iter().take(EVIDENCE_MAX - evidence.len()).map(|a| Evidence {
            id: String::new(),
            source: EvidenceSource::Anomaly,
            text: format!("{}: {} ({})", a.service.name, words(a.symptom), figures(a)),
            weight: 0.0,
            at: a.last_seen,
        }));
        number(&mut evidence);
        Diagnosis {
            incident: incident.id.clone(),
            at: context.now,
            sentence: sentence::abstained(incident, &why, best),
            verdict: Verdict::Abstained { why },
            confidence: best.map_or(0.0, |b| calibrator.apply(b.probability)),
            evidence,
            ranking: weighed.iter().take(RANKING_MAX).map(Weighed::candidate).collect(),
            documents: Vec::new(),
            reasoner: "evidence".to_owned(),
            latency_ms: 0.0,
            cost_usd: 0.0,
            opinions: Vec::new(),
        }
    }
}

/// A diagnosis and what it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// Every candidate, most probable first.
    pub weighed: Vec<Weighed>,
    /// The incident without what is too old to be evidence.
    pub fresh: Incident,
}

impl DiagnosticEngine for EvidenceEngine {
    async fn diagnose(&self, incident: &Incident, context: &DiagnosisContext) -> PortResult<Diagnosis> {
        self.diagnose_now(incident, context)
    }
}

#[allow(clippy::too_many_arguments, reason = "the parts of a diagnosis, put together once")]
fn found(
    incident: &Incident,
    context: &DiagnosisContext,
    weighed: &[Weighed],
    index: usize,
    action: Option<Action>,
    protected: bool,
    documents: Vec<DocumentId>,
    passages: &[Passage],
) -> Diagnosis {
    let chosen = &weighed[index];
    let mut evidence: Vec<_> = chosen.evidence.iter().take(EVIDENCE_MAX - PASSAGES_CITED - 1).cloned().collect();
    let supporting = passages.iter().filter(|p| documents.contains(&p.document)).take(PASSAGES_CITED);
    evidence.extend(experience(chosen, action.as_ref(), context).map(|post_mortem| Evidence {
        id: format!("e{}", evidence.len() + 1),
        source: EvidenceSource::Knowledge,
        text: told(post_mortem),
        weight: 0.0,
        at: post_mortem.at,
    }));
    for passage in supporting {
        evidence.push(Evidence {
            id: format!("e{}", evidence.len() + 1),
            source: EvidenceSource::Knowledge,
            text: format!("{}, {}", passage.title, passage.heading),
            weight: 0.0,
            at: context.now,
        });
    }
    let mut ranking = vec![chosen.candidate()];
    ranking.extend(weighed.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, w)| w.candidate()).take(RANKING_MAX - 1));
    Diagnosis {
        incident: incident.id.clone(),
        at: context.now,
        sentence: sentence::found(incident, chosen, action.as_ref(), protected),
        verdict: Verdict::Cause { cause: chosen.cause, service: chosen.service.clone(), action },
        confidence: chosen.probability,
        evidence,
        ranking,
        documents,
        reasoner: "evidence".to_owned(),
        latency_ms: 0.0,
        cost_usd: 0.0,
        opinions: Vec::new(),
    }
}

fn number(evidence: &mut [Evidence]) {
    for (index, one) in evidence.iter_mut().enumerate() {
        one.id = format!("e{}", index + 1);
    }
}

/// The claim or certificate that the symptom names.
pub(crate) fn object<'a>(incident: &'a Incident, chosen: &Weighed) -> Option<&'a str> {
    let symptom = match chosen.cause {
        Cause::DiskFilling => Symptom::DiskFilling,
        Cause::CertificateExpiring => Symptom::CertificateExpiring,
        _ => return None,
    };
    incident.anomalies.iter().filter(|a| a.service == chosen.service && a.symptom == symptom).find_map(|a| a.object.as_deref())
}

/// The cause and what is to be done.
fn name(chosen: &Weighed, action: Option<&Action>) -> Vec<String> {
    let mut parts = vec![chosen.cause.as_str().replace('_', " "), cause_words(chosen.cause).to_owned()];
    parts.extend(action.map(|a| a.kind().as_str().replace('_', " ")));
    parts
}

/// What the knowledge base is asked: the cause, what shows, and what is to be done.
pub(crate) fn query(incident: &Incident, chosen: &Weighed, action: Option<&Action>) -> String {
    let mut parts = name(chosen, action);
    parts.extend(incident.symptoms_of(&chosen.service).into_iter().map(|s| words(s).to_owned()));
    parts.join(". ")
}
