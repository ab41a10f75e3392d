//! The one thread that writes: in the order asked, and silent until it is durable.

use super::segment::{self, Place, Segment};
use super::{LogError, durable, record};
use crate::raft::TypeConfig;
use openraft::storage::IOFlushed;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError};
use tokio::sync::oneshot;

/// A new file is begun after this many bytes.
const SEGMENT_BYTES: u64 = 8 << 20;

/// What the thread is asked to do.
pub(super) enum Job {
    /// Adds records; `done` hears after they are durable.
    Append { records: Vec<(u64, Vec<u8>)>, done: IOFlushed<TypeConfig> },
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

pub(super) struct Writer {
    dir: PathBuf,
    segments: Vec<Segment>,
    /// The last segment's file, when it is open.
    file: Option<File>,
    hint: File,
    purge_mark: PathBuf,
    /// After a failed write or sync nothing is known of the page cache, so nothing is promised any more.
    failed: Option<String>,
}

impl Writer {
    pub(super) fn new(dir: &Path, segments: Vec<Segment>, hint: File, purge_mark: PathBuf) -> Self {
        Self { dir: dir.to_owned(), segments, file: None, hint, purge_mark, failed: None }
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => job,
                None => match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                },
            };
            let (records, done) = match job {
                Job::Append { records, done } => (records, done),
                Job::Close => return,
                other => {
                    self.one(other);
                    continue;
                }
            };
            // Appends that wait already share one sync.
            let mut all = records;
            let mut waiting = vec![done];
            loop {
                match jobs.try_recv() {
                    Ok(Job::Append { records, done }) => {
                        all.extend(records);
                        waiting.push(done);
                    }
                    Ok(other) => {
                        next = Some(other);
                        break;
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            let result = self.guarded(|w| w.append(&all));
            for done in waiting {
                done.io_completed(result.as_ref().copied().map_err(|e| io::Error::new(e.kind(), e.to_string())));
            }
        }
    }

    fn one(&mut self, job: Job) {
        // A receiver that is gone has lost interest; the work is done all the same.
        match job {
            Job::Append { records, done } => done.io_completed(self.guarded(|w| w.append(&records))),
            Job::Close => {}
            Job::Replace { path, bytes, done } => drop(done.send(self.guarded(|_| durable::replace(&path, &bytes)))),
            Job::Hint { bytes } => {
                if let Err(error) = self.hint.write_all_at(&bytes, 0) {
                    tracing::warn!(%error, "the commit hint was not written; a restart will take longer");
                }
            }
            Job::Truncate { from, done } => drop(done.send(self.guarded(|w| w.truncate(from)))),
            Job::Purge { upto, mark, done } => drop(done.send(self.guarded(|w| w.purge(upto, &mark)))),
        }
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<(), LogError>) -> io::Result<()> {
        if let Some(why) = &self.failed {
            return Err(io::Error::other(format!("the log is closed after an earlier failure: {why}; restart the node")));
        }
        work(self).map_err(|error| {
            tracing::error!(%error, "the log failed; this node stops writing");
            self.failed = Some(error.to_string());
            io::Error::from(error)
        })
    }

    fn append(&mut self, records: &[(u64, Vec<u8>)]) -> Result<(), LogError> {
        let Some((first, _)) = records.first() else { return Ok(()) };
        let full = self.segments.last().is_none_or(|s| s.len_bytes >= SEGMENT_BYTES);
        if full {
            let path = segment::path_of(&self.dir, *first);
            File::create_new(&path).map_err(LogError::io(&path))?;
            durable::sync_dir(&self.dir)?;
            self.segments.push(Segment { path, places: Vec::new(), len_bytes: 0, torn_bytes: 0 });
            self.file = None;
        }
        let Some(last) = self.segments.last_mut() else { return Ok(()) };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().append(true).open(&last.path).map_err(LogError::io(&last.path))?),
        };
        let mut bytes = Vec::new();
        let mut places = Vec::with_capacity(records.len());
        for (index, payload) in records {
            places.push(Place { index: *index, offset: last.len_bytes + bytes.len() as u64 });
            record::encode(&mut bytes, last.len_bytes, *index, payload);
        }
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(LogError::io(&last.path))?;
        last.places.extend(places);
        last.len_bytes += bytes.len() as u64;
        Ok(())
    }

    /// From the end backwards, so that a crash in between leaves no hole.
    fn truncate(&mut self, from: u64) -> Result<(), LogError> {
        self.file = None;
        while let Some(last) = self.segments.last_mut() {
            let keep = last.places.partition_point(|p| p.index < from);
            if keep == 0 {
                std::fs::remove_file(&last.path).map_err(LogError::io(&last.path))?;
                durable::sync_dir(&self.dir)?;
                self.segments.pop();
                continue;
            }
            if let Some(cut) = last.places.get(keep) {
                let file = OpenOptions::new().write(true).open(&last.path).map_err(LogError::io(&last.path))?;
                file.set_len(cut.offset).and_then(|()| file.sync_all()).map_err(LogError::io(&last.path))?;
                last.len_bytes = cut.offset;
                last.places.truncate(keep);
            }
            break;
        }
        Ok(())
    }

    fn purge(&mut self, upto: u64, mark: &[u8]) -> Result<(), LogError> {
        durable::replace(&self.purge_mark, mark)?;
        let mut removed = false;
        while self.segments.first().is_some_and(|s| s.places.last().is_none_or(|p| p.index <= upto)) {
            let gone = self.segments.remove(0);
            if self.segments.is_empty() {
                self.file = None;
            }
            std::fs::remove_file(&gone.path).map_err(LogError::io(&gone.path))?;
            removed = true;
        }
        if removed { durable::sync_dir(&self.dir) } else { Ok(()) }
    }
}
