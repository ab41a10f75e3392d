//! What everybody may see.

use crate::lease::{Holder, Lease};
use crate::state::State;
use crate::{planted, restore, sample, stop};
use picket_core::coordination::{BreakerView, CoordinatorStatus, LeaseView, LedgerEntry, PhaseView};
use picket_core::ids::{AgentKind, ClusterName, EntryId};
use picket_core::invariants::Invariant;
use picket_core::phase::gate;
use picket_core::scope::Scope;
use std::collections::BTreeMap;

/// Leases of other automation in one status, and waiters of one scope: everybody asks for the status all the time.
const LEASES_SHOWN_MAX: usize = 1000;
const WAITING_SHOWN_MAX: usize = 100;

impl State {
    fn breakers(&self) -> BTreeMap<ClusterName, BreakerView> {
        self.clusters.iter().filter_map(|(cluster, book)| Some((cluster.clone(), book.recent.breaker.clone()?))).collect()
    }

    /// The coordinator at a glance. The node fills in who leads.
    #[must_use]
    pub fn status(&self) -> CoordinatorStatus {
        if let Some(before) = planted::stale(self) {
            return before.status();
        }
        let phases = AgentKind::ALL.into_iter().map(|agent| {
            let state = self.phases.proven(agent, self.now(), self.settings.episode_ms);
            let gate = gate(&state, &self.settings.gate);
            (agent, PhaseView { state, gate, judgements_due: sample::view(self, agent) })
        });
        let ages =
            self.clusters.iter().filter_map(|(cluster, book)| Some((cluster.clone(), self.now().since_ms(book.facts.as_ref()?.echo))));
        CoordinatorStatus {
            now: self.now(),
            revision: self.revision(),
            leader: None,
            restore_epoch: self.tokens.restore_epoch(),
            demonstration: self.settings.demonstration,
            stop: stop::view(self),
            phases: phases.collect(),
            leases: self.lease_views(),
            leases_total: self.leases.len() as u64,
            violations: self.violations.clone(),
            facts_age_ms: ages.collect(),
            breakers: self.breakers(),
            policy_version: self.policy_version,
            backup_revision: self.backup_revision,
            restore: restore::view(self),
        }
    }

    /// Violations since the start of the evidence, every invariant listed.
    #[must_use]
    pub const fn violations(&self) -> &BTreeMap<Invariant, u64> {
        &self.violations
    }

    fn lease_views(&self) -> Vec<LeaseView> {
        let of_entries = self.open.iter().filter_map(|id| self.entries.get(id)).flat_map(|e| {
            let held = e.scopes().into_iter().filter(|s| self.leases.is_held_by(s, e.id()));
            held.filter_map(|s| self.leases.at(&s)).flat_map(|l| self.views_of(l)).collect::<Vec<_>>()
        });
        let mut views: Vec<LeaseView> = of_entries.collect();
        let foreign = self.leases.iter().map(|(_, l)| l).filter(|l| matches!(l.holder, Holder::Principal(_)));
        views.extend(foreign.take(LEASES_SHOWN_MAX).flat_map(|l| self.views_of(l)).take(LEASES_SHOWN_MAX));
        views.sort_by(|a, b| a.scope.cmp(&b.scope));
        // An entry of several scopes was asked about each of them.
        views.dedup_by(|a, b| a.scope == b.scope);
        views
    }

    /// The lease of one scope, when somebody holds it.
    #[must_use]
    pub fn lease(&self, scope: &Scope) -> Option<LeaseView> {
        self.views_of(self.leases.at(scope)?).find(|view| view.scope == *scope)
    }

    fn views_of(&self, lease: &Lease) -> impl Iterator<Item = LeaseView> {
        lease.scopes.iter().map(|(scope, token)| LeaseView {
            scope: scope.clone(),
            holder: lease.holder.name(),
            token: *token,
            expires_at: lease.terms.expires_at,
            waiting: self.waiting.names(scope, WAITING_SHOWN_MAX),
            preempt_at: lease.preempt_at,
        })
    }

    /// One entry, while it is kept.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&LedgerEntry> {
        self.entries.get(id).map(|e| &e.view)
    }

    /// Every entry that is not over, and the newest ended ones up to `settled_max`; oldest first.
    #[must_use]
    pub fn entries(&self, settled_max: usize) -> Vec<LedgerEntry> {
        let mut left = settled_max;
        let newest_first = self.entries.values().rev().filter(|e| {
            if !e.is_over() {
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
