//! Those who want harm: a process that has stolen an agent's identity, and a person who approves what was never shown.

use crate::liar::invented;
use crate::site::Site;
use picket_coordinator_simulation::client::Client;
use picket_coordinator_simulation::{Happening, executor};
use picket_core::action::{Action, Digest};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::coordination::Command;
use picket_core::ids::{AgentKind, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::proposal::Proposal;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Wishes of an agent that is not itself: at the same moments as the two others, for a few services that they want, too, on evidence of any
/// age, as sure as it likes, and the same again and again.
pub async fn agent(mut client: Client, site: Arc<Site>, kind: AgentKind, moments: u64) {
    let world = client.world().clone();
    let services = site.cluster().service_ids();
    let mut moments = ChaCha8Rng::seed_from_u64(moments);
    let mut number = 0;
    let mut last: Option<Action> = None;
    let mut next_ms = executor::elapsed_ms();
    while !world.is_closing() {
        next_ms += moments.random_range(500..5_000);
        executor::sleep_ms(next_ms.saturating_sub(executor::elapsed_ms())).await;
        if world.history().healed_ms.is_some() {
            continue;
        }
        refresh(&mut client, kind).await;
        for _ in 0..client.rng.random_range(1..4) {
            number += 1;
            ask(&mut client, kind, &services, number, &mut last).await;
        }
    }
}

/// What a person has approved goes on, on evidence that nobody looked at.
async fn refresh(client: &mut Client, kind: AgentKind) {
    let (Ok(status), Ok(entries)) = (client.status().await, client.entries(0).await) else { return };
    for entry in entries.into_iter().filter(|e| e.proposal.agent == kind && e.state == EntryState::Approved) {
        client.submit(Command::Refresh { entry: entry.id, digest: entry.digest, evidence_echo: status.now }).await;
    }
}

async fn ask(client: &mut Client, kind: AgentKind, services: &[ServiceId], number: u64, last: &mut Option<Action>) {
    let Ok(status) = client.status().await else { return };
    // All three look at the same few more often than at the rest.
    let at = if client.rng.random_bool(0.5) { client.rng.random_range(0..3) } else { client.rng.random_range(0..services.len()) };
    let echo = match client.rng.random_range(0..10) {
        0 => status.now.plus_ms(60_000),
        1 => status.now.plus_ms(-60_000),
        _ => status.now,
    };
    let again = last.take().filter(|_| client.rng.random_bool(0.5));
    let action = again.unwrap_or_else(|| Action { remediation: invented(&mut client.rng, &services[at]), service: services[at].clone() });
    *last = Some(action.clone());
    let proposal = Box::new(wish(client, kind, action, number, echo));
    client.submit(Command::Propose { proposal }).await;
}

fn wish(client: &mut Client, agent: AgentKind, action: Action, number: u64, evidence_echo: Timestamp) -> Proposal {
    let rng = &mut client.rng;
    let causes: Vec<Cause> = Cause::ALL.into_iter().filter(|cause| cause.agent() == agent).collect();
    let cause = causes[rng.random_range(0..causes.len())];
    Proposal {
        id: format!("rogue-{agent}-{number}").into(),
        agent,
        incident: format!("inc-rogue-{agent}-{number}").into(),
        cause,
        severity: [Severity::Two, Severity::Three, Severity::Four][rng.random_range(0..3)],
        confidence: [0.2, 0.95, 1.0, 1e9, -1.0, f64::NAN][if rng.random_bool(0.8) { 1 } else { rng.random_range(0..6) }],
        services_degraded: rng.random_range(0..3),
        symptoms: if rng.random_bool(0.5) { vec![Symptom::OomKilled] } else { Vec::new() },
        action,
        evidence_echo,
        replay: rng.random_bool(0.05),
        monthly_saving_usd: rng.random_bool(0.5).then_some(1e12),
        sentence: "urgent".into(),
    }
}

/// Says yes to something else than what waits for a yes.
pub async fn approver(mut client: Client) {
    let world = client.world().clone();
    while !world.is_closing() {
        client.pause(200, 900).await;
        if world.history().healed_ms.is_some() {
            continue;
        }
        let (Ok(status), Ok(entries)) = (client.status().await, client.entries(0).await) else { continue };
        let stop_epoch = status.stop.epoch;
        let Some(waiting) = entries.iter().find(|e| e.state == EntryState::AwaitingApproval) else { continue };
        let other = entries.iter().find(|e| e.digest != waiting.digest).map_or_else(|| Digest::of(b"other"), |e| e.digest.clone());
        world.history().happened(Happening::WrongDigestApproved);
        client.submit(Command::Approve { entry: waiting.id.clone(), digest: other, stop_epoch }).await;
    }
}
