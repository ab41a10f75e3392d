use super::*;
use crate::faults::RemedyLuck;
use picket_core::action::{Action, Remediation};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::cause::Cause;
use picket_core::diagnosis::Abstention;
use picket_core::ids::AgentKind;
use picket_core::incident::IncidentStatus;
use picket_core::outcome::Receipt;
use picket_core::proposal::Proposal;
use picket_core::severity::Severity;

fn service(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

fn truth(kind: FaultKind, name: &str, onset_s: i64, back_s: Option<i64>, by: Option<Remedier>) -> TruthRecord {
    TruthRecord {
        id: format!("{}-{name}", kind.as_str()),
        kind,
        class: kind.class(),
        cluster: "east".into(),
        service: service(name),
        right_services: vec![service(name)],
        affected: vec![service(name), service("front")],
        cause: kind.causes().first().copied(),
        also_right: kind.causes().iter().skip(1).copied().collect(),
        remedies: kind.remedies().to_vec(),
        agent: kind.agent(),
        is_trap: kind.class() == FaultClass::Trap,
        luck: RemedyLuck::Works,
        onset: Timestamp(onset_s * 1000),
        remedied_at: None,
        remedied_by: by,
        end: back_s.map(|s| Timestamp(s * 1000)),
        sli_back: back_s.map(|s| Timestamp(s * 1000)),
    }
}

fn incident(id: &str, name: &str, opened_s: i64, symptom: Symptom) -> Incident {
    let at = Timestamp(opened_s * 1000);
    let anomaly = Anomaly {
        service: service(name),
        pod: None,
        symptom,
        detector: DetectorKind::Baseline,
        series: "x".into(),
        score: 5.0,
        direction: Direction::Up,
        value: 2.0,
        expected: 1.0,
        onset: at,
        last_seen: at,
        peer: None,
        object: None,
    };
    Incident {
        id: id.into(),
        agent: AgentKind::Sre,
        fingerprint: id.into(),
        service: service(name),
        services: vec![service(name)],
        severity: Severity::Three,
        opened_at: at,
        onset: at,
        updated_at: at,
        status: IncidentStatus::Open,
        anomalies: vec![anomaly],
        subgraph: vec![],
    }
}

fn diagnosis(incident: &str, at_s: i64, verdict: Verdict, confidence: f64) -> Diagnosis {
    Diagnosis {
        incident: incident.into(),
        at: Timestamp(at_s * 1000),
        verdict,
        confidence,
        evidence: vec![],
        ranking: vec![],
        documents: vec![],
        reasoner: "evidence".into(),
        sentence: "because".into(),
        latency_ms: 12.0,
        cost_usd: 0.02,
        opinions: Vec::new(),
    }
}

fn named(cause: Cause, name: &str) -> Verdict {
    Verdict::Cause { cause, service: service(name), action: None }
}

fn abstained() -> Verdict {
    Verdict::Abstained { why: Abstention::UnknownCause }
}

fn applied(name: &str, at_s: i64, state: EntryState, outcome: Option<Outcome>) -> LedgerEntry {
    let action = Action { service: service(name), remediation: Remediation::RolloutRestart };
    let work = Work::Do { action: action.clone() };
    LedgerEntry {
        id: format!("act-{name}-{at_s}").into(),
        state,
        parent: None,
        child: None,
        digest: work.digest(),
        work,
        proposal: Proposal {
            id: "p".into(),
            agent: AgentKind::Sre,
            incident: "i".into(),
            cause: Cause::StuckProcess,
            severity: Severity::Three,
            confidence: 0.9,
            services_degraded: 1,
            symptoms: vec![],
            action,
            evidence_echo: Timestamp(0),
            replay: false,
            monthly_saving_usd: None,
            sentence: String::new(),
        },
        severity: Severity::Three,
        cost_pods: 1,
        violations: vec![],
        approved_by: None,
        first_approved_by: None,
        by_others: None,
        tokens: BTreeMap::new(),
        actuator_epoch: Some(1),
        claim: None,
        fenced: false,
        asked: None,
        report: Some(ActReport::Applied { receipt: Receipt::default() }),
        outcome,
        paging: false,
        history: vec![(Timestamp(at_s * 1000 - 500), EntryState::Permitted), (Timestamp(at_s * 1000), EntryState::Claimed)],
        deadline: None,
    }
}

#[test]
fn a_run_by_hand() {
    let truths = [
        truth(FaultKind::LatencySpike, "cart", 100, Some(150), Some(Remedier::Picket)),
        truth(FaultKind::OomKill, "search", 100, Some(180), Some(Remedier::Person)),
        truth(FaultKind::BadFeatureFlag, "catalog", 200, Some(290), Some(Remedier::Person)),
        truth(FaultKind::ThirdPartyOutage, "fraud", 200, Some(280), Some(Remedier::Person)),
        truth(FaultKind::LoadEbb, "tracking", 300, Some(380), Some(Remedier::Itself)),
        truth(FaultKind::Flapping, "stream", 300, Some(380), Some(Remedier::Itself)),
        truth(FaultKind::IdleService, "exporter", 0, None, None),
    ];
    let seen = Observations {
        incidents: vec![
            incident("i1", "cart", 110, Symptom::LatencyHigh),
            incident("i2", "search", 120, Symptom::OomKilled),
            incident("i3", "catalog", 215, Symptom::ErrorRateHigh),
            incident("i4", "front", 130, Symptom::DependencyLatencyHigh),
            incident("i5", "avatars", 50, Symptom::LatencyHigh),
            incident("i6", "exporter", 60, Symptom::Idle),
            incident("i7", "fraud", 210, Symptom::LatencyHigh),
        ],
        diagnoses: vec![
            diagnosis("i1", 112, named(Cause::StuckProcess, "cart"), 0.95),
            diagnosis("i2", 125, named(Cause::MemoryLeak, "search"), 0.85),
            diagnosis("i3", 220, abstained(), 0.4),
            // The same incident again: a diagnosis says what its incident has cost so far.
            diagnosis("i3", 240, abstained(), 0.4),
            diagnosis("i7", 220, named(Cause::StuckProcess, "fraud"), 0.9),
            diagnosis("i6", 65, named(Cause::IdleService, "exporter"), 0.9),
        ],
        ledger: vec![
            applied("cart", 120, EntryState::Settled, Some(Outcome::Recovered { why: "back".into() })),
            applied("tracking", 320, EntryState::RolledBack, Some(Outcome::Regressed { why: "worse".into() })),
            applied("avatars", 330, EntryState::Settled, Some(Outcome::NoEffect { why: "same".into() })),
        ],
        violations: BTreeMap::from([(Invariant::I4, 1)]),
    };
    let report = score(&truths, &seen);
    assert_eq!((report.incidents_injected, report.incidents_detected), (4, 4));
    assert_eq!((report.mttd_p50_s, report.mttd_p95_s), (Some(10.0), Some(20.0)));
    assert_eq!((report.mttr_p50_s, report.mttr_p95_s), (Some(80.0), Some(90.0)));
    // Of seven incidents only the one on avatars matches no fault.
    assert_eq!((report.false_positives, report.incidents_opened), (1, 7));
    assert_eq!(report.diagnosis_accuracy, Some(0.5));
    assert!(report.diagnosis_accuracy_low.is_some_and(|low| low > 0.1 && low < 0.2));
    assert_eq!((report.uncatalogued, report.uncatalogued_abstained), (2, 1));
    assert_eq!((report.actions_applied, report.actions_undone, report.recovered), (3, 1, 1));
    assert_eq!((report.traps, report.traps_acted_on), (2, 1));
    assert_eq!(report.actions_without_fault, 1);
    assert_eq!(report.violations[&Invariant::I4], 1);
    assert_eq!(report.violations.len(), 12);
    assert_eq!((report.waste, report.waste_found), (1, 1));
    assert_eq!(report.recovered_by, RecoveredBy { picket: 1, person: 3, itself: 0, nobody_yet: 0 });
    assert!((report.cost_usd_per_incident - 0.1 / 7.0).abs() < 1e-12);
    assert_eq!(report.diagnosis_latency_p95_ms, Some(12.0));
    // Stated 0.95 (right), 0.85, 0.9 (wrong), 0.9 (right, waste): bins of a tenth.
    let expected = ((0.95_f64 + 0.9 + 0.9 - 2.0).abs() + 0.85) / 4.0;
    assert!(report.ece.is_some_and(|ece| (ece - expected).abs() < 1e-9), "{:?}", report.ece);
    let expected = (0.05_f64.powi(2) + 0.85_f64.powi(2) + 0.9_f64.powi(2) + 0.1_f64.powi(2)) / 4.0;
    assert_eq!(report.judged.iter().map(|j| j.right).collect::<Vec<_>>(), [true, false, false, true]);
    assert!(report.brier.is_some_and(|brier| (brier - expected).abs() < 1e-9), "{:?}", report.brier);
    assert_eq!(report.by_kind[&FaultKind::LatencySpike].recovered_by_picket, 1);
}

#[test]
fn never_recovered_is_infinite_and_too_late_is_not_detected() {
    let truths = [
        truth(FaultKind::LatencySpike, "cart", 100, None, None),
        truth(FaultKind::OomKill, "search", 100, Some(150), Some(Remedier::Person)),
    ];
    let seen = Observations { incidents: vec![incident("i1", "search", 151, Symptom::OomKilled)], ..Observations::default() };
    let report = score(&truths, &seen);
    assert_eq!(report.incidents_detected, 0);
    assert_eq!((report.mttr_p50_s, report.mttr_p95_s), (Some(50.0), None));
    assert_eq!((report.mttd_p50_s, report.diagnosis_accuracy, report.ece), (None, None, None));
    assert_eq!(report.false_positives, 0, "late, but it belongs to the fault");
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["mttr_p95_s"].is_null());
    for key in [
        "incidents_injected",
        "incidents_detected",
        "mttd_p50_s",
        "mttd_p95_s",
        "mttr_p50_s",
        "mttr_p95_s",
        "false_positive_rate",
        "diagnosis_accuracy",
        "diagnosis_accuracy_low",
        "uncatalogued",
        "uncatalogued_abstained",
        "actions_applied",
        "actions_undone",
        "recovered",
        "traps",
        "traps_acted_on",
        "violations",
        "diagnosis_latency_p95_ms",
        "cost_usd_per_incident",
        "ece",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing");
    }
    assert!(json["violations"]["I12"].is_u64());
}

