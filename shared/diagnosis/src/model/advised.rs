//! The engine with models beside it: the built-in reasoner's answer is there at once, and theirs join it when they come.

use super::answer::read;
use super::combine::combine;
use super::consultation::{Bill, Call, Consultation, Subject, stance, subject_of};
use super::judge::judge;
use super::prices::Price;
use super::prompt::request;
use super::question::Question;
use super::spend::{Caps, Spend};
use crate::compress::Compressor;
use crate::engine::{EvidenceEngine, Examined, object, query};
use crate::reason::Weighed;
use crate::size::remedy_for;
use picket_core::action::Digest;
use picket_core::diagnosis::{Abstention, Diagnosis, Verdict};
use picket_core::ids::IncidentId;
use picket_core::incident::Incident;
use picket_core::knowledge::Passage;
use picket_core::opinion::{ModelReply, Opinion, Stance, Unusable};
use picket_core::ports::{DiagnosisContext, DiagnosticEngine, ModelClient, PortResult};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Incidents whose answers are remembered; beyond these the one asked about longest ago is forgotten.
const INCIDENTS_MAX: usize = 128;
/// Times that models are asked about one incident as the evidence changes what is named; then the last answers stand.
const ROUNDS_MAX: u32 = 4;
/// Candidates whose passages are shown.
const PASSAGES_FOR: usize = 3;
/// A model whose server failed this often in a row is left alone for a while: every incident would wait for its deadline in vain.
const FAILURES_MAX: u32 = 3;
const REST_MS: i64 = 60_000;

/// The models and the rules of asking them.
#[derive(Clone, Debug)]
pub struct Panel<M> {
    /// The models with their prices: the first, and the one that gives a second opinion. None sees another's answer.
    pub models: Vec<(M, Price)>,
    /// Tokens that one answer may have.
    pub output_tokens_max: u32,
    /// The most that may be spent.
    pub caps: Caps,
    /// How long one call of `diagnose` waits for models, ms of real time. With 0 it returns at once and the answers join a later diagnosis:
    /// until then nothing is done, for at most the deadline of the [`ModelClient`]s.
    pub wait_ms: u64,
    /// Shortens the passages that they are shown; without it they are shown whole.
    pub compressor: Option<Compressor>,
}

struct Desk {
    spend: Spend,
    consultations: BTreeMap<IncidentId, Consultation>,
    /// Per model: failures of its server in a row, and when the last was.
    failures: Vec<(u32, Timestamp)>,
}

/// A [`DiagnosticEngine`] that asks models for their opinion on what the built-in one says. Without models it is the built-in one.
pub struct AdvisedEngine<M> {
    evidence: EvidenceEngine,
    panel: Panel<M>,
    desk: Mutex<Desk>,
}

impl<M> std::fmt::Debug for AdvisedEngine<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdvisedEngine").field("evidence", &self.evidence).field("models", &self.panel.models.len()).finish_non_exhaustive()
    }
}

