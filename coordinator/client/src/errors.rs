//! What went wrong on the way, in the words of the port.

use picket_coordinator_transport::connection::Lost;
use picket_core::ports::PortError;
use serde::Deserialize;

/// The body of every answer that is not a success.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    what: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    retry_after_ms: Option<u64>,
}

/// What one attempt came to, when it came to nothing.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What to tell the caller if no other attempt does better.
    pub error: PortError,
    /// Whether another attempt may do better.
    pub retry: bool,
    /// Whether the coordinator may have acted on it.
    pub maybe_done: bool,
}

impl Attempt {
    /// An answer with a status that is no success.
    pub(crate) fn of_status(status: u16, body: &[u8], call: &str) -> Self {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let what = if problem.what.is_empty() { call.to_owned() } else { problem.what };
        let why = if problem.why.is_empty() { format!("status {status}") } else { problem.why };
        let final_word = |error| Self { error, retry: false, maybe_done: false };
        match status {
            404 => final_word(PortError::NotFound { what }),
            409 => final_word(PortError::Conflict { what }),
            429 => Self {
                error: PortError::Full { what, retry_after_ms: problem.retry_after_ms.unwrap_or(100) },
                retry: true,
                maybe_done: false,
            },
            400..=499 => final_word(PortError::Refused { what, why }),
            504 => Self { error: PortError::Timeout { what }, retry: true, maybe_done: true },
            _ => Self { error: PortError::Unavailable { what, why }, retry: true, maybe_done: true },
        }
    }

    /// No answer over HTTP.
    pub(crate) fn of_http(error: &reqwest::Error, call: &str, endpoint: &str) -> Self {
        if let Some(why) = tls_refusal(error) {
            return Self::of_strangers(&why, call, endpoint);
        }
        if error.is_timeout() && !error.is_connect() {
            return Self { error: PortError::Timeout { what: call.to_owned() }, retry: true, maybe_done: true };
        }
        if error.is_connect() { Self::unreached(&root_of(error), endpoint) } else { Self::broken_off(&root_of(error), endpoint) }
    }

    /// No connection for commands.
    pub(crate) fn of_dial(error: &std::io::Error, call: &str, endpoint: &str) -> Self {
        match tls_refusal(error) {
            Some(why) => Self::of_strangers(&why, call, endpoint),
            None => Self::unreached(&error.to_string(), endpoint),
        }
    }

    /// No answer to a command.
    pub(crate) fn of_lost(lost: Lost, call: &str, endpoint: &str) -> Self {
        match lost {
            Lost::NotSent(why) => Self::unreached(&why, endpoint),
            Lost::Timeout(_) => Self { error: PortError::Timeout { what: call.to_owned() }, retry: true, maybe_done: true },
            Lost::Ended(why) => match alert_in(&why) {
                Some(why) => Self::of_strangers(&why, call, endpoint),
                None => Self::broken_off(&why, endpoint),
            },
        }
    }

    /// One side rejected the other's certificate: that will not change by trying again.
    fn of_strangers(tls: &str, call: &str, endpoint: &str) -> Self {
        let why =
            format!("{endpoint} and this certificate do not trust each other ({tls}); check that both come from the same `picket` CA");
        Self { error: PortError::Refused { what: call.to_owned(), why }, retry: false, maybe_done: false }
    }

    fn unreached(why: &str, endpoint: &str) -> Self {
        let why = format!("{endpoint} cannot be reached: {why}");
        Self { error: PortError::Unavailable { what: "the coordinator".to_owned(), why }, retry: true, maybe_done: false }
    }

    fn broken_off(why: &str, endpoint: &str) -> Self {
        let why = format!("{endpoint} broke off: {why}");
        Self { error: PortError::Unavailable { what: "the coordinator".to_owned(), why }, retry: true, maybe_done: true }
    }
}

fn root_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The reason, when one side rejected the other's certificate.
fn tls_refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(now) = cause {
        let tls = now.downcast_ref::<rustls::Error>().or_else(|| {
            let io = now.downcast_ref::<std::io::Error>()?;
            io.get_ref()?.downcast_ref::<rustls::Error>()
        });
        match tls {
            Some(e @ rustls::Error::InvalidCertificate(_)) => return Some(e.to_string()),
            Some(rustls::Error::AlertReceived(alert)) if ABOUT_CERTIFICATES.contains(alert) => return Some(format!("alert {alert:?}")),
            _ => {}
        }
        if now.is::<std::io::Error>()
            && let Some(alert) = alert_in(&now.to_string())
        {
            return Some(alert);
        }
        cause = now.source();
    }
    None
}

/// Of an alert that comes after the handshake, when the other side has read the certificate, only the text is left.
fn alert_in(text: &str) -> Option<String> {
    let alert = ABOUT_CERTIFICATES.iter().find(|alert| rustls::Error::AlertReceived(**alert).to_string() == text)?;
    Some(format!("alert {alert:?}"))
}

const ABOUT_CERTIFICATES: [rustls::AlertDescription; 10] = {
    use rustls::AlertDescription as A;
    [
        A::UnknownCA,
        A::CertificateRequired,
        A::BadCertificate,
        A::CertificateUnknown,
        A::CertificateExpired,
        A::CertificateRevoked,
        A::UnsupportedCertificate,
        A::AccessDenied,
        A::NoCertificate,
        A::DecryptError,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_whether_to_try_again_and_whether_it_may_have_happened() {
        let of = |status| Attempt::of_status(status, br#"{"what":"submit","why":"because"}"#, "call");
        for (status, retry, maybe_done) in
            [(400, false, false), (403, false, false), (404, false, false), (409, false, false), (413, false, false)]
        {
            let attempt = of(status);
            assert_eq!((attempt.retry, attempt.maybe_done), (retry, maybe_done), "{status}");
        }
        assert!(matches!(of(404).error, PortError::NotFound { .. }));
        assert!(matches!(of(409).error, PortError::Conflict { .. }));
        assert_eq!(of(403).error, PortError::Refused { what: "submit".into(), why: "because".into() });
        let full = of(429);
        assert!(full.retry && !full.maybe_done && matches!(full.error, PortError::Full { retry_after_ms: 100, .. }));
        for status in [500, 502, 503, 504] {
            assert!(of(status).retry && of(status).maybe_done, "{status}");
        }
        // Something in between that is no coordinator.
        assert_eq!(
            Attempt::of_status(502, b"<html>", "submit r1").error,
            PortError::Unavailable { what: "submit r1".into(), why: "status 502".into() }
        );
    }
}
