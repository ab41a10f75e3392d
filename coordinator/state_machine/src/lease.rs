//! Leases: exclusive, one per scope (I1), each scope with a token that only rises (I2).
//!
//! The scopes that were taken in one command are one lease: it is renewed, given back and preempted as a whole. Nothing here is ever
//! searched: what a command touches is found by an index, so a command costs the same with ten leases and with a hundred thousand.

use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::state::State;
use picket_core::ids::{EntryId, RequestId};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Holder {
    /// The ledger, for an entry: it ends with the entry, not with time.
    Entry(EntryId),
    /// Other automation: it ends with time.
    Principal(String),
}

impl Holder {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Entry(id) => id.to_string(),
            Self::Principal(name) => name.clone(),
        }
    }
}

/// How long, and against whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub expires_at: Timestamp,
    /// What was asked for; the length of a grant that is picked up.
    pub ttl_ms: i64,
    /// Of other automation; an entry's is read from the entry.
    pub priority: u8,
    /// Granted out of turn, after a long wait: not preempted before.
    pub protected_until: Option<Timestamp>,
    /// Granted to a request that has not come back for it yet.
    pub offered: Option<RequestId>,
}

/// A live lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub holder: Holder,
    /// Sorted by scope.
    pub scopes: Vec<(Scope, FencingToken)>,
    pub terms: Terms,
    /// Somebody with precedence waits: if the holder is still only permitted by then, it is preempted.
    pub preempt_at: Option<Timestamp>,
}

impl Lease {
    pub(crate) fn tokens(&self) -> BTreeMap<Scope, FencingToken> {
        self.scopes.iter().cloned().collect()
    }

    pub(crate) fn token_of(&self, scope: &Scope) -> Option<FencingToken> {
        self.scopes.iter().find(|(s, _)| s == scope).map(|(_, token)| *token)
    }

    const fn is_foreign(&self) -> bool {
        matches!(self.holder, Holder::Principal(_))
    }
}

/// The token of a lease's first scope: no two leases share one.
pub(crate) type LeaseId = u64;

/// All leases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Leases {
    /// Shared with a snapshot that is being written.
    live: BTreeMap<LeaseId, Arc<Lease>>,
    /// The last token of scopes that are free, oldest first. Tokens rise on forgotten ones too: one counter serves all.
    last: BTreeMap<FencingToken, Scope>,
    #[serde(skip)]
    index: Index,
}

/// What can be told from the leases themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Index {
    held: BTreeMap<Scope, LeaseId>,
    by_expiry: BTreeSet<(Timestamp, LeaseId)>,
    noticed: BTreeSet<LeaseId>,
    offered: BTreeMap<(String, RequestId), LeaseId>,
    foreign: usize,
    last_of: BTreeMap<Scope, FencingToken>,
    /// Came free in the command being applied; empty between commands.
    freed: BTreeSet<Scope>,
}

#[derive(Deserialize)]
struct Stored {
    live: BTreeMap<LeaseId, Arc<Lease>>,
    last: BTreeMap<FencingToken, Scope>,
}

impl From<Stored> for Leases {
    fn from(stored: Stored) -> Self {
        let mut leases = Self::default();
        for (token, scope) in stored.last {
            leases.remember(scope, token);
        }
        for (id, lease) in stored.live {
            leases.insert(id, lease);
        }
        leases
    }
}

impl Leases {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LeaseId, &Lease)> {
        self.live.iter().map(|(id, lease)| (*id, &**lease))
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// The index, to be put back: a copy that is only stored does without.
    pub(crate) fn take_index(&mut self) -> Index {
        std::mem::take(&mut self.index)
    }

    pub(crate) fn put_index(&mut self, index: Index) {
        self.index = index;
    }

    /// Leases of other automation.
    pub(crate) const fn foreign(&self) -> usize {
        self.index.foreign
    }

    pub(crate) fn id_at(&self, scope: &Scope) -> Option<LeaseId> {
        self.index.held.get(scope).copied()
    }

    pub(crate) fn at(&self, scope: &Scope) -> Option<&Lease> {
        self.get(self.id_at(scope)?)
    }

    pub(crate) fn get(&self, id: LeaseId) -> Option<&Lease> {
        self.live.get(&id).map(|lease| &**lease)
    }

    pub(crate) fn all_free(&self, scopes: &[Scope]) -> bool {
        is_planted(Fault::LeaseGrantedWhileHeld) || scopes.iter().all(|s| !self.index.held.contains_key(s))
    }

    pub(crate) fn is_held_by(&self, scope: &Scope, entry: &EntryId) -> bool {
        self.at(scope).is_some_and(|l| matches!(&l.holder, Holder::Entry(id) if id == entry))
    }

    pub(crate) fn holds_with(&self, scope: &Scope, entry: &EntryId, token: FencingToken) -> bool {
        self.is_held_by(scope, entry) && self.at(scope).and_then(|l| l.token_of(scope)) == Some(token)
    }

