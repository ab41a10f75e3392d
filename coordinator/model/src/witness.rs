//! What a configuration must be able to reach: a model that does nothing breaks nothing.

use crate::coordinator::stop::is_shown_stopped;
use crate::ledger::Stand;
use crate::setup::{ACTS, Setup, is_undo};
use crate::state::State;
use stateright::Property;

/// Something good, or at least telling, that can happen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// An act was claimed, landed and reported.
    Applied,
    /// An act was proven absent.
    ProvenAbsent,
    /// Nobody could say.
    Indeterminate,
    /// Two acts were claimed, one after the other or side by side.
    TwoClaims,
    /// Both of two acts are claimed at the same time.
    SideBySide,
    /// An act was graded and settled.
    Settled,
    /// A regression was taken back.
    RolledBack,
    /// An undo could not be done, and pages.
    UndoFailed,
    /// An act landed in part and was taken back.
    PartUndone,
    /// An act was claimed on a person's approval.
    ApprovedClaim,
    /// An act was claimed after a STOP was released.
    ClaimAfterRelease,
    /// A permitted act gave way to a graver one, which was then claimed.
    Preempted,
    /// An act that needs both scopes was claimed after one that held only one of them.
    BothScopes,
    /// An act that resolved was followed by one of its kind, after the cooldown.
    ClaimAfterCooldown,
    /// An act was claimed on the facts of a second observer.
    SecondObserverFacts,
    /// A second observer's grade settled an act.
    SecondObserverGrade,
    /// A second actuator proved what the first had claimed.
    TakenOver,
    /// An act was claimed in the second life.
    ClaimAfterRestore,
    /// An act of the lost time was found in a journal.
    FoundInJournal,
    /// Other automation wrote under its lease, and an act landed after it.
    AfterOther,
    /// A fence was confirmed after a person had resolved, and the scope went to the next act.
    ResolvedThenFenced,
    /// Two writes landed.
    BothWrites,
    /// Absence was proven on a later version, because nothing of substance had changed.
    AbsentLater,
    /// An undo ended well while STOP was set, with leave.
    UndoneUnderStop,
    /// STOP is set, something had been claimed, and all of it is over.
    Stopped,
}

