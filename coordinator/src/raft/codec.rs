//! Raft's entries and messages as bytes: on disk and between nodes.
//!
//! Small fixed parts are postcard; a command's bytes are copied, never read. What is rare (membership) is JSON, which tells more when
//! somebody has to look at it.

use super::{Entry, LogId, Proposed, TypeConfig, Vote};
use bytes::{Buf as _, BufMut as _, Bytes};
use openraft::BasicNode;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse};
use openraft::{EntryPayload, Membership};
use serde::{Deserialize, Serialize};

/// Why bytes are no entry or message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A fixed part.
    #[error("{0}")]
    Postcard(#[from] postcard::Error),
    /// A membership.
    #[error("the membership does not parse: {0}")]
    Membership(#[from] serde_json::Error),
    /// It ends too early.
    #[error("it is cut off")]
    Short,
    /// Something follows that does not belong to it.
    #[error("{0} bytes follow its end")]
    Long(usize),
}

#[derive(Serialize, Deserialize)]
enum Kind {
    Blank,
    Command,
    Membership,
}

#[derive(Serialize, Deserialize)]
struct EntryHead {
    log_id: LogId,
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
struct AppendHead {
    vote: Vote,
    prev_log_id: Option<LogId>,
    leader_commit: Option<LogId>,
    entries: u32,
}

/// Writes a small value at the end of `out`.
///
/// # Errors
/// When it has no such form.
pub fn put<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<(), postcard::Error> {
    *out = postcard::to_extend(value, std::mem::take(out))?;
    Ok(())
}

/// Reads a small value that `bytes` consists of.
///
/// # Errors
/// When it is none, or something follows.
pub fn whole<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(CodecError::Long(rest.len())),
    }
}

fn take<T: for<'a> Deserialize<'a>>(bytes: &mut Bytes) -> Result<T, CodecError> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    let read = bytes.len() - rest.len();
    bytes.advance(read);
    Ok(value)
}

/// Writes an entry at the end of `out`.
///
/// # Errors
/// When it has no such form.
pub fn put_entry(out: &mut Vec<u8>, entry: &Entry) -> Result<(), CodecError> {
    let head = |kind| EntryHead { log_id: entry.log_id, kind };
    match &entry.payload {
        EntryPayload::Blank => put(out, &head(Kind::Blank))?,
        EntryPayload::Normal(proposed) => {
            put(out, &head(Kind::Command))?;
            out.extend_from_slice(proposed.bytes());
        }
        EntryPayload::Membership(membership) => {
            put(out, &head(Kind::Membership))?;
            serde_json::to_writer(out, membership)?;
        }
    }
    Ok(())
}

/// Reads an entry that `bytes` consists of. A command keeps a part of `bytes`, and is not read itself.
///
/// # Errors
/// When it is none.
pub fn entry(mut bytes: Bytes) -> Result<Entry, CodecError> {
    let EntryHead { log_id, kind } = take(&mut bytes)?;
    let payload = match kind {
        Kind::Blank if bytes.is_empty() => EntryPayload::Blank,
        Kind::Blank => return Err(CodecError::Long(bytes.len())),
        Kind::Command => EntryPayload::Normal(Proposed::of_bytes(bytes)),
        Kind::Membership => EntryPayload::Membership(serde_json::from_slice::<Membership<u64, BasicNode>>(&bytes)?),
    };
    Ok(Entry { log_id, payload })
}

/// Writes a leader's message at the end of `out`.
///
/// # Errors
/// When it has no such form.
pub fn put_append(out: &mut Vec<u8>, message: &AppendEntriesRequest<TypeConfig>) -> Result<(), CodecError> {
    let entries = u32::try_from(message.entries.len()).unwrap_or(u32::MAX);
    put(out, &AppendHead { vote: message.vote, prev_log_id: message.prev_log_id, leader_commit: message.leader_commit, entries })?;
    for entry in &message.entries {
        let at = out.len();
        out.put_u32_le(0);
        put_entry(out, entry)?;
        let len = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
        out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }
    Ok(())
}

