//! The actuator: claims signed permits and carries out exactly what they say (PROTOCOL.md, "Claim", "Act", "Proof").

mod abandoning;
mod fences;
mod keeping;
mod outer_locks;
mod recovery;
#[cfg(test)]
mod tests;

pub use outer_locks::OuterLocking;

use abandoning::Abandoning;
use ed25519_dalek::VerifyingKey;
use keeping::Kept;
use outer_locks::{OuterLocks, Taken, keeps_lock};
use picket_core::action::Digest;
use picket_core::audit::AuditEntry;
use picket_core::claim::{ClaimRequest, ClaimedAction};
use picket_core::coordination::{Answer, Command, CoordinatorStatus, LedgerChange, LedgerEntry};
use picket_core::ids::{ClusterName, EntryId};
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use picket_core::outcome::Report;
use picket_core::permit::Permit;
use picket_core::ports::{AuditLog, Coordinator, Journal, JournalEntry, OuterLock, PortError, PortResult, RemediationExecutor};
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;
use recovery::is_granted;
use std::collections::{BTreeMap, BTreeSet};

/// What an actuator is told at start.
#[derive(Clone, Debug)]
pub struct ActuatorSettings {
    /// Its cluster.
    pub cluster: ClusterName,
    /// The coordinator's key.
    pub key: VerifyingKey,
    /// Counted from when the claim was first sent; shorter than `act_deadline` by drift and one write's timeout.
    pub deadline_ms: i64,
    /// One write's timeout: no write is started with less left.
    pub write_timeout_ms: i64,
    /// Whether permits of the demonstration CA are honoured: on simulated clusters only.
    pub demonstration: bool,
    /// What was claimed is kept in the journal until a backup covers it, but no longer than this (coordinator time).
    pub journal_age_ms: i64,
    /// And no more of it than this: the oldest go.
    pub journal_entries_max: usize,
}

/// The ports it calls.
#[derive(Debug)]
pub struct ActuatorPorts<C, X, A, J> {
    /// The coordinator, as this actuator.
    pub coordinator: C,
    /// Writes.
    pub executor: X,
    /// Durable before every claim (I8).
    pub audit: A,
    /// Survives a crash.
    pub journal: J,
}

/// One cluster's actuator.
#[derive(Debug)]
pub struct Actuator<C, X, A, J, L> {
    settings: ActuatorSettings,
    ports: ActuatorPorts<C, X, A, J>,
    office: Option<Office>,
    revision: u64,
    locks: OuterLocks<L>,
    /// Permits seen and not yet dealt with.
    permits: BTreeMap<EntryId, Wanted>,
    /// Claims that were sent and not answered: the same request goes out again, with the same reading of the target [M3].
    sent: BTreeMap<EntryId, SentClaim>,
    /// Claims refused for facts that were too old: the permit is still good, and the next claim is a request of its own.
    refused: BTreeMap<EntryId, u32>,
    /// Permits that could not be claimed at the last step.
    late: BTreeSet<EntryId>,
    /// What may have to be taken back.
    abandoning: Abandoning,
    /// Entries to be resolved by proof.
    unproven: Vec<JournalEntry>,
    /// Reports that the coordinator has not taken yet.
    unreported: Vec<JournalEntry>,
    /// Claims of this cluster whose writes may still be on their way, as the ledger shows them.
    unfenced: BTreeMap<EntryId, LedgerEntry>,
    /// What is over and stays in the journal.
    kept: Kept,
}

/// By what right it acts.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Office {
    epoch: u64,
    /// The life of the coordinator that gave it.
    restore_epoch: u64,
    /// The STOP whose fences it has raised and told.
    fenced_stop: u64,
}

/// A permit, and who wished it.
#[derive(Clone, Debug)]
struct Wanted {
    permit: Permit,
    proposal: Proposal,
}

/// A claim on its way.
#[derive(Clone, Debug)]
struct SentClaim {
    journal: JournalEntry,
    sent_at: Timestamp,
}

