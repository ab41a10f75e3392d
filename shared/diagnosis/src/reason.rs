//! The built-in reasoner: log-odds over the closed catalogue, for each candidate service, against the unknown cause.

use crate::rank::RankedService;
use crate::signs::{Observed, Observer, Sign, callees_of, callers_of, standing, words};
use crate::weights::{self, Profile, profile};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::diagnosis::{Candidate, Hypothesis};
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::ServiceId;
use picket_core::incident::Incident;
use picket_core::ports::DiagnosisContext;
use std::collections::{BTreeMap, BTreeSet};

/// Services looked at, best ranked first: beyond these a storm adds work, not insight.
const SERVICES_MAX: usize = 24;
/// A contribution smaller than this is not worth a line.
const WORTH_SAYING: f64 = 0.1;

/// One cause on one service with everything that was weighed.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// Which cause.
    pub cause: Cause,
    /// On which service.
    pub service: ServiceId,
    /// Log-odds against the unknown.
    pub score: f64,
    /// Against its rivals and the unknown, tempered and capped.
    pub probability: f64,
    /// The strongest of its rivals, which cannot be true beside it, with its share of the same odds.
    pub rival: Option<(Cause, f64)>,
    /// What went into it, the weightiest first; ids are given when it is chosen.
    pub evidence: Vec<Evidence>,
    /// Symptoms that it stands on: (service, symptom).
    pub key: BTreeSet<(ServiceId, Symptom)>,
}

impl Weighed {
    /// As a candidate for "why not the other".
    #[must_use]
    pub fn candidate(&self) -> Candidate {
        Candidate { cause: self.cause, service: self.service.clone(), probability: self.probability }
    }

    /// As a hypothesis that cites all evidence for it.
    #[must_use]
    pub fn hypothesis(&self) -> Hypothesis {
        Hypothesis {
            cause: Some(self.cause),
            service: self.service.clone(),
            probability: self.probability,
            citations: self.evidence.iter().filter(|e| e.weight > 0.0).map(|e| e.id.clone()).collect(),
            reasoner: "evidence".to_owned(),
            tokens: 0,
            cost_usd: 0.0,
        }
    }
}

/// Weighs every cause on every ranked service; most probable first. Candidates far below the unknown are left out.
#[must_use]
pub fn weigh(incident: &Incident, context: &DiagnosisContext, ranked: &[RankedService]) -> Vec<Weighed> {
    let shown: BTreeSet<(&ServiceId, Symptom)> = incident.anomalies.iter().map(|a| (&a.service, a.symptom)).collect();
    let mut weighed = Vec::new();
    let mut reach = BTreeMap::new();
    for place in ranked.iter().take(SERVICES_MAX) {
        let service = &place.service;
        let observer = Observer::new(service, incident, context);
        let mut answers: BTreeMap<Sign, Observed> = BTreeMap::new();
        let near = Reach { callers: callers_of(service, incident, context), callees: callees_of(service, incident, context) };
        for cause in Cause::ALL {
            if let Some(one) = weigh_one(cause, place, &observer, &mut answers, &shown, &near, context) {
                weighed.push(one);
            }
        }
        reach.insert(service.clone(), near);
    }
    let shares: Vec<_> = (0..weighed.len()).map(|i| shares(i, &weighed, &reach)).collect();
    for (one, (probability, rival)) in weighed.iter_mut().zip(shares) {
        (one.probability, one.rival) = (probability, rival);
    }
    weighed.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then(b.score.total_cmp(&a.score))
            .then_with(|| (a.cause, &a.service).cmp(&(b.cause, &b.service)))
    });
    weighed
}

struct Reach {
    callers: BTreeSet<ServiceId>,
    callees: BTreeSet<ServiceId>,
}

#[allow(clippy::too_many_arguments, reason = "one call, in the loop above")]
fn weigh_one<'a>(
    cause: Cause,
    place: &'a RankedService,
    observer: &Observer<'a>,
    answers: &mut BTreeMap<Sign, Observed>,
    shown: &BTreeSet<(&ServiceId, Symptom)>,
    near: &Reach,
    context: &DiagnosisContext,
) -> Option<Weighed> {
    let service = &place.service;
    let profile = profile(cause);
    let mut answer = |sign: Sign| answers.entry(sign).or_insert_with(|| observer.observe(sign)).clone();
    let mut score = profile.prior;
    let mut evidence = Vec::new();
    let mut add = |weight: f64, text: String, source: EvidenceSource, at| {
        score += weight;
        if weight.abs() >= WORTH_SAYING {
            evidence.push(Evidence { id: String::new(), source, text, weight, at });
        }
    };
    for row in profile.rows {
        let seen = answer(row.sign);
        match seen.present {
            Some(true) => add(row.present, seen.text, seen.source, seen.at),
            Some(false) => add(row.absent, seen.text, seen.source, seen.at),
            None => {}
        }
    }
    if !profile.standalone {
        let why = place.reasons.join("; ");
        let text = format!(
            "{} ranks {:.0} % as the root on the service graph{}{why}",
            service.name,
            place.score * 100.0,
            if why.is_empty() { "" } else { ": " }
        );
        add(weights::RANK * place.score, text, EvidenceSource::Graph, context.now);
        for (weight, text) in unexplained(cause, profile, service, shown, near) {
            add(weight, text, EvidenceSource::Graph, context.now);
        }
    }
    // Not worth carrying: less than one in a thousand against the unknown.
    if score < weights::UNKNOWN - 7.0 {
        return None;
    }
    let key = key_symptoms(profile, service, shown);
    evidence.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    Some(Weighed { cause, service: service.clone(), score, probability: 0.0, rival: None, evidence, key })
}

