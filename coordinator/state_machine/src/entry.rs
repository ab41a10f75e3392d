//! A ledger entry with what only the coordinator needs to know of it.

use crate::planted::{Fault, is_planted};
use picket_core::action::{Digest, Reversibility};
use picket_core::coordination::LedgerEntry;
use picket_core::ids::{AgentKind, ClusterName, EntryId};
use picket_core::outcome::{Receipt, Report};
use picket_core::permit::PermitBody;
use picket_core::proposal::Work;
use picket_core::scope::Scope;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A person's yes: to one digest, under one stop epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Approval {
    pub digest: Digest,
    pub stop_epoch: u64,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub view: LedgerEntry,
    pub approval: Option<Approval>,
    /// Made when it was permitted; signed by the leader, outside `apply`.
    pub permit: Option<PermitBody>,
    /// Coordinator time of the newest evidence.
    pub evidence_echo: Timestamp,
}

impl Entry {
    pub(crate) fn id(&self) -> &EntryId {
        &self.view.id
    }

    pub(crate) fn cluster(&self) -> &ClusterName {
        &self.view.work.action().service.cluster
    }

    pub(crate) fn agent(&self) -> AgentKind {
        self.view.proposal.agent
    }

    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.view.work.scopes()
    }

    pub(crate) const fn is_undo(&self) -> bool {
        matches!(self.view.work, Work::Undo { .. })
    }

    /// Consent counts for exactly the digest and the stop epoch that were shown [M7].
    pub(crate) fn approved_under(&self, stop_epoch: u64) -> bool {
        self.approval.as_ref().is_some_and(|a| a.digest == self.view.digest && a.stop_epoch == stop_epoch)
    }

    /// How many different people have said yes.
    pub(crate) fn approvers(&self) -> usize {
        usize::from(self.view.approved_by.is_some()) + usize::from(self.view.first_approved_by.is_some())
    }

    /// What an undo would go by: what landed of an act that can be taken back.
    pub(crate) fn undoable(&self) -> Option<&Receipt> {
        if self.is_undo() || self.view.work.action().kind().reversibility() == Reversibility::None {
            return None;
        }
        match &self.view.report {
            Some(Report::Applied { receipt } | Report::CannotTell { landed: Some(receipt), .. }) => Some(receipt),
            _ => None,
        }
    }

    /// It was claimed at some time: its end is a resolution.
    pub(crate) const fn was_claimed(&self) -> bool {
        self.view.claim.is_some()
    }

    /// See [`LedgerEntry::waits_for_fence`].
    pub(crate) fn waits_for_fence(&self) -> bool {
        self.view.waits_for_fence() && !is_planted(Fault::FenceNotAwaited)
    }

    /// Its pods are reserved.
    pub(crate) fn reserves(&self) -> bool {
        self.view.state.holds_budget() || self.waits_for_fence()
    }

    /// Nothing is left to be done or waited for.
    pub(crate) fn is_over(&self) -> bool {
        self.view.state.is_terminal() && !self.waits_for_fence()
    }

    /// Waits for a scope, a person, an agent or an actuator; nothing was done yet.
    pub(crate) const fn is_before_claim(&self) -> bool {
        use picket_core::ledger::EntryState as S;
        matches!(self.view.state, S::Queued | S::AwaitingApproval | S::Approved | S::Permitted)
    }
}
