//! The actuator of the cluster: claims, writes once, proves. It crashes in the middle, is succeeded, and comes with permits that are long void.

use super::fleet::{self, Refusal};
use crate::client::Client;
use crate::executor::{self, WORLD};
use crate::finding::Kind;
use crate::happened::Happening;
use crate::world::World;
use picket_core::action::Digest;
use picket_core::claim::{ClaimRequest, ClaimedAction};
use picket_core::coordination::{Answer, Command, LedgerEntry};
use picket_core::ids::{EntryId, ServiceId};
use picket_core::outcome::{Receipt, Report};
use picket_core::permit::Permit;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a process remembers of its claims: the object, its version before, and the token.
type Journal = BTreeMap<EntryId, (ServiceId, u64, FencingToken)>;

/// Until the run closes.
pub async fn act(mut client: Client) {
    let mut epoch = 0;
    let mut revision = 0;
    let mut old: Vec<Permit> = Vec::new();
    let mut journal = Journal::new();
    let mut unfenced: BTreeMap<EntryId, LedgerEntry> = BTreeMap::new();
    while !client.world().is_closing() {
        if epoch == 0 || client.rng.random_bool(0.02) {
            match client.submit(Command::Register).await {
                Some(Answer::Epoch { epoch: new }) => epoch = new,
                _ => continue,
            }
        }
        let Ok(page) = client.watch(revision, 400).await else { continue };
        revision = page.revision;
        if page.compacted {
            let Ok(ledger) = client.entries(0).await else { continue };
            unfenced = ledger.into_iter().filter(LedgerEntry::waits_for_fence).map(|e| (e.id.clone(), e)).collect();
        }
        for change in page.changes {
            if change.entry.waits_for_fence() {
                unfenced.insert(change.entry.id.clone(), change.entry);
            } else {
                unfenced.remove(&change.entry.id);
            }
            if let Some(permit) = change.permit {
                old.push(permit.clone());
                carry_out(&mut client, &permit, epoch, &mut journal).await;
            }
        }
        if !old.is_empty() && client.rng.random_bool(0.1) {
            let permit = old[client.rng.random_range(0..old.len())].clone();
            client.world().history().happened(Happening::OldPermitUsed);
            carry_out(&mut client, &permit, epoch, &mut journal).await;
        }
        if old.len() > 30 {
            old.drain(..15);
        }
        if client.rng.random_bool(0.2)
            && let Some((_, entry)) = unfenced.pop_first()
        {
            take_up(&mut client, &entry, epoch, &journal).await;
        }
        if client.rng.random_bool(0.2) {
            raise_fences(&mut client, epoch).await;
        }
    }
}

/// A claim that nobody has proven: by this process's own reading, or by a fence on whatever stands.
async fn take_up(client: &mut Client, entry: &LedgerEntry, epoch: u64, journal: &Journal) {
    let service = entry.work.action().service.clone();
    let report = match journal.get(&entry.id) {
        Some((service, version, token)) => prove(client, service, &entry.id, *token, *version),
        None => {
            let token = entry.tokens.values().max().copied().unwrap_or_default();
            client.world().fleet().fence(&service, FencingToken(token.0 + 1));
            Report::CannotTell { why: "fenced".into(), landed: None, fenced: true }
        }
    };
    client.submit(Command::Report { entry: entry.id.clone(), actuator_epoch: epoch, report }).await;
}

/// What a STOP asks for.
async fn raise_fences(client: &mut Client, epoch: u64) {
    let Ok(stop) = client.status().await.map(|status| status.stop) else { return };
    if stop.fences_missing.contains(&fleet::cluster()) {
        client.world().fleet().fence_all(stop.fence_token);
        client.submit(Command::FenceRaised { actuator_epoch: epoch, stop_epoch: stop.epoch }).await;
    }
}

