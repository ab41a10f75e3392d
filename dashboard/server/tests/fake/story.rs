//! Incidents and entries as the pipeline and the coordinator would make them.

use super::{FakeBus, now, scope, token};
use picket_core::action::{Action, Remediation};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::cause::Cause;
use picket_core::coordination::LedgerEntry;
use picket_core::diagnosis::{Abstention, Candidate, Diagnosis, Verdict};
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::{AgentKind, EntryId, ServiceId};
use picket_core::incident::{Incident, IncidentStatus};
use picket_core::incident_record::{Freshness, IncidentRecord};
use picket_core::ledger::EntryState;
use picket_core::ports::Bus as _;
use picket_core::proposal::{Proposal, Work};
use picket_core::severity::Severity;
use std::collections::BTreeMap;

pub fn service(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

pub async fn tell(bus: &FakeBus, record: &IncidentRecord) {
    bus.put(&IncidentRecord::topic(&record.incident.id), serde_json::to_vec(record).unwrap()).await.unwrap();
}

pub async fn freshen(bus: &FakeBus) {
    for cluster in ["east", "west"] {
        bus.put(&Freshness::topic(&cluster.into()), serde_json::to_vec(&Freshness { at: now() }).unwrap()).await.unwrap();
    }
}

fn anomaly(name: &str, symptom: Symptom, series: &str, value: f64, expected: f64, score: f64) -> Anomaly {
    Anomaly {
        service: service(name),
        pod: None,
        symptom,
        detector: DetectorKind::Baseline,
        series: series.into(),
        score,
        direction: Direction::Up,
        value,
        expected,
        onset: now().plus_ms(-22_000),
        last_seen: now(),
        peer: None,
        object: None,
    }
}

/// An incident that is just detected.
pub fn detected(id: &str, name: &str) -> IncidentRecord {
    let incident = Incident {
        id: id.into(),
        agent: AgentKind::Sre,
        fingerprint: format!("{name}/oom"),
        service: service(name),
        services: vec![service(name), service("checkout")],
        severity: Severity::Three,
        opened_at: now(),
        onset: now().plus_ms(-22_000),
        updated_at: now(),
        status: IncidentStatus::Open,
        anomalies: vec![
            anomaly(name, Symptom::OomKilled, "k8s.container.restarts reason=OOMKilled", 3.0, 0.0, 10.0),
            anomaly(name, Symptom::MemoryHigh, "container.memory.working_set", 534_773_760.0, 311_427_072.0, 7.4),
            anomaly("checkout", Symptom::DependencyErrorsHigh, "http.client.request.duration peer=cart status=5xx", 0.0812, 0.0009, 5.2),
        ],
        subgraph: vec![(service("checkout"), service(name))],
    };
    IncidentRecord { incident, diagnosis: None, decision: None, entry: None }
}

fn evidence(id: &str, source: EvidenceSource, text: &str, weight: f64) -> Evidence {
    Evidence { id: id.into(), source, text: text.into(), weight, at: now().plus_ms(-9_000) }
}

/// The same, with a cause.
pub fn diagnosed(mut record: IncidentRecord, sentence: &str) -> IncidentRecord {
    let at = record.incident.service.clone();
    let ranking = [(Cause::MemoryLimitTooLow, 0.94), (Cause::MemoryLeak, 0.04), (Cause::BadDeployment, 0.02)];
    record.diagnosis = Some(Diagnosis {
        incident: record.incident.id.clone(),
        at: now(),
        verdict: Verdict::Cause { cause: Cause::MemoryLimitTooLow, service: at.clone(), action: Some(action(&at)) },
        confidence: 0.94,
        evidence: vec![
            evidence("e1", EvidenceSource::Anomaly, "three pods of cart were killed for memory within 40 s", 2.9),
            evidence("e2", EvidenceSource::Anomaly, "the working set follows the load, at 99 % of the limit before each kill", 1.8),
            evidence("e3", EvidenceSource::Change, "no rollout of cart in the last 6 h", 0.7),
            evidence("e4", EvidenceSource::Absence, "memory falls back after each restart, which a leak would show more slowly", -0.6),
            evidence("e5", EvidenceSource::Knowledge, "runbook oom-kill-limit names this pattern", 0.9),
        ],
        ranking: ranking.into_iter().map(|(cause, probability)| Candidate { cause, service: at.clone(), probability }).collect(),
        documents: vec!["runbook/oom-kill-limit".into(), "post-mortem/cart-memory".into()],
        reasoner: "evidence".into(),
        sentence: sentence.into(),
        latency_ms: 41.0,
        cost_usd: 0.0,
        opinions: Vec::new(),
    });
    record
}

/// An incident that picket says nothing about.
pub fn abstained(id: &str, name: &str) -> IncidentRecord {
    let mut record = diagnosed(detected(id, name), "search answers slowly; nothing in the catalogue explains it, so nothing is proposed.");
    if let Some(diagnosis) = &mut record.diagnosis {
        diagnosis.verdict = Verdict::Abstained { why: Abstention::UnknownCause };
        diagnosis.confidence = 0.31;
    }
    record.decision = Some("Abstained: nothing in the catalogue explains the evidence.".into());
    record
}

pub fn resolved(mut record: IncidentRecord) -> IncidentRecord {
    record.incident.status = IncidentStatus::Resolved;
    record.incident.updated_at = now();
    record
}

fn action(service: &ServiceId) -> Action {
    Action {
        service: service.clone(),
        remediation: Remediation::SetMemoryLimit { container: service.name.clone(), limit_bytes: 768 << 20 },
    }
}

/// The entry of an incident's proposal.
pub fn entry(id: &str, record: &IncidentRecord, state: EntryState, severity: Severity) -> LedgerEntry {
    let work = Work::Do { action: action(&record.incident.service) };
    let proposal = Proposal {
        id: format!("prop-{id}").as_str().into(),
        agent: AgentKind::Sre,
        incident: record.incident.id.clone(),
        cause: Cause::MemoryLimitTooLow,
        severity,
        confidence: 0.94,
        services_degraded: 2,
        symptoms: vec![Symptom::OomKilled],
        action: action(&record.incident.service),
        evidence_echo: now(),
        replay: false,
        monthly_saving_usd: None,
        sentence: record.diagnosis.as_ref().map(|d| d.sentence.clone()).unwrap_or_default(),
    };
    let waits = state == EntryState::AwaitingApproval;
    LedgerEntry {
        id: EntryId::from(id),
        state,
        parent: None,
        child: None,
        digest: work.digest(),
        work,
        proposal,
        severity,
        cost_pods: 1,
        violations: vec![],
        approved_by: None,
        first_approved_by: None,
        by_others: None,
        tokens: if waits { BTreeMap::new() } else { BTreeMap::from([(scope("shop"), token(57))]) },
        actuator_epoch: None,
        claim: None,
        fenced: false,
        asked: None,
        report: None,
        outcome: None,
        paging: waits,
        history: vec![(now(), state)],
        deadline: waits.then(|| now().plus_ms(15 * 60_000)),
    }
}
