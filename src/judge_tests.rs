use super::*;
use crate::roles::coordinator::compress_days;
use ed25519_dalek::SigningKey;
use picket_core::action::{Action, Remediation, RemediationKind};
use picket_core::cause::Cause;
use picket_core::diagnosis::Abstention;
use picket_core::ids::Principal;
use picket_core::incident::Incident;
use picket_core::invariants::Invariant;
use picket_core::severity::Severity;
use picket_loadtest::faults::{FaultClass, FaultKind, RemedyLuck};
use picket_state_machine::{InMemoryCoordinator, InMemoryHandle, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const DAY_S: f64 = 60.0;
const DAY_MS: i64 = 60_000;

/// A coordinator with compressed days that grants nothing by fiat, and the judge before it.
struct Court {
    now: Arc<AtomicI64>,
    coordinator: InMemoryCoordinator,
    judge: Judge<InMemoryHandle>,
    truths: Vec<TruthRecord>,
}

impl Court {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(1_000_000));
        let clock = now.clone();
        let mut settings = Settings { demonstration: false, ..Settings::default() };
        compress_days(&mut settings, DAY_S);
        let key = SigningKey::from_bytes(&[7; 32]);
        let coordinator = InMemoryCoordinator::new(settings, key, Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))));
        let judge = Judge::new(coordinator.handle(Principal::Human("operator".into())), Some(DAY_MS));
        Self { now, coordinator, judge, truths: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn after_ms(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
        self.coordinator.tick();
    }

    /// A leak in a service: opened, `says` of it, judged a minute later.
    async fn episode(&mut self, number: usize, says: impl Fn(&ServiceId) -> Verdict) {
        let (now, service) = (self.now(), service(number));
        self.truths.push(leak(&service, now, None));
        let incident = incident(&format!("inc-{number}"), &service, now);
        let diagnosis = diagnosis(&incident, now, says(&service));
        self.judge.hear(&record(incident, Some(diagnosis)));
        self.after_ms(JUDGE_AFTER_MS);
        let now = self.now();
        assert!(self.judge.has_due(now));
        self.judge.sit(&self.truths, now).await.unwrap();
        assert!(!self.judge.has_due(now));
    }

    async fn sre(&self) -> picket_core::coordination::PhaseView {
        self.judge.person.status().await.unwrap().phases[&AgentKind::Sre].clone()
    }
}

fn service(number: usize) -> ServiceId {
    ServiceId::new("east", "shop", &format!("service-{number}"))
}

fn leak(service: &ServiceId, onset: Timestamp, end: Option<Timestamp>) -> TruthRecord {
    TruthRecord {
        id: format!("fault-{}", service.name),
        kind: FaultKind::MemoryLeak,
        class: FaultClass::Catalogued,
        cluster: service.cluster.clone(),
        service: service.clone(),
        right_services: vec![service.clone()],
        affected: vec![service.clone()],
        cause: Some(Cause::MemoryLeak),
        also_right: Vec::new(),
        remedies: Cause::MemoryLeak.remedies().to_vec(),
        agent: AgentKind::Sre,
        is_trap: false,
        luck: RemedyLuck::Works,
        onset,
        remedied_at: None,
        remedied_by: None,
        end,
        sli_back: None,
    }
}

fn incident(id: &str, service: &ServiceId, at: Timestamp) -> Incident {
    Incident {
        id: id.into(),
        agent: AgentKind::Sre,
        fingerprint: String::new(),
        service: service.clone(),
        services: vec![service.clone()],
        severity: Severity::Three,
        opened_at: at,
        onset: at,
        updated_at: at,
        status: IncidentStatus::Open,
        anomalies: Vec::new(),
        subgraph: Vec::new(),
    }
}

fn record(incident: Incident, diagnosis: Option<Diagnosis>) -> IncidentRecord {
    IncidentRecord { incident, diagnosis, decision: None, entry: None }
}

