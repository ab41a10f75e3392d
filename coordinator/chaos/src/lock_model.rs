//! One scope as a sequential object: a lock with a token that only rises and a lease that may end by itself, but not before its time.

use crate::history::{Asked, Heard, Operation};

/// Who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// `None` when the answer that said it was lost.
    pub token: Option<u64>,
    /// The lease may have ended by itself from here on.
    pub until_us: u64,
}

/// The lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lock {
    /// The highest token that is known to have been granted.
    pub last: u64,
    /// Who has it.
    pub holder: Option<Holder>,
    /// It is later than this: a lease has been seen to have ended by itself. What had ended before cannot come next.
    pub now_us: u64,
}

impl Lock {
    fn has_ended(self, operation: &Operation) -> bool {
        self.holder.is_none_or(|h| h.until_us <= operation.ended_us)
    }

    fn is_held_with(self, token: u64) -> bool {
        self.holder.is_some_and(|h| h.token == Some(token))
    }

    const fn freed(self) -> Self {
        Self { holder: None, ..self }
    }

    /// Free because its holder, if there was one, let its time run out.
    fn freed_by_time(self) -> Self {
        Self { holder: None, now_us: self.now_us.max(self.holder.map_or(0, |h| h.until_us)), ..self }
    }

    /// The lock after the operation, or nothing when it cannot have gone so.
    #[must_use]
    pub fn after(self, operation: &Operation) -> Option<Self> {
        if operation.ended_us < self.now_us {
            return None;
        }
        let until_us = operation.holds_until_us;
        match (operation.asked, operation.heard) {
            (Asked::Take, Heard::Leased(token)) => {
                let holder = Some(Holder { token: Some(token), until_us });
                (self.has_ended(operation) && token > self.last).then_some(Self { last: token, holder, ..self.freed_by_time() })
            }
            (Asked::Take, Heard::Refused) => self.holder.is_some().then_some(self),
            // Nobody relies on a lease that nobody was told of: it may end at any time. So one such take is as good as another.
            (Asked::Take, Heard::Unknown) => {
                self.has_ended(operation).then_some(Self { holder: Some(Holder { token: None, until_us: 0 }), ..self.freed_by_time() })
            }
            (Asked::Renew(token), Heard::Leased(same)) => {
                let holder = self.holder.map(|h| Holder { until_us: h.until_us.max(until_us), ..h });
                (same == token && self.is_held_with(token)).then_some(Self { holder, ..self })
            }
            (Asked::Release(token), Heard::Done | Heard::Unknown) => self.is_held_with(token).then_some(self.freed()),
            (Asked::Renew(token) | Asked::Release(token), Heard::Refused) => match self.is_held_with(token) {
                false => Some(self),
                true => self.has_ended(operation).then_some(self.freed_by_time()),
            },
            (Asked::Look, Heard::Seen(None)) => self.has_ended(operation).then_some(self.freed_by_time()),
            (Asked::Look, Heard::Seen(Some(token))) => match self.holder {
                Some(Holder { token: None, until_us }) if token > self.last => {
                    Some(Self { last: token, holder: Some(Holder { token: Some(token), until_us }), ..self })
                }
                _ => self.is_held_with(token).then_some(self),
            },
            // A renewal that may have happened only makes the lease last longer, which nothing contradicts.
            (Asked::Renew(_), Heard::Unknown) => None,
            _ => None,
        }
    }
}
