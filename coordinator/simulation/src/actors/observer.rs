//! The observer of the cluster: facts, and grades. A deposed one goes on for a while.

use super::fleet;
use crate::client::Client;
use picket_core::coordination::{Answer, Command};
use picket_core::ledger::EntryState;
use picket_core::outcome::Outcome;
use rand::RngExt as _;

/// Until the run closes.
pub async fn act(mut client: Client) {
    let mut epoch = 0;
    let mut seq = 0;
    while !client.world().is_closing() {
        if epoch == 0 || client.rng.random_bool(0.02) {
            match client.submit(Command::Register).await {
                Some(Answer::Epoch { epoch: new }) => epoch = new,
                _ => continue,
            }
        }
        let Ok(status) = client.status().await else { continue };
        client.pause(0, 100).await;
        seq += 1;
        let (others, tier) = (client.rng.random_range(0..4), client.rng.random_range(1..=2));
        let mut facts = fleet::facts(others, tier);
        (facts.observer_epoch, facts.seq, facts.echo) = (epoch, seq, status.now);
        client.submit(Command::PostFacts { facts: Box::new(facts) }).await;
        if client.rng.random_bool(0.5) {
            grade(&mut client, epoch).await;
        }
        client.pause(200, 900).await;
    }
}

async fn grade(client: &mut Client, observer_epoch: u64) {
    let Ok(entries) = client.entries(0).await else { return };
    for entry in entries.into_iter().filter(|e| e.state == EntryState::Observing).take(2) {
        let why = "simulated".to_owned();
        let outcome = match client.rng.random_range(0..10) {
            0..5 => Outcome::Recovered { why },
            5..7 => Outcome::NoEffect { why },
            7..9 => Outcome::Regressed { why },
            _ => Outcome::Inconclusive { why },
        };
        client.submit(Command::Grade { entry: entry.id, observer_epoch, outcome }).await;
    }
}
