//! The one thread that writes: in the order asked, and silent until it is durable.

use super::catalog::{Catalog, Cut};
use super::segment::{self, Place};
use super::{LogError, durable, record};
use crate::disk::{Disk, Durable, Open, OpenFile as _};
use crate::planted::{Fault, is_planted};
use crate::raft::Host;
use openraft::storage::IOFlushed;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// A new file is begun after this many bytes.
pub const SEGMENT_BYTES: u64 = 8 << 20;
/// A file grows by this part of its size at once, in zeros: a sync of what lies within a file's length is much quicker than one that must also
/// note a new length (on ext4: no commit of its journal).
const STEPS_OF_SEGMENT: u64 = 8;

/// What the thread is asked to do.
pub(super) enum Job<C: Host> {
    /// Adds records; `done` hears after they are durable.
    Append { records: Vec<(u64, Vec<u8>)>, done: IOFlushed<C> },
    /// Replaces a whole file.
    Replace { path: PathBuf, bytes: Vec<u8>, done: oneshot::Sender<io::Result<()>> },
    /// Ends the thread.
    Close,
    /// Overwrites a hint in place; losing it costs only time.
    Hint { bytes: Vec<u8> },
    /// Removes every record from this index on.
    Truncate { from: u64, done: oneshot::Sender<io::Result<()>> },
    /// Notes that everything up to `upto` is gone, then removes files that hold nothing else.
    Purge { upto: u64, mark: Vec<u8>, done: oneshot::Sender<io::Result<()>> },
}

/// Appends that wait already share one sync. Every commit brings a hint: the newest waits until the group is durable, and ends no group.
struct Group<C: Host> {
    records: Vec<(u64, Vec<u8>)>,
    waiting: Vec<IOFlushed<C>>,
    hint: Option<Vec<u8>>,
}

impl<C: Host> Group<C> {
    /// Takes what waits; gives back the first job that is of another kind.
    fn take_along(&mut self, jobs: &mut Receiver<Job<C>>) -> Option<Job<C>> {
        loop {
            match jobs.try_recv() {
                Ok(Job::Append { records, done }) => {
                    self.records.extend(records);
                    self.waiting.push(done);
                }
                Ok(Job::Hint { bytes }) => self.hint = Some(bytes),
                Ok(other) => return Some(other),
                Err(_) => return None,
            }
        }
    }
}

pub(super) struct Writer<D: Disk> {
    disk: D,
    dir: PathBuf,
    segments: Catalog,
    /// A new file is begun after this many bytes.
    segment_bytes: u64,
    /// The last segment's file, when it is open, and its length with the zeros ahead of the records.
    file: Option<(D::File, u64)>,
    hint: D::File,
    purge_mark: PathBuf,
    /// After a failed write or sync nothing is known of the page cache, so nothing is promised any more.
    failed: Option<String>,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(disk: D, dir: &Path, segments: Catalog, segment_bytes: u64, hint: D::File, purge_mark: PathBuf) -> Self {
        Self { disk, dir: dir.to_owned(), segments, segment_bytes, file: None, hint, purge_mark, failed: None }
    }

