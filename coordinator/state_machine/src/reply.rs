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
    /// To AcquireLease, QueueLease and RenewLease.
    Leased {
        /// One token per scope.
        tokens: BTreeMap<Scope, FencingToken>,
        /// Coordinator time.
        expires_at: Timestamp,
        /// It ends then, because somebody with precedence waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preempt_at: Option<Timestamp>,
    },
    /// To QueueLease: not yet. It is not remembered as the answer; the lease will be.
    Waiting {
        /// Waiters before this one.
        position: u32,
        /// Coordinator time.
        lapses_at: Timestamp,
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
    /// The node that put the command into the log had ceased to lead: nothing was done, and the same request may be sent again.
    #[must_use]
    pub fn is_from_a_deposed_leader(&self) -> bool {
        matches!(self, Self::Refused { violations } if violations.iter().any(|v| v.rule == LimitRule::Deposed))
    }

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
