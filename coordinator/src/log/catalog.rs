//! Where each record lies: told by the writer once it is durable, asked by readers.

use super::record;
use super::segment::{Place, Segment};
use crate::disk::Disk;
use crate::raft::{Entry, codec};
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The segment files, oldest first. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog(Arc<Mutex<Vec<Segment>>>);

/// What a truncation must do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It is done.
    Nothing,
    /// Remove this file.
    File(PathBuf),
    /// Cut this file off at this length; then it is done.
    Tail(PathBuf, u64),
}

/// Records of one file that lie side by side.
#[derive(Debug, PartialEq, Eq)]
struct Extent {
    path: PathBuf,
    first: u64,
    offset: u64,
    len_bytes: u64,
}

impl Catalog {
    pub(super) fn new(segments: Vec<Segment>) -> Self {
        Self(Arc::new(Mutex::new(segments)))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file that is written to, and its bytes.
    pub(super) fn last_file(&self) -> Option<(PathBuf, u64)> {
        self.lock().last().map(|s| (s.path.clone(), s.len_bytes))
    }

    /// A new file.
    pub(super) fn began(&self, path: PathBuf) {
        self.lock().push(Segment { path, places: Vec::new(), len_bytes: 0, torn_bytes: 0 });
    }

    /// Records at the end of the last file are durable.
    pub(super) fn appended(&self, places: Vec<Place>, len_bytes: u64) {
        if let Some(last) = self.lock().last_mut() {
            last.places.extend(places);
            last.len_bytes += len_bytes;
        }
    }

    /// Forgets the records from `from` on in the last file, and says what must be cut off; to be called until nothing must.
    pub(super) fn cut(&self, from: u64) -> Cut {
        let mut segments = self.lock();
        let Some(last) = segments.last_mut() else { return Cut::Nothing };
        let keep = last.places.partition_point(|p| p.index < from);
        if keep == 0 {
            return segments.pop().map_or(Cut::Nothing, |s| Cut::File(s.path));
        }
        let Some(cut) = last.places.get(keep).map(|p| p.offset) else { return Cut::Nothing };
        last.places.truncate(keep);
        last.len_bytes = cut;
        Cut::Tail(last.path.clone(), cut)
    }

    /// Forgets the files that hold nothing behind `upto`; they must be removed.
    pub(super) fn purge(&self, upto: u64) -> Vec<PathBuf> {
        let mut segments = self.lock();
        let gone = segments.iter().take_while(|s| s.places.last().is_none_or(|p| p.index <= upto)).count();
        segments.drain(..gone).map(|s| s.path).collect()
    }

    /// The last index that is durable.
    pub(super) fn last(&self) -> Option<u64> {
        self.lock().iter().rev().find_map(|s| s.places.last()).map(|p| p.index)
    }

    /// Where the records of `start..end` lie, up to `max_bytes` but at least one record.
    fn extents(&self, start: u64, end: u64, max_bytes: u64) -> Vec<Extent> {
        let mut left = max_bytes;
        let mut found: Vec<Extent> = Vec::new();
        for segment in self.lock().iter() {
            let places = &segment.places;
            let (from, to) = (places.partition_point(|p| p.index < start), places.partition_point(|p| p.index < end));
            let Some(first) = places.get(from).filter(|_| from < to) else { continue };
            let end_of = |n: usize| places.get(n).map_or(segment.len_bytes, |p| p.offset);
            let fits = (from..to).take_while(|n| end_of(n + 1) - first.offset <= left).count();
            // One record is given whatever its length.
            let taken = if fits == 0 && found.is_empty() { 1 } else { fits };
            if taken > 0 {
                let len_bytes = end_of(from + taken) - first.offset;
                left = left.saturating_sub(len_bytes);
                found.push(Extent { path: segment.path.clone(), first: first.index, offset: first.offset, len_bytes });
            }
            if from + taken < to {
                break;
            }
        }
        found
    }

    /// Reads the entries of `start..end` from disk, in order, up to `max_bytes` but at least one. Those that were purged or cut off
    /// meanwhile are not given.
    ///
    /// # Errors
    /// When what lies there is not what was written.
    pub(super) fn read(&self, disk: &impl Disk, start: u64, end: u64, max_bytes: u64) -> io::Result<Vec<Entry>> {
        let extents = self.extents(start, end, max_bytes);
        match read_extents(disk, &extents) {
            Err(_) if self.extents(start, end, max_bytes) != extents => self.read(disk, start.max(self.first()), end, max_bytes),
            result => result,
        }
    }

    fn first(&self) -> u64 {
        self.lock().iter().find_map(|s| s.places.first()).map_or(u64::MAX, |p| p.index)
    }
}

fn read_extents(disk: &impl Disk, extents: &[Extent]) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for extent in extents {
        let bytes = Bytes::from(disk.read_at(&extent.path, extent.offset, extent.len_bytes)?);
        let damaged = |at: usize, why: String| {
            let place = extent.offset + at as u64;
            io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged at byte {place}: {why}", extent.path.display()))
        };
        let (mut at, mut expected) = (0, extent.first);
        while at < bytes.len() {
            let found = record::decode(&bytes[at..]).map_err(|why| damaged(at, why.to_owned()))?;
            if found.index != expected {
                return Err(damaged(at, format!("it holds entry {} where {expected} was written", found.index)));
            }
            let len = found.len_bytes();
            let payload = bytes.slice_ref(found.payload);
            entries.push(codec::entry(payload).map_err(|e| damaged(at, e.to_string()))?);
            (at, expected) = (at + len, expected + 1);
        }
    }
    Ok(entries)
}
