//! A target: an object with a version, a stamp and a fence, that other people write too.

use crate::id::Id;
use crate::rules::{Rule, Rules};

/// An object in a cluster.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sink {
    /// `resourceVersion`: every write moves it.
    pub version: u8,
    /// `generation`: writes of content move it.
    pub generation: u8,
    /// `picket.dev/fencing-token`.
    pub token: u8,
    /// `picket.dev/action-id`.
    pub stamp: Option<Id>,
    /// What it says.
    pub content: u8,
}

/// What was read of a target.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reading {
    /// The version: a write's precondition.
    pub version: u8,
    /// The generation.
    pub generation: u8,
    /// The content: what an undo brings back.
    pub content: u8,
}

impl Sink {
    /// Reads it.
    #[must_use]
    pub const fn read(&self) -> Reading {
        Reading { version: self.version, generation: self.generation, content: self.content }
    }

    /// The compare-and-set, and the admission rule.
    #[must_use]
    pub const fn accepts(&self, rules: Rules, token: u8, precondition: u8) -> bool {
        self.version == precondition && (!rules.has(Rule::SinkToken) || token >= self.token)
    }

    /// Somebody else's write of content; the stamp and the token stay as they are.
    pub const fn written_by_others(&mut self, content: u8) {
        self.version += 1;
        self.generation += 1;
        self.content = content;
    }
}
