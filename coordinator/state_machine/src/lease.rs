//! Leases: exclusive, one per scope (I1), each with a token that only rises (I2).

use crate::reply::Reply;
use crate::state::State;
use picket_core::ids::{EntryId, Principal};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const SCOPES_PER_COMMAND_MAX: usize = 16;
const TTL_MS: std::ops::RangeInclusive<i64> = 1_000..=3_600_000;
/// Leases that principals may hold at once, all together.
const FOREIGN_MAX: usize = 1024;
/// Scopes whose last token is remembered. Tokens rise on forgotten ones too: one counter serves all.
const REMEMBERED_MAX: usize = 4096;

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

/// A live lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    pub holder: Holder,
    pub token: FencingToken,
    pub expires_at: Timestamp,
    /// A graver act waits: if the holder is still only permitted by then, it is preempted.
    pub preempt_at: Option<Timestamp>,
}

/// An entry that waits for its scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiter {
    /// 0 is first.
    pub priority: u8,
    pub order: u64,
    pub entry: EntryId,
}

/// All leases, and who waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leases {
    pub live: BTreeMap<Scope, Lease>,
    /// Sorted by (priority, order): FIFO per priority.
    pub waiting: Vec<Waiter>,
    pub order: u64,
    /// The last token of each scope.
    pub last: BTreeMap<Scope, FencingToken>,
}

impl Leases {
    pub(crate) fn all_free(&self, scopes: &[Scope]) -> bool {
        scopes.iter().all(|s| !self.live.contains_key(s))
    }

    pub(crate) fn stop_waiting(&mut self, entry: &EntryId) {
        self.waiting.retain(|w| w.entry != *entry);
    }

    pub(crate) fn is_held_by(&self, scope: &Scope, entry: &EntryId) -> bool {
        self.live.get(scope).is_some_and(|l| matches!(&l.holder, Holder::Entry(id) if id == entry))
    }

    pub(crate) fn holds_with(&self, scope: &Scope, entry: &EntryId, token: FencingToken) -> bool {
        self.is_held_by(scope, entry) && self.live.get(scope).is_some_and(|l| l.token == token)
    }
}

/// In these states the ledger keeps an entry's lease: its act may still be under way, or must be proven first [M12].
pub(crate) const fn is_kept_in(state: &State, of: EntryState) -> bool {
    matches!(of, EntryState::Permitted)
        || of.is_unresolved_claim()
        || (state.settings.lease_through_observing && matches!(of, EntryState::Observing))
}

/// Grants free (or the giver's own) scopes with new tokens. The caller has checked that nobody else holds them.
pub(crate) fn grant(state: &mut State, holder: &Holder, scopes: &[Scope], expires_at: Timestamp) -> BTreeMap<Scope, FencingToken> {
    let mut tokens = BTreeMap::new();
    for scope in scopes {
        let token = state.tokens.next();
        if state.leases.last.get(scope).is_some_and(|last| *last >= token) {
            state.count_violation(Invariant::I2);
        }
        state.leases.last.insert(scope.clone(), token);
        state.leases.live.insert(scope.clone(), Lease { holder: holder.clone(), token, expires_at, preempt_at: None });
        tokens.insert(scope.clone(), token);
    }
    forget_tokens(&mut state.leases);
    tokens
}

fn forget_tokens(leases: &mut Leases) {
    while leases.last.len() > REMEMBERED_MAX {
        let oldest = leases.last.iter().filter(|(scope, _)| !leases.live.contains_key(*scope)).min_by_key(|(_, token)| **token);
        let Some(scope) = oldest.map(|(scope, _)| scope.clone()) else { return };
        leases.last.remove(&scope);
    }
}

