//! The action ledger's transition table: PROTOCOL.md, "Ledger". No other transition exists (I6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an entry stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// A limit is broken. Terminal.
    Denied,
    /// The agent only observes. Terminal; scored later.
    Shadowed,
    /// Waits for a lease.
    Queued,
    /// Waits for a person.
    AwaitingApproval,
    /// A person said yes; the agent must refresh its evidence.
    Approved,
    /// May be claimed.
    Permitted,
    /// Being done.
    Claimed,
    /// Done; the observer watches.
    Observing,
    /// Nobody can say how it turned out: pages; a person may undo it.
    Inconclusive,
    /// Being taken back by a child entry.
    Undoing,
    /// Not knowable whether it took effect: keeps its budget, pages.
    Indeterminate,
    /// The undo failed: keeps its budget, pages.
    UndoFailed,
    /// Over. Terminal.
    Settled,
    /// Proven without effect. Terminal.
    Failed,
    /// Taken back. Terminal.
    RolledBack,
    /// Too late. Terminal.
    Expired,
    /// Stopped, demoted or preempted. Terminal.
    Cancelled,
}

impl EntryState {
    /// Every state.
    pub const ALL: [Self; 17] = [
        Self::Denied,
        Self::Shadowed,
        Self::Queued,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Permitted,
        Self::Claimed,
        Self::Observing,
        Self::Inconclusive,
        Self::Undoing,
        Self::Indeterminate,
        Self::UndoFailed,
        Self::Settled,
        Self::Failed,
        Self::RolledBack,
        Self::Expired,
        Self::Cancelled,
    ];

    /// No event leads out of it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Denied | Self::Shadowed | Self::Settled | Self::Failed | Self::RolledBack | Self::Expired | Self::Cancelled)
    }

    /// Claimed and not yet known to be over: its scope goes to nobody else [M12] and its cooldown holds [M11].
    #[must_use]
    pub const fn is_unresolved_claim(self) -> bool {
        matches!(self, Self::Claimed | Self::Indeterminate | Self::UndoFailed | Self::Undoing)
    }

    /// Its disruption budget is held, also once its claim's fence is confirmed.
    #[must_use]
    pub const fn holds_budget(self) -> bool {
        matches!(self, Self::Permitted | Self::Claimed | Self::Observing | Self::Undoing | Self::Indeterminate | Self::UndoFailed)
    }
}

/// What can happen to an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerEvent {
    /// All limits hold, scopes free.
    Permit,
    /// All limits hold, scopes held.
    Queue,
    /// A limit is broken, or a person said no.
    Deny,
    /// A person must say yes.
    NeedApproval,
    /// A person said yes to the digest.
    Approve,
    /// Its time ran out (`queue_ttl`, `approval_ttl`, `permit_ttl`, no refresh).
    Expire,
    /// STOP, demotion, preemption.
    Cancel,
    /// An actuator claimed it.
    Claim,
    /// Reported applied, or the fence saw it applied.
    Applied,
    /// Proven without effect.
    ProvenAbsent,
    /// Neither provable.
    CannotTell,
    /// Only some writes landed, and what landed is reversible.
    PartlyLanded,
    /// Graded Recovered or NoEffect.
    Graded,
    /// Graded Inconclusive, or the coordinator's own timer.
    GradedInconclusive,
    /// Graded Regressed, or a person's undo.
    BeginUndo,
    /// The undo was applied.
    ChildApplied,
    /// The undo ended in any other way [M14].
    ChildEndedOtherwise,
    /// A person resolved it as settled.
    ResolveSettled,
    /// A person resolved it as failed.
    ResolveFailed,
}

