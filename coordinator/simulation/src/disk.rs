//! A disk that keeps only what was synced, tears what was not, is slow, and fails.
//!
//! The model: a file's content lives in the page cache; a sync makes it durable. When the power fails, each block of each unsynced write
//! survives or not by itself, and of the unsynced changes of names a prefix survives (metadata is journaled in order). When only the
//! process dies, the page cache stays. A failed sync leaves its writes in the page cache and marks them clean, as Linux does: a later sync
//! says nothing of them, and a power failure loses them.

use crate::happened::Happening;
use crate::{executor, world};
use picket_coordinator::disk::{Disk, Durable, Open, OpenFile};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What survives or not as one.
const BLOCK_BYTES: usize = 512;
/// A sync that takes longer than a heartbeat is slow.
const SLOW_US: u64 = 100_000;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Cut(usize),
}

#[derive(Clone, Debug, Default)]
struct FileState {
    durable: Vec<u8>,
    /// Since the last sync, in order.
    pending: Vec<Change>,
    /// Was pending when a sync failed: in the page cache, and on no disk ever.
    clean_but_lost: bool,
    content: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, u64),
    Gone(PathBuf),
    /// The old name of what the change before gave a new one: both are one change of the journal.
    GoneWithIt(PathBuf),
}

/// How the disk behaves for now.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// A sync takes at least this.
    pub sync_us_min: u64,
    /// And at most this.
    pub sync_us_max: u64,
    /// The next sync fails.
    pub fail_next_sync: bool,
    /// The power fails at this many operations from now.
    pub fuse: Option<u32>,
}

impl Temper {
    /// A healthy disk.
    pub const CALM: Self = Self { sync_us_min: 100, sync_us_max: 1_500, fail_next_sync: false, fuse: None };
}

struct Platter {
    files: BTreeMap<u64, FileState>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending_names: Vec<NameChange>,
    /// Rises when the machine or the process dies: older handles are dead.
    life: u64,
    locked: bool,
    temper: Temper,
    rng: ChaCha8Rng,
    /// The fuse blew: the node is about to be killed, and does no more until then.
    blown: bool,
    machine: u64,
}

/// One node's disk; it outlives the node's processes.
#[derive(Clone)]
pub struct Platters(Arc<Mutex<Platter>>);

/// The disk as one life of a node sees it.
#[derive(Clone)]
pub struct SimDisk {
    platter: Arc<Mutex<Platter>>,
    life: u64,
}

