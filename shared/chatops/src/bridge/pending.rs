//! What one channel still has to be told: the newest word on each entry, in the order of their first. Bounded.

use super::decide::is_question;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use std::collections::{BTreeMap, VecDeque};
use tokio::time::Instant;

/// What is told of.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// An entry, as last heard.
    Entry(Box<LedgerEntry>),
    /// An entry that the ledger does not have any more.
    Gone(EntryId),
}

impl Subject {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &EntryId {
        match self {
            Self::Entry(entry) => &entry.id,
            Self::Gone(id) => id,
        }
    }

    /// Its entry, when there is one.
    #[must_use]
    pub fn entry(&self) -> Option<&LedgerEntry> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Gone(_) => None,
        }
    }

    fn is_question(&self) -> bool {
        self.entry().is_some_and(is_question)
    }

    fn states(&self) -> usize {
        self.entry().map_or(usize::MAX, |entry| entry.history.len())
    }
}

/// Something to be told.
#[derive(Clone, Debug)]
pub struct Item {
    /// Of what.
    pub subject: Subject,
    /// The stop epoch as of which it was heard.
    pub stop_epoch: u64,
    /// Not before then.
    pub due: Option<Instant>,
}

/// What became of an item that was put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is in, or a later word on its entry was.
    In,
    /// It is in; this one went for it.
    Instead(EntryId),
    /// It is no question, and there is room for questions alone.
    Dropped,
    /// It is a question, and there are only questions: it must be put in again later.
    Full,
}

/// The queue of one channel.
#[derive(Debug)]
pub struct Pending {
    max: usize,
    order: VecDeque<EntryId>,
    items: BTreeMap<EntryId, Item>,
}

impl Pending {
    /// For at most `max` entries, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max: max.max(1), order: VecDeque::new(), items: BTreeMap::new() }
    }

    /// Whether an entry waits.
    #[must_use]
    pub fn has(&self, id: &EntryId) -> bool {
        self.items.contains_key(id)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Puts an item in. A later word replaces an earlier one in its place. When it is full, the oldest that is no question goes.
    pub fn put(&mut self, item: Item) -> Put {
        let id = item.subject.id().clone();
        if let Some(waiting) = self.items.get_mut(&id) {
            if item.subject.states() >= waiting.subject.states() {
                *waiting = item;
            }
            return Put::In;
        }
        let mut gone = Put::In;
        if self.items.len() >= self.max {
            let old = self.order.iter().find(|id| self.items.get(*id).is_some_and(|i| !i.subject.is_question())).cloned();
            match old {
                Some(old) => {
                    self.remove(&old);
                    gone = Put::Instead(old);
                }
                None if item.subject.is_question() => return Put::Full,
                None => return Put::Dropped,
            }
        }
        self.order.push_back(id.clone());
        self.items.insert(id, item);
        gone
    }

    /// Takes the oldest that is due at `now`.
    pub fn take(&mut self, now: Instant) -> Option<Item> {
        let id = self.order.iter().find(|id| self.items.get(*id).is_some_and(|i| i.due.is_none_or(|due| due <= now))).cloned()?;
        self.remove(&id)
    }

    /// When the next one that is not due yet is.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.items.values().filter_map(|i| i.due).min()
    }

    fn remove(&mut self, id: &EntryId) -> Option<Item> {
        self.order.retain(|waiting| waiting != id);
        self.items.remove(id)
    }
}
