//! Long-running operations (public document: Azure Resource Manager, "Track asynchronous Azure operations").

use super::api::Api;
use super::error::port_error;
use crate::error::{Call, words};
use crate::http::Answer;
use picket_core::ports::{PortError, PortResult};
use serde_json::Value;
use std::time::{Duration, Instant};

const PAUSE_S: u64 = 1;
/// However soon Azure would be asked again.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// How an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Succeeded,
    /// In Azure's words.
    Failed(String),
    /// Accepted, and not over by the deadline.
    UnderWay,
}

/// Follows an operation that was accepted until it is over, or for as long as there is time. What cannot be read is looked at again.
pub(super) async fn follow(api: &Api, what: &str, accepted: &Answer, until: Instant) -> Progress {
    let Some((url, has_status)) = address(accepted) else { return Progress::Succeeded };
    let mut pause_s = accepted.retry_after_s().unwrap_or(PAUSE_S);
    loop {
        // One more pause and one more answer must fit in.
        let pause = Duration::from_secs(pause_s).max(PAUSE_MIN);
        if Instant::now() + pause >= until {
            return Progress::UnderWay;
        }
        tokio::time::sleep(pause).await;
        let said = match api.follow(what, &url, until).await {
            Ok(answer) => answer,
            Err(PortError::Refused { why, .. }) => {
                tracing::warn!(what, why, "the operation is not followed");
                return Progress::UnderWay;
            }
            Err(_) => continue,
        };
        pause_s = said.retry_after_s().unwrap_or(PAUSE_S);
        match state(&said, has_status) {
            Ok(Progress::UnderWay) | Err(_) => {}
            Ok(over) => return over,
        }
    }
}

/// `Azure-AsyncOperation` says the state in its body; `Location` only by its status.
fn address(accepted: &Answer) -> Option<(String, bool)> {
    let named = |name: &str| accepted.header(name).map(str::to_owned);
    match (named("azure-asyncoperation"), named("location")) {
        (Some(url), _) => Some((url, true)),
        (None, Some(url)) if accepted.status == 202 => Some((url, false)),
        (None, _) => None,
    }
}

fn state(said: &Answer, has_status: bool) -> PortResult<Progress> {
    if !has_status {
        return match said.status {
            202 => Ok(Progress::UnderWay),
            200 | 201 | 204 => Ok(Progress::Succeeded),
            _ => Err(port_error("operation", Call::Read, said)),
        };
    }
    if said.status != 200 && said.status != 202 {
        return Err(port_error("operation", Call::Read, said));
    }
    let body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    Ok(match body["status"].as_str() {
        Some("Succeeded") => Progress::Succeeded,
        Some(ended @ ("Failed" | "Canceled")) => {
            let text = |name: &str| body["error"][name].as_str().unwrap_or_default();
            Progress::Failed(words(&format!("{ended}: {}: {}", text("code"), text("message"))))
        }
        _ => Progress::UnderWay,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn both_ways_of_following_are_understood() {
        let operation = ("azure-asyncoperation", "https://h/o");
        assert_eq!(address(&answer(201, &[operation, ("location", "https://h/l")], "")), Some(("https://h/o".into(), true)));
        assert_eq!(address(&answer(202, &[("location", "https://h/l")], "")), Some(("https://h/l".into(), false)));
        assert_eq!(address(&answer(200, &[], "")), None);
        assert_eq!(state(&answer(202, &[], ""), false), Ok(Progress::UnderWay));
        assert_eq!(state(&answer(200, &[], ""), false), Ok(Progress::Succeeded));
        assert_eq!(state(&answer(200, &[], r#"{"status":"InProgress"}"#), true), Ok(Progress::UnderWay));
        assert_eq!(state(&answer(200, &[], r#"{"status":"Succeeded"}"#), true), Ok(Progress::Succeeded));
        let failed = state(&answer(200, &[], r#"{"status":"Failed","error":{"code":"QuotaExceeded","message":"m"}}"#), true);
        assert!(matches!(failed, Ok(Progress::Failed(why)) if why.contains("QuotaExceeded")));
        assert!(state(&answer(500, &[], ""), true).is_err());
    }
}
