//! What must always hold: I1-I11 under the numbers of `picket_core::invariants`, and two promises that have no number.

/// A promise of the protocol.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
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
    Stop,
    Undo,
}

impl Invariant {
    /// All that are in the model. I12 (no model's value is used unvalidated) is about text, not about order: no state machine shows it.
    pub const ALL: [Self; 13] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::Stop,
        Self::Undo,
    ];

    /// Its name: `I1` … `I11`, as the code says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "STOP", "UNDO"][self as usize]
    }

    /// What the model checks for it.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::I1 => "no two acts that may still take effect share a scope, and none takes effect on a scope that has passed on",
            Self::I2 => "every granted token is above every earlier one of its scope, across a restore too",
            Self::I3 => "no sink accepts an act's write or a fence with a token below one it has accepted",
            Self::I4 => "pods reserved or taken down by picket, others' by the newest reading, and cost stay within the budget",
            Self::I5 => "no claim while another of its kind on its service is unresolved or was resolved within the cooldown",
            Self::I6 => {
                "only transitions of the table; a write lands once, and never after its absence was reported; no effect is invented"
            }
            Self::I7 => "no claim in Observe; none without a live approval in Assist or on a grave incident; no phase by a void consent",
            Self::I8 => "no claim without its durable audit record",
            Self::I9 => "an entry is claimed once, with a permit of the current stop and restore epoch, while STOP is not set",
            Self::I10 => "what settles was graded by the observer in office; a regression is undone or pages; an undo that failed pages",
            Self::I11 => "no claim on evidence or facts that were read longer ago than their time to live",
            Self::Stop => {
                "only a release meant for this STOP lifts it; nothing begins on a consent from before it, no undo that one of its \
                 pressings withheld; nothing lands once it is shown as done"
            }
            Self::Undo => "an undo overwrites only what its parent wrote",
        }
    }
}

/// The promises broken on the way to a state.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken(u16);

impl Broken {
    /// Adds one when `broken` is true.
    pub const fn note(&mut self, invariant: Invariant, broken: bool) {
        if broken {
            self.0 |= 1 << invariant as u16;
        }
    }

    /// Whether it was broken.
    #[must_use]
    pub const fn has(self, invariant: Invariant) -> bool {
        self.0 & (1 << invariant as u16) != 0
    }

    /// None was.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}