    /// The lease that was granted to this request while it was away.
    pub(crate) fn offered_to(&self, principal: &str, request: &RequestId) -> Option<LeaseId> {
        self.index.offered.get(&(principal.to_owned(), request.clone())).copied()
    }

    /// The newest token of a scope that is known.
    pub(crate) fn last_token(&self, scope: &Scope) -> Option<FencingToken> {
        self.at(scope).and_then(|l| l.token_of(scope)).or_else(|| self.index.last_of.get(scope).copied())
    }

    pub(crate) fn noticed(&self) -> Vec<LeaseId> {
        self.index.noticed.iter().copied().collect()
    }

    /// Scopes that came free since the last call.
    pub(crate) fn take_freed(&mut self) -> BTreeSet<Scope> {
        std::mem::take(&mut self.index.freed)
    }

    /// When the next lease ends or is preempted.
    pub(crate) fn due_next(&self) -> Option<Timestamp> {
        let preempted = self.index.noticed.iter().filter_map(|id| self.live.get(id)?.preempt_at);
        preempted.chain(self.index.by_expiry.first().map(|(at, _)| *at)).min()
    }

    fn insert(&mut self, id: LeaseId, lease: Arc<Lease>) {
        for (scope, _) in &lease.scopes {
            self.index.held.insert(scope.clone(), id);
            if let Some(token) = self.index.last_of.remove(scope) {
                self.last.remove(&token);
            }
        }
        self.index.by_expiry.insert((lease.terms.expires_at, id));
        if lease.preempt_at.is_some() {
            self.index.noticed.insert(id);
        }
        if let (Holder::Principal(name), Some(request)) = (&lease.holder, &lease.terms.offered) {
            self.index.offered.insert((name.clone(), request.clone()), id);
        }
        self.index.foreign += usize::from(lease.is_foreign());
        self.live.insert(id, lease);
    }

    /// Ends a lease.
    pub(crate) fn remove(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.live.remove(&id)?;
        for (scope, token) in &lease.scopes {
            if self.index.held.get(scope) == Some(&id) {
                self.index.held.remove(scope);
                self.remember(scope.clone(), *token);
                self.index.freed.insert(scope.clone());
            }
        }
        self.index.by_expiry.remove(&(lease.terms.expires_at, id));
        self.index.noticed.remove(&id);
        if let (Holder::Principal(name), Some(request)) = (&lease.holder, &lease.terms.offered) {
            self.index.offered.remove(&(name.clone(), request.clone()));
        }
        self.index.foreign -= usize::from(lease.is_foreign());
        Some(Arc::unwrap_or_clone(lease))
    }

    fn remember(&mut self, scope: Scope, token: FencingToken) {
        self.index.last_of.insert(scope.clone(), token);
        self.last.insert(token, scope);
    }

    /// Ends the lease that an entry holds on this scope, when it does.
    pub(crate) fn end_of_entry(&mut self, scope: &Scope, entry: &EntryId) -> Option<Lease> {
        if !self.is_held_by(scope, entry) {
            return None;
        }
        self.remove(self.id_at(scope)?)
    }

    pub(crate) fn set_expiry(&mut self, id: LeaseId, at: Timestamp) {
        if let Some(lease) = self.live.get_mut(&id).map(Arc::make_mut) {
            self.index.by_expiry.remove(&(lease.terms.expires_at, id));
            lease.terms.expires_at = at;
            self.index.by_expiry.insert((at, id));
        }
    }

    pub(crate) fn set_notice(&mut self, id: LeaseId, at: Option<Timestamp>) {
        let Some(lease) = self.live.get_mut(&id).map(Arc::make_mut) else { return };
        lease.preempt_at = at;
        if at.is_some() {
            self.index.noticed.insert(id);
        } else {
            self.index.noticed.remove(&id);
        }
    }

    /// The request came back for what it was granted.
    pub(crate) fn pick_up(&mut self, id: LeaseId, now: Timestamp) -> Option<&Lease> {
        let lease = Arc::make_mut(self.live.get_mut(&id)?);
        if let (Holder::Principal(name), Some(request)) = (&lease.holder, lease.terms.offered.take()) {
            self.index.offered.remove(&(name.clone(), request));
        }
        let until = now.plus_ms(lease.terms.ttl_ms);
        let until = lease.preempt_at.map_or(until, |at| until.min(at.max(now)));
        self.set_expiry(id, until);
        self.get(id)
    }

    /// A change of leader moved the clock: leases that end with time end so much later. Touches every one of them, which is rare.
    pub(crate) fn postpone(&mut self, ms: i64) {
        let foreign: Vec<(LeaseId, Timestamp)> =
            self.live.iter().filter(|(_, l)| l.is_foreign()).map(|(id, l)| (*id, l.terms.expires_at.plus_ms(ms))).collect();
        for (id, at) in foreign {
            self.set_expiry(id, at);
        }
    }