    /// Works until it is told to close, or every sender is gone.
    pub(super) async fn run<C: Host>(mut self, mut jobs: Receiver<Job<C>>) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => match jobs.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            let mut group = match job {
                Job::Append { records, done } => Group { records, waiting: vec![done], hint: None },
                Job::Close => return self.trim(),
                other => {
                    self.one(other).await;
                    continue;
                }
            };
            next = group.take_along(&mut jobs);
            self.write(group).await;
        }
    }

    async fn write<C: Host>(&mut self, group: Group<C>) {
        let Group { records, waiting, hint } = group;
        let result = match self.refuse_after_failure() {
            None => self.append(&records).await.map_err(|e| self.fail(e)),
            Some(refused) => Err(refused),
        };
        for done in waiting {
            done.io_completed(result.as_ref().copied().map_err(|e| io::Error::new(e.kind(), e.to_string())));
        }
        if let Some(bytes) = hint {
            self.one(Job::<C>::Hint { bytes }).await;
        }
    }

    async fn one<C: Host>(&mut self, job: Job<C>) {
        let refused = self.refuse_after_failure();
        // A receiver that is gone has lost interest; the work is done all the same.
        match (job, refused) {
            // A hint may not speak of entries that could not be written: the node would refuse to start.
            (Job::Hint { .. }, Some(_)) if !is_planted(Fault::HintAfterFailure) => {}
            (Job::Close, _) => {}
            (Job::Append { done, .. }, Some(refused)) => done.io_completed(Err(refused)),
            (Job::Replace { done, .. } | Job::Truncate { done, .. } | Job::Purge { done, .. }, Some(refused)) => {
                drop(done.send(Err(refused)))
            }
            (Job::Append { records, done }, None) => done.io_completed(self.append(&records).await.map_err(|e| self.fail(e))),
            (Job::Replace { path, bytes, done }, None) => {
                let result = if is_planted(Fault::VoteNotSynced) {
                    durable::replace_unsynced(&self.disk, &path, &[&bytes])
                } else {
                    durable::replace(&self.disk, &path, &[&bytes]).await
                };
                drop(done.send(result.map_err(|e| self.fail(e))));
            }
            (Job::Truncate { from, done }, None) => drop(done.send(self.truncate(from).await.map_err(|e| self.fail(e)))),
            (Job::Purge { upto, mark, done }, None) => drop(done.send(self.purge(upto, &mark).await.map_err(|e| self.fail(e)))),
            (Job::Hint { bytes }, _) => {
                if let Err(error) = self.hint.write_at(&bytes, 0) {
                    tracing::warn!(%error, "the commit hint was not written; a restart will take longer");
                }
            }
        }
    }

    /// Takes back the zeros ahead of the records. Where that fails they stay: they do no harm.
    fn trim(&mut self) {
        if let (Some((file, _)), Some((path, len_bytes))) = (&mut self.file, self.segments.last_file())
            && let Err(error) = file.set_len(len_bytes)
        {
            tracing::warn!(file = %path.display(), %error, "the space prepared for more records was not given back");
        }
    }

    fn refuse_after_failure(&self) -> Option<io::Error> {
        let why = self.failed.as_ref()?;
        Some(io::Error::other(format!("the log is closed after an earlier failure: {why}; restart the node")))
    }

    fn fail(&mut self, error: LogError) -> io::Error {
        tracing::error!(%error, "the log failed; this node stops writing");
        self.failed = Some(error.to_string());
        error.into()
    }

    async fn append(&mut self, records: &[(u64, Vec<u8>)]) -> Result<(), LogError> {
        let Some((first, _)) = records.first() else { return Ok(()) };
        let last = self.segments.last_file().filter(|(_, len)| *len < self.segment_bytes);
        let (path, durable_bytes) = match last {
            Some(last) => last,
            None => (self.begin(*first).await?, 0),
        };
        let mut bytes = Vec::with_capacity(records.iter().map(|(_, payload)| record::HEADER_BYTES + payload.len()).sum());
        let mut places = Vec::with_capacity(records.len());
        for (index, payload) in records {
            places.push(Place { index: *index, offset: durable_bytes + bytes.len() as u64 });
            record::encode(&mut bytes, durable_bytes, *index, payload);
        }
        let records_bytes = bytes.len() as u64;
        let end = durable_bytes + records_bytes;
        let (file, file_bytes) = match &mut self.file {
            Some(open) => open,
            none => none.insert((self.disk.open(&path, Open::Existing).map_err(LogError::io(&path))?, durable_bytes)),
        };
        if end > *file_bytes {
            *file_bytes = end.max(self.segment_bytes.min(end + self.segment_bytes / STEPS_OF_SEGMENT));
            bytes.resize((*file_bytes - durable_bytes) as usize, 0);
        }
        file.write_at(&bytes, durable_bytes).map_err(LogError::io(&path))?;
        if !is_planted(Fault::AcknowledgedBeforeSync) {
            file.sync(Durable::Data).await.map_err(LogError::io(&path))?;
        }
        self.segments.appended(places, records_bytes);
        Ok(())
    }

    /// Begins a new file.
    async fn begin(&mut self, first: u64) -> Result<PathBuf, LogError> {
        let path = segment::path_of(&self.dir, first);
        self.disk.open(&path, Open::New).map_err(LogError::io(&path))?;
        durable::sync_dir(&self.disk, &self.dir).await?;
        self.segments.began(path.clone());
        self.file = None;
        Ok(path)
    }

    /// From the end backwards, so that a crash in between leaves no hole.
    async fn truncate(&mut self, from: u64) -> Result<(), LogError> {
        if is_planted(Fault::ConflictKeptOnDisk) {
            return Ok(());
        }
        self.file = None;
        loop {
            // Readers are told first, so that none looks for what is being cut off.
            match self.segments.cut(from) {
                Cut::Nothing => return Ok(()),
                Cut::File(path) => {
                    self.disk.remove(&path).map_err(LogError::io(&path))?;
                    durable::sync_dir(&self.disk, &self.dir).await?;
                }
                Cut::Tail(path, len_bytes) => {
                    let mut file = self.disk.open(&path, Open::Existing).map_err(LogError::io(&path))?;
                    file.set_len(len_bytes).map_err(LogError::io(&path))?;
                    return file.sync(Durable::All).await.map_err(LogError::io(&path));
                }
            }
        }
    }

    async fn purge(&mut self, upto: u64, mark: &[u8]) -> Result<(), LogError> {
        durable::replace(&self.disk, &self.purge_mark, &[mark]).await?;
        let gone = self.segments.purge(upto);
        if self.segments.last_file().is_none() {
            self.file = None;
        }
        for path in &gone {
            self.disk.remove(path).map_err(LogError::io(path))?;
        }
        if gone.is_empty() { Ok(()) } else { durable::sync_dir(&self.disk, &self.dir).await }
    }
}
