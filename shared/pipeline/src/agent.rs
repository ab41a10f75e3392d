//! An agent: telemetry in, proposals out. Untrusted by everybody else: the coordinator decides.

mod case;
mod cluster;
mod experience;

pub use case::Case;

use crate::agent::case::Progress;
use crate::agent::cluster::ClusterView;
use crate::agent::experience::{Experience, post_mortem};
use picket_core::action::Action;
use picket_core::anomaly::Anomaly;
use picket_core::coordination::{Answer, Command, CoordinatorStatus, Decision, LedgerEntry};
use picket_core::diagnosis::{Diagnosis, Verdict};
use picket_core::ids::{AgentKind, ClusterName, IncidentId, ServiceId};
use picket_core::incident::{ChangeEvent, ChangeKind, Incident};
use picket_core::incident_record::IncidentRecord;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::ports::{Bus, Coordinator, DiagnosisContext, DiagnosticEngine, Notifier, PortResult, Readings, SafetyPolicyEngine};
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, DetectionSettings, Detector, IncidentEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What makes one agent differ from another.
#[derive(Clone)]
pub struct AgentProfile {
    /// Which.
    pub kind: AgentKind,
    /// Findings that need a long window and no deviation: waste, mostly. Called once per service and look.
    pub findings: fn(&Detector, &ServiceId, &Readings, Timestamp) -> Vec<Anomaly>,
    /// What an act would save, in US dollars a month.
    pub monthly_saving_usd: fn(&Action, &Readings) -> Option<f64>,
    /// What it finds can wait: it acts one at a time in a cluster without open trouble, and wakes nobody.
    pub patient: bool,
}

/// What an agent is told at start.
#[derive(Clone)]
pub struct AgentSettings {
    /// Names its durable consumers.
    pub name: String,
    /// The clusters it tends.
    pub clusters: Vec<ClusterName>,
    /// Reads `replay.>`: everything is forced to Observe.
    pub replay: bool,
    /// Event time between two looks at the baselines.
    pub tick_ms: i64,
    /// From an incident's opening to its first diagnosis: the first symptoms are rarely all.
    pub settle_ms: i64,
    /// Between two diagnoses of one incident.
    pub again_ms: i64,
    /// An incident that could not be diagnosed or acted on for this long pages a person.
    pub page_after_ms: i64,
    /// Proposals for one incident; then a person is paged.
    pub attempts_max: u32,
    /// Baselines.
    pub detection: DetectionSettings,
    /// What belongs together.
    pub correlation: CorrelationSettings,
    /// Elapsed real time in milliseconds, for the latency of a diagnosis.
    pub stopwatch: Arc<dyn Fn() -> f64 + Send + Sync>,
}

/// The ports it calls.
#[derive(Debug)]
pub struct AgentPorts<B, C, D, P, N> {
    /// Telemetry and topics.
    pub bus: B,
    /// The coordinator, as this agent.
    pub coordinator: C,
    /// Causes.
    pub engine: D,
    /// Early answers.
    pub policy: P,
    /// Pages.
    pub notifier: N,
}

/// Telemetry older than this is the past being caught up with: nothing is proposed on it.
const LIVE_LAG_MS: i64 = 20_000;

/// How long picket's own acts are remembered.
const ACTS_KEPT_MS: i64 = 15 * 60_000;

/// One agent over all its clusters.
pub struct Agent<B, C, D, P, N> {
    profile: AgentProfile,
    settings: AgentSettings,
    ports: AgentPorts<B, C, D, P, N>,
    clusters: BTreeMap<ClusterName, ClusterView>,
    cases: BTreeMap<IncidentId, Case>,
    /// Picket's own acts, so that their rollouts are not taken for somebody's bad deployment.
    acts: Vec<ChangeEvent>,
    /// What became of acts, of all agents.
    experience: Experience,
    revision: u64,
    nonce: u64,
}

impl<B: Bus, C: Coordinator, D: DiagnosticEngine, P: SafetyPolicyEngine, N: Notifier> Agent<B, C, D, P, N> {
    /// Makes one. `nonce` sets the proposals of this life apart from those of an earlier one.
    #[must_use]
    pub fn new(profile: AgentProfile, settings: AgentSettings, ports: AgentPorts<B, C, D, P, N>, nonce: u64) -> Self {
        let clusters = settings.clusters.iter().map(|c| (c.clone(), ClusterView::new(c, profile.kind, &settings))).collect();
        Self {
            profile,
            settings,
            ports,
            clusters,
            cases: BTreeMap::new(),
            acts: Vec::new(),
            experience: Experience::default(),
            revision: 0,
            nonce,
        }
    }

