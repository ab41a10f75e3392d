//! I1-I12 of ARCHITECTURE.md: one name for the model, the simulations, the tests and the runtime counters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An invariant's number.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "`says` states each")]
pub enum Invariant {
    I1,
    I2,
    I3,
    I4,
    I5,
    I6,
    I7,
    I8,
    I9,
    I10,
    I11,
    I12,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 12] =
        [Self::I1, Self::I2, Self::I3, Self::I4, Self::I5, Self::I6, Self::I7, Self::I8, Self::I9, Self::I10, Self::I11, Self::I12];

    /// `I1` … `I12`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12"][self as usize]
    }

    /// What is always true, in one sentence.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::I1 => "at most one live lease per scope",
            Self::I2 => "fencing tokens of a scope strictly increase",
            Self::I3 => "no target accepts a mutation whose token is lower than one it has accepted",
            Self::I4 => "reserved, disrupted by others and cost together stay within the fleet's budget",
            Self::I5 => "no two actions of one kind on one service within its cooldown",
            Self::I6 => "every ledger entry follows the table, and its effect happens at most once",
            Self::I7 => "Observe changes nothing; Assist only what a person approved; Autonomous acts alone on severity 3-4 only",
            Self::I8 => "the audit record of an act is durable before its claim, and the chain verifies",
            Self::I9 => "a permit is claimed at most once, before expiry, under the current stop epoch, for exactly its action",
            Self::I10 => "every applied action is graded; a regression of a reversible action is undone, any other pages",
            Self::I11 => "stale evidence or facts lead to no claim",
            Self::I12 => "no model's value is used unvalidated; an unknown cause means abstain",
        }
    }
}

/// Violations counted by invariant; every invariant has an entry, so that a zero is said and not implied.
#[must_use]
pub fn no_violations() -> BTreeMap<Invariant, u64> {
    Invariant::ALL.into_iter().map(|i| (i, 0)).collect()
}