/// Why a permit is not claimed.
#[derive(Debug)]
enum NotClaimed {
    Void(String),
    Later(PortError),
    /// The outer lock is not free, or was lost: the permit stays good until it expires, and holds up no other.
    Waiting,
}

impl From<PortError> for NotClaimed {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Refused { .. } | PortError::NotFound { .. } => Self::Void(error.to_string()),
            _ => Self::Later(error),
        }
    }
}

impl<C: Coordinator, X: RemediationExecutor, A: AuditLog, J: Journal, L: OuterLock> Actuator<C, X, A, J, L> {
    /// Makes one; the first step registers it. Without `outer_lock` the ledger's own leases are all that a claim needs.
    #[must_use]
    pub fn new(settings: ActuatorSettings, ports: ActuatorPorts<C, X, A, J>, outer_lock: Option<OuterLocking<L>>) -> Self {
        Self {
            settings,
            ports,
            office: None,
            revision: 0,
            locks: OuterLocks::new(outer_lock),
            permits: BTreeMap::new(),
            sent: BTreeMap::new(),
            refused: BTreeMap::new(),
            late: BTreeSet::new(),
            abandoning: Abandoning::default(),
            unproven: Vec::new(),
            unreported: Vec::new(),
            unfenced: BTreeMap::new(),
            kept: Kept::new(),
        }
    }

    /// The ports, for whoever drives it.
    pub const fn ports(&self) -> &ActuatorPorts<C, X, A, J> {
        &self.ports
    }

    /// Registers when new, resumes by proving, raises the fences that a STOP asks for, watches the ledger, acts. `wait_ms` bounds the wait for
    /// a change (real time).
    ///
    /// # Errors
    /// When the coordinator, the cluster, the audit log or the journal is away: call again.
    pub async fn step(&mut self, clock: &(dyn Fn() -> Timestamp + Send + Sync), wait_ms: u64) -> PortResult<()> {
        let status = self.ports.coordinator.status().await?;
        self.abandoning.turn();
        self.forget_covered(&status).await?;
        let epoch = self.office(&status, clock).await?;
        self.locks.keep().await;
        self.report_all(epoch).await?;
        // What cannot be proven now keeps its scopes from everybody else, and nothing else from being done.
        let proven = self.prove_all(epoch, clock).await;
        self.upload_when_asked(&status, epoch).await?;
        // A fence that cannot be raised now holds up no permit: where fences matter there are none.
        let fenced = self.raise_when_asked(&status, epoch, clock).await;
        self.follow_ledger(wait_ms).await?;
        let mut acted = Ok(());
        let mut permits: Vec<_> = std::mem::take(&mut self.permits).into_values().collect();
        // One that cannot be claimed yet (its checks are not green, its sink is away) holds up no other, and what waited once waits last.
        permits.sort_by_key(|wanted| self.late.contains(&wanted.permit.body.entry));
        for wanted in permits {
            acted = acted.and(self.act(epoch, &wanted, clock).await);
        }
        self.late.retain(|entry| self.permits.contains_key(entry));
        let taken_up = self.take_up(epoch, clock).await;
        self.abandon_one(&status, clock).await;
        proven.and(taken_up).and(fenced).and(acted)
    }

