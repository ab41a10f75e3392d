//! What a failed call means to the caller.

use crate::http::Unanswered;
use picket_core::ports::PortError;

/// Why no executor could be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct CloudError {
    /// Which setting or part.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
}

impl CloudError {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// Whether the failed call could have changed something.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    /// An unknown end is a [`PortError::Timeout`], because it may have happened.
    Write,
}

/// A request without an answer.
pub(crate) fn unanswered(what: &str, call: Call, error: Unanswered) -> PortError {
    match (error, call) {
        (Unanswered::NotSent(why), _) | (Unanswered::Unknown(why), Call::Read) => PortError::Unavailable { what: what.to_owned(), why },
        (Unanswered::Unknown(_), Call::Write) | (Unanswered::InTime, _) => PortError::Timeout { what: what.to_owned() },
    }
}

/// A server that is in trouble: after a write nobody knows whether it was done.
pub(crate) fn server_side(what: &str, call: Call, why: String) -> PortError {
    match call {
        Call::Read => PortError::Unavailable { what: what.to_owned(), why },
        Call::Write => PortError::Timeout { what: what.to_owned() },
    }
}

/// A server's words, short enough for a log line and without control characters.
pub(crate) fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_end_of_a_write_is_a_timeout_and_never_unavailable() {
        let unknown = || Unanswered::Unknown("reset".into());
        assert!(matches!(unanswered("x", Call::Write, unknown()), PortError::Timeout { .. }));
        assert!(matches!(unanswered("x", Call::Read, unknown()), PortError::Unavailable { .. }));
        assert!(matches!(unanswered("x", Call::Write, Unanswered::NotSent("refused".into())), PortError::Unavailable { .. }));
        assert!(matches!(unanswered("x", Call::Read, Unanswered::InTime), PortError::Timeout { .. }));
        assert!(matches!(server_side("x", Call::Write, "500".into()), PortError::Timeout { .. }));
    }

    #[test]
    fn a_servers_words_are_cut_and_cleaned() {
        assert_eq!(words("a\u{1b}[31m\nb"), "a[31mb");
        assert_eq!(words(&"x".repeat(1000)).len(), 300);
    }
}
