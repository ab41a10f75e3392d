//! People: they grant phases, approve, deny, undo, resolve, stop and resume, and sometimes by what they saw a while ago.

use crate::client::Client;
use picket_core::coordination::{Command, LedgerEntry, Resolution};
use picket_core::ids::AgentKind;
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use rand::RngExt as _;

/// Until the run closes.
pub async fn act(mut client: Client) {
    grant(&mut client, 0).await;
    let mut stop_epoch_seen = 0;
    while !client.world().is_closing() {
        client.pause(200, 1_200).await;
        let Ok(status) = client.status().await else { continue };
        // What was on the screen may be old.
        let stop_epoch = if client.rng.random_bool(0.9) { status.stop.epoch } else { stop_epoch_seen };
        stop_epoch_seen = status.stop.epoch;
        if status.stop.set {
            client.pause(500, 2_000).await;
            // Somebody else, who does not know what the first one withheld.
            if client.rng.random_bool(0.1) {
                client.submit(Command::Stop { keep_undos: true }).await;
            }
            client.submit(Command::Resume { stop_epoch }).await;
            grant(&mut client, stop_epoch).await;
            continue;
        }
        for cluster in status.breakers.into_keys() {
            client.submit(Command::ResetBreaker { cluster, why: "simulated".into() }).await;
        }
        let Ok(entries) = client.entries(0).await else { continue };
        for entry in entries.into_iter().take(6) {
            see_to(&mut client, entry, stop_epoch).await;
        }
        match client.rng.random_range(0..40) {
            0 => drop(client.submit(Command::Stop { keep_undos: false }).await),
            1 => drop(client.submit(Command::Stop { keep_undos: true }).await),
            2..5 => grant(&mut client, stop_epoch).await,
            _ => {}
        }
    }
}

async fn grant(client: &mut Client, stop_epoch: u64) {
    for agent in AgentKind::ALL {
        let phase = match client.rng.random_range(0..8) {
            0 => Phase::Observe,
            1 | 2 => Phase::Assist,
            _ => Phase::Autonomous,
        };
        client.submit(Command::SetPhase { agent, phase, stop_epoch, why: "simulated".into() }).await;
    }
}

async fn see_to(client: &mut Client, entry: LedgerEntry, stop_epoch: u64) {
    let id = entry.id;
    let command = match entry.state {
        EntryState::AwaitingApproval if client.rng.random_bool(0.8) => Command::Approve { entry: id, digest: entry.digest, stop_epoch },
        EntryState::AwaitingApproval => Command::Deny { entry: id, why: "simulated".into() },
        EntryState::Observing if client.rng.random_bool(0.05) => Command::Undo { entry: id, stop_epoch },
        EntryState::Inconclusive if client.rng.random_bool(0.3) => Command::Undo { entry: id, stop_epoch },
        EntryState::Indeterminate | EntryState::UndoFailed => {
            let resolution = [Resolution::Settled, Resolution::Failed, Resolution::Undo { stop_epoch }][client.rng.random_range(0..3)];
            Command::Resolve { entry: id, resolution }
        }
        _ => return,
    };
    client.submit(command).await;
}