    /// The cases it works on, by incident.
    #[must_use]
    pub const fn cases(&self) -> &BTreeMap<IncidentId, Case> {
        &self.cases
    }

    /// The ports, for whoever drives it.
    pub const fn ports(&self) -> &AgentPorts<B, C, D, P, N> {
        &self.ports
    }

    /// One round: telemetry, detection, correlation, the ledger's news, diagnosis, proposals.
    ///
    /// # Errors
    /// When a port is away; call again.
    pub async fn step(&mut self, now: Timestamp) -> PortResult<()> {
        // The echo is taken before anything is read: evidence can only be younger than it says [M9].
        let status = self.ports.coordinator.status().await?;
        for cluster in self.settings.clusters.clone() {
            self.watch_cluster(&cluster, now).await?;
        }
        self.experience.refresh(&self.ports.bus).await?;
        self.follow_ledger(now, &status).await?;
        for id in self.due(now) {
            self.work_on(&id, now, &status).await?;
        }
        self.forget_old(now);
        Ok(())
    }

    async fn watch_cluster(&mut self, cluster: &ClusterName, now: Timestamp) -> PortResult<()> {
        let Some(view) = self.clusters.get_mut(cluster) else { return Ok(()) };
        view.refresh(&self.ports.bus).await?;
        let events = view.look(&self.ports.bus, &self.settings, &self.profile, now).await?;
        if !view.is_live(now, LIVE_LAG_MS) {
            return Ok(());
        }
        for event in events {
            match event {
                IncidentEvent::Opened(incident) => {
                    let next_at = self.first_look(&incident, now);
                    if let Some(case) = self.cases.get_mut(&incident.id) {
                        case.reopen(next_at, now);
                    }
                    self.note(incident, now).await?;
                }
                IncidentEvent::Updated(incident) => self.note(incident, now).await?,
                IncidentEvent::Resolved(incident) => self.resolve(incident).await?,
            }
        }
        Ok(())
    }

    /// When an incident is diagnosed first: its first symptoms are rarely all, and metrics that come late must have come.
    fn first_look(&self, incident: &Incident, now: Timestamp) -> Timestamp {
        let seen = self.seen_until(&incident.service.cluster, now);
        now.plus_ms(self.settings.settle_ms + incident.onset.since_ms(seen).max(0))
    }

    /// Up to when the cluster's metrics speak.
    fn seen_until(&self, cluster: &ClusterName, now: Timestamp) -> Timestamp {
        self.clusters.get(cluster).map_or(now, |view| view.seen_until(now))
    }

    /// The coordinator's time of the evidence on an act's target: it is as old as the metrics that it is read from.
    fn evidence_echo(&self, action: &Action, status: &CoordinatorStatus, now: Timestamp) -> Timestamp {
        status.now.plus_ms(-now.since_ms(self.seen_until(&action.service.cluster, now)))
    }

    async fn note(&mut self, incident: Incident, now: Timestamp) -> PortResult<()> {
        if incident.agent != self.profile.kind {
            return Ok(());
        }
        let id = incident.id.clone();
        let first_at = self.first_look(&incident, now);
        let case = self.cases.entry(id.clone()).or_insert_with(|| Case::new(incident.clone(), first_at, now));
        case.incident = incident;
        case.relapse(now);
        self.publish(&id).await
    }

    async fn resolve(&mut self, incident: Incident) -> PortResult<()> {
        let id = incident.id.clone();
        let Some(case) = self.cases.get_mut(&id) else { return Ok(()) };
        case.incident = incident;
        self.publish(&id).await
    }

    async fn publish(&self, id: &IncidentId) -> PortResult<()> {
        let Some(case) = self.cases.get(id) else { return Ok(()) };
        let record = IncidentRecord {
            incident: case.incident.clone(),
            diagnosis: case.diagnosis.clone(),
            decision: case.decision.clone(),
            entry: case.entry.clone(),
        };
        let value = serde_json::to_vec(&record).expect("boundary types are plain data");
        self.ports.bus.put(&IncidentRecord::topic(id), value).await
    }

    fn due(&self, now: Timestamp) -> Vec<IncidentId> {
        self.cases.iter().filter(|(_, case)| case.is_due(now)).map(|(id, _)| id.clone()).collect()
    }

    /// Resolved cases are kept for ten minutes: a late outcome still finds its incident.
    fn forget_old(&mut self, now: Timestamp) {
        self.cases.retain(|_, case| case.is_open() || now.since_ms(case.incident.updated_at) < 600_000);
    }

