//! Who the coordinator's nodes are, and how that changes.

use crate::ids::RequestId;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A change of the coordinator's nodes; a person's, on record before it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum MemberChange {
    /// A node that never was one: it learns the log, and has no vote yet.
    Add {
        /// Its id, as in its certificate. Ids are never used twice.
        id: u64,
        /// `host:port` where the others reach it.
        address: String,
    },
    /// A learner that has caught up gets a vote.
    Promote {
        /// Which.
        id: u64,
    },
    /// A node is none any more, for ever.
    Remove {
        /// Which.
        id: u64,
    },
    /// A learner that has caught up gets the vote of another, which is removed: one change, never one voter fewer.
    Replace {
        /// Who goes.
        old: u64,
        /// Who comes.
        new: u64,
    },
    /// Another node is to lead.
    Transfer {
        /// Which; `None` for the one that is closest behind.
        to: Option<u64>,
    },
}

impl fmt::Display for MemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { id, address } => write!(f, "add {id} at {address}"),
            Self::Promote { id } => write!(f, "promote {id}"),
            Self::Remove { id } => write!(f, "remove {id}"),
            Self::Replace { old, new } => write!(f, "replace {old} by {new}"),
            Self::Transfer { to: Some(to) } => write!(f, "transfer leadership to {to}"),
            Self::Transfer { to: None } => f.write_str("transfer leadership"),
        }
    }
}

/// A change, with the key under which it is put on record once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRequest {
    /// A retry carries the same.
    pub request_id: RequestId,
    /// How.
    pub change: MemberChange,
}

/// What a member does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Votes; a majority of these commits.
    Voter,
    /// Takes the log, and has no vote.
    Learner,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Its id.
    pub id: u64,
    /// Where the group's membership says it is; a node's own configuration may say otherwise.
    pub address: String,
    /// What it does.
    pub role: MemberRole,
    /// Entries of the leader's log that it does not have yet; `None` when nothing is known (only the leader knows).
    #[serde(default)]
    pub behind: Option<u64>,
    /// Milliseconds since it last answered the leader; `None` when it never did.
    #[serde(default)]
    pub answered_ms_ago: Option<u64>,
}

/// A change, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberRecord {
    /// When, on the replicated clock.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub change: MemberChange,
}

/// The coordinator's nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MembersView {
    /// Who leads.
    pub leader: Option<u64>,
    /// Members, by id.
    pub members: Vec<MemberView>,
    /// A change of voters has begun and is not complete: both the old and the new majority are needed. The next change completes it.
    pub is_joint: bool,
    /// Ids that were members and are none: never used again.
    pub removed: Vec<u64>,
    /// The newest changes that were asked for, oldest first.
    pub changes: Vec<MemberRecord>,
}

impl MembersView {
    /// That member.
    #[must_use]
    pub fn member(&self, id: u64) -> Option<&MemberView> {
        self.members.iter().find(|m| m.id == id)
    }
}
