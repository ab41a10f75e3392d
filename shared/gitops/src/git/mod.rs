//! The `git` program: run without a shell, without the user's configuration, with deadlines and bounds.

mod access;
mod commit;
mod failure;
mod log;
mod mirror;
mod program;
mod push;
mod tree;

pub(crate) use access::Access;
pub(crate) use commit::{Author, Change, NewCommit};
pub(crate) use failure::{Failure, port_error};
pub(crate) use log::{Commit, Query};
pub(crate) use mirror::Mirror;
pub(crate) use program::{Git, Run};
pub(crate) use push::Lease;
pub(crate) use tree::{Entry, File};

/// Whether the text is a whole object id (SHA-1), and so safe as an argument.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
