//! The disk as the log and the snapshot see it: real files in production, a disk that loses and tears writes in the simulation.
//!
//! Only what may take long is asynchronous: the syncs. On real files they block, so they run on the log's own thread or off the runtime.

mod files;

pub use files::Files;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

/// How a file is opened.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// It must not exist yet.
    New,
    /// Created, or emptied.
    Empty,
    /// It must exist; what is written goes where it is told.
    Existing,
    /// Created when missing; what is written goes where it is told.
    InPlace,
}

/// What a sync makes durable.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Durable {
    /// The content, and what is needed to read it back.
    Data,
    /// The metadata too.
    All,
}

/// An open file.
pub trait OpenFile: Send + 'static {
    /// Writes at the end of a file that was opened new or empty. Nothing is durable before `sync`.
    ///
    /// # Errors
    /// What the file system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes at an offset. Nothing is durable before `sync`.
    ///
    /// # Errors
    /// What the file system says.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts off what is beyond.
    ///
    /// # Errors
    /// What the file system says.
    fn set_len(&mut self, len_bytes: u64) -> io::Result<()>;

    /// Returns when everything written so far is durable.
    ///
    /// # Errors
    /// What the file system says; nothing is known of the unsynced writes then.
    fn sync(&mut self, what: Durable) -> impl Future<Output = io::Result<()>> + Send;
}

/// A file system. Names are durable after `sync_dir` only.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: OpenFile;
    /// Held while a folder is in use; given back when dropped.
    type Lock: Send + Sync + 'static;
    /// Whoever runs the log's writer.
    type Worker: Send + 'static;

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// What the file system says.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file; `None` when somebody else has it.
    ///
    /// # Errors
    /// What the file system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Self::Lock>>;

    /// The whole content.
    ///
    /// # Errors
    /// `NotFound` when there is no such file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// `len_bytes` from `offset` on.
    ///
    /// # Errors
    /// `NotFound` when there is no such file, `UnexpectedEof` when it is shorter.
    fn read_at(&self, path: &Path, offset: u64, len_bytes: u64) -> io::Result<Vec<u8>>;

    /// Files of a folder, in any order.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Opens a file to write to.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Self::File>;

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns when the names in a folder are durable.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_dir(&self, dir: &Path) -> impl Future<Output = io::Result<()>> + Send;

    /// Runs the log's writer beside everything else, until it ends.
    ///
    /// # Errors
    /// When there is no thread to be had.
    fn work(&self, work: impl Future<Output = ()> + Send + 'static) -> io::Result<Self::Worker>;

    /// Waits for a worker that was told to end. Blocks.
    fn join(worker: Self::Worker);

    /// Runs work that waits for the disk where it holds up nobody.
    fn aside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> impl Future<Output = io::Result<T>> + Send;
}
