//! What a failed call means to the caller.

use picket_core::ports::PortError;

/// Whether the failed call could have changed something.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// A read or a dry run.
    Read,
    /// A write: an unknown end is a [`PortError::Timeout`], because it may have happened.
    Write,
}

/// Why a request has no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// None came within the deadline.
    InTime,
    /// No connection was made: nothing can have happened.
    NotSent(String),
    /// It was sent, and what became of it nobody knows.
    Unknown(String),
    /// The server's answer is an error.
    Status {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
}

impl From<kube::Error> for Unanswered {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status { code: status.code, message: status.message },
            error if was_sent(&error) => Self::Unknown(error.to_string()),
            error => Self::NotSent(error.to_string()),
        }
    }
}

/// What it means to the caller.
pub(super) fn port_error(what: &str, call: Call, error: Unanswered) -> PortError {
    let timeout = || PortError::Timeout { what: what.to_owned() };
    match (error, call) {
        (Unanswered::Status { code, message }, call) => by_status(what, call, code, &message),
        (Unanswered::NotSent(why), _) | (Unanswered::Unknown(why), Call::Read) => PortError::Unavailable { what: what.to_owned(), why },
        (Unanswered::Unknown(_), Call::Write) | (Unanswered::InTime, _) => timeout(),
    }
}

fn by_status(what: &str, call: Call, code: u16, message: &str) -> PortError {
    match code {
        404 => PortError::NotFound { what: what.to_owned() },
        409 => PortError::Conflict { what: what.to_owned() },
        // Turned away before anything was done.
        429 => PortError::Unavailable { what: what.to_owned(), why: message.to_owned() },
        // The API server answers 500 and 504 also when its store committed but did not answer in time.
        500.. => match call {
            Call::Read => PortError::Unavailable { what: what.to_owned(), why: message.to_owned() },
            Call::Write => PortError::Timeout { what: what.to_owned() },
        },
        _ => PortError::Refused { what: what.to_owned(), why: message.to_owned() },
    }
}

/// False only when no connection was made: then nothing can have happened.
fn was_sent(error: &kube::Error) -> bool {
    match error {
        kube::Error::Service(inner) => !inner.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_end_of_a_write_is_a_timeout_and_never_unavailable() {
        for code in [500, 503, 504] {
            assert!(matches!(by_status("x", Call::Write, code, ""), PortError::Timeout { .. }), "{code}");
            assert!(matches!(by_status("x", Call::Read, code, ""), PortError::Unavailable { .. }), "{code}");
        }
        assert!(matches!(by_status("x", Call::Write, 409, ""), PortError::Conflict { .. }));
        assert!(matches!(by_status("x", Call::Write, 429, ""), PortError::Unavailable { .. }));
        for code in [400, 401, 403, 422] {
            assert!(matches!(by_status("x", Call::Write, code, ""), PortError::Refused { .. }), "{code}");
        }
    }
}