impl<M: ModelClient> AdvisedEngine<M> {
    /// An engine over the built-in one.
    #[must_use]
    pub fn new(evidence: EvidenceEngine, panel: Panel<M>) -> Self {
        let failures = vec![(0, Timestamp(0)); panel.models.len()];
        let desk = Desk { spend: Spend::new(panel.caps), consultations: BTreeMap::new(), failures };
        Self { evidence, panel, desk: Mutex::new(desk) }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins calls when there is something new to ask.
    fn ask(&self, examined: &Examined, context: &DiagnosisContext) -> PortResult<()> {
        let (incident, subject) = (&examined.fresh, subject_of(&examined.diagnosis));
        let over = |c: &Consultation| c.is_running() || c.rounds >= ROUNDS_MAX || c.bears_on(&subject);
        if self.desk().consultations.get(&incident.id).is_some_and(over) {
            return Ok(());
        }
        // Searching takes its time: not under the lock.
        let passages = self.passages(incident, &examined.weighed, context)?;
        let mut question = Question::about(incident, context, &examined.weighed, passages);
        if let Some(compressor) = &self.panel.compressor {
            let asked: Vec<_> = examined.weighed.iter().take(PASSAGES_FOR).map(|one| query(incident, one, None)).collect();
            compressor.shorten(&asked.join(". "), &mut question.passages);
            question.passages.retain(|passage| !passage.text.is_empty());
        }
        let question = Arc::new(question);
        let mut desk = self.desk();
        let earlier = desk.consultations.get(&incident.id);
        let rounds = earlier.map_or(0, |c| c.rounds) + 1;
        let bills = earlier.map_or_else(|| vec![Bill::default(); self.panel.models.len()], |c| c.bills.clone());
        let calls =
            (0..self.panel.models.len()).map(|place| self.begin(&mut desk, place, incident, &question, rounds, context.now)).collect();
        let consultation = Consultation { subject, question, calls, bills, rounds, asked_at: context.now };
        desk.consultations.insert(incident.id.clone(), consultation);
        if desk.consultations.len() > INCIDENTS_MAX {
            let oldest = desk.consultations.iter().min_by_key(|(_, c)| c.asked_at).map(|(id, _)| id.clone());
            oldest.map(|id| desk.consultations.remove(&id));
        }
        Ok(())
    }

    fn passages(&self, incident: &Incident, weighed: &[Weighed], context: &DiagnosisContext) -> PortResult<Vec<Passage>> {
        let mut found = Vec::new();
        for one in weighed.iter().take(PASSAGES_FOR) {
            let action = remedy_for(one.cause, &one.service, object(incident, one), context);
            let passages = self.evidence.passages(incident, one, action.as_ref())?;
            // Two for each: what the others may say has its place, too.
            found.extend(passages.into_iter().filter(|p| p.cause == Some(one.cause)).take(2));
        }
        Ok(found)
    }

    fn begin(&self, desk: &mut Desk, place: usize, incident: &Incident, question: &Question, round: u32, now: Timestamp) -> Call {
        let (model, price) = &self.panel.models[place];
        let (failures, last) = desk.failures[place];
        if failures >= FAILURES_MAX && now.since_ms(last) < REST_MS {
            let why = format!("its server failed {failures} times in a row and is left alone for a minute");
            return Call::Over(Err(Unusable::Unavailable { why }));
        }
        let request = request(question, self.panel.output_tokens_max);
        match desk.spend.reserve(&incident.id, price.micro_usd(price.most(&request)), now) {
            Err(why) => Call::Over(Err(why)),
            Ok(ticket) => {
                let key = Digest::of(format!("{}\n{round}\n{place}\n{}\n{}", incident.id, model.model(), now.0).as_bytes());
                model.begin(&key, request);
                Call::Running { key, ticket }
            }
        }
    }

    /// Collects what has come, and waits for what has not as long as it may.
    async fn collect(&self, incident: &Incident, now: Timestamp) {
        let running: Vec<_> = match self.desk().consultations.get(&incident.id) {
            None => Vec::new(),
            Some(consultation) => consultation
                .calls
                .iter()
                .enumerate()
                .filter_map(|(place, call)| match call {
                    Call::Running { key, ticket } => Some((place, key.clone(), *ticket)),
                    Call::Over(_) => None,
                })
                .collect(),
        };
        for (place, key, ticket) in running {
            let (model, price) = &self.panel.models[place];
            let Some(ModelReply { text, usage }) = model.collect(&key, self.panel.wait_ms).await else { continue };
            let mut desk = self.desk();
            let cost = usage.map(|u| price.micro_usd(u));
            if let Some(micro_usd) = cost {
                desk.spend.settle(ticket, micro_usd);
            }
            let failed = matches!(text, Err(Unusable::TimedOut | Unusable::Unavailable { .. } | Unusable::RateLimited));
            desk.failures[place] = if failed { (desk.failures[place].0 + 1, now) } else { (0, now) };
            let Some(consultation) = desk.consultations.get_mut(&incident.id) else { continue };
            // Another call of `diagnose` may have been quicker.
            if matches!(&consultation.calls[place], Call::Running { key: running, .. } if *running == key) {
                let bill = &mut consultation.bills[place];
                bill.tokens += usage.map_or(0, picket_core::opinion::Usage::tokens);
                bill.micro_usd += cost.unwrap_or(0);
                let answer = text.and_then(|text| read(&text, &consultation.question));
                consultation.calls[place] = Call::Over(answer);
            }
        }
    }

    fn opinions(&self, examined: &Examined, context: &DiagnosisContext) -> Vec<Opinion> {
        let Some(consultation) = self.desk().consultations.get(&examined.fresh.id).cloned() else { return Vec::new() };
        let subject: Subject = subject_of(&examined.diagnosis);
        let opinion = |(place, call): (usize, &Call)| {
            let model = self.panel.models[place].0.model().to_owned();
            let (stance, citations) = match call {
                Call::Running { .. } => (Stance::Pending, Vec::new()),
                Call::Over(Err(why)) => (Stance::Unusable { why: why.clone() }, Vec::new()),
                Call::Over(Ok(answer)) => match judge(&model, answer, &consultation.question, &examined.fresh, context) {
                    Ok(said) => (stance(&subject, said, &examined.weighed), answer.citations.clone()),
                    Err(why) => (Stance::Unusable { why }, answer.citations.clone()),
                },
            };
            let Bill { tokens, micro_usd } = consultation.bills[place];
            Opinion { model, stance, citations, tokens, cost_usd: micro_usd as f64 / 1e6 }
        };
        consultation.calls.iter().enumerate().map(opinion).collect()
    }
}

impl<M: ModelClient> DiagnosticEngine for AdvisedEngine<M> {
    async fn diagnose(&self, incident: &Incident, context: &DiagnosisContext) -> PortResult<Diagnosis> {
        let examined = self.evidence.examine(incident, context)?;
        // What passes by itself or is too old to be acted on is not worth anybody's opinion.
        let settled = matches!(examined.diagnosis.verdict, Verdict::Abstained { why: Abstention::Stale | Abstention::SelfHealing { .. } });
        if self.panel.models.is_empty() || settled {
            return Ok(examined.diagnosis);
        }
        self.ask(&examined, context)?;
        self.collect(&examined.fresh, context.now).await;
        let opinions = self.opinions(&examined, context);
        let needed = subject_of(&examined.diagnosis).map_or(1.0, |(cause, _)| self.evidence.needed(cause));
        Ok(combine(examined.diagnosis, opinions, needed))
    }
}