    /// The epoch to act by: a new one when there is none, or when the coordinator that gave it is no more [M13].
    async fn office(&mut self, status: &CoordinatorStatus, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<u64> {
        if let Some(office) = self.office.filter(|office| office.restore_epoch == status.restore_epoch) {
            return Ok(office.epoch);
        }
        let id = format!("register-{}-{}", self.settings.cluster, clock().0);
        match self.ports.coordinator.submit(id.into(), Command::Register).await? {
            Answer::Epoch { epoch } => {
                self.resume(status.restore.is_some()).await?;
                self.office = Some(Office { epoch, restore_epoch: status.restore_epoch, fenced_stop: 0 });
                Ok(epoch)
            }
            other => Err(PortError::Refused { what: "register".into(), why: format!("{other:?}") }),
        }
    }

    async fn follow_ledger(&mut self, wait_ms: u64) -> PortResult<()> {
        let page = self.ports.coordinator.watch(self.revision, wait_ms).await?;
        if page.compacted {
            // Whatever was missed shows in the ledger as it stands; permits in it are claimed when they are seen to be live.
            let ledger = self.ports.coordinator.entries(0).await?;
            self.locks.release_all_but(&ledger.iter().filter(|e| keeps_lock(e)).map(|e| e.id.clone()).collect()).await;
            self.unfenced.clear();
            for entry in ledger {
                self.note(entry, None);
            }
        }
        for LedgerChange { entry, permit, .. } in page.changes {
            if !keeps_lock(&entry) {
                self.locks.release(&entry.id).await;
            }
            self.note(entry, permit);
        }
        self.revision = page.revision;
        Ok(())
    }

    fn is_ours(&self, entry: &LedgerEntry) -> bool {
        entry.work.action().service.cluster == self.settings.cluster
    }

    fn note(&mut self, entry: LedgerEntry, permit: Option<Permit>) {
        if entry.waits_for_fence() && self.is_ours(&entry) {
            self.unfenced.insert(entry.id.clone(), entry.clone());
        } else {
            self.unfenced.remove(&entry.id);
        }
        match (entry.state, permit) {
            (EntryState::Permitted, Some(permit)) if self.is_ours(&entry) => {
                self.permits.insert(entry.id, Wanted { permit, proposal: entry.proposal });
            }
            // Live, and heard of without its permit: the one that is known stays good.
            (EntryState::Permitted, None) => {}
            // A claim whose answer was lost may be what changed the entry: the same request asks again.
            _ if self.sent.contains_key(&entry.id) => {}
            _ => {
                self.permits.remove(&entry.id);
                self.note_end(&entry);
            }
        }
    }

    async fn act(&mut self, epoch: u64, wanted: &Wanted, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        let permit = &wanted.permit;
        match self.claim(epoch, wanted, clock).await {
            Ok(Some((claimed, sent))) => {
                self.refused.remove(&permit.body.entry);
                self.execute(epoch, &claimed, sent, clock).await
            }
            Ok(None) => {
                self.locks.release(&permit.body.entry).await;
                Ok(())
            }
            Err(NotClaimed::Waiting) => {
                self.permits.insert(permit.body.entry.clone(), wanted.clone());
                Ok(())
            }
            Err(NotClaimed::Void(why)) => {
                self.sent.remove(&permit.body.entry);
                let detail = serde_json::json!({ "why": why });
                self.audit(clock(), "not_claimed", permit.body.entry.as_str(), detail).await.map(|_| ())
            }
            Err(NotClaimed::Later(error)) => {
                // The permit stays good until it expires: the next step tries again.
                self.late.insert(permit.body.entry.clone());
                self.permits.insert(permit.body.entry.clone(), wanted.clone());
                Err(error)
            }
        }
    }

    /// Everything up to and including the claim. `None`: it is not to be carried out; the coordinator said no, or the outer lock was lost.
    async fn claim(
        &mut self,
        epoch: u64,
        wanted: &Wanted,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Option<(ClaimedAction, SentClaim)>, NotClaimed> {
        let permit = &wanted.permit;
        let entry = permit.body.entry.clone();
        let sent = match self.sent.get(&entry) {
            Some(sent) => sent.clone(),
            None => {
                self.check(permit).await?;
                self.take_locks(epoch, permit, clock).await?;
                match self.ready(epoch, wanted, clock).await {
                    Err(void @ NotClaimed::Void(_)) => {
                        self.locks.release(&entry).await;
                        return Err(void);
                    }
                    ready => ready?,
                }
            }
        };
        if !self.locks.still_held(&entry).await {
            self.without_lock(&entry, clock).await?;
            return Ok(None);
        }
        self.sent.insert(entry.clone(), sent.clone());
        let command = Command::Claim { claim: sent.journal.claim.clone() };
        // A failure here may hide a committed claim: it stays in `sent`, and the same request id gets the same answer.
        let attempt = self.refused.get(&entry).copied().unwrap_or(0);
        let answer =
            self.ports.coordinator.submit(format!("claim-{entry}-{epoch}-{attempt}").into(), command).await.map_err(NotClaimed::Later)?;
        self.sent.remove(&entry);
        match answer {
            Answer::Claimed { confirmation } => match ClaimedAction::confirm(permit, &confirmation, epoch, &self.settings.key) {
                Ok(claimed) => {
                    self.abandoning.forget(&permit.body.digest);
                    Ok(Some((claimed, sent)))
                }
                Err(error) => Err(NotClaimed::Void(error.to_string())),
            },
            Answer::Refused { violations } => {
                self.ports.journal.forget(&entry).await?;
                let detail = serde_json::json!({ "violations": violations });
                self.audit(clock(), "claim_refused", entry.as_str(), detail).await?;
                if violations.iter().all(|v| v.rule == LimitRule::StaleFacts) {
                    self.refused.insert(entry, attempt + 1);
                    return Err(NotClaimed::Later(PortError::Unavailable {
                        what: "fresh facts".into(),
                        why: "the observer's are too old to claim on".into(),
                    }));
                }
                self.refused.remove(&entry);
                Ok(None)
            }
            other => Err(NotClaimed::Void(format!("the coordinator answered a claim with {other:?}"))),
        }
    }

    /// Takes the outer lock of every scope that the permit covers. The target is read under it.
    async fn take_locks(&mut self, epoch: u64, permit: &Permit, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Result<(), NotClaimed> {
        let body = &permit.body;
        // The epoch makes each life of this actuator a holder of its own: what an earlier one holds ends by its TTL.
        let holder = format!("picket/{}/{}/{epoch}", self.settings.cluster, body.entry);
        match self.locks.take(&body.entry, &holder, body.tokens.keys().cloned().collect()).await? {
            Taken::Yes => Ok(()),
            Taken::No { first } => {
                if first {
                    let detail = serde_json::json!({ "holder": holder, "scopes": body.tokens.keys().collect::<Vec<_>>() });
                    self.audit(clock(), "waits_for_outer_lock", body.entry.as_str(), detail).await?;
                }
                Err(NotClaimed::Waiting)
            }
        }
    }

    /// The outer lock is gone, so no claim leaves from here. Whether an earlier copy of this one was taken, the ledger says.
    async fn without_lock(&mut self, entry: &EntryId, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Result<(), NotClaimed> {
        if !self.sent.contains_key(entry) {
            // Nothing left yet: the next step takes the lock anew, and reads the target anew.
            self.locks.release(entry).await;
            self.ports.journal.forget(entry).await?;
            return Err(NotClaimed::Waiting);
        }
        let ledger = self.ports.coordinator.entries(0).await.map_err(NotClaimed::Later)?;
        let known = ledger.iter().find(|e| e.id == *entry);
        let state = known.map(|e| e.state);
        if state == Some(EntryState::Permitted) {
            // A copy may still be on its way.
            return Err(NotClaimed::Waiting);
        }
        let detail = serde_json::json!({ "why": "the outer lock was lost before the claim was answered", "state": state });
        self.audit(clock(), "outer_lock_lost", entry.as_str(), detail).await?;
        match self.sent.remove(entry) {
            // Claimed, and nothing was written under it: that can be proven.
            Some(sent) if known.is_some_and(|e| e.waits_for_fence() && is_granted(e, &sent.journal.claim)) => {
                self.unproven.push(sent.journal)
            }
            _ => self.ports.journal.forget(entry).await?,
        }
        Ok(())
    }

    /// Reads the target, and puts it and the permit on record: all that comes between the checks and the claim.
    async fn ready(&mut self, epoch: u64, wanted: &Wanted, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Result<SentClaim, NotClaimed> {
        let body = &wanted.permit.body;
        let token = body.tokens.values().copied().max().ok_or_else(|| NotClaimed::Void("the permit carries no token".into()))?;
        self.abandoning.made_ready(&body.digest, &body.work);
        let before = self.ports.executor.prepare(&body.work).await?;
        if before.token.is_some_and(|seen| seen > token) {
            return Err(NotClaimed::Void(format!("the target carries token {:?}, the permit only {token}", before.token)));
        }
        let mut detail = serde_json::json!({ "digest": body.digest, "work": body.work, "token": token, "before": before.object, "version": before.resource_version });
        if let Some(outer) = self.locks.record(&body.entry) {
            detail["outer_lock"] = outer;
        }
        let audit_hash = self.audit(clock(), "claim_intent", body.entry.as_str(), detail).await?;
        let claim = ClaimRequest {
            entry: body.entry.clone(),
            digest: body.digest.clone(),
            actuator_epoch: epoch,
            before_digest: before.digest(),
            audit_hash,
        };
        let journal = JournalEntry {
            claim,
            work: body.work.clone(),
            proposal: Box::new(wanted.proposal.clone()),
            cost_pods: body.reserved_pods,
            token,
            before,
            report: None,
            at: body.issued_at,
        };
        self.ports.journal.write(&journal).await?;
        Ok(SentClaim { journal, sent_at: clock() })
    }

    async fn check(&self, permit: &Permit) -> Result<(), NotClaimed> {
        permit.verify(&self.settings.key).map_err(|e| NotClaimed::Void(e.to_string()))?;
        let body = &permit.body;
        if body.cluster != self.settings.cluster {
            return Err(NotClaimed::Void(format!("the permit is for cluster {}", body.cluster)));
        }
        if body.demonstration && !self.settings.demonstration {
            return Err(NotClaimed::Void("permits of the demonstration CA are not honoured on a real cluster".into()));
        }
        let now = self.ports.coordinator.status().await?.now;
        if now >= body.expires_at {
            return Err(NotClaimed::Void(format!("the permit expired at {}, it is {now}", body.expires_at)));
        }
        for (scope, token) in &body.tokens {
            if !self.ports.journal.raise(scope, *token).await? {
                return Err(NotClaimed::Void(format!("a higher token than {token} was seen for {scope}")));
            }
        }
        Ok(())
    }

    async fn execute(
        &mut self,
        epoch: u64,
        claimed: &ClaimedAction,
        sent: SentClaim,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> PortResult<()> {
        let SentClaim { mut journal, sent_at, .. } = sent;
        let left_ms = self.settings.deadline_ms - clock().since_ms(sent_at);
        let locked_ms = i64::try_from(self.locks.remaining_ms(journal.entry())).unwrap_or(i64::MAX);
        let done = if left_ms < self.settings.write_timeout_ms {
            Err(PortError::Timeout { what: "the claim took so long that no write may be started".into() })
        } else if locked_ms < self.settings.write_timeout_ms {
            Err(PortError::Timeout { what: "the outer lock may end before a write would: none may be started".into() })
        } else {
            self.ports.executor.execute(claimed, &journal.before, claimed.claimed_at()).await
        };
        match done {
            Ok(receipt) => {
                journal.report = Some(Report::Applied { receipt });
                self.settle(epoch, journal, clock()).await
            }
            // An error proves nothing: the first copy may have landed [M2].
            Err(_) => self.prove(epoch, journal, clock).await,
        }
    }

    async fn audit(&self, at: Timestamp, kind: &str, subject: &str, detail: serde_json::Value) -> PortResult<Digest> {
        let entry = AuditEntry {
            at,
            actor: format!("actuator:{}", self.settings.cluster),
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            detail,
        };
        self.ports.audit.append(entry).await.map(|record| record.hash)
    }
}
