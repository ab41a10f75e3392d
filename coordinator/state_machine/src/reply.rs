//! What `apply` answers, before the leader signs it.

use picket_core::claim::ClaimBody;
use picket_core::ids::EntryId;
use picket_core::limits::{LimitRule, Violation};
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The decision on an entry. It names a permit and never carries one: a permit is made from the committed entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ruling", rename_all = "snake_case")]
pub enum Ruling {
    /// No, and why.
    Denied {
        /// Every broken limit.
        violations: Vec<Violation>,
    },
    /// Recorded; the agent only observes.
    Shadowed,
    /// A person is asked.
    AwaitingApproval,
    /// Another act holds the scope.
    Queued {
        /// Entries before it.
        position: u32,
    },
    /// Yes: [`crate::permit_for`] signs it.
    Permitted,
}

/// The answer to a command, unsigned. It crosses Raft and is kept for retries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To Propose and Refresh.
    Decided {
        /// The entry.
        entry: EntryId,
        /// What was decided.
        ruling: Ruling,
    },
    /// To Register.
    Epoch {
        /// The caller's epoch from now on.
        epoch: u64,
    },
    /// To Claim.
    Claimed {
        /// To be signed.
        claim: ClaimBody,
    },
    /// To AcquireLease and RenewLease.
    Leased {
        /// One token per scope.
        tokens: BTreeMap<Scope, FencingToken>,
        /// Coordinator time.
        expires_at: Timestamp,
    },
    /// Done; nothing more to say.
    Done,
    /// No.
    Refused {
        /// Every reason.
        violations: Vec<Violation>,
    },
}

impl Reply {
    pub(crate) fn refused(rule: LimitRule, reason: impl Into<String>) -> Self {
        Self::Refused { violations: vec![Violation::new(rule, None, reason)] }
    }
}

/// What one command did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The answer to whoever asked.
    pub answer: Reply,
    /// Entries changed, in the order of the ledger's revisions.
    pub changed: Vec<EntryId>,
}
