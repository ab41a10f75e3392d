//! A new cluster from a backup of a lost one [M13].
//!
//! The lost life may have gone on after the backup was taken: permits were claimed and tokens issued that the backup does not know.
//! So the new life's tokens, epochs, ids and revisions are above all of them by carrying a higher `restore_epoch`; nothing that could
//! act without a person is restored; and nothing is claimed or undone until every sink's fence stands at the new epoch, every actuator's
//! journal was read or waived, the longest cooldown and `act_deadline` are over, and a person has released it.

use crate::bounds;
use crate::dedupe::Dedupe;
use crate::entry::Entry;
use crate::lease::Holder;
use crate::planted::{Fault, is_planted};
use crate::propose::blank;
use crate::reply::Reply;
use crate::state::State;
use crate::token::{RESTORE_EPOCH_MAX, Tokens};
use crate::{lease, ledger, report, stop};
use picket_core::ids::{ClusterName, EntryId, Principal};
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::{LimitRule, Violation};
use picket_core::outcome::Report;
use picket_core::restore::{JournaledAct, RestoreView};
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Acts of the lost life that are listed by name.
const UNKNOWN_LISTED_MAX: usize = 64;

/// Who restores, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreOrder {
    /// The person, on record.
    pub by: Principal,
    /// Above that of every life of this coordinator, also of other restores from the same backup.
    pub restore_epoch: u64,
    /// The time now.
    pub at: Timestamp,
}

/// Why a backup is not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Tokens would not rise.
    #[error("restore epoch {wanted} must be above the backup's ({backup}) and at most {RESTORE_EPOCH_MAX}")]
    Epoch {
        /// What was asked for.
        wanted: u64,
        /// The backup's.
        backup: u64,
    },
    /// It takes a person.
    #[error("{0} may not restore a backup: it takes a person")]
    NotAPerson(Principal),
}

/// A restore that is not released yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restore {
    pub by: String,
    pub since: Timestamp,
    pub ready_at: Timestamp,
    pub unknown: Vec<EntryId>,
    pub unknown_total: u64,
}

/// What is known of a cluster's journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Journal {
    /// Nobody needs it.
    #[default]
    NotNeeded,
    /// Not sent yet.
    Missing,
    /// Read, or a person goes on without it.
    Settled,
}

impl State {
    /// The state that a new cluster begins with, from a backup (a state as JSON, read back).
    ///
    /// # Errors
    /// [`RestoreError`] when tokens would not rise, or nobody takes responsibility.
    pub fn restore(mut self, order: &RestoreOrder) -> Result<Self, RestoreError> {
        let backup = self.tokens.restore_epoch();
        if order.restore_epoch <= backup || order.restore_epoch > RESTORE_EPOCH_MAX {
            return Err(RestoreError::Epoch { wanted: order.restore_epoch, backup });
        }
        if !matches!(order.by, Principal::Human(_)) {
            return Err(RestoreError::NotAPerson(order.by.clone()));
        }
        let state = &mut self;
        state.clock = state.clock.restored(order.at);
        state.tokens = Tokens::restored(order.restore_epoch);
        // Watchers of the lost life start over: their revision is of another ledger.
        state.log.kept.clear();
        state.log.revision = FencingToken::new(order.restore_epoch, 0).0;
        // Answers of another life are no answers, and those who waited must ask again.
        state.dedupe = Dedupe::default();
        state.waiting.dismiss_requests();
        let now = state.now();
        let wait_ms = state.settings.limits.cooldown_ms.saturating_add(state.settings.act_deadline_ms);
        let cooled = state.cooldowns.values().flat_map(|kinds| kinds.values()).max().copied().unwrap_or(now);
        let ready_at = now.plus_ms(wait_ms).max(cooled.plus_ms(state.settings.act_deadline_ms));
        state.restore = Some(Restore { by: order.by.to_string(), since: now, ready_at, unknown: Vec::new(), unknown_total: 0 });
        for book in state.clusters.values_mut() {
            book.observer_epoch = 0;
            book.actuator_epoch = 0;
            book.facts = None;
            book.released_at = Some(now);
            book.fence_stop_epoch = 0;
            if book.needs_fence {
                book.journal = Journal::Missing;
            }
        }
        if !is_planted(Fault::OldPermitAfterRestore) {
            state.stop.epoch = state.stop.epoch.max(FencingToken::new(order.restore_epoch, 0).0);
            stop::stop(state, &order.by, false);
        }
        lease::reissue(state);
        let open: Vec<EntryId> = state.open.iter().cloned().collect();
        for id in &open {
            let Some(entry) = state.entries.get_mut(id) else { continue };
            entry.approval = None;
            if entry.view.state == EntryState::Claimed {
                // Its journal says how it went, or a person goes on without: time alone decides nothing here.
                ledger::set_deadline(state, id, None);
            }
        }
        state.end_command();
        Ok(self)
    }
}

/// Nothing is permitted, claimed or undone before the release.
pub(crate) fn forbids(state: &State) -> Option<Violation> {
    let restore = state.restore.as_ref().filter(|_| !is_planted(Fault::OldPermitAfterRestore))?;
    let mut missing = missing(state);
    missing.push("a person must release it".to_owned());
    let why = format!("restored from a backup by {}: {}", restore.by, missing.join("; "));
    Some(Violation::new(LimitRule::Restoring, None, why))
}

