//! The commands that look and ask: one file each.

pub mod act;
pub mod audit;
pub mod backup;
pub mod cluster;
pub mod config;
pub mod doctor;
pub mod incident;
pub mod kb;
pub mod lease;
pub mod member;
pub mod openapi;
pub mod phase;
pub mod pki;
pub mod policy;
pub mod replay;
mod rules;
mod table;

use crate::wiring::Wiring;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{Principal, RequestId};
use picket_core::limits::Violation;
use picket_core::ports::Coordinator as _;

/// Environment variable that names the person at the keyboard.
const PERSON_VARIABLE: &str = "PICKET_AS";

/// The person at the keyboard: `PICKET_AS`, else the demo's operator.
pub(crate) fn person() -> Principal {
    Principal::Human(std::env::var(PERSON_VARIABLE).unwrap_or_else(|_| crate::demo::OPERATOR.to_owned()))
}

/// The coordinator, in that person's name.
fn as_person(wiring: &Wiring) -> anyhow::Result<CoordinatorClient> {
    wiring.coordinator(&person())
}

fn request_id() -> RequestId {
    RequestId(format!("cli-{:016x}", rand::random::<u64>()))
}

/// Submits a person's command; a refusal is an error with its reasons.
async fn submit(wiring: &Wiring, command: Command) -> anyhow::Result<Answer> {
    match as_person(wiring)?.submit(request_id(), command).await? {
        Answer::Refused { violations } => Err(refusal(&violations)),
        answer => Ok(answer),
    }
}

fn refusal(violations: &[Violation]) -> anyhow::Error {
    let reasons: Vec<_> = violations.iter().map(|v| v.reason.as_str()).collect();
    anyhow::anyhow!("refused: {}", reasons.join("; "))
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
