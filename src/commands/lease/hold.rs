//! `picket lease acquire | queue | renew | release`: other automation takes part in the coordinator's leases.

use crate::commands::{as_person, request_id};
use crate::wiring::Wiring;
use anyhow::bail;
use picket_core::config::Span;
use picket_core::coordination::{Answer, Command, LeasePriority};
use picket_core::ports::Coordinator as _;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Leases for other automation. Every write under a lease should carry its token, and its target refuse a lower one.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum HoldCommand {
    /// Takes all these scopes now, or none. Prints one fencing token per scope.
    Acquire {
        #[command(flatten)]
        wish: Wish,
    },
    /// Takes all these scopes when it is this request's turn, and waits for it.
    Queue {
        #[command(flatten)]
        wish: Wish,
        /// Whose work it is like: it sets who goes first.
        #[arg(long, value_parser = ["containment", "repair", "savings"], default_value = "repair")]
        priority: String,
        /// Gives its place up after so long.
        #[arg(long, default_value = "1m", value_parser = span)]
        timeout: Span,
    },
    /// Prolongs a lease, with all scopes that were taken together.
    Renew {
        /// Any one of its scopes.
        #[arg(value_parser = scope)]
        scope: Scope,
        /// That scope's token.
        #[arg(long)]
        token: u64,
        /// From now: 1s to 1h.
        #[arg(long, default_value = "1m", value_parser = span)]
        ttl: Span,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// Gives a lease back, with all scopes that were taken together.
    Release {
        /// Any one of its scopes.
        #[arg(value_parser = scope)]
        scope: Scope,
        /// That scope's token.
        #[arg(long)]
        token: u64,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

/// What is to be held.
#[derive(Clone, Debug, clap::Args)]
pub struct Wish {
    /// ns:CLUSTER/NAMESPACE, cluster:CLUSTER or ext:SYSTEM/ID; several are taken together.
    #[arg(required = true, value_parser = scope)]
    scopes: Vec<Scope>,
    /// 1s to 1h.
    #[arg(long, default_value = "1m", value_parser = span)]
    ttl: Span,
    /// Machine output.
    #[arg(long)]
    json: bool,
}

impl Wish {
    /// One order for all, each once: so the coordinator asks for it.
    fn sorted(&self) -> Vec<Scope> {
        let mut scopes = self.scopes.clone();
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::try_from(text.to_owned())
}

fn span(text: &str) -> Result<Span, String> {
    Span::try_from(text.to_owned())
}

/// Between two questions whether it is our turn.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Runs it.
///
/// # Errors
/// When somebody else holds a scope, the token is not the lease's, or the time is over.
pub async fn run(wiring: &Wiring, command: &HoldCommand) -> anyhow::Result<()> {
    match command {
        HoldCommand::Acquire { wish } => {
            let answer = crate::commands::submit(wiring, Command::AcquireLease { scopes: wish.sorted(), ttl_ms: wish.ttl.ms() }).await?;
            print(answer, wish.json)
        }
        HoldCommand::Queue { wish, priority, timeout } => {
            let priority = match priority.as_str() {
                "containment" => LeasePriority::Containment,
                "savings" => LeasePriority::Savings,
                _ => LeasePriority::Repair,
            };
            let command = Command::QueueLease { scopes: wish.sorted(), ttl_ms: wish.ttl.ms(), priority };
            print(in_turn(wiring, command, *timeout).await?, wish.json)
        }
        HoldCommand::Renew { scope, token, ttl, json } => {
            let command = Command::RenewLease { scope: scope.clone(), token: FencingToken(*token), ttl_ms: ttl.ms() };
            print(crate::commands::submit(wiring, command).await?, *json)
        }
        HoldCommand::Release { scope, token, json } => {
            crate::commands::submit(wiring, Command::ReleaseLease { scope: scope.clone(), token: FencingToken(*token) }).await?;
            if *json {
                return crate::commands::print_json(&serde_json::json!({ "released": scope }));
            }
            println!("{scope} is given back");
            Ok(())
        }
    }
}

/// The same request, again and again: it keeps its place, and takes what was granted to it.
async fn in_turn(wiring: &Wiring, command: Command, timeout: Span) -> anyhow::Result<Answer> {
    let (client, id) = (as_person(wiring)?, request_id());
    let deadline = Instant::now() + Duration::from_millis(timeout.ms().unsigned_abs());
    loop {
        match client.submit(id.clone(), command.clone()).await? {
            Answer::Waiting { position, .. } if Instant::now() >= deadline => {
                bail!("{position} requests are still before this one; it gives its place up")
            }
            Answer::Waiting { position, .. } => tracing::info!(position, "waiting"),
            Answer::Refused { violations } => return Err(crate::commands::refusal(&violations)),
            answer => return Ok(answer),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[derive(Serialize)]
struct Held {
    tokens: BTreeMap<Scope, FencingToken>,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    preempt_at: Option<Timestamp>,
}

fn print(answer: Answer, json: bool) -> anyhow::Result<()> {
    let Answer::Leased { tokens, expires_at, preempt_at } = answer else { bail!("the coordinator answered something else: {answer:?}") };
    if json {
        return crate::commands::print_json(&Held { tokens, expires_at, preempt_at });
    }
    for (scope, token) in tokens {
        println!("{scope}  token {token}  until {expires_at}");
    }
    if let Some(at) = preempt_at {
        println!("somebody with precedence waits: it ends at {at}, and is not prolonged");
    }
    Ok(())
}
