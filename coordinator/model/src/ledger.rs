//! The ledger's table: PROTOCOL.md, "Ledger", read a second time and not copied from the code that it checks.

/// Where an entry stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "PROTOCOL.md names them")]
pub enum Stand {
    Denied,
    Shadowed,
    Queued,
    AwaitingApproval,
    Approved,
    Permitted,
    Claimed,
    Observing,
    Inconclusive,
    Undoing,
    Indeterminate,
    UndoFailed,
    Settled,
    Failed,
    RolledBack,
    Expired,
    Cancelled,
}

impl Stand {
    /// Nothing was done yet, and something may be.
    #[must_use]
    pub const fn is_before_claim(self) -> bool {
        matches!(self, Self::Queued | Self::AwaitingApproval | Self::Approved | Self::Permitted)
    }

    /// Claimed, and its end is not known.
    #[must_use]
    pub const fn is_unresolved(self) -> bool {
        matches!(self, Self::Claimed | Self::Indeterminate | Self::Undoing | Self::UndoFailed)
    }

    /// Nothing leads out of it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Denied | Self::Shadowed | Self::Settled | Self::Failed | Self::RolledBack | Self::Expired | Self::Cancelled)
    }

    /// Its reservation stands.
    #[must_use]
    pub const fn reserves(self) -> bool {
        self.is_unresolved() || matches!(self, Self::Permitted | Self::Observing)
    }
}

/// What happens to an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each names a row of the table")]
pub enum Event {
    Permit,
    Queue,
    Deny,
    Approve,
    NeedApproval,
    Expire,
    Cancel,
    Claim,
    Applied,
    Absent,
    CannotTell,
    PartlyLanded,
    Graded,
    Inconclusive,
    BeginUndo,
    ChildApplied,
    ChildEnded,
    ResolveSettled,
    ResolveFailed,
}

/// The state after `event`; `None` when the table has no such row.
#[must_use]
pub const fn next(from: Stand, event: Event) -> Option<Stand> {
    Some(match event {
        Event::Permit if matches!(from, Stand::Queued | Stand::Approved) => Stand::Permitted,
        Event::Queue if matches!(from, Stand::Approved) => Stand::Queued,
        Event::Deny if matches!(from, Stand::Queued | Stand::AwaitingApproval | Stand::Approved) => Stand::Denied,
        Event::Approve if matches!(from, Stand::AwaitingApproval) => Stand::Approved,
        Event::NeedApproval if matches!(from, Stand::Queued) => Stand::AwaitingApproval,
        Event::Expire if from.is_before_claim() => Stand::Expired,
        Event::Cancel if from.is_before_claim() => Stand::Cancelled,
        Event::Claim if matches!(from, Stand::Permitted) => Stand::Claimed,
        Event::Applied if matches!(from, Stand::Claimed) => Stand::Observing,
        Event::Absent if matches!(from, Stand::Claimed) => Stand::Failed,
        Event::CannotTell if matches!(from, Stand::Claimed) => Stand::Indeterminate,
        Event::PartlyLanded if matches!(from, Stand::Claimed) => Stand::Undoing,
        Event::Graded if matches!(from, Stand::Observing) => Stand::Settled,
        Event::Inconclusive if matches!(from, Stand::Observing) => Stand::Inconclusive,
        Event::BeginUndo if matches!(from, Stand::Observing | Stand::Inconclusive | Stand::Indeterminate | Stand::UndoFailed) => {
            Stand::Undoing
        }
        Event::ChildApplied if matches!(from, Stand::Undoing) => Stand::RolledBack,
        Event::ChildEnded if matches!(from, Stand::Undoing) => Stand::UndoFailed,
        Event::ResolveSettled if matches!(from, Stand::Indeterminate | Stand::UndoFailed) => Stand::Settled,
        Event::ResolveFailed if matches!(from, Stand::Indeterminate | Stand::UndoFailed) => Stand::Failed,
        _ => return None,
    })
}
