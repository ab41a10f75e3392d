//! The actuator with a scripted coordinator and target, an outer lock in memory and a journal on disk.

mod fencing;
mod keeping;
mod waiting;

use super::{Actuator, ActuatorPorts, ActuatorSettings, OuterLocking};
use ed25519_dalek::SigningKey;
use picket_adapters::in_memory::{InMemoryAuditLog, InMemoryLockServer, InMemoryOuterLock};
use picket_adapters::journal::FileJournal;
use picket_core::action::{Action, Digest, Remediation};
use picket_core::claim::{ClaimBody, ClaimConfirmation, ClaimRequest, ClaimedAction};
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerChange, LedgerEntry, StopView, WatchPage};
use picket_core::ids::{AgentKind, EntryId, RequestId, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::outcome::{ObjectRef, Receipt, Report};
use picket_core::permit::{Permit, PermitBody};
use picket_core::ports::{AuditLog as _, Before, Coordinator, OuterLock as _, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::{Proposal, Work};
use picket_core::restore::{JournaledAct, RestoreView};
use picket_core::scope::{FencingToken, Scope};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const TTL_MS: u64 = 30_000;
const WRITE_MS: i64 = 3000;
const DAY_MS: i64 = 24 * 3_600_000;

fn work() -> Work {
    Work::Do { action: Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::RolloutRestart } }
}

fn scope() -> Scope {
    Scope::Namespace("east".into(), "shop".into())
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn permit(entry: &str, namespace: &str) -> Permit {
    let body = PermitBody {
        entry: entry.into(),
        cluster: "east".into(),
        work: work(),
        digest: work().digest(),
        tokens: BTreeMap::from([(Scope::Namespace("east".into(), namespace.to_owned()), FencingToken(3))]),
        reserved_pods: 1,
        issued_at: Timestamp(0),
        expires_at: Timestamp(20_000_000),
        stop_epoch: 0,
        restore_epoch: 0,
        demonstration: false,
    };
    Permit::sign(body, &key())
}

fn proposal() -> Proposal {
    Proposal {
        id: "p".into(),
        agent: AgentKind::Sre,
        incident: "i".into(),
        cause: picket_core::cause::Cause::MemoryLeak,
        severity: Severity::Three,
        confidence: 0.9,
        services_degraded: 1,
        symptoms: Vec::new(),
        action: work().action().clone(),
        evidence_echo: Timestamp(0),
        replay: false,
        monthly_saving_usd: None,
        sentence: String::new(),
    }
}

/// What becomes of a claim.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Claims {
    #[default]
    Confirmed,
    Refused,
    /// The answer is lost; the claim was committed or not.
    Unanswered {
        committed: bool,
    },
}

#[derive(Default)]
struct Ledger {
    entries: BTreeMap<EntryId, Known>,
    changes: Vec<(EntryId, EntryState)>,
    claims: Claims,
    epochs: u64,
    stop: StopView,
    restore: Option<RestoreView>,
    restore_epoch: u64,
    backup_revision: u64,
    uploaded: Vec<JournaledAct>,
}

/// What the ledger knows of an entry.
struct Known {
    permit: Permit,
    state: EntryState,
    claim: Option<ClaimRequest>,
    report: Option<Report>,
    fenced: bool,
}

impl Ledger {
    fn set(&mut self, id: &EntryId, state: EntryState) {
        self.entries.get_mut(id).expect("a known entry").state = state;
        self.changes.push((id.clone(), state));
    }

    fn entry(&self, id: &EntryId, state: EntryState) -> LedgerEntry {
        let known = &self.entries[id];
        let body = &known.permit.body;
        LedgerEntry {
            id: id.clone(),
            state,
            parent: None,
            child: None,
            work: body.work.clone(),
            digest: body.digest.clone(),
            proposal: proposal(),
            severity: Severity::Three,
            cost_pods: 1,
            violations: Vec::new(),
            approved_by: None,
            first_approved_by: None,
            by_others: None,
            tokens: body.tokens.clone(),
            actuator_epoch: None,
            claim: known.claim.clone().filter(|_| state != EntryState::Permitted),
            fenced: known.fenced,
            asked: None,
            report: known.report.clone(),
            outcome: None,
            paging: false,
            history: Vec::new(),
            deadline: None,
        }
    }
}

/// Coordinator, target and lock server, and the order in which they were asked.
#[derive(Clone)]
struct World {
    ledger: Arc<Mutex<Ledger>>,
    told: Arc<Mutex<Vec<String>>>,
    now_ms: Arc<AtomicU64>,
    locks: InMemoryLockServer,
    audit: InMemoryAuditLog,
    journal: Arc<tempfile::TempDir>,
    sinks_away: Arc<AtomicBool>,
    /// Readings of a target that are not to be had yet.
    not_ready: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        let now_ms = Arc::new(AtomicU64::new(1_000_000));
        let read = Arc::clone(&now_ms);
        Self {
            ledger: Arc::default(),
            told: Arc::default(),
            locks: InMemoryLockServer::new(Arc::new(move || read.load(Ordering::SeqCst))),
            now_ms,
            audit: InMemoryAuditLog::default(),
            journal: Arc::new(tempfile::tempdir().unwrap()),
            sinks_away: Arc::default(),
            not_ready: Arc::default(),
        }
    }

    fn permit(&self, entry: &str, namespace: &str) {
        let mut ledger = self.ledger.lock().unwrap();
        let known = Known { permit: permit(entry, namespace), state: EntryState::Permitted, claim: None, report: None, fenced: false };
        ledger.entries.insert(entry.into(), known);
        ledger.changes.push((entry.into(), EntryState::Permitted));
    }

    fn set(&self, entry: &str, state: EntryState) {
        self.ledger.lock().unwrap().set(&entry.into(), state);
    }

    fn claims(&self, claims: Claims) {
        self.ledger.lock().unwrap().claims = claims;
    }

    fn state(&self, entry: &str) -> EntryState {
        self.ledger.lock().unwrap().entries[&EntryId::from(entry)].state
    }

    fn tell(&self, what: &str) {
        let holder =
            self.locks.holder(&scope()).map_or("unlocked", |holder| if holder.starts_with("picket/") { "locked" } else { "foreign" });
        self.told.lock().unwrap().push(format!("{what}, {holder}"));
    }

    /// What happened since it was last asked.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    fn pass_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn actuator(&self) -> Actuator<Self, Self, InMemoryAuditLog, FileJournal, InMemoryOuterLock> {
        let settings = ActuatorSettings {
            cluster: "east".into(),
            key: key().verifying_key(),
            deadline_ms: 25_000,
            write_timeout_ms: WRITE_MS,
            demonstration: false,
            journal_age_ms: DAY_MS,
            journal_entries_max: 3,
        };
        let journal = FileJournal::open(self.journal.path()).unwrap();
        let ports = ActuatorPorts { coordinator: self.clone(), executor: self.clone(), audit: self.audit.clone(), journal };
        Actuator::new(settings, ports, Some(OuterLocking { lock: self.locks.client(), ttl_ms: TTL_MS }))
    }

    async fn step(&self, actuator: &mut Actuator<Self, Self, InMemoryAuditLog, FileJournal, InMemoryOuterLock>) -> PortResult<()> {
        let now_ms = Arc::clone(&self.now_ms);
        actuator.step(&move || Timestamp(now_ms.load(Ordering::SeqCst).cast_signed()), 0).await
    }

    async fn audited(&self, kind: &str) -> usize {
        self.audit.read(1, 1000).await.unwrap().iter().filter(|record| record.entry.kind == kind).count()
    }
}

