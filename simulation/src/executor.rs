//! The executor and the audit log of an actuator: as they ship, unless a fault is planted.

use crate::planted::{self, Fault};
use crate::way::SimWay;
use picket_adapters::in_memory::InMemoryAuditLog;
use picket_adapters::kubernetes::{ACTION_ID, ApiObjects, Executor, Objects as _};
use picket_core::audit::{AuditEntry, AuditRecord, genesis};
use picket_core::claim::ClaimedAction;
use picket_core::ids::EntryId;
use picket_core::outcome::Receipt;
use picket_core::ports::{AuditLog, Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;

/// Carries acts out.
pub struct Hands {
    way: SimWay,
    executor: Executor<ApiObjects<SimWay>>,
}

impl Hands {
    pub fn new(way: SimWay) -> Self {
        Self { executor: Executor::new(ApiObjects::by(way.clone())), way }
    }

    async fn is_stamped(&self, before: &Before, entry: &EntryId) -> PortResult<bool> {
        match ApiObjects::by(self.way.clone()).get(&before.object).await {
            Ok(object) => Ok(object["metadata"]["annotations"][ACTION_ID].as_str() == Some(entry.as_str())),
            Err(PortError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl RemediationExecutor for Hands {
    async fn prepare(&self, work: &Work) -> PortResult<Before> {
        self.executor.prepare(work).await
    }

    async fn execute(&self, claimed: &ClaimedAction, before: &Before, now: Timestamp) -> PortResult<Receipt> {
        if planted::is(Fault::TargetReadAfterClaim) {
            let fresh = self.executor.prepare(claimed.work()).await?;
            return self.executor.execute(claimed, &fresh, now).await;
        }
        self.executor.execute(claimed, before, now).await
    }

    async fn prove(&self, entry: &EntryId, token: FencingToken, work: &Work, before: &Before, now: Timestamp) -> PortResult<Proof> {
        if planted::is(Fault::AbsenceFromRead) && !self.is_stamped(before, entry).await? {
            return Ok(Proof::Absence);
        }
        if planted::is(Fault::ResumeWrites) {
            let _ = self.way.send_again().await;
        }
        self.executor.prove(entry, token, work, before, now).await
    }

    async fn fence(&self, work: &Work, token: FencingToken) -> PortResult<()> {
        self.executor.fence(work, token).await
    }

    async fn fence_all(&self, token: FencingToken) -> PortResult<()> {
        self.executor.fence_all(token).await
    }
}

/// Keeps the record of what is done.
#[derive(Clone)]
pub struct Record(pub InMemoryAuditLog);

impl AuditLog for Record {
    async fn append(&self, entry: AuditEntry) -> PortResult<AuditRecord> {
        if planted::is(Fault::AuditAfterClaim) && entry.kind == "claim_intent" {
            // It will be written when there is time.
            return Ok(AuditRecord::link(1, genesis(), entry));
        }
        self.0.append(entry).await
    }

    async fn read(&self, from_seq: u64, max: usize) -> PortResult<Vec<AuditRecord>> {
        self.0.read(from_seq, max).await
    }
}