/// What a release still waits for, the person apart.
pub(crate) fn missing(state: &State) -> Vec<String> {
    let Some(view) = view(state) else { return Vec::new() };
    let names = |clusters: &[ClusterName]| clusters.iter().map(ClusterName::as_str).collect::<Vec<_>>().join(", ");
    let mut missing = Vec::new();
    if !view.fences_missing.is_empty() {
        missing.push(format!("the sinks of {} are not fenced at this epoch", names(&view.fences_missing)));
    }
    if !view.journals_missing.is_empty() {
        missing.push(format!("the journals of {} were neither uploaded nor waived", names(&view.journals_missing)));
    }
    if state.now() < view.ready_at {
        missing.push(format!("cooldowns and acts of the lost life may last until {}", view.ready_at));
    }
    missing
}

/// As everybody may see it.
pub(crate) fn view(state: &State) -> Option<RestoreView> {
    let restore = state.restore.as_ref()?;
    let journals = state.clusters.iter().filter(|(_, book)| book.journal == Journal::Missing);
    Some(RestoreView {
        by: restore.by.clone(),
        since: restore.since,
        ready_at: restore.ready_at,
        fences_missing: unfenced(state).into_iter().collect(),
        journals_missing: journals.map(|(cluster, _)| cluster.clone()).collect(),
        unknown_acts: restore.unknown.clone(),
        unknown_acts_total: restore.unknown_total,
    })
}

/// Clusters whose sinks are not fenced, or where a write of the lost life may still be on its way.
fn unfenced(state: &State) -> BTreeSet<ClusterName> {
    let waiting = state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| e.waits_for_fence());
    waiting.map(|e| e.cluster().clone()).chain(stop::fences(state).1).collect()
}

/// The cluster's sinks refuse everything of the lost life, and nothing was claimed in this one yet.
pub(crate) fn confirm_fences(state: &mut State, cluster: &ClusterName) {
    let waiting = state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| e.cluster() == cluster && e.waits_for_fence());
    let waiting: Vec<EntryId> = waiting.map(|e| e.id().clone()).collect();
    for id in waiting {
        ledger::confirm_fence(state, &id);
    }
}

/// The actuator's journal: what is open here is reported by it; what is not known here is shown to whoever releases.
pub(crate) fn upload(state: &mut State, who: &Principal, actuator_epoch: u64, acts: &[JournaledAct], last: bool) -> Reply {
    let Principal::Actuator(cluster) = who else {
        return Reply::refused(LimitRule::NotAllowed, format!("{who} keeps no journal"));
    };
    if state.restore.is_none() {
        return Reply::refused(LimitRule::NotAllowed, "no restore waits for journals: report the claim instead");
    }
    if state.clusters.get(cluster).is_none_or(|b| b.actuator_epoch != actuator_epoch || actuator_epoch == 0) {
        return Reply::refused(LimitRule::NotAllowed, format!("actuator epoch {actuator_epoch} of {cluster} is not the current one"));
    }
    for act in acts {
        let id = &act.claim.entry;
        let known = state.entries.get(id).filter(|e| e.cluster() == cluster && e.view.digest == act.claim.digest && e.was_claimed());
        match (known.map(|e| e.view.state), &act.report) {
            // Late or not: what it says of the fence counts.
            (Some(_), Some(said)) => drop(report::report(state, id, actuator_epoch, said)),
            // It is still being proven, by the actuator that says so.
            (Some(EntryState::Claimed), None) => {
                let until = state.now().plus_ms(state.settings.act_deadline_ms);
                ledger::set_deadline(state, id, Some(until));
            }
            (Some(_), None) => {}
            // Nothing happened, and nothing will.
            (None, Some(Report::NoEffect { .. })) => {}
            (None, _) => {
                if let Err(refused) = take_in(state, cluster, act) {
                    return refused;
                }
            }
        }
    }
    if last {
        settle_journal(state, cluster);
    }
    Reply::Done
}

/// An act of the lost life that this ledger does not know as claimed: nobody can say how it turned out, so a person is asked.
fn take_in(state: &mut State, cluster: &ClusterName, act: &JournaledAct) -> Result<(), Reply> {
    let id = &act.claim.entry;
    if act.work.action().service.cluster != *cluster {
        return Err(Reply::refused(LimitRule::Malformed, format!("{id} is not an act on {cluster}")));
    }
    // Another act under a name that is taken proves nothing of that one.
    if !state.entries.get(id).is_some_and(Entry::was_claimed) && !is_planted(Fault::JournalOnlyListed) {
        let (open, max) = (state.open.len(), state.settings.entries_open_max);
        if open >= max {
            return Err(bounds::refuse("entries_open_max", open, max, "entries are open (resolve some, then the journal is read on)"));
        }
        let mut entry = blank(id.clone(), act.work.clone(), (*act.proposal).clone());
        entry.view.state = EntryState::Indeterminate;
        entry.view.paging = true;
        entry.view.claim = Some(act.claim.clone());
        entry.view.actuator_epoch = Some(act.claim.actuator_epoch);
        entry.view.cost_pods = act.cost_pods;
        entry.view.fenced = act.report.as_ref().is_some_and(Report::is_fenced);
        entry.view.report.clone_from(&act.report);
        let scopes = entry.scopes();
        if state.leases.all_free(&scopes) {
            let terms = lease::of_the_ledger(state, false);
            entry.view.tokens = lease::grant(state, Holder::Entry(id.clone()), &scopes, terms);
        }
        ledger::make(state, entry);
    }
    note_unknown(state, id);
    Ok(())
}