    async fn diagnose(&self, case: &Case, now: Timestamp, status: &CoordinatorStatus) -> PortResult<Option<Diagnosis>> {
        let Some(view) = self.clusters.get(&case.incident.service.cluster) else { return Ok(None) };
        let reliability = status.phases.get(&self.profile.kind).map(|phase| phase.state.reliability.clone()).unwrap_or_default();
        let context: DiagnosisContext = view.context(&case.incident, &self.acts, reliability, self.experience.all(), now);
        let started = (self.settings.stopwatch)();
        let mut diagnosis = self.ports.engine.diagnose(&case.incident, &context).await?;
        diagnosis.latency_ms = (self.settings.stopwatch)() - started;
        diagnosis.at = now;
        Ok(Some(diagnosis))
    }

    async fn work_on(&mut self, id: &IncidentId, now: Timestamp, status: &CoordinatorStatus) -> PortResult<()> {
        let Some(case) = self.cases.get(id) else { return Ok(()) };
        let Some(diagnosis) = self.diagnose(case, now, status).await? else { return Ok(()) };
        let Some(case) = self.cases.get_mut(id) else { return Ok(()) };
        case.next_at = now.plus_ms(self.settings.again_ms);
        let step = case.next_step(&diagnosis);
        case.diagnosis = Some(diagnosis);
        match step {
            Progress::Abstain(why) => case.decision = Some(format!("abstained: {why}")),
            Progress::Exhausted(why) => {
                case.decision = Some(why);
                case.give_up();
            }
            Progress::Propose(action) => match self.must_wait(id, &action) {
                Some(why) => {
                    if let Some(case) = self.cases.get_mut(id) {
                        case.decision = Some(why);
                    }
                }
                None => self.propose(id, action, status, now).await?,
            },
        }
        self.page_when_stuck(id, now).await?;
        self.publish(id).await
    }

    /// Why a patient agent does not act now.
    fn must_wait(&self, id: &IncidentId, action: &Action) -> Option<String> {
        if !self.profile.patient {
            return None;
        }
        let cluster = &action.service.cluster;
        if let Some(trouble) = self.clusters.get(cluster).and_then(|view| view.trouble(self.profile.kind)) {
            return Some(format!("waits: {} has trouble", trouble.service));
        }
        let busy = self.cases.iter().find(|(other, case)| *other != id && &case.incident.service.cluster == cluster && case.is_in_flight());
        busy.map(|(_, case)| format!("waits for the act on {}", case.incident.service))
    }

    async fn propose(&mut self, id: &IncidentId, action: Action, status: &CoordinatorStatus, now: Timestamp) -> PortResult<()> {
        let Some(case) = self.cases.get(id) else { return Ok(()) };
        let Some(Diagnosis { verdict: Verdict::Cause { cause, .. }, confidence, sentence, .. }) = &case.diagnosis else { return Ok(()) };
        let view = self.clusters.get(&action.service.cluster);
        let saving = view.and_then(|v| v.readings(&action.service)).and_then(|r| (self.profile.monthly_saving_usd)(&action, r));
        let proposal = Proposal {
            id: format!("{id}-{}-{}", self.nonce, case.proposals + 1).into(),
            agent: self.profile.kind,
            incident: id.clone(),
            cause: *cause,
            severity: case.incident.severity,
            confidence: *confidence,
            services_degraded: case.services_degraded(),
            evidence_echo: self.evidence_echo(&action, status, now),
            symptoms: case.incident.symptoms(),
            action,
            replay: self.settings.replay,
            monthly_saving_usd: saving,
            sentence: sentence.clone(),
        };
        let early = view.and_then(ClusterView::facts).map(|facts| self.ports.policy.check(&proposal, facts, now)).unwrap_or_default();
        if !early.is_empty() {
            return self.take_denial(id, &early, "policy", now);
        }
        let request_id = format!("propose-{}", proposal.id);
        let answer = self.ports.coordinator.submit(request_id.into(), Command::Propose { proposal: Box::new(proposal) }).await?;
        let Some(case) = self.cases.get_mut(id) else { return Ok(()) };
        match answer {
            Answer::Decided { entry, decision } => {
                case.proposals += 1;
                // A denial is no attempt: nothing was tried.
                case.attempts += u32::from(!matches!(decision, Decision::Denied { .. }));
                case.entry = Some(entry);
                case.decision = Some(decision.as_str().to_owned());
                match decision {
                    Decision::Denied { violations } => return self.take_denial(id, &violations, "coordinator", now),
                    Decision::Shadowed => case.give_up(),
                    Decision::AwaitingApproval | Decision::Queued { .. } | Decision::Permitted { .. } => case.wait(),
                }
            }
            Answer::Refused { violations } => return self.take_denial(id, &violations, "coordinator", now),
            other => tracing::error!(?other, "the coordinator answered a proposal with something else"),
        }
        Ok(())
    }