fn gone() -> io::Error {
    io::Error::other("the process is dead")
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Platters {
    /// An empty disk.
    #[must_use]
    pub fn new(machine: u64, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            files: BTreeMap::new(),
            next_file: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            life: 0,
            locked: false,
            temper: Temper::CALM,
            rng: ChaCha8Rng::seed_from_u64(seed),
            blown: false,
            machine,
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a new process.
    #[must_use]
    pub fn mount(&self) -> SimDisk {
        SimDisk { platter: self.0.clone(), life: self.platter().life }
    }

    /// From now on it behaves so.
    pub fn set_temper(&self, temper: Temper) {
        self.platter().temper = temper;
    }

    /// The process died; with `power` the machine too. Handles from before are dead.
    pub fn die(&self, power: bool) {
        let mut platter = self.platter();
        platter.life += 1;
        platter.locked = false;
        platter.blown = false;
        platter.temper.fuse = None;
        if power {
            platter.lose_power();
        }
    }
}

impl FileState {
    fn apply(content: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write { offset, bytes } => {
                if content.len() < offset + bytes.len() {
                    content.resize(offset + bytes.len(), 0);
                }
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Change::Cut(len) => content.truncate(*len),
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.content, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        if self.clean_but_lost {
            // Only what is dirty is written; what a failed sync marked clean is not.
            for change in std::mem::take(&mut self.pending) {
                Self::apply(&mut self.durable, &change);
            }
        } else {
            self.durable.clone_from(&self.content);
            self.pending.clear();
        }
    }

    fn lose_power(&mut self, rng: &mut ChaCha8Rng) {
        let mut survived = std::mem::take(&mut self.durable);
        // Often nothing was written back yet, sometimes everything, and sometimes this block and not that one.
        let share = [0, 50, 50, 100][rng.random_range(0..4)];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Cut(len) => {
                    if rng.random_range(0..100) < share {
                        survived.truncate(len);
                    }
                }
                Change::Write { offset, bytes } => {
                    let mut torn = false;
                    // The length may be there and the content not: blocks that were allocated and never written are zeros.
                    if share == 50 && rng.random_bool(0.5) && survived.len() < offset + bytes.len() {
                        survived.resize(offset + bytes.len(), 0);
                    }
                    let (mut at, mut blocks, mut kept) = (0, 0, 0);
                    while at < bytes.len() {
                        let end = (at + BLOCK_BYTES - (offset + at) % BLOCK_BYTES).min(bytes.len());
                        blocks += 1;
                        if rng.random_range(0..100) < share {
                            kept += 1;
                            Self::apply(&mut survived, &Change::Write { offset: offset + at, bytes: bytes[at..end].to_vec() });
                        }
                        at = end;
                    }
                    // The very last block may be written in part.
                    if share == 50 && rng.random_bool(0.5) && survived.len() == offset + bytes.len() {
                        let tail = bytes.len().min(BLOCK_BYTES);
                        let cut = rng.random_range(0..=tail);
                        survived.truncate(offset + bytes.len() - cut);
                        torn = cut > 0;
                    }
                    match kept {
                        0 if blocks > 0 => world::happened(Happening::WriteLost),
                        kept if kept < blocks || torn => world::happened(Happening::WriteTorn),
                        _ => {}
                    }
                }
            }
        }
        self.content.clone_from(&survived);
        self.durable = survived;
        self.clean_but_lost = false;
    }
}

impl Platter {
    fn lose_power(&mut self) {
        let mut kept = if self.pending_names.is_empty() { 0 } else { self.rng.random_range(0..=self.pending_names.len()) };
        if matches!(self.pending_names.get(kept), Some(NameChange::GoneWithIt(_))) {
            kept += 1;
        }
        for change in self.pending_names.drain(..).take(kept) {
            match change {
                NameChange::Set(path, id) => drop(self.durable_names.insert(path, id)),
                NameChange::Gone(path) | NameChange::GoneWithIt(path) => drop(self.durable_names.remove(&path)),
            }
        }
        self.pending_names.clear();
        self.names.clone_from(&self.durable_names);
        let named: Vec<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
        for file in self.files.values_mut() {
            file.lose_power(&mut self.rng);
        }
    }

    /// Every operation passes here: it may be the last one.
    fn operate(&mut self, life: u64) -> io::Result<&mut Self> {
        if life != self.life || self.blown {
            return Err(gone());
        }
        if let Some(left) = &mut self.temper.fuse {
            if *left == 0 {
                self.temper.fuse = None;
                self.blown = true;
                world::power_fails(self.machine);
                return Err(gone());
            }
            *left -= 1;
        }
        Ok(self)
    }

    fn file(&mut self, id: u64) -> io::Result<&mut FileState> {
        self.files.get_mut(&id).ok_or_else(not_found)
    }
}

/// An open file of a simulated disk.
pub struct SimFile {
    disk: SimDisk,
    id: u64,
}

impl SimDisk {
    fn operate<T>(&self, work: impl FnOnce(&mut Platter) -> io::Result<T>) -> io::Result<T> {
        work(self.platter.lock().unwrap_or_else(PoisonError::into_inner).operate(self.life)?)
    }

    /// As long as the disk takes; false when this sync is to fail.
    async fn spin(&self) -> io::Result<bool> {
        let (us, fails) = self.operate(|p| {
            let us = p.rng.random_range(p.temper.sync_us_min..=p.temper.sync_us_max.max(p.temper.sync_us_min));
            Ok((us, std::mem::take(&mut p.temper.fail_next_sync)))
        })?;
        if fails {
            world::happened(Happening::SyncFailed);
        }
        if us > SLOW_US {
            world::happened(Happening::SyncSlow);
        }
        executor::sleep_us(us).await;
        Ok(!fails)
    }
}

impl OpenFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.operate(|p| {
            let file = p.file(self.id)?;
            file.change(Change::Write { offset: file.content.len(), bytes: bytes.to_vec() });
            Ok(())
        })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.operate(|p| {
            p.file(self.id)?.change(Change::Write { offset: offset as usize, bytes: bytes.to_vec() });
            Ok(())
        })
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.disk.operate(|p| {
            p.file(self.id)?.change(Change::Cut(len_bytes as usize));
            Ok(())
        })
    }

    async fn sync(&mut self, _what: Durable) -> io::Result<()> {
        let works = self.disk.spin().await?;
        self.disk.operate(|p| {
            let file = p.file(self.id)?;
            if works {
                file.sync();
                return Ok(());
            }
            file.pending.clear();
            file.clean_but_lost = true;
            Err(io::Error::other("input/output error (injected)"))
        })
    }
}

/// Given back when dropped, unless a later life has it.
pub struct SimLock(SimDisk);

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut platter = self.0.platter.lock().unwrap_or_else(PoisonError::into_inner);
        if platter.life == self.0.life {
            platter.locked = false;
        }
    }
}

impl Disk for SimDisk {
    type File = SimFile;
    type Lock = SimLock;
    type Worker = ();