impl Coordinator for World {
    async fn submit(&self, _request_id: RequestId, command: Command) -> PortResult<Answer> {
        match &command {
            Command::Register | Command::UploadJournal { .. } => {}
            Command::Claim { .. } => self.tell("claim"),
            Command::Report { .. } => self.tell("report"),
            Command::FenceRaised { .. } => self.tell("fences raised"),
            other => panic!("an actuator does not say {other:?}"),
        }
        let mut ledger = self.ledger.lock().unwrap();
        match command {
            Command::Claim { claim } => {
                if ledger.claims == Claims::Refused {
                    return Ok(Answer::Refused { violations: vec![Violation::new(LimitRule::Cooldown, None, "too soon")] });
                }
                if ledger.claims != (Claims::Unanswered { committed: false }) {
                    ledger.entries.get_mut(&claim.entry).unwrap().claim = Some(claim.clone());
                    ledger.set(&claim.entry, EntryState::Claimed);
                }
                if ledger.claims != Claims::Confirmed {
                    return Err(PortError::Timeout { what: "claim".into() });
                }
                let body = ClaimBody {
                    entry: claim.entry,
                    digest: claim.digest,
                    actuator_epoch: claim.actuator_epoch,
                    claimed_at: Timestamp(0),
                    act_deadline: Timestamp(30_000),
                    token: FencingToken(3),
                };
                Ok(Answer::Claimed { confirmation: ClaimConfirmation::sign(body, &key()) })
            }
            Command::Report { entry, report, .. } => {
                let Some(known) = ledger.entries.get_mut(&entry) else {
                    return Ok(Answer::Refused { violations: vec![Violation::new(LimitRule::NotAllowed, None, "not in the ledger")] });
                };
                known.fenced = report.is_fenced();
                let state = match (known.state, &report) {
                    (EntryState::Claimed, Report::Applied { .. }) => EntryState::Observing,
                    (EntryState::Claimed, Report::NoEffect { .. }) => EntryState::Failed,
                    (EntryState::Claimed, Report::CannotTell { .. }) => EntryState::Indeterminate,
                    // A late one changes no state.
                    (state, _) => state,
                };
                known.report = Some(report);
                ledger.set(&entry, state);
                Ok(Answer::Done)
            }
            Command::FenceRaised { stop_epoch, .. } => {
                assert_eq!(stop_epoch, ledger.stop.epoch);
                ledger.stop.fences_missing.clear();
                Ok(Answer::Done)
            }
            Command::UploadJournal { acts, last, .. } => {
                ledger.uploaded.extend(acts);
                if let Some(restore) = ledger.restore.as_mut().filter(|_| last) {
                    restore.journals_missing.clear();
                }
                Ok(Answer::Done)
            }
            _ => {
                ledger.epochs += 1;
                Ok(Answer::Epoch { epoch: ledger.epochs })
            }
        }
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        let ledger = self.ledger.lock().unwrap();
        Ok(CoordinatorStatus {
            leases_total: 0,
            policy_version: 0,
            backup_revision: ledger.backup_revision,
            restore: ledger.restore.clone(),
            now: Timestamp(self.now_ms.load(Ordering::SeqCst).cast_signed()),
            revision: ledger.changes.len() as u64,
            leader: Some(1),
            restore_epoch: ledger.restore_epoch,
            demonstration: false,
            stop: ledger.stop.clone(),
            phases: BTreeMap::new(),
            leases: Vec::new(),
            violations: BTreeMap::new(),
            facts_age_ms: BTreeMap::new(),
            breakers: BTreeMap::new(),
        })
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        let ledger = self.ledger.lock().unwrap();
        let entries = ledger.entries.iter().map(|(id, known)| ledger.entry(id, known.state));
        Ok(entries.filter(|e| settled_max > 0 || !e.is_over()).collect())
    }

