//! What a run may find wrong.

use picket_core::invariants::Invariant;
use serde::Serialize;
use std::fmt;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// I1 to I12.
    Invariant(Invariant),
    /// Two nodes applied different entries at one place, or reached different states from the same.
    Replicas,
    /// An answer was given whose command is not in the log.
    LostCommand,
    /// Real time, the log's order and the answers do not agree.
    Linearizability,
    /// After everything was healed, somebody still waits.
    Liveness,
    /// A node that only crashed does not start again.
    RefusedToStart,
    /// The code under test panicked.
    Panic,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant(id) => f.write_str(id.as_str()),
            Self::Replicas => f.write_str("replicas"),
            Self::LostCommand => f.write_str("lost_command"),
            Self::Linearizability => f.write_str("linearizability"),
            Self::Liveness => f.write_str("liveness"),
            Self::RefusedToStart => f.write_str("refused_to_start"),
            Self::Panic => f.write_str("panic"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which promise.
    pub kind: Kind,
    /// In words.
    pub detail: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}