    fn make_dir(&self, _dir: &Path) -> io::Result<()> {
        self.operate(|_| Ok(()))
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<SimLock>> {
        self.operate(|p| Ok((!std::mem::replace(&mut p.locked, true)).then(|| SimLock(self.clone()))))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.operate(|p| {
            let id = *p.names.get(path).ok_or_else(not_found)?;
            Ok(p.file(id)?.content.clone())
        })
    }

    fn read_at(&self, path: &Path, offset: u64, len_bytes: u64) -> io::Result<Vec<u8>> {
        self.operate(|p| {
            let id = *p.names.get(path).ok_or_else(not_found)?;
            let (start, end) = (offset as usize, (offset + len_bytes) as usize);
            Ok(p.file(id)?.content.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.operate(|p| Ok(p.names.keys().filter(|path| path.parent() == Some(dir)).cloned().collect()))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<SimFile> {
        let id = self.operate(|p| {
            let known = p.names.get(path).copied();
            match (how, known) {
                (Open::New, Some(_)) => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
                (Open::Existing, None) => return Err(not_found()),
                (Open::Existing | Open::InPlace, Some(id)) => return Ok(id),
                (Open::Empty, Some(id)) => {
                    p.file(id)?.change(Change::Cut(0));
                    return Ok(id);
                }
                (Open::New | Open::Empty | Open::InPlace, None) => {}
            }
            let id = p.next_file;
            p.next_file += 1;
            p.files.insert(id, FileState::default());
            p.names.insert(path.to_owned(), id);
            p.pending_names.push(NameChange::Set(path.to_owned(), id));
            Ok(id)
        })?;
        Ok(SimFile { disk: self.clone(), id })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.ends_with("snapshot") {
            world::happened(Happening::SnapshotWritten);
        }
        self.operate(|p| {
            let id = p.names.remove(from).ok_or_else(not_found)?;
            p.names.insert(to.to_owned(), id);
            p.pending_names.push(NameChange::Set(to.to_owned(), id));
            p.pending_names.push(NameChange::GoneWithIt(from.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        world::happened(Happening::LogFileRemoved);
        self.operate(|p| {
            p.names.remove(path).ok_or_else(not_found)?;
            p.pending_names.push(NameChange::Gone(path.to_owned()));
            Ok(())
        })
    }

    async fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let works = self.spin().await?;
        self.operate(|p| {
            if !works {
                return Err(io::Error::other("input/output error (injected)"));
            }
            p.durable_names = p.names.clone();
            p.pending_names.clear();
            Ok(())
        })
    }

    fn work(&self, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        executor::spawn_for(executor::current_owner(), work);
        Ok(())
    }

    fn join((): ()) {}

    async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        // Beside the others: it gives way at least once.
        executor::sleep_us(1).await;
        Ok(work.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_run(work: impl Future<Output = ()> + Send + 'static) {
        executor::run(1, 100_000, work).unwrap();
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_be_torn() {
        in_run(async {
            let mut kept_sizes = std::collections::BTreeSet::new();
            for seed in 0..64 {
                let platters = Platters::new(1, seed);
                let disk = platters.mount();
                let path = Path::new("/d/a");
                let mut file = disk.open(path, Open::New).unwrap();
                file.append(&[1; 700]).unwrap();
                file.sync(Durable::Data).await.unwrap();
                disk.sync_dir(Path::new("/d")).await.unwrap();
                file.append(&[2; 2_000]).unwrap();
                platters.die(true);
                assert!(file.append(&[3]).is_err(), "a handle from before the crash is dead");
                let read = platters.mount().read(path).unwrap();
                assert_eq!(read[..700], [1; 700]);
                kept_sizes.insert(read.len());
            }
            assert!(kept_sizes.contains(&700) && kept_sizes.contains(&2_700) && kept_sizes.len() > 3, "{kept_sizes:?}");
        });
    }

    /// With both names a later write to the old one would tear what the new one names.
    #[test]
    fn a_rename_happens_whole_or_not_at_all() {
        in_run(async {
            let (mut moved, mut stayed) = (0, 0);
            for seed in 0..64 {
                let platters = Platters::new(1, seed);
                let disk = platters.mount();
                let (old, new) = (Path::new("/d/a.tmp"), Path::new("/d/a"));
                disk.open(old, Open::New).unwrap();
                disk.sync_dir(Path::new("/d")).await.unwrap();
                disk.rename(old, new).unwrap();
                platters.die(true);
                match platters.mount().list(Path::new("/d")).unwrap().as_slice() {
                    [path] if path == new => moved += 1,
                    [path] if path == old => stayed += 1,
                    names => panic!("seed {seed}: {names:?}"),
                }
            }
            assert!(moved > 0 && stayed > 0, "{moved} {stayed}");
        });
    }

    #[test]
    fn a_killed_process_leaves_the_page_cache_and_a_failed_sync_a_trap() {
        in_run(async {
            let platters = Platters::new(1, 7);
            let disk = platters.mount();
            let path = Path::new("/d/a");
            let mut file = disk.open(path, Open::New).unwrap();
            disk.sync_dir(Path::new("/d")).await.unwrap();
            file.append(b"lost").unwrap();
            platters.set_temper(Temper { fail_next_sync: true, ..Temper::CALM });
            assert!(file.sync(Durable::Data).await.is_err());
            file.sync(Durable::Data).await.unwrap();
            platters.die(false);
            assert_eq!(platters.mount().read(path).unwrap(), b"lost", "the page cache has it");
            platters.die(true);
            assert_eq!(platters.mount().read(path).unwrap(), b"", "the disk never had it");
        });
    }
}
