//! The commands that look and ask: one file each.

pub mod act;
pub mod audit;
pub mod config;
pub mod incident;
pub mod kb;
pub mod lease;
pub mod openapi;
pub mod phase;
pub mod pki;
pub mod replay;
mod table;

use crate::wiring::Wiring;
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{Principal, RequestId};
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

/// Submits a person's command; a refusal is an error with its reasons.
async fn submit(wiring: &Wiring, command: Command) -> anyhow::Result<Answer> {
    let id = RequestId(format!("cli-{:016x}", rand::random::<u64>()));
    match as_person(wiring)?.submit(id, command).await? {
        Answer::Refused { violations } => {
            let reasons: Vec<_> = violations.iter().map(|v| v.reason.as_str()).collect();
            anyhow::bail!("refused: {}", reasons.join("; "))
        }
        answer => Ok(answer),
    }
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
