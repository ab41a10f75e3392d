//! What became of a claim: proven, put on record, reported; and what an earlier life left [M1, M2, M4].

use super::Actuator;
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Answer, Command, LedgerEntry};
use picket_core::ids::EntryId;
use picket_core::outcome::Report;
use picket_core::ports::{AuditLog, Coordinator, Journal, JournalEntry, OuterLock, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;

/// Ended entries that a new life looks at: an act that was claimed may be over, and its journal is kept all the same.
const ENDED_MAX: usize = 256;

/// True when the ledger's claim is the one that this journal is of: an entry may be claimed by another process, on another reading.
pub(super) fn is_granted(entry: &LedgerEntry, claim: &ClaimRequest) -> bool {
    entry.claim.as_ref() == Some(claim)
}

impl<C: Coordinator, X: RemediationExecutor, A: AuditLog, J: Journal, L: OuterLock> Actuator<C, X, A, J, L> {
    /// Sorts out what an earlier life of this actuator, or of the coordinator, left: what was claimed is proven, never written again [M4].
    pub(super) async fn resume(&mut self, restored: bool) -> PortResult<()> {
        let ledger = self.ports.coordinator.entries(ENDED_MAX).await?;
        self.sent.clear();
        self.permits.clear();
        self.unproven.clear();
        self.unreported.clear();
        self.kept.clear();
        self.unfenced = ledger.iter().filter(|e| e.waits_for_fence() && self.is_ours(e)).map(|e| (e.id.clone(), e.clone())).collect();
        for mut journal in self.ports.journal.open_entries().await? {
            let granted = ledger.iter().find(|e| e.id == *journal.entry() && is_granted(e, &journal.claim));
            match (granted.map(LedgerEntry::waits_for_fence), journal.report.as_ref().map(Report::is_fenced)) {
                (Some(true), Some(true)) => self.unreported.push(journal),
                (Some(true), _) => self.unproven.push(journal),
                (Some(false), None) => {
                    // Another life raised its fence: what it had done, nobody can say.
                    let why = "it was fenced before it was proven".to_owned();
                    journal.report = Some(Report::CannotTell { why, landed: None, fenced: true });
                    self.ports.journal.write(&journal).await?;
                    self.kept.add(&journal);
                }
                // The ledger has heard of it, or has forgotten it by now.
                (Some(false), Some(_)) | (None, Some(true)) => self.kept.add(&journal),
                // The lost life of the coordinator may have granted it: proven, then uploaded.
                (None, _) if restored => self.unproven.push(journal),
                // Never granted, and the old epoch can claim nothing any more.
                (None, _) => self.ports.journal.forget(journal.entry()).await?,
            }
        }
        Ok(())
    }

    /// Takes up every claim whose fence nobody has confirmed and that is in nobody's hands here: an earlier life's, another process's, or one
    /// that could not be proven. The ledger says what was granted; a journal of another claim says nothing of it.
    pub(super) async fn take_up(&mut self, epoch: u64, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        let left: Vec<LedgerEntry> = self.unfenced.values().filter(|e| !self.is_in_hand(&e.id)).cloned().collect();
        let mut first = Ok(());
        for entry in left {
            match self.take_up_one(epoch, &entry, clock).await {
                Ok(()) => drop(self.unfenced.remove(&entry.id)),
                // A sink that cannot be fenced for a while holds up no other.
                Err(error) => first = first.and(Err(error)),
            }
        }
        first
    }

    async fn take_up_one(&mut self, epoch: u64, entry: &LedgerEntry, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        let journals = self.ports.journal.open_entries().await?;
        match journals.into_iter().find(|j| is_granted(entry, &j.claim)) {
            Some(journal) if journal.report.is_none() => self.prove(epoch, journal, clock).await,
            journal => self.fence_unproven(epoch, entry, journal, clock).await,
        }
    }

    fn is_in_hand(&self, id: &EntryId) -> bool {
        self.sent.contains_key(id)
            || self.kept.contains(id)
            || self.unproven.iter().chain(&self.unreported).any(|journal| journal.entry() == id)
    }

    /// Nothing here can prove the claim: its target is fenced on whatever stands, and a person must look.
    async fn fence_unproven(
        &mut self,
        epoch: u64,
        entry: &LedgerEntry,
        journal: Option<JournalEntry>,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> PortResult<()> {
        let token = entry.tokens.values().max().copied().unwrap_or_default();
        self.ports.executor.fence(&entry.work, FencingToken(token.0.saturating_add(1))).await?;
        let why = "nothing here could prove it; its target was fenced, so nothing more of it can land".to_owned();
        let report = Report::CannotTell { why, landed: None, fenced: true };
        if let Some(journal) = journal {
            return self.settle(epoch, JournalEntry { report: Some(report), ..journal }, clock()).await;
        }
        self.audit(clock(), "cannot_tell", entry.id.as_str(), serde_json::to_value(&report).unwrap_or_default()).await?;
        self.submit_report(epoch, &entry.id, report).await
    }

    pub(super) async fn prove_all(&mut self, epoch: u64, clock: &(dyn Fn() -> Timestamp + Send + Sync)) -> PortResult<()> {
        let mut first = Ok(());
        for journal in std::mem::take(&mut self.unproven) {
            // What cannot be proven yet stays with the unproven, and holds up no other.
            first = first.and(self.prove(epoch, journal, clock).await);
        }
        first
    }

    pub(super) async fn prove(
        &mut self,
        epoch: u64,
        mut journal: JournalEntry,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> PortResult<()> {
        let proof = self.ports.executor.prove(journal.entry(), journal.token, &journal.work, &journal.before, clock()).await;
        journal.report = Some(match proof {
            Ok(Proof::Effect(receipt)) => Report::Applied { receipt },
            Ok(Proof::Absence) => Report::NoEffect {
                why: "the fence was raised on exactly the version before: the write never took effect and never will".into(),
            },
            Ok(Proof::Neither(why)) => Report::CannotTell { why, landed: None, fenced: true },
            // Nothing was read or raised.
            Err(PortError::Refused { what, why }) => Report::CannotTell { why: format!("{what}: {why}"), landed: None, fenced: false },
            Err(error) => {
                self.unproven.push(journal);
                return Err(error);
            }
        });
        self.settle(epoch, journal, clock()).await
    }

    /// The outcome goes to the journal, the audit log and the coordinator, in this order.
    pub(super) async fn settle(&mut self, epoch: u64, mut journal: JournalEntry, now: Timestamp) -> PortResult<()> {
        if journal.report.as_ref().is_some_and(Report::is_fenced) {
            // Nothing is left to be proven on it.
            journal.before.content = serde_json::Value::Null;
        }
        self.ports.journal.write(&journal).await?;
        let detail = serde_json::to_value(&journal.report).unwrap_or_default();
        let kind = match (&journal.report, &journal.work) {
            (Some(Report::Applied { .. }), Work::Do { .. }) => "applied",
            (Some(Report::Applied { .. }), Work::Undo { .. }) => "undone",
            (Some(Report::NoEffect { .. }), _) => "no_effect",
            _ => "cannot_tell",
        };
        let subject = journal.entry().to_string();
        self.unreported.push(journal);
        self.audit(now, kind, &subject, detail).await?;
        self.report_all(epoch).await
    }

    /// What the coordinator has heard stays in the journal until a backup covers it.
    pub(super) async fn report_all(&mut self, epoch: u64) -> PortResult<()> {
        while let Some(journal) = self.unreported.first() {
            if let Some(report) = journal.report.clone() {
                let entry = journal.entry().clone();
                self.submit_report(epoch, &entry, report).await?;
            }
            let journal = self.unreported.remove(0);
            if journal.report.as_ref().is_some_and(Report::is_fenced) {
                self.kept.add(&journal);
            }
        }
        Ok(())
    }

    async fn submit_report(&self, epoch: u64, entry: &EntryId, report: Report) -> PortResult<()> {
        // What could not be told without a fence is told again with one.
        let fenced = if report.is_fenced() { "fenced" } else { "open" };
        let command = Command::Report { entry: entry.clone(), actuator_epoch: epoch, report };
        let id = format!("report-{entry}-{epoch}-{fenced}");
        if let Answer::Refused { violations } = self.ports.coordinator.submit(id.into(), command).await? {
            tracing::debug!(%entry, ?violations, "a report was only audited");
        }
        Ok(())
    }
}
