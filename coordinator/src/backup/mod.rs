//! Backups of the state, and new groups from them.
//!
//! A backup is the state at one committed revision (`file`). A new group begins with it in another epoch (`found`), as one node: the
//! others join that one as any new node does, so that nothing has to be decided alike on several machines.

mod file;
mod found;

pub use file::{Backup, BackupError, Head, Taken, read, save};
pub use found::{FoundError, Founded, NewGroup, found};
