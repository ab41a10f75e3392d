//! What the callers asked and heard, with real time, one scope at a time.

/// What was asked of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The lease, now or not at all, or in turn.
    Take,
    /// It again, for longer.
    Renew(u64),
    /// It back.
    Release(u64),
    /// Who has it?
    Look,
}

/// What was heard. A token names a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Yours.
    Leased(u64),
    /// Done.
    Done,
    /// No: to a take, somebody has it; to the others, it is not yours (any more).
    Refused,
    /// That lease is live; or none.
    Seen(Option<u64>),
    /// Nothing: it may have happened, may happen yet, or never.
    Unknown,
}

/// One call, as one scope saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who.
    pub client: u32,
    /// What was asked.
    pub asked: Asked,
    /// What was heard.
    pub heard: Heard,
    /// When it was asked first.
    pub began_us: u64,
    /// When the answer was there; never, when there was none.
    pub ended_us: u64,
    /// A lease that it granted or prolonged does not end before.
    pub holds_until_us: u64,
}

impl Operation {
    /// Whether there was an answer.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self.heard, Heard::Unknown)
    }
}
