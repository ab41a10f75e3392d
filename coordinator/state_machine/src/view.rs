//! What everybody may see.

use crate::state::State;
use picket_core::coordination::{CoordinatorStatus, LeaseView, LedgerEntry, PhaseView, StopView};
use picket_core::ids::{AgentKind, EntryId};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::phase::gate;
use std::collections::BTreeMap;

impl State {
    /// The coordinator at a glance. The node fills in who leads.
    #[must_use]
    pub fn status(&self) -> CoordinatorStatus {
        let phases = AgentKind::ALL.into_iter().map(|agent| {
            let state = self.phases.state_of(agent);
            let gate = gate(&state, &self.settings.gate);
            (agent, PhaseView { state, gate })
        });
        let ages =
            self.clusters.iter().filter_map(|(cluster, book)| Some((cluster.clone(), self.now().since_ms(book.facts.as_ref()?.echo))));
        CoordinatorStatus {
            now: self.now(),
            revision: self.revision(),
            leader: None,
            restore_epoch: self.tokens.restore_epoch(),
            demonstration: self.settings.demonstration,
            stop: StopView { open_claims: self.count(EntryState::Claimed), ..self.stop.clone() },
            phases: phases.collect(),
            leases: self.lease_views(),
            violations: self.violations.clone(),
            facts_age_ms: ages.collect(),
        }
    }

    /// Violations since the start of the evidence, every invariant listed.
    #[must_use]
    pub const fn violations(&self) -> &BTreeMap<Invariant, u64> {
        &self.violations
    }

    fn lease_views(&self) -> Vec<LeaseView> {
        let view = |(scope, lease): (&picket_core::scope::Scope, &crate::lease::Lease)| LeaseView {
            scope: scope.clone(),
            holder: lease.holder.name(),
            token: lease.token,
            expires_at: lease.expires_at,
            waiting: self
                .leases
                .waiting
                .iter()
                .filter(|w| self.entries.get(&w.entry).is_some_and(|e| e.scopes().contains(scope)))
                .map(|w| w.entry.to_string())
                .collect(),
        };
        self.leases.live.iter().map(view).collect()
    }

    fn count(&self, state: EntryState) -> u32 {
        self.open.iter().filter(|id| self.entries.get(*id).is_some_and(|e| e.view.state == state)).count() as u32
    }

    /// One entry, while it is kept.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&LedgerEntry> {
        self.entries.get(id).map(|e| &e.view)
    }

    /// Every open entry, and the newest ended ones up to `settled_max`; oldest first.
    #[must_use]
    pub fn entries(&self, settled_max: usize) -> Vec<LedgerEntry> {
        let mut left = settled_max;
        let newest_first = self.entries.values().rev().filter(|e| {
            if !e.view.state.is_terminal() {
                return true;
            }
            let kept = left > 0;
            left = left.saturating_sub(1);
            kept
        });
        let mut entries: Vec<_> = newest_first.map(|e| e.view.clone()).collect();
        entries.reverse();
        entries
    }

    /// Of the ledger: rises by one with every change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.log.revision
    }

    /// Changes after `revision`, oldest first, at most `max`; and whether some of them are not kept any more (then none are given:
    /// read [`State::entries`], and go on from [`State::revision`]).
    #[must_use]
    pub fn changes_after(&self, revision: u64, max: usize) -> (Vec<(u64, LedgerEntry)>, bool) {
        if revision >= self.log.revision {
            // A revision that has not been yet is of another ledger.
            return (Vec::new(), revision > self.log.revision);
        }
        let first_kept = self.log.kept.front().map_or(u64::MAX, |(r, _)| *r);
        if revision + 1 < first_kept {
            return (Vec::new(), true);
        }
        let skip = (revision + 1 - first_kept) as usize;
        (self.log.kept.iter().skip(skip).take(max).cloned().collect(), false)
    }

    /// Answers kept for retries.
    #[must_use]
    pub fn answers_kept(&self) -> usize {
        self.dedupe.len()
    }
}