#[test]
fn a_slow_dependency_named_at_the_callee_is_right_though_the_incident_began_at_the_caller() {
    let truths = [truth(FaultKind::SlowDependency, "routes-db", 100, Some(160), Some(Remedier::Picket))];
    let seen = Observations {
        incidents: vec![incident("i1", "front", 110, Symptom::DependencyLatencyHigh)],
        diagnoses: vec![diagnosis("i1", 118, named(Cause::SlowDependency, "routes-db"), 0.9)],
        ..Observations::default()
    };
    let report = score(&truths, &seen);
    assert_eq!((report.incidents_detected, report.mttd_p50_s, report.diagnosis_accuracy), (1, Some(18.0), Some(1.0)));
    let at_the_caller = Observations { diagnoses: vec![diagnosis("i1", 118, named(Cause::SlowDependency, "front"), 0.9)], ..seen };
    assert_eq!(score(&truths, &at_the_caller).incidents_detected, 0);
}

#[test]
fn what_is_right_of_another_fault_is_not_said_of_this_one() {
    let truths = [
        truth(FaultKind::NodeTrouble, "search", 100, Some(160), Some(Remedier::Person)),
        truth(FaultKind::MemoryLeak, "search", 150, Some(230), Some(Remedier::Picket)),
    ];
    let mut seen = Observations { incidents: vec![incident("i1", "search", 110, Symptom::LatencyHigh)], ..Observations::default() };
    seen.diagnoses = vec![diagnosis("i1", 115, abstained(), 0.4), diagnosis("i1", 200, named(Cause::MemoryLeak, "search"), 0.95)];
    let report = score(&truths, &seen);
    assert_eq!((report.uncatalogued_abstained, report.catalogued_right), (1, 1));
    // A cause that no fault had is held against the one that was there.
    seen.diagnoses[1] = diagnosis("i1", 155, named(Cause::StuckProcess, "search"), 0.95);
    assert_eq!(score(&truths, &seen).uncatalogued_abstained, 0);
}