async fn carry_out(client: &mut Client, permit: &Permit, epoch: u64, journal: &mut Journal) {
    let key = client.world().key.verifying_key();
    if let Err(error) = permit.verify(&key) {
        client
            .world()
            .history()
            .find(Kind::Invariant(picket_core::invariants::Invariant::I9), format!("permit {:?}: {error}", permit.body.entry));
        return;
    }
    // Some are slow, and come when the permit is void.
    if client.rng.random_bool(0.1) {
        client.pause(500, 6_000).await;
    }
    let (entry, service) = (permit.body.entry.clone(), permit.body.work.action().service.clone());
    let version = client.world().fleet().version(&service);
    let claim = ClaimRequest {
        entry: entry.clone(),
        digest: permit.body.digest.clone(),
        actuator_epoch: epoch,
        before_digest: Digest::of(&version.to_le_bytes()),
        audit_hash: Digest::of(entry.as_str().as_bytes()),
    };
    let Some(Answer::Claimed { confirmation }) = client.submit(Command::Claim { claim }).await else { return };
    journal.insert(entry.clone(), (service.clone(), version, confirmation.body.token));
    let action = match ClaimedAction::confirm(permit, &confirmation, epoch, &key) {
        Ok(action) => action,
        Err(error) => {
            // An old permit of an entry that was queued and permitted anew would not match; nothing may be done with it.
            client.world().trace(format_args!("claim of {entry} not confirmed: {error}"));
            return;
        }
    };
    // It crashes here sometimes: the claim stays open, and its successor only proves.
    if client.rng.random_bool(0.05) {
        return;
    }
    let report = write_and_prove(client, &service, &entry, action.token(), version).await;
    // Or here.
    if client.rng.random_bool(0.05) {
        return;
    }
    client.submit(Command::Report { entry, actuator_epoch: epoch, report }).await;
}

/// The write travels by itself: its answer may be lost while it still lands, later than anybody waits.
async fn write_and_prove(client: &mut Client, service: &ServiceId, entry: &EntryId, token: FencingToken, version: u64) -> Report {
    let delay_ms = if client.rng.random_bool(0.1) { client.rng.random_range(500..9_000) } else { client.rng.random_range(1..60) };
    let lost = client.rng.random_bool(0.1);
    let answer = send(client.world().clone(), service.clone(), entry.clone(), token, version, delay_ms, lost);
    let waited = executor::sleep_ms(1_500);
    let heard = tokio::select! {
        biased;
        heard = answer => heard.ok(),
        () = waited => None,
    };
    if let Some(Ok(after)) = heard {
        return applied(after);
    }
    client.pause(10, 100).await;
    prove(client, service, entry, token, version)
}

/// A refusal proves nothing: the first copy may have landed.
fn prove(client: &Client, service: &ServiceId, entry: &EntryId, token: FencingToken, version: u64) -> Report {
    if client.world().fleet().is_stamped(service, entry) {
        return applied(version + 1);
    }
    match client.world().fleet().raise_fence(service, token, version) {
        Ok(()) => Report::NoEffect { why: "the fence was raised".into() },
        // Its version is gone for good.
        Err(Refusal::Version | Refusal::Token) => Report::CannotTell { why: "the object has changed".into(), landed: None, fenced: true },
    }
}

fn send(
    world: Arc<World>,
    service: ServiceId,
    entry: EntryId,
    token: FencingToken,
    version: u64,
    delay_ms: u64,
    lost: bool,
) -> oneshot::Receiver<Result<u64, Refusal>> {
    let (sender, answer) = oneshot::channel();
    executor::spawn_for(WORLD, async move {
        executor::sleep_ms(delay_ms).await;
        let index = world.history().newest();
        let result = world.fleet().write(&service, &entry, token, version, index);
        world.trace(format_args!("write of {entry} on {service} version {version} token {token}: {result:?}"));
        if lost {
            // The caller hears nothing, for longer than it waits.
            executor::sleep_ms(10_000).await;
        }
        let _ = sender.send(result);
    });
    answer
}

fn applied(version_after: u64) -> Report {
    let receipt = Receipt { resource_version_after: version_after.to_string(), applied_at: Timestamp(0), ..Receipt::default() };
    Report::Applied { receipt }
}

/// Somebody with a right of their own changes objects now and then.
pub async fn foreign_writer(mut client: Client) {
    while !client.world().is_closing() {
        client.pause(300, 2_000).await;
        let service = fleet::service(client.rng.random_range(0..12));
        client.world().fleet().touch(&service);
    }
}
