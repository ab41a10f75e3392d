//! The log as openraft sees it: its newest entries in memory for readers, every change on disk before it counts.

use super::catalog::Catalog;
use super::memory::Memory;
use super::writer::{Job, SEGMENT_BYTES, Writer};
use super::{LogError, durable, record, segment};
use crate::disk::{Disk, Files, Open};
use crate::raft::codec;
use crate::raft::{Entry, Host, LogId, TypeConfig, Vote};
use bytes::Bytes;
use futures::executor::block_on;
use openraft::entry::RaftEntry as _;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait for the writer.
const JOBS_MAX: usize = 1024;
/// As many bytes of entries stay in memory as this many files hold.
const SEGMENTS_IN_MEMORY: usize = 2;
/// Bytes of entries handed out at once to replicate.
const BATCH_BYTES: usize = 4 << 20;
const HINT_BYTES: usize = 512;

/// The log of one node. Clones read and write the same log.
#[derive(Clone)]
pub struct DiskLog<C: Host = TypeConfig> {
    memory: Arc<Mutex<Memory>>,
    catalog: Catalog,
    disk: C::Disk,
    jobs: mpsc::Sender<Job<C>>,
    vote_path: PathBuf,
    held: Arc<Mutex<Option<Held<C::Disk>>>>,
}

/// Given back by `DiskLog::close`, so that a restart in one process finds everything written.
struct Held<D: Disk> {
    worker: D::Worker,
    lock: D::Lock,
}

impl DiskLog {
    /// Opens or creates the log in `dir`. Blocks on the disk.
    ///
    /// # Errors
    /// `Damaged` when something that was durable cannot be read; `InUse` when another node has the folder.
    pub fn open(dir: &Path) -> Result<Self, LogError> {
        block_on(Self::open_on(Files, dir, SEGMENT_BYTES))
    }

    /// Waits until the writing thread has done all it was asked, and gives the folder free. Other clones can only read from then on. Blocks.
    pub fn close(&self) {
        // A thread that is gone already has nothing left to do.
        let _ = block_on(self.jobs.send(Job::Close));
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Held { worker, lock }) = held {
            Files::join(worker);
            drop(lock);
        }
    }
}

impl<C: Host> DiskLog<C> {
    /// Opens or creates the log in `dir`; a new file is begun after `segment_bytes`, and about two files' worth of entries stay in memory.
    ///
    /// # Errors
    /// As `open`.
    pub async fn open_on(disk: C::Disk, dir: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        disk.make_dir(dir).map_err(LogError::io(dir))?;
        let lock_path = dir.join("lock");
        let lock = disk.lock(&lock_path).map_err(LogError::io(&lock_path))?;
        let lock = lock.ok_or_else(|| LogError::InUse { path: dir.to_owned() })?;
        let vote_path = dir.join("vote");
        let purge_mark = dir.join("purged");
        let newest_max_bytes = usize::try_from(segment_bytes).unwrap_or(usize::MAX).saturating_mul(SEGMENTS_IN_MEMORY);
        let mut memory = Memory::new(newest_max_bytes, read_json(&disk, &vote_path)?, read_json(&disk, &purge_mark)?);
        let segments = read_segments(&disk, dir, &mut memory).await?;
        let hint_path = dir.join("committed");
        let hint = disk.open(&hint_path, Open::InPlace).map_err(LogError::io(&hint_path))?;
        memory.committed = read_hint(&disk.read(&hint_path).map_err(LogError::io(&hint_path))?);
        // What was committed was durable here first; without it this node could vote against its own word.
        if let Some(committed) = memory.committed
            && memory.last.is_none_or(|last| last.index < committed.index)
        {
            let (path, offset) = segments.last().map_or_else(|| (dir.to_owned(), 0), |s| (s.path.clone(), s.len_bytes));
            return Err(LogError::Damaged {
                path,
                offset,
                why: format!("entries up to {} were committed and are not in the log", committed.index),
            });
        }
        durable::sync_dir(&disk, dir).await?;
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let catalog = Catalog::new(segments);
        let writer = Writer::new(disk.clone(), dir, catalog.clone(), segment_bytes, hint, purge_mark);
        let worker = disk.work(writer.run(queue)).map_err(LogError::io(dir))?;
        let held = Arc::new(Mutex::new(Some(Held { worker, lock })));
        Ok(Self { memory: Arc::new(Mutex::new(memory)), catalog, disk, jobs, vote_path, held })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries of `start..end`: from disk those that are not in memory any more, `limited` in bytes but at least one.
    fn entries(&self, start: u64, end: u64, limited: bool) -> io::Result<Vec<Entry>> {
        let max_bytes = if limited { BATCH_BYTES } else { usize::MAX };
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = start;
        loop {
            let first = {
                let memory = self.memory();
                next = next.max(memory.purged.map_or(0, |p| p.index + 1));
                let first = memory.first().unwrap_or(u64::MAX);
                if next >= end || first <= next {
                    let mut bytes = 0;
                    let fits = |(_, len): &(&Entry, usize)| {
                        bytes += len;
                        bytes == *len || bytes <= max_bytes
                    };
                    entries.extend(memory.range(next, end).take_while(fits).map(|(entry, _)| entry.clone()));
                    return Ok(entries);
                }
                first
            };
            let read = self.catalog.read(&self.disk, next, first.min(end), max_bytes as u64)?;
            // Nothing is there before the first in memory when the log begins with it, or its files were purged just now.
            next = read.last().map_or(first, |last| last.log_id.index + 1);
            entries.extend(read);
            if limited && !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    async fn send(&self, job: Job<C>) -> io::Result<()> {
        // The queue is bounded; waiting here is the back-pressure, and openraft batches meanwhile.
        self.jobs.send(job).await.map_err(|_| io::Error::other("the log's writer is gone"))
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Job<C>) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(job(done)).await?;
        answer.await.map_err(|_| io::Error::other("the log's writer is gone"))?
    }
}

fn read_json<T: DeserializeOwned>(disk: &impl Disk, path: &Path) -> Result<Option<T>, LogError> {
    let Some(bytes) = durable::read(disk, path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| LogError::Damaged { path: path.to_owned(), offset: 0, why: e.to_string() })
}

async fn read_segments(disk: &impl Disk, dir: &Path, memory: &mut Memory) -> Result<Vec<segment::Segment>, LogError> {
    let paths = segment::list(disk, dir)?;
    let mut segments = Vec::with_capacity(paths.len());
    let mut previous: Option<u64> = None;
    for (position, path) in paths.iter().enumerate() {
        let found = segment::open(disk, path, position + 1 == paths.len(), |record| {
            let purged = memory.purged.map(|p| p.index);
            // What was purged may have holes: a snapshot can reach beyond what the log ever held.
            let reaches = purged.map_or(0, |p| p + 1);
            let follows = match previous {
                Some(p) if p + 1 >= reaches => record.index == p + 1,
                Some(p) => record.index > p && record.index <= reaches,
                None => record.index <= reaches,
            };
            if !follows {
                return Err(format!("index {} follows {previous:?}, purged up to {purged:?}: entries are missing", record.index));
            }
            previous = Some(record.index);
            let entry = codec::entry(Bytes::copy_from_slice(record.payload)).map_err(|e| format!("the entry does not parse: {e}"))?;
            if entry.log_id.index != record.index {
                return Err(format!("the entry says index {}, its record {}", entry.log_id.index, record.index));
            }
            if purged.is_none_or(|p| record.index > p) {
                // It was read from there.
                memory.push(entry, record.len_bytes(), Some(record.index));
            }
            Ok(())
        })
        .await?;
        segments.push(found);
    }
    // A file that was created and never written would keep its name from being created again.
    if let Some(empty) = segments.pop_if(|s| s.places.is_empty()) {
        disk.remove(&empty.path).map_err(LogError::io(&empty.path))?;
    }
    Ok(segments)
}

fn hint_bytes(committed: Option<LogId>) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&committed)?;
    bytes.resize(HINT_BYTES - 64, b' ');
    let sum = hex::encode(Sha256::digest(&bytes));
    bytes.extend_from_slice(sum.as_bytes());
    Ok(bytes)
}

