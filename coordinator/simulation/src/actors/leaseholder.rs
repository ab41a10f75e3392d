//! Other automation: takes leases, waits in line for them, renews and releases them, forgets to, and comes with tokens that are long void.

use crate::client::Client;
use crate::executor;
use crate::happened::Happening;
use picket_core::coordination::{Answer, Command, LeasePriority};
use picket_core::ids::RequestId;
use picket_core::scope::{FencingToken, Scope};
use rand::RngExt as _;

const SCOPES: [&str; 4] = ["a", "b", "c", "d"];
/// Some lose patience before it is their turn.
const ASKS_MAX: u32 = 12;

/// Until the run closes.
pub async fn act(mut client: Client) {
    let mut old: Vec<(Scope, FencingToken)> = Vec::new();
    let mut waited = 0;
    while !client.world().is_closing() {
        let begin = client.rng.random_range(0..SCOPES.len());
        let count = client.rng.random_range(1..=2);
        let scopes: Vec<_> = SCOPES.iter().skip(begin).take(count).map(|s| Scope::External("sim".into(), (*s).into())).collect();
        let ttl_ms = client.rng.random_range(1_000..8_000);
        let answer = if client.rng.random_bool(0.3) {
            waited += 1;
            wait_in_line(&mut client, scopes, ttl_ms, waited).await
        } else {
            client.submit(Command::AcquireLease { scopes, ttl_ms }).await
        };
        if let Some(Answer::Leased { tokens, .. }) = answer {
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
            if let Some(Answer::Refused { .. }) = client.submit(command).await {
                client.world().history().happened(Happening::OldTokenUsed);
            }
        }
        if old.len() > 20 {
            old.drain(..10);
        }
        client.pause(50, 600).await;
    }
}

/// The same request again and again; each time is a call of its own.
async fn wait_in_line(client: &mut Client, scopes: Vec<Scope>, ttl_ms: i64, waited: u64) -> Option<Answer> {
    let priority = [LeasePriority::Containment, LeasePriority::Repair, LeasePriority::Savings][client.rng.random_range(0..3)];
    let command = Command::QueueLease { scopes, ttl_ms, priority };
    let request_id = RequestId(format!("{}-line-{waited}", client.name()));
    for _ in 0..ASKS_MAX {
        let answer = client.submit_as(request_id.clone(), command.clone()).await.ok();
        if !matches!(answer, Some(Answer::Waiting { .. })) {
            return answer;
        }
        client.world().history().happened(Happening::LeaseQueued);
        executor::sleep_ms(client.rng.random_range(200..1_500)).await;
    }
    None
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
