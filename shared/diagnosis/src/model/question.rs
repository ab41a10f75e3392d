//! What a model is asked about: the incident's services, calls and evidence, and the passages that were found. Not what picket thinks of it.

use crate::reason::Weighed;
use crate::signs::{figures, words};
use crate::size::remedy;
use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::ServiceId;
use picket_core::incident::Incident;
use picket_core::knowledge::Passage;
use picket_core::ports::DiagnosisContext;
use picket_core::time::Timestamp;
use std::collections::BTreeSet;

/// Services named to a model.
const SERVICES_MAX: usize = 24;
/// Pieces of evidence shown to a model.
const EVIDENCE_MAX: usize = 48;
/// Candidates whose evidence is shown: what speaks for and against each of them.
const CANDIDATES_SHOWN: usize = 8;
/// Candidates kept to judge the answer by.
const CANDIDATES_KEPT: usize = 32;
/// Passages shown to a model.
const PASSAGES_MAX: usize = 6;

/// One question, and what its answer will be judged by.
#[derive(Clone, Debug)]
pub struct Question {
    /// Services that may be named: `s1` is the first.
    pub services: Vec<ServiceId>,
    /// Calls among them (caller, callee), by place.
    pub calls: Vec<(usize, usize)>,
    /// What was observed, oldest first, ids `e1`…; without weights: those are the built-in reasoner's opinion.
    pub evidence: Vec<Evidence>,
    /// Passages of runbooks and post-mortems: `r1` is the first.
    pub passages: Vec<Passage>,
    /// Kinds of remedy that can be computed here for any cause on any of the services.
    pub actions: BTreeSet<RemediationKind>,
    /// When it is asked (event time).
    pub at: Timestamp,
    /// What the built-in reasoner weighed. Never shown.
    pub(super) weighed: Vec<Weighed>,
}

impl Question {
    /// About `incident` as it stands.
    #[must_use]
    pub fn about(incident: &Incident, context: &DiagnosisContext, weighed: &[Weighed], passages: Vec<Passage>) -> Self {
        let services = services(incident, weighed);
        let place = |service: &ServiceId| services.iter().position(|s| s == service);
        let calls: BTreeSet<_> = incident.subgraph.iter().filter_map(|(a, b)| Some((place(a)?, place(b)?))).collect();
        let mut known = BTreeSet::new();
        let passages = passages.into_iter().filter(|p| known.insert((p.document.clone(), p.heading.clone(), p.text.clone())));
        Self {
            calls: calls.into_iter().collect(),
            evidence: evidence(incident, weighed),
            passages: passages.take(PASSAGES_MAX).collect(),
            actions: services.iter().flat_map(|s| Cause::ALL.into_iter().filter_map(|c| remedy(c, s, context))).map(|a| a.kind()).collect(),
            at: context.now,
            weighed: weighed.iter().take(CANDIDATES_KEPT).cloned().collect(),
            services,
        }
    }
}

fn services(incident: &Incident, weighed: &[Weighed]) -> Vec<ServiceId> {
    let peers = incident.anomalies.iter().filter_map(|a| a.peer.as_ref());
    let mut found: Vec<ServiceId> = Vec::new();
    for service in incident.services.iter().chain(peers).chain(weighed.iter().map(|w| &w.service)) {
        if found.len() < SERVICES_MAX && !found.contains(service) {
            found.push(service.clone());
        }
    }
    found
}

/// Observations only. A place on the ranking or what a cause would not explain is a conclusion, and a second opinion draws its own.
fn evidence(incident: &Incident, weighed: &[Weighed]) -> Vec<Evidence> {
    let observed = |e: &&Evidence| e.source != EvidenceSource::Graph && e.source != EvidenceSource::Knowledge;
    let of_candidates = weighed.iter().take(CANDIDATES_SHOWN).flat_map(|w| w.evidence.iter()).filter(observed).cloned();
    let of_anomalies = incident.anomalies.iter().map(|a| Evidence {
        id: String::new(),
        source: EvidenceSource::Anomaly,
        text: format!("{}: {} ({})", a.service.name, words(a.symptom), figures(a)),
        weight: 0.0,
        at: a.last_seen,
    });
    let mut texts = BTreeSet::new();
    let mut found: Vec<_> = of_candidates.chain(of_anomalies).filter(|e| texts.insert(e.text.clone())).take(EVIDENCE_MAX).collect();
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.text.cmp(&b.text)));
    for (index, one) in found.iter_mut().enumerate() {
        one.id = format!("e{}", index + 1);
        one.weight = 0.0;
    }
    found
}