/// `None` when it is missing or torn: it only saves time.
fn read_hint(bytes: &[u8]) -> Option<LogId> {
    let (content, sum) = bytes.get(..HINT_BYTES)?.split_at(HINT_BYTES - 64);
    (hex::encode(Sha256::digest(content)).as_bytes() == sum).then(|| serde_json::from_slice(content).ok().flatten()).flatten()
}

fn half_open(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(i) => *i,
        Bound::Excluded(i) => i.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(i) => i.saturating_add(1),
        Bound::Excluded(i) => *i,
        Bound::Unbounded => u64::MAX,
    };
    (start, end.max(start))
}

impl<C: Host> RaftLogReader<C> for DiskLog<C> {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = half_open(&range);
        self.entries(start, end, false)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.memory().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.entries(start, end, true)
    }
}

impl<C: Host> RaftLogStorage<C> for DiskLog<C> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<C>, io::Error> {
        let memory = self.memory();
        Ok(LogState { last_purged_log_id: memory.purged, last_log_id: memory.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let bytes = serde_json::to_vec(vote)?;
        let path = self.vote_path.clone();
        self.ask(|done| Job::Replace { path, bytes, done }).await?;
        self.memory().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        {
            let mut memory = self.memory();
            memory.committed = committed;
            // A snapshot being installed commits entries that never were in the log; the hint speaks of the log alone.
            if committed.is_some_and(|c| memory.last.is_none_or(|last| last.index < c.index)) {
                return Ok(());
            }
        }
        self.send(Job::Hint { bytes: hint_bytes(committed)? }).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.memory().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<C>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut records = Vec::new();
        {
            let durable = self.catalog.last();
            let mut memory = self.memory();
            for entry in entries {
                let index = entry.index();
                if let Some(last) = memory.last.map(|l| l.index)
                    && index != last + 1
                {
                    return Err(io::Error::other(format!("index {index} would follow {last}: the log must have no holes")));
                }
                let mut bytes = Vec::new();
                codec::put_entry(&mut bytes, &entry).map_err(io::Error::other)?;
                memory.push(entry, record::HEADER_BYTES + bytes.len(), durable);
                records.push((index, bytes));
            }
        }
        self.send(Job::Append { records, done: callback }).await
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let from = last_log_id.map_or(0, |id| id.index + 1);
        self.memory().truncate_after(last_log_id);
        self.ask(|done| Job::Truncate { from, done }).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let mark = serde_json::to_vec(&log_id)?;
        self.ask(|done| Job::Purge { upto: log_id.index, mark, done }).await?;
        self.memory().purge(log_id);
        Ok(())
    }
}