    /// Forgets the oldest tokens of free scopes.
    pub(crate) fn forget_tokens(&mut self, max: usize) {
        while self.last.len() > max {
            if let Some((_, scope)) = self.last.pop_first() {
                self.index.last_of.remove(&scope);
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn tokens_remembered(&self) -> usize {
        self.last.len()
    }

    /// What is wrong between the leases and their index; empty when all is well.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (id, lease) in &self.live {
            for (scope, _) in &lease.scopes {
                if self.index.held.get(scope) != Some(id) {
                    found.push(format!("{scope} has two live leases: {} holds one of them", lease.holder.name()));
                }
            }
        }
        let built = Self::from(Stored { live: self.live.clone(), last: self.last.clone() });
        if found.is_empty() && built.index != self.index {
            found.push("the index of the leases is not that of the leases".to_owned());
        }
        found
    }
}

/// The ledger keeps an entry's lease while its act may be under way or must be proven first [M12], and until its fence is confirmed,
/// whatever a person said of it.
pub(crate) fn is_kept_by(state: &State, entry: &Entry) -> bool {
    let at = entry.view.state;
    matches!(at, EntryState::Permitted)
        || at.is_unresolved_claim()
        || (state.settings.lease_through_observing && matches!(at, EntryState::Observing))
        || entry.waits_for_fence()
}

/// Grants free scopes with new tokens. The caller has checked that nobody holds them.
pub(crate) fn grant(state: &mut State, holder: Holder, scopes: &[Scope], terms: Terms) -> BTreeMap<Scope, FencingToken> {
    let mut taken = Vec::with_capacity(scopes.len());
    for scope in scopes {
        let last = state.leases.last_token(scope);
        let token = next_token(state, last);
        if last.is_some_and(|last| last >= token) {
            state.count_violation(Invariant::I2);
        }
        taken.push((scope.clone(), token));
    }
    let Some((_, first)) = taken.first() else { return BTreeMap::new() };
    let id = first.0;
    let tokens = taken.iter().cloned().collect();
    state.leases.insert(id, Arc::new(Lease { holder, scopes: taken, terms, preempt_at: None }));
    tokens
}

fn next_token(state: &mut State, last: Option<FencingToken>) -> FencingToken {
    match last {
        Some(last) if is_planted(Fault::TokenNotRaised) => last,
        _ => state.next_token(),
    }
}

/// The terms of the ledger's own leases.
pub(crate) fn of_the_ledger(state: &State, starved: bool) -> Terms {
    let now = state.now();
    Terms {
        expires_at: now.plus_ms(state.settings.lease_ttl_ms),
        ttl_ms: state.settings.lease_ttl_ms,
        priority: 0,
        protected_until: starved.then(|| now.plus_ms(state.settings.permit_ttl_ms)),
        offered: None,
    }
}

/// A new life of the coordinator: whatever is held is held with tokens of that life, because the lost one may have issued higher ones
/// than the backup knows (I2). Other automation cannot name the new ones, so its leases run out.
pub(crate) fn reissue(state: &mut State) {
    let held: Vec<LeaseId> = state.leases.live.keys().copied().collect();
    let held: Vec<Lease> = held.into_iter().filter_map(|id| state.leases.remove(id)).collect();
    for Lease { holder, scopes, terms, .. } in held {
        let scopes: Vec<Scope> = scopes.into_iter().map(|(scope, _)| scope).collect();
        let tokens = grant(state, holder.clone(), &scopes, Terms { offered: None, ..terms });
        if let Holder::Entry(id) = holder
            && let Some(entry) = state.entries.get_mut(&id)
        {
            entry.view.tokens = tokens;
        }
    }
}

/// An entry is done with its scopes. An undo that failed hands them to its parent, whose act is still unresolved [M12].
pub(crate) fn give_back(state: &mut State, id: &EntryId) {
    let Some(entry) = state.entries.get(id) else { return };
    let (scopes, parent) = (entry.scopes(), entry.view.parent.clone());
    let held: Vec<Scope> = scopes.into_iter().filter(|s| state.leases.is_held_by(s, id)).collect();
    if held.is_empty() {
        return;
    }
    let heir = parent.filter(|p| state.entries.get(p).is_some_and(|e| e.view.state.is_unresolved_claim()));
    for scope in &held {
        state.leases.end_of_entry(scope, id);
    }
    if let Some(heir) = heir {
        let terms = of_the_ledger(state, false);
        let tokens = grant(state, Holder::Entry(heir.clone()), &held, terms);
        if let Some(parent) = state.entries.get_mut(&heir) {
            parent.view.tokens = tokens;
        }
        crate::ledger::record(state, &heir);
    }
}

/// Leases of principals end with time; the ledger's are prolonged as long as their entry keeps them.
pub(crate) fn expire(state: &mut State) {
    let now = state.now();
    let prolonged = now.plus_ms(state.settings.lease_ttl_ms);
    while let Some((_, id)) = state.leases.index.by_expiry.first().copied().filter(|(at, _)| *at <= now) {
        match state.leases.get(id).map(Lease::is_foreign) {
            Some(false) => state.leases.set_expiry(id, prolonged),
            _ => drop(state.leases.remove(id)),
        }
    }
}
