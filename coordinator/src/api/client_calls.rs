//! Clients' commands over connections that last.

use super::Node;
use super::error::Problem;
use super::submitted::{Submitted, submitted};
use picket_coordinator_transport::client::{COMMAND_MAX_BYTES, answer, ask, put_answer};
use picket_coordinator_transport::frame::{self, Frame, Incoming};
use picket_coordinator_transport::serve::{self, Answered, Working};
use picket_core::ids::Principal;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A client that has asked for nothing for so long connects anew when it does.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// Serves a client until its connection ends.
///
/// # Errors
/// Why it ended, when the client did not just close it.
pub(super) async fn serve(node: Arc<Node>, principal: Principal, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let incoming = Incoming::up_to(COMMAND_MAX_BYTES + frame::HEAD_BYTES);
    serve::run(stream, incoming, Some(IDLE_MAX), |frame| begin(node.clone(), principal.clone(), frame)).await
}

fn begin(node: Arc<Node>, principal: Principal, Frame { kind, body, .. }: Frame) -> Working {
    Box::pin(async move {
        match kind {
            ask::SUBMIT => answered(submitted(&node, principal, body).await),
            ask::PING => Answered { kind: answer::DONE, body: put_answer(None, &[]) },
            other => problem(None, &Problem::bad_request("a client's call", format!("there is no kind {other}"))),
        }
    })
}

fn answered(Submitted { answer, leader }: Submitted) -> Answered {
    let leader = leader.as_deref();
    let said = answer.and_then(|answer| serde_json::to_vec(&answer).map_err(|e| Problem::internal("submit", e.to_string())));
    match said {
        Ok(said) => Answered { kind: answer::DONE, body: put_answer(leader, &said) },
        Err(why) => problem(leader, &why),
    }
}

fn problem(leader: Option<&str>, problem: &Problem) -> Answered {
    problem.count();
    Answered { kind: answer::PROBLEM, body: put_answer(leader, &problem.to_bytes()) }
}
