//! Who waits for scopes: FIFO per priority, and nobody for ever.
//!
//! A waiter goes when it is the first in the line of every scope that it wants: nobody behind it overtakes on any of them. Whoever has
//! waited longer than `starvation_ms` goes before every priority but undos, oldest first, and what it is granted then is not preempted
//! before a first TTL (at most `lease_ttl_ms`) is over. So whoever keeps asking waits at most `starvation_ms`, then for the holder, for
//! those that have starved longer, and for undos of acts on its scopes. A holder that renews for ever is not cut short by a waiter of
//! no precedence.

use picket_core::ids::{EntryId, RequestId};
use picket_core::scope::Scope;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Waiters that are counted for a position; more are said to be this many.
const POSITION_MAX: usize = 1000;

/// Who waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asker {
    /// The ledger, for an entry; it waits as long as the entry is Queued.
    Entry(EntryId),
    /// Other automation; it waits as long as it asks again.
    Request { principal: String, request: RequestId },
}

impl Asker {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Entry(id) => id.to_string(),
            Self::Request { principal, .. } => principal.clone(),
        }
    }
}

/// The place of a request: it lapses unless asked for again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub ttl_ms: i64,
    pub lapses_at: Timestamp,
}

/// One that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiter {
    pub asker: Asker,
    /// Sorted.
    pub scopes: Vec<Scope>,
    /// See [`crate::queue`]; 0 is an undo.
    pub priority: u8,
    pub since: Timestamp,
    /// It has waited for too long.
    pub starved: bool,
    /// `None` for entries.
    pub place: Option<Place>,
}

/// The order of service.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    band: u8,
    priority: u8,
    order: u64,
}

impl Rank {
    const fn of(order: u64, waiter: &Waiter) -> Self {
        match (waiter.priority, waiter.starved) {
            (0, _) => Self { band: 0, priority: 0, order },
            (_, true) => Self { band: 1, priority: 0, order },
            (priority, false) => Self { band: 2, priority, order },
        }
    }
}

/// All that wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub(crate) struct Line {
    /// By order of arrival.
    waiters: BTreeMap<u64, Waiter>,
    order: u64,
    #[serde(skip)]
    index: Index,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    by_scope: BTreeMap<Scope, BTreeSet<Rank>>,
    by_asker: BTreeMap<Asker, u64>,
    entries: BTreeSet<u64>,
    lapses: BTreeSet<(Timestamp, u64)>,
    /// Those that do not starve yet.
    since: BTreeSet<(Timestamp, u64)>,
    /// Their lines changed in the command being applied; empty between commands.
    moved: BTreeSet<Scope>,
}

#[derive(Deserialize)]
struct Stored {
    waiters: BTreeMap<u64, Waiter>,
    order: u64,
}

impl From<Stored> for Line {
    fn from(stored: Stored) -> Self {
        let mut line = Self { order: stored.order, ..Self::default() };
        for (order, waiter) in stored.waiters {
            line.insert(order, waiter);
        }
        line.index.moved.clear();
        line
    }
}

impl Line {
    pub(crate) fn join(&mut self, waiter: Waiter) {
        self.order += 1;
        self.insert(self.order, waiter);
    }

    fn insert(&mut self, order: u64, waiter: Waiter) {
        let rank = Rank::of(order, &waiter);
        for scope in &waiter.scopes {
            self.index.by_scope.entry(scope.clone()).or_default().insert(rank);
            self.index.moved.insert(scope.clone());
        }
        if let Some(place) = waiter.place {
            self.index.lapses.insert((place.lapses_at, order));
        } else {
            self.index.entries.insert(order);
        }
        if !waiter.starved {
            self.index.since.insert((waiter.since, order));
        }
        self.index.by_asker.insert(waiter.asker.clone(), order);
        self.waiters.insert(order, waiter);
    }

    fn remove(&mut self, order: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(&order)?;
        let rank = Rank::of(order, &waiter);
        for scope in &waiter.scopes {
            if let Some(ranks) = self.index.by_scope.get_mut(scope) {
                ranks.remove(&rank);
                if ranks.is_empty() {
                    self.index.by_scope.remove(scope);
                }
            }
            self.index.moved.insert(scope.clone());
        }
        if let Some(place) = waiter.place {
            self.index.lapses.remove(&(place.lapses_at, order));
        }
        self.index.entries.remove(&order);
        self.index.since.remove(&(waiter.since, order));
        self.index.by_asker.remove(&waiter.asker);
        Some(waiter)
    }

    pub(crate) fn leave(&mut self, asker: &Asker) -> Option<Waiter> {
        self.remove(self.index.by_asker.get(asker).copied()?)
    }

    /// Everybody that asked over the API: after a restore they ask again.
    pub(crate) fn dismiss_requests(&mut self) {
        let orders: Vec<u64> = self.index.lapses.iter().map(|(_, order)| *order).collect();
        for order in orders {
            self.remove(order);
        }
    }