fn diagnosis(incident: &Incident, at: Timestamp, verdict: Verdict) -> Diagnosis {
    Diagnosis {
        incident: incident.id.clone(),
        at,
        verdict,
        confidence: 0.9,
        sentence: String::new(),
        evidence: Vec::new(),
        ranking: Vec::new(),
        documents: Vec::new(),
        reasoner: String::new(),
        latency_ms: 0.0,
        cost_usd: 0.0,
        opinions: Vec::new(),
    }
}

fn names(cause: Cause, service: &ServiceId) -> Verdict {
    Verdict::Cause { cause, service: service.clone(), action: None }
}

fn right(service: &ServiceId) -> Verdict {
    names(Cause::MemoryLeak, service)
}

fn wrong(service: &ServiceId) -> Verdict {
    names(Cause::StuckProcess, service)
}

fn silent(_: &ServiceId) -> Verdict {
    Verdict::Abstained { why: Abstention::UnknownCause }
}

#[tokio::test]
async fn what_is_earned_is_given_step_by_step() {
    let mut court = Court::new();
    for number in 0..150 {
        court.episode(number, right).await;
    }
    let earned = court.judge.earned(1, Timestamp(1_000_000)).await.unwrap();
    let sre = earned.iter().find(|e| e.agent == AgentKind::Sre).unwrap();
    assert_eq!((sre.phase, sre.correct), (Phase::Autonomous, sre.episodes));
    let [assist, autonomous] = &sre.steps[..] else { panic!("two steps: {:?}", sre.steps) };
    assert_eq!((assist.to, autonomous.to), (Phase::Assist, Phase::Autonomous));
    assert!(assist.at_s >= 100.0 * DAY_S, "a hundred episodes, one a day: {assist:?}");
    assert!(autonomous.at_s - assist.at_s >= 7.0 * DAY_S, "a week of Assist between them");
    assert!(!court.sre().await.state.by_fiat);
    assert!(earned.iter().filter(|e| e.agent != AgentKind::Sre).all(|e| e.phase == Phase::Observe), "each agent for itself");
}

#[tokio::test]
async fn an_agent_that_is_often_wrong_earns_nothing() {
    let mut court = Court::new();
    for number in 0..200 {
        court.episode(number, if number % 20 == 0 { wrong } else { right }).await;
    }
    let view = court.sre().await;
    assert_eq!((view.state.phase, view.state.episodes, view.state.correct), (Phase::Observe, 200, 190));
    assert!(view.gate.missing.iter().any(|m| m.starts_with("accuracy")), "95 of 100 right is not sure to be 92 of 100: {:?}", view.gate);
}

#[tokio::test]
async fn an_agent_that_turns_bad_falls_step_by_step() {
    let mut court = Court::new();
    for number in 0..150 {
        court.episode(number, right).await;
    }
    assert_eq!(court.sre().await.state.phase, Phase::Autonomous);
    let mut seen = Vec::new();
    for number in 150..400 {
        court.episode(number, wrong).await;
        let phase = court.sre().await.state.phase;
        if seen.last() != Some(&phase) {
            seen.push(phase);
        }
    }
    assert_eq!(seen, [Phase::Autonomous, Phase::Assist, Phase::Observe]);
}

#[tokio::test]
async fn silence_earns_nothing() {
    let mut court = Court::new();
    for number in 0..300 {
        court.episode(number, if number % 5 < 2 { right } else { silent }).await;
    }
    let view = court.sre().await;
    assert_eq!((view.state.phase, view.state.episodes, view.state.abstained), (Phase::Observe, 120, 180));
    assert_eq!(view.gate.missing.len(), 1, "{:?}", view.gate.missing);
}

#[tokio::test]
async fn a_violation_ends_autonomy_and_what_was_earned_does_not_bring_it_back() {
    let mut court = Court::new();
    for number in 0..150 {
        court.episode(number, right).await;
    }
    let told = Command::ReportViolation { invariant: Invariant::I3, agent: Some(AgentKind::Sre), detail: "seen".into() };
    court.judge.person.submit("violation".into(), told).await.unwrap();
    assert_eq!(court.sre().await.state.phase, Phase::Observe);
    for number in 150..300 {
        court.episode(number, right).await;
    }
    assert_eq!(court.sre().await.state.phase, Phase::Observe);
}