/// An entry is done with its scopes. An undo that failed hands them to its parent, whose act is still unresolved [M12].
pub(crate) fn give_back(state: &mut State, id: &EntryId) {
    let held: Vec<Scope> = state.leases.live.keys().filter(|s| state.leases.is_held_by(s, id)).cloned().collect();
    if held.is_empty() {
        return;
    }
    let parent = state.entries.get(id).and_then(|e| e.view.parent.clone());
    let heir = parent.filter(|p| state.entries.get(p).is_some_and(|e| e.view.state.is_unresolved_claim()));
    for scope in &held {
        state.leases.live.remove(scope);
    }
    if let Some(heir) = heir {
        let until = state.now().plus_ms(state.settings.lease_ttl_ms);
        let tokens = grant(state, &Holder::Entry(heir.clone()), &held, until);
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
    state.leases.live.retain(|_, lease| match lease.holder {
        Holder::Principal(_) => lease.expires_at > now,
        Holder::Entry(_) => {
            if lease.expires_at <= now {
                lease.expires_at = prolonged;
            }
            true
        }
    });
}

fn ttl_in_range(ttl_ms: i64) -> Result<(), Reply> {
    if TTL_MS.contains(&ttl_ms) {
        return Ok(());
    }
    Err(Reply::refused(LimitRule::Malformed, format!("a lease of {ttl_ms} ms: {} to {} are allowed", TTL_MS.start(), TTL_MS.end())))
}

/// Other automation takes scopes, all or none.
pub(crate) fn acquire(state: &mut State, who: &Principal, scopes: &[Scope], ttl_ms: i64) -> Reply {
    if let Err(refused) = ttl_in_range(ttl_ms) {
        return refused;
    }
    // One order for all: two who want the same scopes cannot each get half of them.
    if scopes.is_empty() || scopes.len() > SCOPES_PER_COMMAND_MAX || !scopes.is_sorted_by(|a, b| a < b) {
        return Reply::refused(LimitRule::Malformed, format!("1 to {SCOPES_PER_COMMAND_MAX} scopes, sorted, each once"));
    }
    if let Some(held) = scopes.iter().find(|s| state.leases.live.contains_key(*s)) {
        let holder = state.leases.live[held].holder.name();
        return Reply::refused(LimitRule::TargetBusy, format!("{held} is held by {holder}"));
    }
    let waited_for =
        state.leases.waiting.iter().filter_map(|w| state.entries.get(&w.entry)).find(|e| e.scopes().iter().any(|s| scopes.contains(s)));
    if let Some(waiter) = waited_for {
        return Reply::refused(LimitRule::TargetBusy, format!("{} waits for one of these scopes", waiter.id()));
    }
    let foreign = state.leases.live.values().filter(|l| matches!(l.holder, Holder::Principal(_))).count();
    if foreign + scopes.len() > FOREIGN_MAX {
        return Reply::refused(LimitRule::Capacity, format!("{foreign} leases are held by other automation, {FOREIGN_MAX} may be"));
    }
    let expires_at = state.now().plus_ms(ttl_ms);
    let tokens = grant(state, &Holder::Principal(who.to_string()), scopes, expires_at);
    Reply::Leased { tokens, expires_at }
}

/// The scopes that one principal took with one lease in one command share their holder; the token names the lease.
fn held<'a>(state: &'a mut State, who: &Principal, scope: &Scope, token: FencingToken) -> Result<&'a mut Lease, Reply> {
    let mine = Holder::Principal(who.to_string());
    match state.leases.live.get_mut(scope) {
        Some(lease) if lease.holder == mine && lease.token == token => Ok(lease),
        _ => Err(Reply::refused(LimitRule::NotAllowed, format!("{who} does not hold {scope} with token {token}"))),
    }
}

/// The holder prolongs one scope.
pub(crate) fn renew(state: &mut State, who: &Principal, scope: &Scope, token: FencingToken, ttl_ms: i64) -> Reply {
    if let Err(refused) = ttl_in_range(ttl_ms) {
        return refused;
    }
    let expires_at = state.now().plus_ms(ttl_ms);
    match held(state, who, scope, token) {
        Ok(lease) => {
            // Never shorter than promised before.
            lease.expires_at = lease.expires_at.max(expires_at);
            Reply::Leased { tokens: [(scope.clone(), token)].into(), expires_at: lease.expires_at }
        }
        Err(refused) => refused,
    }
}

/// The holder gives one scope back.
pub(crate) fn release(state: &mut State, who: &Principal, scope: &Scope, token: FencingToken) -> Reply {
    match held(state, who, scope, token) {
        Ok(_) => {
            state.leases.live.remove(scope);
            Reply::Done
        }
        Err(refused) => refused,
    }
}