impl Witness {
    /// The property that it can be reached.
    #[must_use]
    pub fn property(self) -> Property<Setup> {
        match self {
            Self::Applied => Property::sometimes("an act is applied", |_, s: &State| stands(s, Stand::Observing)),
            Self::ProvenAbsent => Property::sometimes("absence is proven", |_, s: &State| stands(s, Stand::Failed) && !any_resolved(s)),
            Self::Indeterminate => Property::sometimes("an end is unknown", |_, s: &State| stands(s, Stand::Indeterminate)),
            Self::TwoClaims => Property::sometimes("two acts are claimed", |_, s: &State| claims(s, 0) >= 2),
            Self::SideBySide => Property::sometimes("two claims are open at once", |_, s: &State| {
                entries(s).filter(|e| e.stand == Stand::Claimed).count() >= 2
            }),
            Self::Settled => {
                Property::sometimes("an act settles", |_, s: &State| entries(s).any(|e| e.stand == Stand::Settled && e.graded))
            }
            Self::RolledBack => Property::sometimes("a regression is taken back", |_, s: &State| stands(s, Stand::RolledBack)),
            Self::UndoFailed => Property::sometimes("an undo fails and pages", |_, s: &State| stands(s, Stand::UndoFailed)),
            Self::PartUndone => Property::sometimes("what landed in part is taken back", |setup: &Setup, s: &State| {
                entries(s)
                    .any(|e| e.stand == Stand::RolledBack && usize::from(e.landed.count_ones() as u8) < setup.act(e.id.slot).writes.len())
            }),
            Self::ApprovedClaim => Property::sometimes("an approved act is claimed", |_, s: &State| {
                entries(s).any(|e| e.claim.is_some() && e.approval.is_some())
            }),
            Self::ClaimAfterRelease => Property::sometimes("an act is claimed after a STOP", |_, s: &State| {
                entries(s).any(|e| e.claim.is_some() && e.stop_epoch > 0)
            }),
            Self::Preempted => Property::sometimes("a graver act goes first", |setup: &Setup, s: &State| {
                let gone = entries(s).find(|e| e.stand == Stand::Cancelled && e.token != 0);
                gone.is_some_and(|g| entries(s).any(|e| e.claim.is_some() && setup.act(e.id.slot).priority < setup.act(g.id.slot).priority))
            }),
            Self::BothScopes => Property::sometimes("an act of two scopes follows one of one", |setup: &Setup, s: &State| {
                let wide = |slot: u8| setup.act(slot).scopes.count_ones() > 1;
                let first = entries(s).filter(|e| e.claim.is_some() && !wide(e.id.slot)).map(|e| e.token).min();
                entries(s).any(|e| e.claim.is_some() && wide(e.id.slot) && first.is_some_and(|f| f < e.token))
            }),
            Self::ClaimAfterCooldown => Property::sometimes("an act follows one of its kind", |setup: &Setup, s: &State| {
                entries(s).filter(|e| e.claim.is_some() && !is_undo(e.id.slot)).any(|e| {
                    entries(s).any(|o| {
                        o.id.slot != e.id.slot
                            && o.claim.is_some()
                            && o.stand == Stand::Settled
                            && setup.act(o.id.slot).group == setup.act(e.id.slot).group
                    })
                })
            }),
            Self::SecondObserverFacts => Property::sometimes("an act is claimed on a second observer's facts", |_, s: &State| {
                s.coordinator.facts.is_some_and(|f| f.epoch > 1) && stands(s, Stand::Claimed)
            }),
            Self::SecondObserverGrade => Property::sometimes("a second observer grades", |_, s: &State| {
                s.coordinator.observer_epoch > 1 && entries(s).any(|e| e.stand == Stand::Settled && e.graded)
            }),
            Self::TakenOver => Property::sometimes("a second actuator reports", |_, s: &State| {
                entries(s).any(|e| e.fenced && e.claim.is_some_and(|c| c.epoch != s.coordinator.actuator_epoch))
            }),
            Self::ClaimAfterRestore => Property::sometimes("an act is claimed in the second life", |_, s: &State| claims(s, 1) > 0),
            Self::FoundInJournal => Property::sometimes("a lost claim is found in a journal", |_, s: &State| {
                s.coordinator.life == 1 && entries(s).any(|e| e.stand == Stand::Indeterminate && e.claim.is_some_and(|c| c.epoch == 0))
            }),
            Self::AfterOther => Property::sometimes("an act follows other automation", |_, s: &State| {
                s.spent.other_leases > 0 && entries(s).any(|e| e.landed != 0) && s.sinks[0].generation > 1
            }),
            Self::ResolvedThenFenced => Property::sometimes("a resolved scope is fenced and passes on", |_, s: &State| {
                entries(s).any(|e| e.resolved && e.fenced) && claims(s, 0) >= 2
            }),
            Self::AbsentLater => Property::sometimes("absence is proven on a later version", |_, s: &State| {
                let moved = |e: crate::coordinator::Entry| e.claim.is_some_and(|c| s.sinks[0].version > c.before[0].version + 1);
                entries(s).any(|e| e.stand == Stand::Failed && !e.resolved && moved(e))
            }),
            Self::UndoneUnderStop => Property::sometimes("an undo is done under STOP, with leave", |_, s: &State| {
                s.coordinator.stopped && entries(s).any(|e| is_undo(e.id.slot) && e.landed != 0 && e.stop_epoch == s.coordinator.stop_epoch)
            }),
            Self::Stopped => Property::sometimes("all claims end under STOP", |setup, s: &State| {
                is_shown_stopped(setup, s) && entries(s).any(|e| e.claim.is_some())
            }),
            Self::BothWrites => {
                Property::sometimes("two writes land", |_, s: &State| entries(s).any(|e| e.landed == 3 && e.stand == Stand::Observing))
            }
        }
    }
}

fn entries(s: &State) -> impl Iterator<Item = crate::coordinator::Entry> + '_ {
    s.coordinator.entries.iter().flatten().copied()
}

fn stands(s: &State, at: Stand) -> bool {
    entries(s).any(|e| e.stand == at)
}

fn any_resolved(s: &State) -> bool {
    entries(s).any(|e| e.resolved)
}

fn claims(s: &State, life: usize) -> usize {
    s.truth.claimed_by[life].iter().take(ACTS).filter(|c| **c != 0).count()
}