/// How one opening is judged: (named, correct).
fn judged(truth: &TruthRecord, said: Option<(Timestamp, Verdict)>) -> (bool, bool) {
    let incident = incident("inc", &truth.service, Timestamp(5_000));
    let mut judge = Judge::new((), None);
    let said = said.map(|(at, verdict)| diagnosis(&incident, at, verdict));
    judge.hear(&record(incident.clone(), said));
    let adjudication = judge.openings[&incident.id].judge(&incident.id, std::slice::from_ref(truth), Timestamp(90_000));
    (adjudication.diagnosed, adjudication.correct)
}

#[test]
fn right_is_the_cause_the_place_the_time_and_the_remedy() {
    let service = service(1);
    let truth = leak(&service, Timestamp(0), Some(Timestamp(20_000)));
    let at = |s: i64, verdict: Verdict| judged(&truth, Some((Timestamp(s * 1000), verdict)));
    assert_eq!(at(10, right(&service)), (true, true));
    assert_eq!(at(10, wrong(&service)), (true, false));
    assert_eq!(at(10, names(Cause::MemoryLeak, &ServiceId::new("east", "shop", "other"))), (true, false));
    assert_eq!(at(70, right(&service)), (true, true), "telemetry lags");
    assert_eq!(at(90, right(&service)), (true, false), "that was over");
    let act = |remediation| Action { service: service.clone(), remediation };
    let with = |remediation| Verdict::Cause { cause: Cause::MemoryLeak, service: service.clone(), action: Some(act(remediation)) };
    assert_eq!(at(10, with(Remediation::RolloutRestart)), (true, true));
    let hopeless = TruthRecord { remedies: Vec::<RemediationKind>::new(), ..truth.clone() };
    assert_eq!(judged(&hopeless, Some((Timestamp(10_000), with(Remediation::RolloutRestart)))), (true, false), "the act does not help");
    assert_eq!(at(10, silent(&service)), (false, false));
    assert_eq!(judged(&truth, None), (false, false), "nothing said in time is no better than an abstention");
}

#[test]
fn the_first_named_cause_counts_and_a_reopened_incident_is_judged_again() {
    let service = service(1);
    let mut judge = Judge::new((), None);
    let mut incident = incident("inc", &service, Timestamp(0));
    let say = |judge: &mut Judge<()>, incident: &Incident, at: i64, verdict: Verdict| {
        judge.hear(&record(incident.clone(), Some(diagnosis(incident, Timestamp(at), verdict))));
        let said = judge.openings[&incident.id].said.clone().map(|d| d.at.0);
        (said, judge.openings[&incident.id].number)
    };
    assert_eq!(say(&mut judge, &incident, 5_000, silent(&service)), (Some(5_000), 1));
    assert_eq!(say(&mut judge, &incident, 10_000, wrong(&service)), (Some(10_000), 1));
    assert_eq!(say(&mut judge, &incident, 15_000, right(&service)), (Some(10_000), 1), "it would have been acted on");
    incident.status = IncidentStatus::Resolved;
    assert_eq!(say(&mut judge, &incident, 15_000, right(&service)), (Some(10_000), 1));
    (incident.status, incident.updated_at) = (IncidentStatus::Open, Timestamp(40_000));
    assert_eq!(say(&mut judge, &incident, 15_000, right(&service)), (Some(10_000), 1), "not judged yet: the same opening");
    incident.status = IncidentStatus::Resolved;
    say(&mut judge, &incident, 15_000, right(&service));
    judge.openings.values_mut().for_each(|o| o.is_judged = true);
    (incident.status, incident.updated_at) = (IncidentStatus::Open, Timestamp(90_000));
    assert_eq!(say(&mut judge, &incident, 15_000, right(&service)), (None, 2), "what was said before it is no word on this one");
    assert_eq!(say(&mut judge, &incident, 95_000, right(&service)), (Some(95_000), 2));
}
