//! The buttons: each sends one command in the name of the signed-in person, and is answered once per request id.

use crate::feed::Feed;
use crate::wire::{Act, ActAnswer};
use axum::Json;
use axum::http::StatusCode;
use picket_core::action::Digest;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{EntryId, RequestId};
use picket_core::ports::{Coordinator, PortError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Longest wait for an answer; then nobody knows, and the same button may be pressed again.
const ACT_DEADLINE: Duration = Duration::from_secs(10);
/// Longest reason that is put on record.
const WHY_CHARS_MAX: usize = 500;

/// What the buttons need.
pub struct Buttons<H> {
    /// The coordinator, as the person.
    pub human: Arc<H>,
    /// What was shown.
    pub feed: Arc<Feed>,
    /// Rung after an act.
    pub nudge: Arc<Notify>,
}

/// What a button is answered, with its status.
pub type Answered = (StatusCode, Json<ActAnswer>);

impl<H: Coordinator> Buttons<H> {
    /// STOP.
    pub async fn stop(&self, act: Act) -> Answered {
        let command = Command::Stop { keep_undos: act.keep_undos };
        self.press("stop", &act, command).await
    }

    /// This STOP is over.
    pub async fn resume(&self, act: Act) -> Answered {
        self.press("resume", &act, Command::Resume { stop_epoch: act.stop_epoch }).await
    }

    /// `approve`, `deny` or `undo` one entry.
    pub async fn on_entry(&self, id: String, verb: &str, act: Act) -> Answered {
        let shown = self.feed.snapshot();
        let Some(entry) = shown.entries.iter().find(|e| e.id == id) else {
            return no(StatusCode::NOT_FOUND, "This entry is not in the ledger's newest part any more. Reload the page.");
        };
        if entry.digest != act.digest {
            return no(StatusCode::CONFLICT, "What you were shown is not what this entry stands for now. Read it again before you answer.");
        }
        let entry = EntryId(id);
        let command = match verb {
            "approve" => Command::Approve { entry, digest: Digest(act.digest.clone()), stop_epoch: act.stop_epoch },
            "deny" => Command::Deny { entry, why: reason(&act.why) },
            "undo" => Command::Undo { entry, stop_epoch: act.stop_epoch },
            _ => return no(StatusCode::NOT_FOUND, "An entry can be approved, denied or undone."),
        };
        self.press(verb, &act, command).await
    }

    async fn press(&self, verb: &str, act: &Act, command: Command) -> Answered {
        if !is_request_id(&act.request_id) {
            return no(StatusCode::BAD_REQUEST, "`request_id` must be 8 to 64 letters, digits or hyphens; a retry carries the same.");
        }
        let request_id = RequestId(format!("dashboard-{verb}-{}", act.request_id));
        let answer = tokio::time::timeout(ACT_DEADLINE, self.human.submit(request_id, command))
            .await
            .unwrap_or_else(|_| Err(PortError::Timeout { what: "the coordinator".to_owned() }));
        self.nudge.notify_one();
        let answered = answered(answer);
        let result = if answered.1.done { "done" } else { "refused" };
        metrics::counter!("picket_dashboard_acts_total", "act" => verb.to_owned(), "result" => result).increment(1);
        tracing::info!(act = verb, result, message = answered.1.message, "a button was pressed");
        answered
    }
}

fn answered(answer: Result<Answer, PortError>) -> Answered {
    match answer {
        Ok(Answer::Refused { violations }) => {
            let why: Vec<_> = violations.into_iter().map(|v| v.reason).collect();
            no(StatusCode::CONFLICT, &format!("The coordinator refused: {}.", why.join("; ")))
        }
        Ok(_) => (StatusCode::OK, Json(ActAnswer { done: true, message: String::new() })),
        Err(error) => {
            let (status, what_to_do) = match &error {
                PortError::Unavailable { .. } | PortError::Full { .. } => {
                    (StatusCode::SERVICE_UNAVAILABLE, "Press again; it is done once.")
                }
                PortError::Timeout { .. } => {
                    (StatusCode::GATEWAY_TIMEOUT, "Whether it was done is not known; press again, it is done once.")
                }
                PortError::Refused { .. } => (StatusCode::FORBIDDEN, "Pressing again will not help."),
                PortError::Conflict { .. } => (StatusCode::CONFLICT, "Read it again before you answer."),
                PortError::NotFound { .. } => (StatusCode::NOT_FOUND, "Reload the page."),
                PortError::Damaged { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "Look at the coordinator's log."),
            };
            no(status, &format!("{error}. {what_to_do}"))
        }
    }
}

fn no(status: StatusCode, message: &str) -> Answered {
    (status, Json(ActAnswer { done: false, message: message.to_owned() }))
}

fn reason(why: &str) -> String {
    let why: String = why.trim().chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect();
    if why.is_empty() { "denied on the dashboard, no reason given".to_owned() } else { why }
}

fn is_request_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