    /// A denial that time can change is tried again; any other ends what picket can do here.
    fn take_denial(&mut self, id: &IncidentId, violations: &[Violation], by: &str, now: Timestamp) -> PortResult<()> {
        let Some(case) = self.cases.get_mut(id) else { return Ok(()) };
        let reasons: Vec<_> = violations.iter().map(|v| v.reason.as_str()).collect();
        case.decision = Some(format!("denied by {by}: {}", reasons.join("; ")));
        let passing = violations.iter().all(|v| {
            use LimitRule as L;
            matches!(
                v.rule,
                L::FleetBudget
                    | L::ServiceShare
                    | L::StaleFacts
                    | L::StaleEvidence
                    | L::TargetBusy
                    | L::OpenActions
                    | L::ForeignRollout
                    | L::Capacity
                    | L::UnknownService
                    | L::Cooldown
            )
        });
        if violations.iter().any(|v| v.rule == LimitRule::Cooldown) {
            case.bar();
        }
        if passing && case.attempts < self.settings.attempts_max {
            case.next_at = now.plus_ms(2 * self.settings.again_ms);
        } else {
            case.give_up();
        }
        Ok(())
    }

    async fn page_when_stuck(&mut self, id: &IncidentId, now: Timestamp) -> PortResult<()> {
        let page_after_ms = self.settings.page_after_ms;
        let Some(case) = self.cases.get_mut(id) else { return Ok(()) };
        if !case.needs_person(now, page_after_ms) || self.settings.replay || self.profile.patient {
            return Ok(());
        }
        let text = case.page_text();
        let service = case.incident.service.clone();
        // The key makes a repeated page one page.
        self.ports.notifier.notify(&format!("{id}|{service}"), &text).await?;
        if let Some(case) = self.cases.get_mut(id) {
            case.paged = true;
        }
        Ok(())
    }

    async fn follow_ledger(&mut self, now: Timestamp, status: &CoordinatorStatus) -> PortResult<()> {
        let page = self.ports.coordinator.watch(self.revision, 0).await?;
        let entries =
            if page.compacted { self.ports.coordinator.entries(100).await? } else { page.changes.into_iter().map(|c| c.entry).collect() };
        self.revision = page.revision;
        for entry in entries.iter().filter(|e| e.state == EntryState::Claimed) {
            let action = entry.work.action();
            self.acts.push(ChangeEvent { service: action.service.clone(), kind: ChangeKind::Picket, at: now, what: action.sentence() });
        }
        self.acts.retain(|act| now.since_ms(act.at) < ACTS_KEPT_MS);
        let kind = self.profile.kind;
        for entry in entries.into_iter().filter(|e| e.proposal.agent == kind) {
            self.take_news(&entry, now, status).await?;
        }
        Ok(())
    }

    async fn take_news(&mut self, entry: &LedgerEntry, now: Timestamp, status: &CoordinatorStatus) -> PortResult<()> {
        let id = entry.proposal.incident.clone();
        let ours = |case: &Case| case.entry.as_ref() == Some(&entry.id);
        if !self.cases.get(&id).is_some_and(ours) {
            return Ok(());
        }
        if entry.state == EntryState::Approved {
            return self.refresh(entry, now, status).await;
        }
        let attempts_max = self.settings.attempts_max;
        if let Some(case) = self.cases.get_mut(&id) {
            case.take_state(entry, now, attempts_max);
        }
        if let Some(one) = self.cases.get(&id).and_then(|case| post_mortem(case, entry, now)) {
            self.experience.write(&self.ports.bus, &entry.id, one).await?;
        }
        self.page_when_stuck(&id, now).await?;
        self.publish(&id).await
    }

    /// A person said yes: look again, and say whether the evidence still stands for the same work.
    async fn refresh(&mut self, entry: &LedgerEntry, now: Timestamp, status: &CoordinatorStatus) -> PortResult<()> {
        let Some(case) = self.cases.get(&entry.proposal.incident) else { return Ok(()) };
        if !case.is_open() {
            return Ok(());
        }
        let Some(diagnosis) = self.diagnose(case, now, status).await? else { return Ok(()) };
        let still = matches!(&diagnosis.verdict, Verdict::Cause { action: Some(action), .. } if action.service == entry.work.action().service && action.kind() == entry.work.action().kind());
        if still {
            let evidence_echo = self.evidence_echo(entry.work.action(), status, now);
            let command = Command::Refresh { entry: entry.id.clone(), digest: entry.digest.clone(), evidence_echo };
            self.ports.coordinator.submit(format!("refresh-{}-{}", entry.id, status.now.0).into(), command).await?;
        }
        Ok(())
    }
}