    async fn watch(&self, revision: u64, _wait_ms: u64) -> PortResult<WatchPage> {
        let ledger = self.ledger.lock().unwrap();
        let changes = ledger.changes.iter().zip(1_u64..).filter(|(_, at)| *at > revision);
        let changes = changes.map(|((id, state), revision)| {
            let permit = (*state == EntryState::Permitted).then(|| ledger.entries[id].permit.clone());
            LedgerChange { revision, entry: ledger.entry(id, *state), permit }
        });
        Ok(WatchPage { changes: changes.collect(), revision: ledger.changes.len() as u64, compacted: false })
    }
}

impl RemediationExecutor for World {
    async fn prepare(&self, _work: &Work) -> PortResult<Before> {
        self.tell("read");
        if self.not_ready.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(PortError::Unavailable { what: "the merge".into(), why: "its checks are not green yet".into() });
        }
        Ok(Before { object: ObjectRef::default(), resource_version: "7".into(), token: None, content: serde_json::json!("whole") })
    }

    async fn execute(&self, _claimed: &ClaimedAction, _before: &Before, _now: Timestamp) -> PortResult<Receipt> {
        self.tell("write");
        Ok(Receipt::default())
    }

    async fn prove(&self, _: &EntryId, _: FencingToken, _: &Work, _: &Before, _: Timestamp) -> PortResult<Proof> {
        self.tell("prove");
        Ok(Proof::Absence)
    }

    async fn fence(&self, _: &Work, token: FencingToken) -> PortResult<()> {
        self.tell(&format!("fence {token}"));
        Ok(())
    }

    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        self.tell(&format!("fence all {token}"));
        if self.sinks_away.load(Ordering::SeqCst) {
            return Err(PortError::Unavailable { what: "cluster".into(), why: "away".into() });
        }
        Ok(())
    }

    async fn abandon(&self, _: &Work) -> PortResult<()> {
        self.tell("abandon");
        if self.sinks_away.load(Ordering::SeqCst) {
            return Err(PortError::Unavailable { what: "forge".into(), why: "away".into() });
        }
        Ok(())
    }
}

async fn foreign(world: &World, name: &str) -> InMemoryOuterLock {
    let lock = world.locks.client();
    let scope = Scope::Namespace("east".into(), name.into());
    lock.acquire(&scope, "deploy-17", 1_000_000).await.unwrap().expect("free");
    lock
}

#[tokio::test]
async fn the_lock_is_taken_before_the_claim_and_given_back_when_it_is_resolved() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["read, locked", "claim, locked", "write, locked", "report, locked"]);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.locks.holder(&scope()), None, "the ledger says that the claim is resolved");
    let intent = world.audit.read(1, 1).await.unwrap().remove(0).entry;
    assert_eq!(intent.detail["outer_lock"]["fences"]["ns:east/shop"], 1, "{intent:?}");
}

