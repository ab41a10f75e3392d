//! The fences that a STOP asks for (docs/decisions/0011).

use super::Actuator;
use picket_core::coordination::{Answer, Command, CoordinatorStatus};
use picket_core::outcome::Report;
use picket_core::ports::{AuditLog, Coordinator, Journal, OuterLock, PortResult, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::time::Timestamp;

impl<C: Coordinator, X: RemediationExecutor, A: AuditLog, J: Journal, L: OuterLock> Actuator<C, X, A, J, L> {
    /// Raises the cluster's fences to the token of the newest STOP, once they are asked for, and says so when each was confirmed. After a
    /// crash it is done again: raising what stands changes nothing.
    pub(super) async fn raise_when_asked(
        &mut self,
        status: &CoordinatorStatus,
        epoch: u64,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> PortResult<()> {
        let stop = &status.stop;
        let told = self.office.map_or(0, |office| office.fenced_stop);
        if !stop.fences_missing.contains(&self.settings.cluster) || told >= stop.epoch {
            return Ok(());
        }
        self.ports.executor.fence_all(stop.fence_token).await?;
        let works = self.may_land(status).await?;
        for work in &works {
            self.ports.executor.fence(work, stop.fence_token).await?;
        }
        let detail = serde_json::json!({ "stop_epoch": stop.epoch, "token": stop.fence_token, "open_claims": works.len() });
        self.audit(clock(), "fences_raised", self.settings.cluster.as_str(), detail).await?;
        let id = format!("fence-{}-{epoch}-{}", self.settings.cluster, stop.epoch);
        let command = Command::FenceRaised { actuator_epoch: epoch, stop_epoch: stop.epoch };
        if let Answer::Refused { violations } = self.ports.coordinator.submit(id.into(), command).await? {
            tracing::warn!(?violations, "the fences are raised, and this actuator is not in office to say so");
        }
        if let Some(office) = &mut self.office {
            office.fenced_stop = stop.epoch;
        }
        Ok(())
    }

    /// What was claimed before the STOP and may still land: by the ledger as it is now, and by this journal, which may know of claims that a
    /// restored ledger does not. (A restored ledger holds its scopes with tokens of its own life; nothing was claimed in that yet.)
    async fn may_land(&self, status: &CoordinatorStatus) -> PortResult<Vec<Work>> {
        let (token, restored) = (status.stop.fence_token, status.restore.is_some());
        let ledger = self.ports.coordinator.entries(0).await?;
        let open = ledger.into_iter().filter(|e| e.waits_for_fence() && self.is_ours(e));
        let mut works: Vec<Work> = open.filter(|e| restored || e.tokens.values().all(|t| *t < token)).map(|e| e.work).collect();
        let journals = self.ports.journal.open_entries().await?;
        let unproven = journals.into_iter().filter(|j| j.token < token && !j.report.as_ref().is_some_and(Report::is_fenced));
        works.extend(unproven.map(|j| j.work));
        Ok(works)
    }
}