impl LedgerEvent {
    /// Every event.
    pub const ALL: [Self; 19] = [
        Self::Permit,
        Self::Queue,
        Self::Deny,
        Self::NeedApproval,
        Self::Approve,
        Self::Expire,
        Self::Cancel,
        Self::Claim,
        Self::Applied,
        Self::ProvenAbsent,
        Self::CannotTell,
        Self::PartlyLanded,
        Self::Graded,
        Self::GradedInconclusive,
        Self::BeginUndo,
        Self::ChildApplied,
        Self::ChildEndedOtherwise,
        Self::ResolveSettled,
        Self::ResolveFailed,
    ];
}

/// A transition that the table does not have.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no transition from {from:?} on {event:?}")]
pub struct ForbiddenTransition {
    /// The state it was in.
    pub from: EntryState,
    /// What should have happened.
    pub event: LedgerEvent,
}

/// The table. (Entries are *made* in Denied, Shadowed, AwaitingApproval, Permitted or Queued by Propose, and in Indeterminate by a journal
/// that knows of a claim which a restored ledger does not.)
///
/// # Errors
/// [`ForbiddenTransition`] for every pair that PROTOCOL.md does not list.
pub const fn next(from: EntryState, event: LedgerEvent) -> Result<EntryState, ForbiddenTransition> {
    use EntryState as S;
    use LedgerEvent as E;
    Ok(match (from, event) {
        (S::Queued, E::Permit) | (S::Approved, E::Permit) => S::Permitted,
        (S::Queued, E::Deny) | (S::AwaitingApproval, E::Deny) | (S::Approved, E::Deny) => S::Denied,
        (S::Queued, E::NeedApproval) => S::AwaitingApproval,
        (S::Approved, E::Queue) => S::Queued,
        (S::Queued | S::AwaitingApproval | S::Approved | S::Permitted, E::Expire) => S::Expired,
        (S::Queued | S::AwaitingApproval | S::Approved | S::Permitted, E::Cancel) => S::Cancelled,
        (S::AwaitingApproval, E::Approve) => S::Approved,
        (S::Permitted, E::Claim) => S::Claimed,
        (S::Claimed, E::Applied) => S::Observing,
        (S::Claimed, E::ProvenAbsent) => S::Failed,
        (S::Claimed, E::CannotTell) => S::Indeterminate,
        (S::Claimed, E::PartlyLanded) => S::Undoing,
        (S::Observing, E::Graded) => S::Settled,
        (S::Observing, E::GradedInconclusive) => S::Inconclusive,
        (S::Observing | S::Inconclusive | S::Indeterminate | S::UndoFailed, E::BeginUndo) => S::Undoing,
        (S::Undoing, E::ChildApplied) => S::RolledBack,
        (S::Undoing, E::ChildEndedOtherwise) => S::UndoFailed,
        (S::Indeterminate | S::UndoFailed, E::ResolveSettled) => S::Settled,
        (S::Indeterminate | S::UndoFailed, E::ResolveFailed) => S::Failed,
        _ => return Err(ForbiddenTransition { from, event }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_terminal_state() {
        for from in EntryState::ALL.into_iter().filter(|s| s.is_terminal()) {
            for event in LedgerEvent::ALL {
                assert_eq!(next(from, event), Err(ForbiddenTransition { from, event }));
            }
        }
    }

    #[test]
    fn every_state_that_is_not_terminal_has_a_way_out() {
        for from in EntryState::ALL.into_iter().filter(|s| !s.is_terminal() && *s != EntryState::Inconclusive) {
            assert!(LedgerEvent::ALL.into_iter().any(|e| next(from, e).is_ok()), "{from:?}");
        }
    }

    #[test]
    fn only_a_permit_is_claimed() {
        for from in EntryState::ALL {
            assert_eq!(next(from, LedgerEvent::Claim).is_ok(), from == EntryState::Permitted);
        }
    }

    #[test]
    fn a_claim_never_goes_back_to_a_state_before_it() {
        for event in LedgerEvent::ALL {
            if let Ok(to) = next(EntryState::Claimed, event) {
                assert!(matches!(to, EntryState::Observing | EntryState::Failed | EntryState::Indeterminate | EntryState::Undoing));
            }
        }
    }
}
