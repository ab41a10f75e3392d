//! What is known of the log without asking the disk: its ends, and its newest entries.

use crate::raft::{Entry, LogId, Vote};
use std::collections::VecDeque;

pub(super) struct Memory {
    /// Bytes of entries that are kept for readers; older ones are read from disk.
    newest_max_bytes: usize,
    /// Side by side, up to `last`; each with its bytes on disk.
    newest: VecDeque<(Entry, usize)>,
    newest_bytes: usize,
    pub purged: Option<LogId>,
    pub last: Option<LogId>,
    pub committed: Option<LogId>,
    pub vote: Option<Vote>,
}

impl Memory {
    pub(super) const fn new(newest_max_bytes: usize, vote: Option<Vote>, purged: Option<LogId>) -> Self {
        Self { newest_max_bytes, newest: VecDeque::new(), newest_bytes: 0, purged, last: purged, committed: None, vote }
    }

    /// Adds an entry behind the last one. `durable` is the last index that is on disk: what is not stays here, whatever its size.
    pub(super) fn push(&mut self, entry: Entry, len_bytes: usize, durable: Option<u64>) {
        self.last = Some(entry.log_id);
        self.newest_bytes += len_bytes;
        self.newest.push_back((entry, len_bytes));
        while self.newest_bytes > self.newest_max_bytes && self.first().is_some_and(|first| Some(first) <= durable) {
            if let Some((_, len_bytes)) = self.newest.pop_front() {
                self.newest_bytes -= len_bytes;
            }
        }
    }

    /// The first index that is here.
    pub(super) fn first(&self) -> Option<u64> {
        self.newest.front().map(|(entry, _)| entry.log_id.index)
    }

    /// Entries of `start..end` that are here, with their bytes on disk.
    pub(super) fn range(&self, start: u64, end: u64) -> impl Iterator<Item = (&Entry, usize)> {
        let first = self.first().unwrap_or(u64::MAX);
        let place = |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX).min(self.newest.len());
        self.newest.range(place(start)..place(end).max(place(start))).map(|(entry, len)| (entry, *len))
    }

    /// Everything behind `last` is gone.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        let keep = last.map_or(0, |l| l.index + 1);
        if self.last.is_none_or(|now| now.index < keep) {
            return;
        }
        while self.newest.back().is_some_and(|(entry, _)| entry.log_id.index >= keep) {
            self.pop_back();
        }
        self.last = last.or(self.purged);
    }

    fn pop_back(&mut self) {
        if let Some((_, len_bytes)) = self.newest.pop_back() {
            self.newest_bytes -= len_bytes;
        }
    }

    /// Everything up to `upto` is gone.
    pub(super) fn purge(&mut self, upto: LogId) {
        while self.first().is_some_and(|first| first <= upto.index) {
            if let Some((_, len_bytes)) = self.newest.pop_front() {
                self.newest_bytes -= len_bytes;
            }
        }
        self.purged = self.purged.max(Some(upto));
        // A snapshot can reach beyond what the log ever held.
        if self.last.is_none_or(|last| last.index < upto.index) {
            self.last = Some(upto);
        }
    }
}
