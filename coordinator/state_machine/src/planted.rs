//! Faults planted on purpose, one at a time, to show that the checks have teeth.
//!
//! Without the cargo feature `planted-faults` every question here answers "no" at compile time. No program that ships turns it on.

#[cfg(not(feature = "planted-faults"))]
pub(crate) use off::{clock_of_this_node, is_planted, remember_for_stale_reads, stale, token_of_this_node};
#[cfg(feature = "planted-faults")]
pub use on::plant;
#[cfg(feature = "planted-faults")]
pub(crate) use on::{Local, clock_of_this_node, is_planted, remember_for_stale_reads, stale, token_of_this_node};

use crate::dedupe::Dedupe;
use crate::entry::Entry;
use crate::waiting::Line;
use picket_core::claim::{ClaimBody, ClaimRequest};
use picket_core::ledger::{EntryState, LedgerEvent, next};
use serde::{Serialize, Serializer};

/// What can be wrong.
#[cfg_attr(not(feature = "planted-faults"), allow(dead_code, reason = "some are asked about only where they can be planted"))]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Tokens come from a counter of the node, which a snapshot does not carry.
    TokenOfThisNode,
    /// `apply` reads a clock of the node (a stand-in: commands applied since its start), and not the proposed time alone.
    ClockOfThisNode,
    /// Snapshots leave out the first answers: a retry is carried out again.
    AnswersNotInSnapshot,
    /// Snapshots leave out who waits, as if the line were the leader's own.
    LineNotInSnapshot,
    /// A deposed leader's tick lets things run out.
    ExpiryByDeposed,
    /// The budget was looked at before the command: what others reserved at the same moment is not seen.
    BudgetOutsideCommand,
    /// Reads show the state before the newest command.
    StaleRead,
    /// An entry goes wherever an event would take it, whatever state it is in.
    TransitionUnchecked,
    /// A claim is not held against STOP, and STOP leaves permits to be refused by the claim.
    ClaimWithoutStopEpoch,
    /// Permits survive a restore from backup, and a claim is not held against it.
    OldPermitAfterRestore,
    /// A scope is granted while somebody holds it.
    LeaseGrantedWhileHeld,
    /// A scope is granted again with the token that it had.
    TokenNotRaised,
    /// A release, a promotion or an undo holds under another STOP than its sender was shown.
    ConsentWithoutStopEpoch,
    /// A second STOP gives leave for undos that the first withheld.
    StopLoosened,
    /// A person's word gives back scopes and budget of an act whose write may still be on its way.
    FenceNotAwaited,
    /// An undo asks for budget anew on facts from before the last release.
    UndoAnewOnOldFacts,
    /// After a restore an act that the ledger does not know as claimed is listed, and nobody is asked.
    JournalOnlyListed,
    /// A freeze is looked at when an act is proposed, and not when it is claimed.
    FreezeOnlyAtProposal,
    /// The breaker closes by itself after a minute.
    BreakerClosesWithTime,
    /// A yes counts for an act whatever digest was shown.
    ApprovalOfAnotherDigest,
    /// A cooldown begins with the claim, not with what became of it.
    CooldownFromClaim,
    /// Facts are as old as their arrival, not as their reading.
    FactsAgedByArrival,
    /// A permit that was claimed is claimed again by whoever asks.
    PermitReused,
}

#[cfg(feature = "planted-faults")]
impl Fault {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::TokenOfThisNode,
        Self::ClockOfThisNode,
        Self::AnswersNotInSnapshot,
        Self::LineNotInSnapshot,
        Self::ExpiryByDeposed,
        Self::BudgetOutsideCommand,
        Self::StaleRead,
        Self::TransitionUnchecked,
        Self::ClaimWithoutStopEpoch,
        Self::OldPermitAfterRestore,
        Self::LeaseGrantedWhileHeld,
        Self::TokenNotRaised,
        Self::ConsentWithoutStopEpoch,
        Self::StopLoosened,
        Self::FenceNotAwaited,
        Self::UndoAnewOnOldFacts,
        Self::JournalOnlyListed,
        Self::FreezeOnlyAtProposal,
        Self::BreakerClosesWithTime,
        Self::ApprovalOfAnotherDigest,
        Self::CooldownFromClaim,
        Self::FactsAgedByArrival,
        Self::PermitReused,
    ];
}

