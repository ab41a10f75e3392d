//! Real files.

use super::{Disk, Durable, Open, OpenFile};
use futures::executor::block_on;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::future::Future;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl OpenFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        File::set_len(self, len_bytes)
    }

    async fn sync(&mut self, what: Durable) -> io::Result<()> {
        match what {
            Durable::Data => self.sync_data(),
            Durable::All => self.sync_all(),
        }
    }
}

impl Disk for Files {
    type File = File;
    type Lock = File;
    type Worker = std::thread::JoinHandle<()>;

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<File>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len_bytes: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len_bytes).map_err(io::Error::other)?];
        File::open(path)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut options = OpenOptions::new();
        match how {
            Open::New => options.create_new(true).write(true),
            Open::Empty => options.create(true).truncate(true).write(true),
            Open::Existing => options.write(true),
            Open::InPlace => options.create(true).truncate(false).write(true),
        };
        options.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    async fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn work(&self, work: impl Future<Output = ()> + Send + 'static) -> io::Result<Self::Worker> {
        std::thread::Builder::new().name("raft-log".to_owned()).spawn(move || block_on(work))
    }

    fn join(worker: Self::Worker) {
        if worker.join().is_err() {
            tracing::error!("the log's writing thread had panicked");
        }
    }

    async fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        tokio::task::spawn_blocking(move || block_on(work)).await.map_err(io::Error::other)
    }
}
