//! Names of entries.

use crate::rules::{Rule, Rules};

/// An entry, with the life of the coordinator that made it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The restore epoch in which it was made.
    pub life: u8,
    /// Its place: an act, or the undo of one.
    pub slot: u8,
}

impl Id {
    /// Whether the processes take the two for the same: without [`Rule::M13Epochs`] a restored ledger gives a name out twice.
    #[must_use]
    pub fn looks_like(self, other: Self, rules: Rules) -> bool {
        self.slot == other.slot && (!rules.has(Rule::M13Epochs) || self.life == other.life)
    }
}
