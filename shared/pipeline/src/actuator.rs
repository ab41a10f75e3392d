//! The actuator: claims signed permits and carries out exactly what they say (PROTOCOL.md, "Claim", "Act", "Proof").

mod outer_locks;
#[cfg(test)]
mod tests;

pub use outer_locks::OuterLocking;

use ed25519_dalek::VerifyingKey;
use outer_locks::{OuterLocks, Taken, keeps_lock};
use picket_core::action::Digest;
use picket_core::audit::AuditEntry;
use picket_core::claim::{ClaimRequest, ClaimedAction};
use picket_core::coordination::{Answer, Command, LedgerChange, LedgerEntry};
use picket_core::ids::{ClusterName, EntryId};
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use picket_core::outcome::Report;
use picket_core::permit::Permit;
use picket_core::ports::{AuditLog, Coordinator, Journal, JournalEntry, OuterLock, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

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
    epoch: Option<u64>,
    revision: u64,
    locks: OuterLocks<L>,
    /// Permits seen and not yet dealt with.
    permits: BTreeMap<EntryId, Permit>,
    /// Claims that were sent and not answered: the same request goes out again, with the same reading of the target [M3].
    sent: BTreeMap<EntryId, SentClaim>,
    /// Claims refused for facts that were too old: the permit is still good, and the next claim is a request of its own.
    refused: BTreeMap<EntryId, u32>,
    /// Entries to be resolved by proof.
    unproven: Vec<JournalEntry>,
    /// Reports that the coordinator has not taken yet.
    unreported: Vec<JournalEntry>,
}

/// A claim on its way.
#[derive(Clone, Debug)]
struct SentClaim {
    journal: JournalEntry,
    request: ClaimRequest,
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
    pub const fn new(settings: ActuatorSettings, ports: ActuatorPorts<C, X, A, J>, outer_lock: Option<OuterLocking<L>>) -> Self {
        Self {
            settings,
            ports,
            epoch: None,
            revision: 0,
            locks: OuterLocks::new(outer_lock),
            permits: BTreeMap::new(),
            sent: BTreeMap::new(),
            refused: BTreeMap::new(),
            unproven: Vec::new(),
            unreported: Vec::new(),
        }
    }

    /// The ports, for whoever drives it.
    pub const fn ports(&self) -> &ActuatorPorts<C, X, A, J> {
        &self.ports
    }

