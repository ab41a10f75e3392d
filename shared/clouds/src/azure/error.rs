//! What the resource manager's errors mean to the caller.

use crate::error::{Call, server_side, words};
use crate::http::Answer;
use picket_core::ports::PortError;
use serde_json::Value;

/// For how long to back off when nothing is said, in s.
const BACK_OFF_S: u64 = 5;

/// An answer that is an error.
pub(super) fn port_error(what: &str, call: Call, answer: &Answer) -> PortError {
    let (code, message) = read(&answer.body);
    let (what, why) = (what.to_owned(), format!("{code}: {message} (HTTP {})", answer.status));
    match answer.status {
        404 | 410 => PortError::NotFound { what },
        412 => PortError::Conflict { what },
        // Something else is at work on it, or it is locked.
        409 if code.contains("Lock") => PortError::Refused { what, why },
        409 => PortError::Unavailable { what, why },
        429 => PortError::Full { what, retry_after_ms: answer.retry_after_s().unwrap_or(BACK_OFF_S) * 1000 },
        500.. => server_side(&what, call, why),
        _ => PortError::Refused { what, why },
    }
}

fn read(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Compute wraps the error, AKS sometimes does not.
    let error = body.get("error").unwrap_or(&body);
    let text = |name: &str| words(error.get(name).and_then(Value::as_str).unwrap_or_default());
    (text("code"), text("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str, retry_after: Option<&str>) -> PortError {
        let mut headers = reqwest::header::HeaderMap::new();
        if let Some(after) = retry_after {
            headers.insert("retry-after", after.parse().unwrap());
        }
        port_error("x", Call::Write, &Answer { status, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn every_status_means_something_else() {
        assert!(matches!(meaning(412, "", None), PortError::Conflict { .. }));
        assert!(matches!(meaning(404, "", None), PortError::NotFound { .. }));
        assert!(matches!(meaning(409, r#"{"error":{"code":"OperationNotAllowed"}}"#, None), PortError::Unavailable { .. }));
        assert!(matches!(meaning(409, r#"{"error":{"code":"ScopeLocked"}}"#, None), PortError::Refused { .. }));
        assert_eq!(meaning(429, "", Some("7")), PortError::Full { what: "x".into(), retry_after_ms: 7000 });
        assert!(matches!(meaning(429, "", Some("soon")), PortError::Full { retry_after_ms: 5000, .. }));
        assert!(matches!(meaning(500, "", None), PortError::Timeout { .. }));
        assert!(
            matches!(meaning(403, r#"{"code":"AuthorizationFailed"}"#, None), PortError::Refused { why, .. } if why.contains("AuthorizationFailed"))
        );
    }
}