/// Reads a leader's message.
///
/// # Errors
/// When it is none.
pub fn append(mut bytes: Bytes) -> Result<AppendEntriesRequest<TypeConfig>, CodecError> {
    let AppendHead { vote, prev_log_id, leader_commit, entries: count } = take(&mut bytes)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let len = bytes.try_get_u32_le().map_err(|_| CodecError::Short)? as usize;
        if len > bytes.len() {
            return Err(CodecError::Short);
        }
        entries.push(entry(bytes.split_to(len))?);
    }
    if !bytes.is_empty() {
        return Err(CodecError::Long(bytes.len()));
    }
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

/// Writes a follower's answer.
///
/// # Errors
/// When it has no such form.
pub fn put_appended(out: &mut Vec<u8>, answer: &AppendEntriesResponse<TypeConfig>) -> Result<(), postcard::Error> {
    put(out, answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Written;
    use openraft::entry::RaftEntry as _;
    use picket_core::coordination::{Command, Request};
    use picket_core::ids::Principal;
    use picket_core::time::Timestamp;
    use std::collections::{BTreeMap, BTreeSet};

    fn entries() -> Vec<Entry> {
        let id = |index| openraft::testing::log_id::<TypeConfig>(7, 2, index);
        let written = Written::new(&Request { request_id: "r".into(), command: Command::Tick }).unwrap();
        let command = Proposed::new(Principal::Node(2), written, None, Timestamp(4)).unwrap();
        let nodes: BTreeMap<u64, BasicNode> = [(1, BasicNode::new("a:1")), (2, BasicNode::new("b:2"))].into();
        let membership = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        vec![
            Entry::new_blank(id(300)),
            Entry { log_id: id(301), payload: EntryPayload::Normal(command) },
            Entry { log_id: id(302), payload: EntryPayload::Membership(membership) },
        ]
    }

    fn text(entry: &Entry) -> String {
        format!(
            "{:?} {:?}",
            entry.log_id,
            match &entry.payload {
                EntryPayload::Normal(proposed) => format!("{:?}", proposed.read().unwrap()),
                other => format!("{other:?}"),
            }
        )
    }

    #[test]
    fn a_leaders_message_reads_back() {
        let id = |index| openraft::testing::log_id::<TypeConfig>(7, 2, index);
        let message = AppendEntriesRequest {
            vote: Vote::new_committed(9, 3),
            prev_log_id: Some(id(299)),
            entries: entries(),
            leader_commit: Some(id(u64::MAX)),
        };
        let mut bytes = Vec::new();
        put_append(&mut bytes, &message).unwrap();
        let read = append(bytes.clone().into()).unwrap();
        assert_eq!((read.vote, read.prev_log_id, read.leader_commit), (message.vote, message.prev_log_id, message.leader_commit));
        assert_eq!(read.entries.iter().map(text).collect::<Vec<_>>(), message.entries.iter().map(text).collect::<Vec<_>>());
        for cut in 0..bytes.len() {
            assert!(append(Bytes::copy_from_slice(&bytes[..cut])).is_err(), "cut at {cut}");
        }
        bytes.push(0);
        assert!(append(bytes.into()).is_err());
    }

    #[test]
    fn answers_read_back() {
        let id = openraft::testing::log_id::<TypeConfig>(7, 2, 5);
        for answer in [
            AppendEntriesResponse::Success,
            AppendEntriesResponse::PartialSuccess(Some(id)),
            AppendEntriesResponse::Conflict,
            AppendEntriesResponse::HigherVote(Vote::new(8, 1)),
        ] {
            let mut bytes = Vec::new();
            put_appended(&mut bytes, &answer).unwrap();
            assert_eq!(whole::<AppendEntriesResponse<TypeConfig>>(&bytes).unwrap(), answer);
        }
    }
}
