//! One plain sentence for people.

use crate::reason::{Weighed, cause_words};
use crate::signs::words;
use picket_core::action::Action;
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::diagnosis::Abstention;
use picket_core::evidence::EvidenceSource;
use picket_core::ids::ServiceId;
use picket_core::incident::Incident;

/// `checkout slowed because …; I propose to …`.
#[must_use]
pub fn found(incident: &Incident, chosen: &Weighed, action: Option<&Action>, protected: bool) -> String {
    let reasons: Vec<_> = chosen
        .evidence
        .iter()
        .filter(|e| e.weight > 0.0 && matches!(e.source, EvidenceSource::Anomaly | EvidenceSource::Change | EvidenceSource::Facts))
        .take(1)
        .map(|e| plain(&e.text, &chosen.service.name))
        .collect();
    let outcome = match action {
        Some(action) => format!("I propose to {}", action.sentence()),
        None if protected => "picket may not touch it, so I leave it to its owners".to_owned(),
        None if chosen.cause.remedies().is_empty() => format!("the remedy lies with {}, so I change nothing", chosen.service.name),
        None => "I lack the figures that the remedy is computed from, so I change nothing".to_owned(),
    };
    let (subject, harm) = harm(incident, &chosen.service);
    let reasons = reasons.join("; ");
    format!("{subject} {harm} because {} ({reasons}); {outcome}.", because(chosen.cause, &chosen.service))
}

/// A piece of evidence without what the rest of the sentence says already, and without its figures: those stand in the evidence.
fn plain(evidence: &str, service: &str) -> String {
    let said = evidence.strip_prefix(&format!("{service}: ")).unwrap_or(evidence);
    said.split(" (").next().unwrap_or(said).to_owned()
}

/// `I see … and abstain: …`.
#[must_use]
pub fn abstained(incident: &Incident, why: &Abstention, best: Option<&Weighed>) -> String {
    let (subject, harm) = harm(incident, &incident.service);
    let best = best.map(|b| format!("{} of {} comes nearest with {:.0} %", cause_words(b.cause), b.service.name, b.probability * 100.0));
    let reason = match why {
        Abstention::UnknownCause => {
            format!("nothing in the catalogue explains it{}; a person should look", best.map(|b| format!(" ({b})")).unwrap_or_default())
        }
        Abstention::LowConfidence { percent } => {
            format!("{} and {percent} % is not sure enough", best.unwrap_or_else(|| "no cause stands out".to_owned()))
        }
        Abstention::Ambiguous { between: [a, b] } if a == b => format!("{} could lie in more than one service", cause_words(*a)),
        Abstention::Ambiguous { between: [a, b] } => format!("{} and {} explain it about as well", cause_words(*a), cause_words(*b)),
        Abstention::Contradicted { why } => format!("the best explanation is contradicted: {why}"),
        Abstention::SelfHealing { why } => format!("it passes by itself: {why}"),
        Abstention::Stale => "the evidence is too old to act on".to_owned(),
        Abstention::AwaitingOpinion => "models are being asked about what I found".to_owned(),
    };
    format!("{subject} {harm}; I change nothing, because {reason}.")
}

fn harm(incident: &Incident, service: &ServiceId) -> (String, String) {
    let on = |s: &ServiceId| incident.symptoms_of(s);
    let (service, symptoms) = match on(service) {
        own if own.is_empty() => (&incident.service, on(&incident.service)),
        own => (service, own),
    };
    let has = |s| symptoms.contains(&s);
    let harm = match () {
        () if has(Symptom::OomKilled) => "was killed for memory",
        () if has(Symptom::CrashLoop) => "does not start",
        () if has(Symptom::LatencyHigh) && has(Symptom::ErrorRateHigh) => "slowed and fails requests",
        () if has(Symptom::LatencyHigh) => "slowed",
        () if has(Symptom::ErrorRateHigh) => "fails requests",
        () if has(Symptom::FailedScheduling) => "finds no node for its pods",
        () if has(Symptom::ReplicasUnavailable) => "has pods that are not ready",
        () if has(Symptom::DiskFilling) => "is running out of disk",
        () if has(Symptom::CertificateExpiring) => "will lose its certificate",
        () if has(Symptom::SecurityFinding) => "behaves suspiciously",
        () if has(Symptom::OverRequested) => "wastes resources",
        () if has(Symptom::Idle) => "costs money unused",
        () => {
            return (service.name.clone(), symptoms.first().map_or_else(|| "deviates".to_owned(), |s| format!("deviates ({})", words(*s))));
        }
    };
    (service.name.clone(), harm.to_owned())
}

fn because(cause: Cause, service: &ServiceId) -> String {
    let name = &service.name;
    match cause {
        Cause::MemoryLimitTooLow => format!("the memory limit of {name} is too low"),
        Cause::MemoryLeak => format!("{name} leaks memory"),
        Cause::BadDeployment => format!("the new revision of {name} is bad"),
        Cause::CrashLoop => format!("the new revision of {name} does not start"),
        Cause::LoadSurge => format!("{name} gets more load than its replicas can carry"),
        Cause::StuckProcess => format!("the processes of {name} are stuck"),
        Cause::DiskFilling => format!("a volume of {name} is filling up"),
        Cause::CertificateExpiring => format!("a certificate of {name} ends soon"),
        Cause::SlowDependency => format!("{name}, which it depends on, is slow"),
        Cause::OverRequested => format!("{name} requests far more than it uses"),
        Cause::IdleService => format!("nobody calls {name}"),
        Cause::ScaledToZero => format!("{name} was scaled to zero while nobody called it, and is called again"),
        Cause::SuspiciousWorkload => format!("a workload of {name} does what an intruder would"),
    }
}
