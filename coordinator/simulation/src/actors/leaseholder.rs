//! Other automation: takes leases, renews and releases them, forgets to, and comes with tokens that are long void.

use crate::client::Client;
use picket_core::coordination::{Answer, Command};
use picket_core::scope::{FencingToken, Scope};
use rand::RngExt as _;

const SCOPES: [&str; 4] = ["a", "b", "c", "d"];

/// Until the run closes.
pub async fn act(mut client: Client) {
    let mut old: Vec<(Scope, FencingToken)> = Vec::new();
    while !client.world().is_closing() {
        let begin = client.rng.random_range(0..SCOPES.len());
        let count = client.rng.random_range(1..=2);
        let scopes: Vec<_> = SCOPES.iter().skip(begin).take(count).map(|s| Scope::External("sim".into(), (*s).into())).collect();
        let ttl_ms = client.rng.random_range(1_000..8_000);
        if let Some(Answer::Leased { tokens, .. }) = client.submit(Command::AcquireLease { scopes, ttl_ms }).await {
            old.extend(tokens.clone());
            for (scope, token) in tokens {
                hold(&mut client, scope, token).await;
            }
        }
        // A token from long ago: it must not do anything.
        if !old.is_empty() && client.rng.random_bool(0.3) {
            let (scope, token) = old[client.rng.random_range(0..old.len())].clone();
            let command = if client.rng.random_bool(0.5) {
                Command::RenewLease { scope, token, ttl_ms: 5_000 }
            } else {
                Command::ReleaseLease { scope, token }
            };
            client.submit(command).await;
        }
        if old.len() > 20 {
            old.drain(..10);
        }
        client.pause(50, 600).await;
    }
}

async fn hold(client: &mut Client, scope: Scope, token: FencingToken) {
    while client.rng.random_bool(0.5) {
        client.pause(100, 1_500).await;
        client.submit(Command::RenewLease { scope: scope.clone(), token, ttl_ms: 3_000 }).await;
    }
    client.pause(10, 500).await;
    // Some forget.
    if client.rng.random_bool(0.8) {
        client.submit(Command::ReleaseLease { scope, token }).await;
    }
}
