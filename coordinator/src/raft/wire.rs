//! What nodes say to each other beside openraft's own messages.

use super::{LogId, SnapshotMeta, Vote};
use picket_core::coordination::Request;
use picket_core::ids::Principal;
use serde::{Deserialize, Serialize};

/// Carries the digest of the caller's settings: nodes that decide by different rules must not be of one group.
pub const SETTINGS_HEADER: &str = "x-picket-settings";

/// Paths that only nodes may call.
pub mod paths {
    /// Log entries and heartbeats.
    pub const APPEND: &str = "/raft/append";
    /// A candidate asks.
    pub const VOTE: &str = "/raft/vote";
    /// Somebody asks whether it would be worth being a candidate.
    pub const PRE_VOTE: &str = "/raft/pre-vote";
    /// A whole snapshot.
    pub const SNAPSHOT: &str = "/raft/snapshot";
    /// How far a follower must have applied before it may answer a read.
    pub const READ_INDEX: &str = "/raft/read-index";
    /// The leader wants another to lead.
    pub const TRANSFER: &str = "/raft/transfer";
    /// Who the members are, as the node that is asked knows it.
    pub const MEMBERS: &str = "/raft/members";
    /// A command that a client gave to a follower.
    pub const FORWARD: &str = "/raft/forward";
}

/// The head of a snapshot message; the state follows it.
#[derive(Serialize, Deserialize)]
pub struct SnapshotHead {
    /// The leader's vote.
    pub vote: Vote,
    /// What the snapshot covers.
    pub meta: SnapshotMeta,
}

/// A command with who said it, as the follower took it from their certificate.
#[derive(Clone, Serialize, Deserialize)]
pub struct Forwarded {
    /// Who.
    pub principal: Principal,
    /// What.
    pub request: Request,
}

/// The leader's answer to a follower's read.
#[derive(Serialize, Deserialize)]
pub struct ReadIndex {
    /// Apply up to here first.
    pub log_id: LogId,
}

/// Head and state in one body: the head's length, the head, the state.
///
/// # Errors
/// When the head does not serialise.
pub fn pack_snapshot(head: &SnapshotHead, state: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let head = serde_json::to_vec(head)?;
    let mut body = Vec::with_capacity(8 + head.len() + state.len());
    body.extend_from_slice(&(head.len() as u64).to_le_bytes());
    body.extend_from_slice(&head);
    body.extend_from_slice(state);
    Ok(body)
}

/// Takes apart what `pack_snapshot` made.
///
/// # Errors
/// What is wrong with it.
pub fn unpack_snapshot(body: &[u8]) -> Result<(SnapshotHead, &[u8]), String> {
    let (len, rest) = body.split_first_chunk::<8>().ok_or("the body is too short")?;
    let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|e| e.to_string())?;
    let (head, state) = rest.split_at_checked(len).ok_or("the head is cut off")?;
    Ok((serde_json::from_slice(head).map_err(|e| e.to_string())?, state))
}
