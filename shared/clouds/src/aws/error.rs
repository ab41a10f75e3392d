//! What AWS's errors mean to the caller.

use super::xml;
use crate::error::{Call, server_side, unanswered, words};
use crate::http::{Answer, Unanswered};
use picket_core::ports::PortError;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no answer.
    Unanswered(Unanswered),
    /// The request could not be made, or the answer not be read: nothing was sent, or nothing was to be changed.
    Here(PortError),
    /// AWS's own words.
    Service { status: u16, code: String, message: String },
}

/// Codes by which AWS says "later".
const THROTTLES: [&str; 7] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "LimitExceededException",
];
/// Codes by which AWS says that something else is under way.
const OTHERS_AT_WORK: [&str; 4] =
    ["ResourceContention", "ScalingActivityInProgress", "InstanceRefreshInProgress", "UpdateInProgressException"];
const MISSING: [&str; 4] =
    ["ServiceNotFoundException", "ClusterNotFoundException", "ServiceNotActiveException", "ResourceNotFoundException"];
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];

/// How long to wait after a refusal that says "later", in ms.
const BACK_OFF_MS: u64 = 2000;

impl Failure {
    /// Reads an answer that is an error.
    pub(super) fn read(answer: &Answer) -> Self {
        let body = String::from_utf8_lossy(&answer.body);
        let (code, message) = json(&body).or_else(|| of_xml(&body)).unwrap_or_default();
        let code = answer.header("x-amzn-errortype").map_or(code, |header| header.to_owned());
        // `com.amazonaws.ecs#ServiceNotFoundException:http://…`
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
        Self::Service { status: answer.status, code: words(&code), message: words(&message) }
    }

    /// True when it is sure that nothing was changed: it was not sent, or AWS turned it away.
    pub(super) fn changed_nothing(&self) -> bool {
        match self {
            Self::Unanswered(Unanswered::NotSent(_)) | Self::Here(_) => true,
            Self::Unanswered(_) => false,
            Self::Service { status, .. } => (400..500).contains(status),
        }
    }

    /// True when the keys are at fault, and others may be had.
    pub(super) fn wants_new_keys(&self) -> bool {
        matches!(self, Self::Service { code, .. } if EXPIRED[..2].contains(&code.as_str()))
    }

    pub(super) fn port_error(self, what: &str, call: Call) -> PortError {
        let (status, code, message) = match self {
            Self::Unanswered(error) => return unanswered(what, call, error),
            Self::Here(error) => return error,
            Self::Service { status, code, message } => (status, code, message),
        };
        let (what, code) = (what.to_owned(), code.as_str());
        let why = format!("{code}: {message} (HTTP {status})");
        if status >= 500 {
            server_side(&what, call, why)
        } else if THROTTLES.contains(&code) || status == 429 {
            PortError::Full { what, retry_after_ms: BACK_OFF_MS }
        } else if OTHERS_AT_WORK.contains(&code) {
            PortError::Conflict { what }
        } else if MISSING.contains(&code) || code == "ValidationError" && message.contains("not found") {
            PortError::NotFound { what }
        } else if EXPIRED.contains(&code) {
            PortError::Unavailable { what, why }
        } else {
            PortError::Refused { what, why }
        }
    }
}

fn json(body: &str) -> Option<(String, String)> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = |name: &str| body.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    Some((text("__type")?, text("message").or_else(|| text("Message")).unwrap_or_default()))
}

fn of_xml(body: &str) -> Option<(String, String)> {
    let document = xml::document(body).ok()?;
    let error = xml::anywhere(&document, "Error")?;
    Some((xml::text(error, "Code")?.to_owned(), xml::text(error, "Message").unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: reqwest::header::HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    fn meaning(status: u16, body: &str) -> PortError {
        Failure::read(&answer(status, body)).port_error("x", Call::Write)
    }

    #[test]
    fn both_protocols_errors_are_read() {
        let json = |code: &str| format!(r#"{{"__type":"com.amazonaws.ecs#{code}","message":"m"}}"#);
        let xml = |code: &str| format!("<ErrorResponse xmlns='a'><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>");
        assert!(matches!(meaning(400, &json("ThrottlingException")), PortError::Full { .. }));
        assert!(matches!(meaning(400, &xml("Throttling")), PortError::Full { .. }));
        assert!(matches!(meaning(400, &json("AccessDeniedException")), PortError::Refused { .. }));
        assert!(matches!(meaning(403, &xml("AccessDenied")), PortError::Refused { .. }));
        assert!(matches!(meaning(400, &json("ServiceNotFoundException")), PortError::NotFound { .. }));
        assert!(matches!(meaning(400, &xml("InstanceRefreshInProgress")), PortError::Conflict { .. }));
        assert!(matches!(meaning(403, &json("ExpiredTokenException")), PortError::Unavailable { .. }));
        assert!(matches!(meaning(500, &json("ServerException")), PortError::Timeout { .. }));
        assert!(matches!(meaning(503, "<html>"), PortError::Timeout { .. }));
        assert!(matches!(meaning(400, "nonsense"), PortError::Refused { .. }));
    }

    #[test]
    fn only_a_clear_no_changed_nothing() {
        assert!(Failure::read(&answer(400, "{}")).changed_nothing());
        assert!(!Failure::read(&answer(500, "{}")).changed_nothing());
        assert!(!Failure::Unanswered(Unanswered::InTime).changed_nothing());
        assert!(Failure::Unanswered(Unanswered::NotSent("x".into())).changed_nothing());
    }
}