/// Where the event leads from somewhere: what [`Fault::TransitionUnchecked`] takes for an answer.
pub(crate) fn unchecked(event: LedgerEvent) -> Option<EntryState> {
    if !is_planted(Fault::TransitionUnchecked) {
        return None;
    }
    EntryState::ALL.into_iter().find_map(|from| next(from, event).ok())
}

/// What [`Fault::PermitReused`] answers.
pub(crate) fn claimed_before(known: &Entry, claim: &ClaimRequest) -> Option<ClaimBody> {
    if !is_planted(Fault::PermitReused) {
        return None;
    }
    let permit = known.permit.as_ref().filter(|_| known.view.claim.is_some())?;
    Some(ClaimBody {
        entry: claim.entry.clone(),
        digest: claim.digest.clone(),
        actuator_epoch: claim.actuator_epoch,
        claimed_at: permit.issued_at,
        act_deadline: permit.expires_at,
        token: known.view.tokens.values().max().copied().unwrap_or_default(),
    })
}

/// First answers, as a snapshot carries them.
pub(crate) fn answers_in_snapshot<S: Serializer>(answers: &Dedupe, to: S) -> Result<S::Ok, S::Error> {
    if is_planted(Fault::AnswersNotInSnapshot) { Dedupe::default().serialize(to) } else { answers.serialize(to) }
}

/// Who waits, as a snapshot carries it.
pub(crate) fn line_in_snapshot<S: Serializer>(line: &Line, to: S) -> Result<S::Ok, S::Error> {
    if is_planted(Fault::LineNotInSnapshot) { Line::default().serialize(to) } else { line.serialize(to) }
}

#[cfg(not(feature = "planted-faults"))]
mod off {
    use super::Fault;
    use crate::state::State;
    use picket_core::scope::FencingToken;
    use picket_core::time::Timestamp;

    pub(crate) const fn is_planted(_: Fault) -> bool {
        false
    }
    pub(crate) const fn token_of_this_node(_: &mut State) -> Option<FencingToken> {
        None
    }
    pub(crate) const fn clock_of_this_node(_: &mut State, at: Timestamp) -> Timestamp {
        at
    }
    pub(crate) const fn remember_for_stale_reads(_: &mut State) {}
    pub(crate) const fn stale(_: &State) -> Option<&State> {
        None
    }
}

#[cfg(feature = "planted-faults")]
mod on {
    use super::Fault;
    use crate::state::State;
    use picket_core::scope::FencingToken;
    use picket_core::time::Timestamp;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants one fault in this thread, in place of the one before; `None` takes it out.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    pub(crate) fn is_planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// What a node would keep for itself: no snapshot carries it, and nodes are not compared by it.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Local {
        tokens: u64,
        applied: i64,
        before: Option<Box<State>>,
    }

    impl PartialEq for Local {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }

    pub(crate) fn token_of_this_node(state: &mut State) -> Option<FencingToken> {
        if !is_planted(Fault::TokenOfThisNode) {
            return None;
        }
        state.local.tokens += 1;
        Some(FencingToken::new(state.tokens.restore_epoch(), state.local.tokens))
    }

    pub(crate) fn clock_of_this_node(state: &mut State, at: Timestamp) -> Timestamp {
        state.local.applied += 1;
        if is_planted(Fault::ClockOfThisNode) { at.plus_ms(state.local.applied % 1_000) } else { at }
    }

    pub(crate) fn remember_for_stale_reads(state: &mut State) {
        if is_planted(Fault::StaleRead) {
            state.local.before = None;
            let before = state.clone();
            state.local.before = Some(Box::new(before));
        }
    }

    pub(crate) fn stale(state: &State) -> Option<&State> {
        state.local.before.as_deref().filter(|_| is_planted(Fault::StaleRead))
    }
}
