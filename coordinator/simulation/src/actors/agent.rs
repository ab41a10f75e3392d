//! A reasoning agent: wishes, on evidence that is fresh or stale, and refreshes what a person approved.

use super::fleet;
use crate::client::Client;
use picket_core::coordination::{Answer, Command, Decision};
use picket_core::ids::{AgentKind, EntryId};
use picket_core::ledger::EntryState;
use picket_core::time::Timestamp;
use rand::RngExt as _;

/// Until the run closes.
pub async fn act(mut client: Client, kind: AgentKind) {
    let mut number = 0;
    let mut stale = Timestamp(0);
    while !client.world().is_closing() {
        client.pause(100, 1_500).await;
        let Ok(status) = client.status().await else { continue };
        number += 1;
        // Evidence is read after the echo was obtained; sometimes it is kept for far too long.
        let echo = if client.rng.random_bool(0.9) { status.now } else { stale };
        stale = status.now;
        client.pause(0, 200).await;
        let service = fleet::service(client.rng.random_range(0..12));
        let reversible = client.rng.random_bool(0.7);
        let proposal = Box::new(fleet::proposal(kind, service, reversible, number, echo));
        let answer = client.submit(Command::Propose { proposal }).await;
        if let Some(Answer::Decided { entry, decision: Decision::AwaitingApproval }) = answer {
            refresh(&mut client, &entry).await;
        }
    }
}

async fn refresh(client: &mut Client, entry: &EntryId) {
    for _ in 0..6 {
        client.pause(200, 1_000).await;
        let Ok(entries) = client.entries(8).await else { return };
        let Some(known) = entries.into_iter().find(|e| e.id == *entry) else { return };
        match known.state {
            EntryState::AwaitingApproval => {}
            EntryState::Approved => {
                let Ok(status) = client.status().await else { return };
                client.pause(0, 300).await;
                client.submit(Command::Refresh { entry: known.id, digest: known.digest, evidence_echo: status.now }).await;
                return;
            }
            _ => return,
        }
    }
}