fn note_unknown(state: &mut State, id: &EntryId) {
    let Some(restore) = &mut state.restore else { return };
    if restore.unknown.contains(id) {
        return;
    }
    restore.unknown_total += 1;
    if restore.unknown.len() < UNKNOWN_LISTED_MAX {
        restore.unknown.push(id.clone());
    }
}

/// The journal is read, or given up. Claims that it did not name are not knowable.
fn settle_journal(state: &mut State, cluster: &ClusterName) {
    if let Some(book) = state.clusters.get_mut(cluster) {
        book.journal = Journal::Settled;
    }
    let unnamed = state
        .open
        .iter()
        .filter_map(|id| state.entries.get(id))
        .filter(|e| e.cluster() == cluster && e.view.state == EntryState::Claimed && e.view.deadline.is_none());
    let unnamed: Vec<EntryId> = unnamed.map(|e| e.id().clone()).collect();
    for id in unnamed {
        // Claimed leads there; the result is in the violations if that should ever change.
        let _ = ledger::step_with(state, &id, LedgerEvent::CannotTell, |e| {
            e.view.report =
                Some(Report::CannotTell { why: "no journal of the lost life names this claim".to_owned(), landed: None, fenced: false });
        });
    }
}

/// A person goes on without a cluster's journal.
pub(crate) fn waive(state: &mut State, cluster: &ClusterName) -> Reply {
    match state.clusters.get(cluster).map(|b| b.journal.clone()) {
        Some(Journal::Missing) if state.restore.is_some() => {
            settle_journal(state, cluster);
            Reply::Done
        }
        Some(_) => Reply::refused(LimitRule::NotAllowed, format!("nobody waits for the journal of {cluster}")),
        None => Reply::refused(LimitRule::NotAllowed, format!("cluster {cluster} is not known")),
    }
}

/// A person has put a backup away: what it covers needs no journal.
pub(crate) fn backup_taken(state: &mut State, revision: u64) -> Reply {
    if revision > state.log.revision {
        return Reply::refused(LimitRule::Malformed, format!("revision {revision} has not been: now it is {}", state.log.revision));
    }
    state.backup_revision = state.backup_revision.max(revision);
    Reply::Done
}

/// A cluster is no more: nobody waits for its fence or journal.
pub(crate) fn retire(state: &mut State, cluster: &ClusterName) -> Reply {
    if !state.clusters.contains_key(cluster) {
        return Reply::refused(LimitRule::NotAllowed, format!("cluster {cluster} is not known"));
    }
    let mut open = state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| e.cluster() == cluster);
    // What nobody could grade has no end of its own, and needs none when its cluster is gone. Nor does a fence that nobody is left to raise.
    let ended = |e: &Entry| e.view.state == EntryState::Inconclusive || e.view.state.is_terminal();
    if let Some(entry) = open.find(|e| !ended(e)) {
        let why = format!("{} of {cluster} is {:?}: it must end first", entry.id(), entry.view.state);
        return Reply::refused(LimitRule::TargetBusy, why);
    }
    confirm_fences(state, cluster);
    state.clusters.remove(cluster);
    Reply::Done
}

/// A person's release: everything that was asked for must be there.
pub(crate) fn release(state: &mut State) -> Result<(), Reply> {
    let missing = missing(state);
    if !missing.is_empty() {
        return Err(Reply::refused(LimitRule::Restoring, missing.join("; ")));
    }
    state.restore = None;
    Ok(())
}

/// After a restore a cluster takes part once its own sinks are fenced at the new epoch, also one that the backup did not know.
pub(crate) fn not_fenced(state: &State, cluster: &ClusterName) -> Option<Violation> {
    let epoch = state.tokens.restore_epoch();
    let fenced = state.clusters.get(cluster).map_or(0, |b| b.fence_stop_epoch);
    if fenced >= FencingToken::new(epoch, 0).0 || is_planted(Fault::OldPermitAfterRestore) {
        return None;
    }
    let invariant = Some(picket_core::invariants::Invariant::I3);
    Some(Violation::new(LimitRule::Restoring, invariant, format!("the sinks of {cluster} are not fenced at restore epoch {epoch}")))
}

/// The page of a journal is small enough.
pub(crate) fn check_page(acts: &[JournaledAct]) -> Result<(), Violation> {
    const PAGE_MAX: usize = 256;
    if acts.len() > PAGE_MAX {
        return Err(bounds::full("journal page", acts.len(), PAGE_MAX, "acts in one page"));
    }
    Ok(())
}