#[tokio::test]
async fn without_the_lock_nothing_is_claimed_and_no_other_permit_is_held_up() {
    let world = World::new();
    let mut actuator = world.actuator();
    let lock = foreign(&world, "shop").await;
    world.permit("act-1", "shop");
    world.permit("act-2", "pay");
    for _ in 0..3 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), ["read, foreign", "claim, foreign", "write, foreign", "report, foreign"], "act-2 went on alone");
    assert_eq!((world.state("act-1"), world.state("act-2")), (EntryState::Permitted, EntryState::Observing));
    assert_eq!(world.audited("waits_for_outer_lock").await, 1, "said once, not at every step");
    lock.release(&scope(), "deploy-17").await.unwrap();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["read, locked", "claim, locked", "write, locked", "report, locked"]);
}

#[tokio::test]
async fn a_permit_that_ends_while_it_waits_is_dropped() {
    let world = World::new();
    let mut actuator = world.actuator();
    let lock = foreign(&world, "shop").await;
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    world.set("act-1", EntryState::Expired);
    world.step(&mut actuator).await.unwrap();
    lock.release(&scope(), "deploy-17").await.unwrap();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.locks.holder(&scope()), None);
}

#[tokio::test]
async fn a_server_that_does_not_answer_blocks_the_claim_until_it_does() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.locks.set_stopped(true);
    world.permit("act-1", "shop");
    world.permit("act-2", "pay");
    assert!(matches!(world.step(&mut actuator).await, Err(PortError::Unavailable { .. })));
    assert_eq!(world.told(), Vec::<String>::new());
    world.locks.set_stopped(false);
    world.step(&mut actuator).await.unwrap();
    assert_eq!([world.state("act-1"), world.state("act-2")], [EntryState::Observing; 2], "a failed step forgets no permit");
}

#[tokio::test]
async fn a_refused_claim_gives_the_lock_back() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Refused);
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["read, locked", "claim, locked"]);
    assert_eq!(world.locks.holder(&scope()), None);
}

#[tokio::test]
async fn an_unanswered_claim_goes_out_again_only_under_the_lock_that_it_was_made_under() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: false });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.pass_ms(TTL_MS * 2 / 3);
    world.step(&mut actuator).await.unwrap_err();
    assert_eq!(world.told(), ["read, locked", "claim, locked", "claim, locked"]);
    world.pass_ms(TTL_MS * 2 / 3);
    world.step(&mut actuator).await.unwrap_err();
    assert_eq!(world.told(), ["claim, locked"], "the steps renew it");
    world.locks.revoke(&scope());
    let _lock = foreign(&world, "shop").await;
    world.pass_ms(TTL_MS * 2 / 3);
    for _ in 0..3 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), Vec::<String>::new(), "losing it blocks the claim");
    world.claims(Claims::Confirmed);
    world.set("act-1", EntryState::Expired);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.audited("outer_lock_lost").await, 1);
}

#[tokio::test]
async fn a_claim_that_was_taken_while_the_lock_was_lost_is_proven_and_never_written() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: true });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.told();
    world.locks.revoke(&scope());
    world.pass_ms(TTL_MS * 2 / 3);
    world.claims(Claims::Confirmed);
    world.step(&mut actuator).await.unwrap();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["prove, unlocked", "report, unlocked"]);
    assert_eq!(world.state("act-1"), EntryState::Failed);
}

#[tokio::test]
async fn no_write_is_started_that_the_lock_may_not_outlast() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: true });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.told();
    // The server is silent, so nothing prolongs; the claim's answer comes when less than a write's timeout is left.
    world.locks.set_stopped(true);
    world.pass_ms(TTL_MS - WRITE_MS.unsigned_abs() + 1);
    world.claims(Claims::Confirmed);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["claim, locked", "prove, locked", "report, locked"]);
}

#[tokio::test]
async fn an_indeterminate_claim_keeps_its_lock_until_a_person_resolves_it() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    // What a person sees may still change: the ledger alone says when it is over.
    world.ledger.lock().unwrap().changes.pop();
    world.set("act-1", EntryState::Indeterminate);
    for _ in 0..4 {
        world.pass_ms(TTL_MS * 2 / 3);
        world.step(&mut actuator).await.unwrap();
        assert!(world.locks.holder(&scope()).is_some());
    }
    world.set("act-1", EntryState::Settled);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.locks.holder(&scope()), None);
}

#[tokio::test]
async fn after_a_crash_the_claim_is_proven_and_the_old_lock_ends_by_its_ttl() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: true });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    drop(actuator);
    world.told();
    world.claims(Claims::Confirmed);
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["prove, locked", "report, locked"], "proving needs no lock: it writes nothing but the fence");
    world.permit("act-2", "shop");
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new(), "the dead life's lock excludes the new one as it does anybody");
    world.pass_ms(TTL_MS);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["read, locked", "claim, locked", "write, locked", "report, locked"]);
}