    pub(crate) fn find(&self, asker: &Asker) -> Option<&Waiter> {
        self.waiters.get(self.index.by_asker.get(asker)?)
    }

    pub(crate) fn get(&self, rank: Rank) -> Option<&Waiter> {
        self.waiters.get(&rank.order)
    }

    /// Waiters over the API.
    pub(crate) fn requests(&self) -> usize {
        self.index.lapses.len()
    }

    /// It asked again.
    pub(crate) fn renew_place(&mut self, asker: &Asker, lapses_at: Timestamp) {
        let Some(order) = self.index.by_asker.get(asker).copied() else { return };
        if let Some(place) = self.waiters.get_mut(&order).and_then(|w| w.place.as_mut()) {
            self.index.lapses.remove(&(place.lapses_at, order));
            place.lapses_at = lapses_at;
            self.index.lapses.insert((lapses_at, order));
        }
    }

    /// Somebody wants one of these.
    pub(crate) fn wants_any(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|s| self.index.by_scope.contains_key(s))
    }

    pub(crate) fn head(&self, scope: &Scope) -> Option<Rank> {
        self.index.by_scope.get(scope)?.first().copied()
    }

    /// First in the line of each of its scopes.
    pub(crate) fn is_first(&self, rank: Rank) -> bool {
        self.get(rank).is_some_and(|w| w.scopes.iter().all(|s| self.head(s) == Some(rank)))
    }

    pub(crate) fn is_first_asker(&self, asker: &Asker) -> bool {
        self.rank_of(asker).is_some_and(|rank| self.is_first(rank))
    }

    fn rank_of(&self, asker: &Asker) -> Option<Rank> {
        let order = self.index.by_asker.get(asker).copied()?;
        Some(Rank::of(order, self.waiters.get(&order)?))
    }

    /// Waiters before it that want one of its scopes.
    pub(crate) fn position(&self, asker: &Asker) -> u32 {
        let (Some(rank), Some(waiter)) = (self.rank_of(asker), self.find(asker)) else { return 0 };
        let ahead = waiter.scopes.iter().filter_map(|s| self.index.by_scope.get(s));
        let ahead: BTreeSet<Rank> = ahead.flat_map(|ranks| ranks.range(..rank).take(POSITION_MAX)).copied().collect();
        ahead.len().min(POSITION_MAX) as u32
    }

    /// Names of those that want the scope, in order.
    pub(crate) fn names(&self, scope: &Scope, max: usize) -> Vec<String> {
        let ranks = self.index.by_scope.get(scope).into_iter().flatten().take(max);
        ranks.filter_map(|rank| self.get(*rank)).map(|w| w.asker.name()).collect()
    }

    /// Scopes that an entry waits for. What an entry waits for beside its scopes may come true with any command.
    pub(crate) fn scopes_of_entries(&self) -> impl Iterator<Item = Scope> {
        self.index.entries.iter().filter_map(|order| self.waiters.get(order)).flat_map(|w| w.scopes.iter().cloned())
    }

    /// Scopes whose line changed since the last call.
    pub(crate) fn take_moved(&mut self) -> BTreeSet<Scope> {
        std::mem::take(&mut self.index.moved)
    }

    /// When the next place lapses, or the next waiter has waited too long.
    pub(crate) fn due_next(&self, starvation_ms: i64) -> Option<Timestamp> {
        let lapse = self.index.lapses.first().map(|(at, _)| *at);
        lapse.into_iter().chain(self.index.since.first().map(|(since, _)| since.plus_ms(starvation_ms))).min()
    }

    /// Places lapse, and those that have waited too long go first from now on.
    pub(crate) fn expire(&mut self, now: Timestamp, starvation_ms: i64) {
        while let Some((_, order)) = self.index.lapses.first().copied().filter(|(at, _)| *at <= now) {
            self.remove(order);
        }
        while let Some((_, order)) = self.index.since.first().copied().filter(|(since, _)| since.plus_ms(starvation_ms) <= now) {
            if let Some(waiter) = self.remove(order) {
                self.insert(order, Waiter { starved: true, ..waiter });
            }
        }
    }

    /// A change of leader moved the clock: places last so much longer.
    pub(crate) fn postpone(&mut self, ms: i64) {
        let askers: Vec<(Asker, Timestamp)> =
            self.waiters.values().filter_map(|w| Some((w.asker.clone(), w.place?.lapses_at.plus_ms(ms)))).collect();
        for (asker, at) in askers {
            self.renew_place(&asker, at);
        }
    }

    pub(crate) fn index_is_right(&self) -> bool {
        Self::from(Stored { waiters: self.waiters.clone(), order: self.order }).index == self.index
    }
}