    /// Registers when new, resumes by proving, watches the ledger, acts. `wait_ms` bounds the wait for a change (real time).
    ///
    /// # Errors
    /// When the coordinator, the audit log or the journal is away: nothing is claimed; call again.
    pub async fn step(&mut self, clock: &(dyn Fn() -> Timestamp + Send + Sync), wait_ms: u64) -> PortResult<()> {
        let epoch = match self.epoch {
            Some(epoch) => epoch,
            None => self.register(clock()).await?,
        };
        self.locks.keep().await;
        self.report_all(epoch).await?;
        self.prove_all(epoch, clock).await?;
        let page = self.ports.coordinator.watch(self.revision, wait_ms).await?;
        if page.compacted {
            // Whatever was missed shows in the ledger as it stands; permits in it are claimed when they are seen to be live.
            let ledger = self.ports.coordinator.entries(0).await?;
            self.locks.release_all_but(&ledger.iter().filter(|e| keeps_lock(e.state)).map(|e| e.id.clone()).collect()).await;
            for entry in ledger {
                self.note(entry, None);
            }
        }
        for LedgerChange { entry, permit, .. } in page.changes {
            if !keeps_lock(entry.state) {
                self.locks.release(&entry.id).await;
            }
            self.note(entry, permit);
        }
        self.revision = page.revision;
        let mut permits = std::mem::take(&mut self.permits);
        while let Some((_, permit)) = permits.pop_first() {
            if let Err(error) = self.act(epoch, &permit, clock).await {
                // The ledger's watch does not tell of these again: the next step goes on with them.
                self.permits.append(&mut permits);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn register(&mut self, now: Timestamp) -> PortResult<u64> {
        let id = format!("register-{}-{}", self.settings.cluster, now.0);
        match self.ports.coordinator.submit(id.into(), Command::Register).await? {
            Answer::Epoch { epoch } => {
                self.epoch = Some(epoch);
                self.resume(epoch).await?;
                Ok(epoch)
            }
            other => Err(PortError::Refused { what: "register".into(), why: format!("{other:?}") }),
        }
    }

    /// Sorts out what an earlier life of this actuator left: what was claimed is proven, never written again [M4].
    async fn resume(&mut self, epoch: u64) -> PortResult<()> {
        let ledger = self.ports.coordinator.entries(0).await?;
        let claimed = |id: &EntryId| ledger.iter().any(|e| e.id == *id && e.state == EntryState::Claimed);
        for journal in self.ports.journal.open_entries().await? {
            if journal.report.is_some() {
                self.unreported.push(journal);
            } else if claimed(&journal.entry) {
                self.unproven.push(journal);
            } else {
                // Never claimed, and the old epoch can claim nothing any more.
                self.ports.journal.forget(&journal.entry).await?;
            }
        }
        for entry in ledger.iter().filter(|e| e.state == EntryState::Claimed && self.is_ours(e)) {
            let known = self.unproven.iter().chain(&self.unreported).any(|j| j.entry == entry.id);
            if !known {
                // Its disk was lost: nothing can be proven, a person must look.
                let report = Report::CannotTell { why: "the actuator's journal has no record of this claim".into(), landed: None };
                self.submit_report(epoch, &entry.id, report).await?;
            }
        }
        Ok(())
    }

    fn is_ours(&self, entry: &LedgerEntry) -> bool {
        entry.work.action().service.cluster == self.settings.cluster
    }

    fn note(&mut self, entry: LedgerEntry, permit: Option<Permit>) {
        match (entry.state, permit) {
            (EntryState::Permitted, Some(permit)) if self.is_ours(&entry) => {
                self.permits.insert(entry.id, permit);
            }
            // A claim whose answer was lost may be what changed the entry: the same request asks again.
            _ if self.sent.contains_key(&entry.id) => {}
            _ => {
                self.permits.remove(&entry.id);
            }
        }
    }

    async fn act(&mut self, epoch: u64, permit: &Permit, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        match self.claim(epoch, permit, clock).await {
            Ok(Some((claimed, sent))) => {
                self.refused.remove(&permit.body.entry);
                self.execute(epoch, &claimed, sent, clock).await
            }
            Ok(None) => {
                self.locks.release(&permit.body.entry).await;
                Ok(())
            }
            Err(NotClaimed::Waiting) => {
                self.permits.insert(permit.body.entry.clone(), permit.clone());
                Ok(())
            }
            Err(NotClaimed::Void(why)) => {
                self.sent.remove(&permit.body.entry);
                let detail = serde_json::json!({ "why": why });
                self.audit(clock(), "not_claimed", permit.body.entry.as_str(), detail).await.map(|_| ())
            }
            Err(NotClaimed::Later(error)) => {
                // The permit stays good until it expires: the next step tries again.
                self.permits.insert(permit.body.entry.clone(), permit.clone());
                Err(error)
            }
        }
    }

    /// Everything up to and including the claim. `None`: it is not to be carried out; the coordinator said no, or the outer lock was lost.
    async fn claim(
        &mut self,
        epoch: u64,
        permit: &Permit,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<Option<(ClaimedAction, SentClaim)>, NotClaimed> {
        let entry = permit.body.entry.clone();
        let sent = match self.sent.get(&entry) {
            Some(sent) => sent.clone(),
            None => {
                self.check(permit).await?;
                self.take_locks(epoch, permit, clock).await?;
                match self.ready(epoch, permit, clock).await {
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
        let command = Command::Claim { claim: sent.request.clone() };
        // A failure here may hide a committed claim: it stays in `sent`, and the same request id gets the same answer.
        let attempt = self.refused.get(&entry).copied().unwrap_or(0);
        let answer =
            self.ports.coordinator.submit(format!("claim-{entry}-{epoch}-{attempt}").into(), command).await.map_err(NotClaimed::Later)?;
        self.sent.remove(&entry);
        match answer {
            Answer::Claimed { confirmation } => match ClaimedAction::confirm(permit, &confirmation, epoch, &self.settings.key) {
                Ok(claimed) => Ok(Some((claimed, sent))),
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
        let state = ledger.iter().find(|e| e.id == *entry).map(|e| e.state);
        if state == Some(EntryState::Permitted) {
            // A copy may still be on its way.
            return Err(NotClaimed::Waiting);
        }
        let detail = serde_json::json!({ "why": "the outer lock was lost before the claim was answered", "state": state });
        self.audit(clock(), "outer_lock_lost", entry.as_str(), detail).await?;
        match (self.sent.remove(entry), state) {
            // Claimed, and nothing was written under it: that can be proven.
            (Some(sent), Some(EntryState::Claimed)) => self.unproven.push(sent.journal),
            _ => self.ports.journal.forget(entry).await?,
        }
        Ok(())
    }

    /// Reads the target, and puts it and the permit on record: all that comes between the checks and the claim.
    async fn ready(&self, epoch: u64, permit: &Permit, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> Result<SentClaim, NotClaimed> {
        let body = &permit.body;
        let token = body.tokens.values().copied().max().ok_or_else(|| NotClaimed::Void("the permit carries no token".into()))?;
        let before = self.ports.executor.prepare(&body.work).await?;
        if before.token.is_some_and(|seen| seen > token) {
            return Err(NotClaimed::Void(format!("the target carries token {:?}, the permit only {token}", before.token)));
        }
        let mut detail = serde_json::json!({ "digest": body.digest, "work": body.work, "token": token, "before": before.object, "version": before.resource_version });
        if let Some(outer) = self.locks.record(&body.entry) {
            detail["outer_lock"] = outer;
        }
        let before_digest = before.digest();
        let journal = JournalEntry {
            entry: body.entry.clone(),
            work: body.work.clone(),
            token,
            before,
            report: None,
            cluster: self.settings.cluster.clone(),
        };
        self.ports.journal.write(&journal).await?;
        let record = self.audit(clock(), "claim_intent", body.entry.as_str(), detail).await?;
        let request = ClaimRequest {
            entry: body.entry.clone(),
            digest: body.digest.clone(),
            actuator_epoch: epoch,
            before_digest,
            audit_hash: record,
        };
        Ok(SentClaim { journal, request, sent_at: clock() })
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
        let locked_ms = i64::try_from(self.locks.remaining_ms(&journal.entry)).unwrap_or(i64::MAX);
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

    async fn prove_all(&mut self, epoch: u64, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        for journal in std::mem::take(&mut self.unproven) {
            self.prove(epoch, journal, clock).await?;
        }
        Ok(())
    }

    async fn prove(&mut self, epoch: u64, mut journal: JournalEntry, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        let proof = self.ports.executor.prove(&journal.entry, journal.token, &journal.work, &journal.before, clock()).await;
        journal.report = Some(match proof {
            Ok(Proof::Effect(receipt)) => Report::Applied { receipt },
            Ok(Proof::Absence) => Report::NoEffect {
                why: "the fence was raised on exactly the version before: the write never took effect and never will".into(),
            },
            Ok(Proof::Neither(why)) => Report::CannotTell { why, landed: None },
            Err(PortError::Refused { what, why }) => Report::CannotTell { why: format!("{what}: {why}"), landed: None },
            Err(error) => {
                self.unproven.push(journal);
                return Err(error);
            }
        });
        self.settle(epoch, journal, clock()).await
    }

    /// The outcome goes to the journal, the audit log and the coordinator, in this order.
    async fn settle(&mut self, epoch: u64, journal: JournalEntry, now: Timestamp) -> PortResult<()> {
        self.ports.journal.write(&journal).await?;
        let detail = serde_json::to_value(&journal.report).unwrap_or_default();
        let kind = match (&journal.report, &journal.work) {
            (Some(Report::Applied { .. }), Work::Do { .. }) => "applied",
            (Some(Report::Applied { .. }), Work::Undo { .. }) => "undone",
            (Some(Report::NoEffect { .. }), _) => "no_effect",
            _ => "cannot_tell",
        };
        self.unreported.push(journal);
        let subject = self.unreported.last().map_or_else(String::new, |j| j.entry.to_string());
        self.audit(now, kind, &subject, detail).await?;
        self.report_all(epoch).await
    }

    async fn report_all(&mut self, epoch: u64) -> PortResult<()> {
        while let Some(journal) = self.unreported.first() {
            let Some(report) = journal.report.clone() else {
                self.unreported.remove(0);
                continue;
            };
            let entry = journal.entry.clone();
            self.submit_report(epoch, &entry, report).await?;
            self.ports.journal.forget(&entry).await?;
            self.unreported.remove(0);
        }
        Ok(())
    }

    async fn submit_report(&self, epoch: u64, entry: &EntryId, report: Report) -> PortResult<()> {
        let command = Command::Report { entry: entry.clone(), actuator_epoch: epoch, report };
        self.ports.coordinator.submit(format!("report-{entry}-{epoch}").into(), command).await.map(|_| ())
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
