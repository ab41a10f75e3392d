//! One channel's lane: its queue, and what carries it out. Lanes share nothing that waits.

use super::decide::{Channel, Say};
pub use super::pending::Subject;
use super::pending::{Item, Pending, Put};
use crate::slack::client::PostRef;
use picket_core::ids::EntryId;
use picket_core::ports::PortResult;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Says things on one channel.
pub trait Deliver: Send + Sync + 'static {
    /// Which.
    fn channel(&self) -> Channel;

    /// Says it; returns by what it can be changed later, where it can. `post` is what was returned before for the same entry. `Ok` MUST mean
    /// that the other side has taken it; `Refused` that it never will.
    fn say(
        &self,
        say: Say,
        subject: &Subject,
        stop_epoch: u64,
        post: Option<&PostRef>,
    ) -> impl Future<Output = PortResult<Option<PostRef>>> + Send;
}

/// Entries that wait in one lane.
pub const LANE_MAX: usize = 1024;

/// The queue of one channel, between the bridge and the channel's worker.
#[derive(Debug)]
pub struct Lane {
    channel: Channel,
    max: usize,
    inner: Mutex<Inner>,
    bell: Notify,
}

#[derive(Debug)]
struct Inner {
    pending: Pending,
    /// What the worker has in hand: what it has said of it may not be noted yet.
    in_hand: Option<EntryId>,
    /// Something found no room since the last whole reading of the ledger.
    overflowed: bool,
}

impl Lane {
    /// For at most `max` entries.
    #[must_use]
    pub fn new(channel: Channel, max: usize) -> Self {
        let inner = Inner { pending: Pending::new(max), in_hand: None, overflowed: false };
        Self { channel, max, inner: Mutex::new(inner), bell: Notify::new() }
    }

    /// Whose it is.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Whether an entry waits or is in hand: then a later word on it must be put in, whatever was noted so far.
    #[must_use]
    pub fn has(&self, id: &EntryId) -> bool {
        let inner = self.lock();
        inner.pending.has(id) || inner.in_hand.as_ref() == Some(id)
    }

    /// Nothing waits and nothing is in hand.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let inner = self.lock();
        inner.pending.is_empty() && inner.in_hand.is_none()
    }

    /// Puts an item in. What goes for want of room is counted, and comes back with the next whole reading of the ledger; a question that finds
    /// no room is an error in the log besides.
    pub fn put(&self, item: Item) {
        let mut inner = self.lock();
        inner.put(self.channel, item);
        inner.measure(self.channel);
        drop(inner);
        self.bell.notify_one();
    }

    /// True once after something found no room, when half of the queue is free again: the ledger must be read as a whole.
    #[must_use]
    pub fn wants_whole_ledger(&self) -> bool {
        let mut inner = self.lock();
        let wants = inner.overflowed && inner.pending.len() <= self.max / 2;
        if wants {
            inner.overflowed = false;
        }
        wants
    }

    /// Waits for the next item that is due, and takes it in hand.
    pub async fn take(&self) -> Item {
        loop {
            let next_due = {
                let mut inner = self.lock();
                if let Some(item) = inner.pending.take(Instant::now()) {
                    inner.in_hand = Some(item.subject.id().clone());
                    return item;
                }
                inner.pending.next_due()
            };
            match next_due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.bell.notified() => {}
                },
                None => self.bell.notified().await,
            }
        }
    }

    /// The item in hand is done with: everything that was said of it is noted. With `again` it goes back to the end of the queue, unless a later
    /// word on its entry has come meanwhile.
    pub fn done(&self, again: Option<Item>) {
        let mut inner = self.lock();
        inner.in_hand = None;
        if let Some(item) = again {
            inner.put(self.channel, item);
        }
        inner.measure(self.channel);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn measure(&self, channel: Channel) {
        metrics::gauge!("picket_chatops_waiting", "channel" => channel.as_str()).set(self.pending.len() as f64);
    }

    fn put(&mut self, channel: Channel, item: Item) {
        let (id, channel) = (item.subject.id().clone(), channel.as_str());
        let dropped = match self.pending.put(item) {
            Put::In => return,
            Put::Instead(old) => old,
            Put::Dropped => id,
            Put::Full => {
                self.overflowed = true;
                metrics::counter!("picket_chatops_questions_held_back_total", "channel" => channel).increment(1);
                tracing::error!(channel, entry = %id, "a question finds no room among the questions that its channel has not taken yet; it is put again");
                return;
            }
        };
        self.overflowed = true;
        metrics::counter!("picket_chatops_dropped_total", "channel" => channel).increment(1);
        tracing::warn!(channel, entry = %dropped, "a channel's queue is full: the oldest news that is no question was dropped");
    }
}
