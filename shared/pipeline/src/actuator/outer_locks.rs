//! The outer locks of this actuator's claims: taken before Claim, kept until the ledger says that the claim is resolved.

use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::ports::{OuterLock, PortResult};
use picket_core::scope::Scope;
use std::collections::{BTreeMap, BTreeSet};

/// The outer lock that claims need.
#[derive(Debug)]
pub struct OuterLocking<L> {
    /// The lock.
    pub lock: L,
    /// Its time to live, real time.
    pub ttl_ms: u64,
}

/// One entry's locks.
#[derive(Debug)]
struct Held {
    holder: String,
    scopes: Vec<Scope>,
    fences: BTreeMap<String, u64>,
    /// The server said that it is somebody else's now, or nobody's.
    lost: bool,
}

/// What came of asking for an entry's locks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// Another has one of them. `first`: this entry is told so for the first time.
    No {
        first: bool,
    },
}

/// True while an entry keeps its outer lock: a claim may be on its way, or is not resolved [M12], or its write may still land. An undo takes
/// its own.
pub(super) const fn keeps_lock(entry: &LedgerEntry) -> bool {
    matches!(entry.state, EntryState::Permitted | EntryState::Claimed | EntryState::Indeterminate) || entry.waits_for_fence()
}

/// All of them, by entry. An earlier life's locks are not here: they end by their TTL.
#[derive(Debug)]
pub(super) struct OuterLocks<L> {
    /// `None` when the ledger's own leases are all there is.
    port: Option<OuterLocking<L>>,
    held: BTreeMap<EntryId, Held>,
    waiting: BTreeSet<EntryId>,
}

impl<L: OuterLock> OuterLocks<L> {
    pub(super) const fn new(port: Option<OuterLocking<L>>) -> Self {
        Self { port, held: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    /// Takes all scopes for an entry, or none. `scopes` are sorted, so two holders cannot each wait for the other.
    pub(super) async fn take(&mut self, entry: &EntryId, holder: &str, scopes: Vec<Scope>) -> PortResult<Taken> {
        let Some(port) = &self.port else { return Ok(Taken::Yes) };
        // On record before it is asked for: an answer that is lost is given back as well.
        let held = Held { holder: holder.to_owned(), scopes: scopes.clone(), fences: BTreeMap::new(), lost: false };
        let held = self.held.entry(entry.clone()).or_insert(held);
        for scope in scopes {
            let Some(grant) = port.lock.acquire(&scope, holder, port.ttl_ms).await? else {
                let first = !self.waiting.contains(entry);
                self.release(entry).await;
                self.waiting.insert(entry.clone());
                return Ok(Taken::No { first });
            };
            held.fences.extend(grant.fence.map(|fence| (scope.to_string(), fence)));
        }
        held.lost = false;
        self.waiting.remove(entry);
        Ok(Taken::Yes)
    }

    /// For how long an entry's locks may be counted on, ms of real time.
    pub(super) fn remaining_ms(&self, entry: &EntryId) -> u64 {
        let Some(port) = &self.port else { return u64::MAX };
        self.held.get(entry).filter(|held| !held.lost).map_or(0, |held| remaining_ms(&port.lock, held))
    }

    /// Renews an entry's locks when half of their time is over; whether they may still be counted on.
    pub(super) async fn still_held(&mut self, entry: &EntryId) -> bool {
        if let (Some(port), Some(held)) = (&self.port, self.held.get_mut(entry)) {
            // Without an answer the time that is left still counts.
            let _ = renew(port, held).await;
        }
        self.remaining_ms(entry) > 0
    }

    /// Renews what is due. Once per step; a server that does not answer is asked once, so that it holds nothing else up.
    pub(super) async fn keep(&mut self) {
        let Some(port) = &self.port else { return };
        for (entry, held) in &mut self.held {
            if let Err(error) = renew(port, held).await {
                tracing::warn!(%entry, %error, remaining_ms = remaining_ms(&port.lock, held), "an outer lock could not be renewed");
                return;
            }
        }
    }

    /// Gives an entry's locks back. What cannot be given back ends by its TTL.
    pub(super) async fn release(&mut self, entry: &EntryId) {
        self.waiting.remove(entry);
        let (Some(port), Some(held)) = (&self.port, self.held.remove(entry)) else { return };
        for scope in &held.scopes {
            if let Err(error) = port.lock.release(scope, &held.holder).await {
                tracing::warn!(%entry, %scope, %error, "an outer lock was not given back; it ends by its TTL");
            }
        }
    }

    /// Gives back the locks of all entries but these.
    pub(super) async fn release_all_but(&mut self, keep: &BTreeSet<EntryId>) {
        let over: Vec<_> = self.held.keys().chain(&self.waiting).filter(|id| !keep.contains(*id)).cloned().collect();
        for entry in over {
            self.release(&entry).await;
        }
    }

    /// What the audit record of a claim says of them.
    pub(super) fn record(&self, entry: &EntryId) -> Option<serde_json::Value> {
        let held = self.held.get(entry)?;
        Some(serde_json::json!({ "holder": held.holder, "scopes": held.scopes, "fences": held.fences }))
    }
}

fn remaining_ms<L: OuterLock>(lock: &L, held: &Held) -> u64 {
    held.scopes.iter().map(|scope| lock.remaining_ms(scope, &held.holder)).min().unwrap_or(u64::MAX)
}

async fn renew<L: OuterLock>(port: &OuterLocking<L>, held: &mut Held) -> PortResult<()> {
    if held.lost || remaining_ms(&port.lock, held) >= port.ttl_ms / 2 {
        return Ok(());
    }
    for scope in &held.scopes {
        if !port.lock.renew(scope, &held.holder, port.ttl_ms).await? {
            tracing::warn!(%scope, holder = held.holder, "an outer lock was lost");
            held.lost = true;
        }
    }
    Ok(())
}