fn key_symptoms(profile: &Profile, service: &ServiceId, shown: &BTreeSet<(&ServiceId, Symptom)>) -> BTreeSet<(ServiceId, Symptom)> {
    let mut key = BTreeSet::new();
    for sign in profile.key.iter().flat_map(|group| group.iter()) {
        let of_sign: &[Symptom] = match sign {
            Sign::Shows(symptom) => std::slice::from_ref(symptom),
            Sign::TrafficAbove => &[Symptom::TrafficHigh],
            Sign::CpuNearLimit => &[Symptom::CpuHigh],
            Sign::Degraded | Sign::CallersSlow => &[Symptom::LatencyHigh, Symptom::ErrorRateHigh],
            _ => &[],
        };
        key.extend(of_sign.iter().filter(|s| shown.contains(&(service, **s))).map(|s| (service.clone(), *s)));
    }
    key
}

/// Whether a cause on `service` would show `symptom` on `at`.
fn explains(cause: Cause, service: &ServiceId, near: &Reach, at: &ServiceId, symptom: Symptom) -> bool {
    if at == service {
        return profile(cause).explains.contains(&symptom) || weights::FOLLOWS_HERE.contains(&symptom);
    }
    (near.callers.contains(at) && weights::FOLLOWS_AT_CALLERS.contains(&symptom))
        || (near.callees.contains(at)
            && (weights::FOLLOWS_AT_CALLEES.contains(&symptom) || (cause == Cause::LoadSurge && weights::SURGE_AT_CALLEES.contains(&symptom))))
        // More load on a caller is explained by nothing that happens at its callee but speaks against nothing either when load is the cause.
        || (cause == Cause::LoadSurge && near.callers.contains(at) && symptom == Symptom::TrafficHigh)
}

/// Against it: symptoms that it does not explain, bounded.
fn unexplained(
    cause: Cause,
    profile: &Profile,
    service: &ServiceId,
    shown: &BTreeSet<(&ServiceId, Symptom)>,
    near: &Reach,
) -> Vec<(f64, String)> {
    debug_assert!(!profile.standalone, "a cause with its own sensor is not weighed against others' symptoms");
    let mut left = weights::UNEXPLAINED_MAX;
    let mut found = Vec::new();
    let mut services = BTreeSet::new();
    for (at, symptom) in shown.iter().filter(|(_, s)| !standing(*s)) {
        if explains(cause, service, near, at, *symptom) || (*at != service && !services.insert(*at)) {
            continue;
        }
        let weight = if *at == service { weights::UNEXPLAINED_SYMPTOM } else { weights::UNEXPLAINED_SERVICE }.max(left);
        left -= weight;
        if weight < 0.0 {
            found.push((
                weight,
                format!("{} on {} would not explain: {} shows {}", cause_words(cause), service.name, at.name, words(*symptom)),
            ));
        }
    }
    found
}

/// Faults may overlap: candidates that stand on different symptoms can both be true, so only rivals share the odds.
fn rivals(a: &Weighed, b: &Weighed, reach: &BTreeMap<ServiceId, Reach>) -> bool {
    if profile(a.cause).standalone || profile(b.cause).standalone {
        return false;
    }
    if a.service == b.service {
        return true;
    }
    // A surge strains every service on its way; each needs its own replicas.
    if a.cause == Cause::LoadSurge && b.cause == Cause::LoadSurge {
        return false;
    }
    let covers = |x: &Weighed, y: &Weighed| {
        reach
            .get(&x.service)
            .is_some_and(|near| !y.key.is_empty() && y.key.iter().all(|(at, symptom)| explains(x.cause, &x.service, near, at, *symptom)))
    };
    covers(a, b) || covers(b, a) || a.key.is_empty() || b.key.is_empty()
}

/// Its share of the odds among its rivals and the unknown, and its strongest rival's.
fn shares(index: usize, all: &[Weighed], reach: &BTreeMap<ServiceId, Reach>) -> (f64, Option<(Cause, f64)>) {
    let odds = |score: f64| (score / weights::TEMPERATURE).exp();
    let own = &all[index];
    let mut others = 0.0;
    let mut strongest: Option<(Cause, f64)> = None;
    for other in all.iter().enumerate().filter(|(i, other)| *i != index && rivals(own, other, reach)).map(|(_, other)| other) {
        let theirs = odds(other.score);
        others += theirs;
        if strongest.is_none_or(|(_, most)| theirs > most) {
            strongest = Some((other.cause, theirs));
        }
    }
    let mine = odds(own.score);
    let all = mine + others + odds(weights::UNKNOWN);
    ((mine / all).min(weights::CONFIDENCE_MAX), strongest.map(|(cause, theirs)| (cause, theirs / all)))
}

/// A cause in words, to be followed by "on SERVICE".
#[must_use]
pub const fn cause_words(cause: Cause) -> &'static str {
    match cause {
        Cause::MemoryLimitTooLow => "a memory limit that is too low",
        Cause::MemoryLeak => "a memory leak",
        Cause::BadDeployment => "a bad deployment",
        Cause::CrashLoop => "a new revision that does not start (crash loop)",
        Cause::LoadSurge => "a surge of load",
        Cause::StuckProcess => "a stuck process",
        Cause::DiskFilling => "a volume filling up",
        Cause::CertificateExpiring => "a certificate that ends soon",
        Cause::SlowDependency => "a slow dependency",
        Cause::OverRequested => "resource requests far above use",
        Cause::IdleService => "idleness",
        Cause::ScaledToZero => "a scale to zero whose reason has gone",
        Cause::SuspiciousWorkload => "behaviour of an intruder",
    }
}
