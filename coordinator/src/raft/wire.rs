//! What nodes say to each other: the kinds of frames, and what is in them beside openraft's own messages.

use super::{LogId, SnapshotMeta, Unreadable, Vote, Written};
use bytes::Bytes;
use picket_core::ids::Principal;
use serde::{Deserialize, Serialize};

/// The protocol's name in the TLS handshake (ALPN): by it nodes and clients share a port. Another version is another name.
pub const ALPN: &[u8] = b"picket-raft/1";

/// Kinds of calls.
pub mod ask {
    /// The first frame of a connection: [`super::Greeting`].
    pub const GREET: u8 = 0;
    /// Log entries and heartbeats.
    pub const APPEND: u8 = 1;
    /// A candidate asks.
    pub const VOTE: u8 = 2;
    /// Somebody asks whether it would be worth being a candidate.
    pub const PRE_VOTE: u8 = 3;
    /// The leader wants another node to lead.
    pub const TRANSFER_LEADER: u8 = 4;
    /// How far a follower must have applied before it may answer a read.
    pub const READ_INDEX: u8 = 5;
    /// A command that a client gave to a follower: [`super::Speaker`], then the request's text.
    pub const FORWARD: u8 = 6;
    /// A snapshot begins: [`super::SnapshotHead`] as JSON.
    pub const SNAPSHOT_BEGIN: u8 = 7;
    /// Its next bytes, in order.
    pub const SNAPSHOT_CHUNK: u8 = 8;
    /// It is whole: install it.
    pub const SNAPSHOT_END: u8 = 9;
    /// Who the members are, as the node that is asked knows it.
    pub const MEMBERS: u8 = 10;
}

/// Kinds of answers.
pub mod answer {
    /// What was asked for.
    pub const DONE: u8 = 0;
    /// HTTP status (2 bytes, little-endian) and the problem as JSON.
    pub const PROBLEM: u8 = 1;
}

/// What a connection begins with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// Who calls; must be who the certificate says.
    pub from: u64,
    /// Who is meant.
    pub to: u64,
    /// Digest of the caller's settings: nodes that decide by different rules must not be of one group.
    pub settings: String,
}

/// The head of a snapshot; its bytes follow in chunks.
#[derive(Debug, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// The leader's vote.
    pub vote: Vote,
    /// What the snapshot covers.
    pub meta: SnapshotMeta,
    /// Bytes that follow.
    pub len_bytes: u64,
}

/// Who said what is passed on, as the follower took it from their certificate.
#[derive(Serialize, Deserialize)]
pub struct Speaker {
    /// Who.
    pub principal: Principal,
}

/// A command that is passed on to the leader.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// Who said it.
    pub principal: Principal,
    /// What.
    pub written: Written,
}

impl Forwarded {
    /// Reads a call's body: [`Speaker`], then the request's text.
    ///
    /// # Errors
    /// What does not parse.
    pub fn read(body: &Bytes) -> Result<Self, Unreadable> {
        let (Speaker { principal }, text) = postcard::take_from_bytes(body)?;
        Ok(Self { principal, written: Written::read(body.slice_ref(text))? })
    }
}

/// The leader's answer to a follower's read.
#[derive(Serialize, Deserialize)]
pub struct ReadIndex {
    /// Apply up to here first.
    pub log_id: LogId,
}
