//! What nodes say to each other, changed: read and held against what a node may say. openraft does not hear of it.

use openraft::raft::{TransferLeaderRequest, VoteRequest};
use picket_coordinator::raft::wire::{Forwarded, ask};
use picket_coordinator::raft::{TypeConfig, codec, received};
use picket_coordinator_chaos::fuzz::{self, Message, Mutator};
use rand::RngExt as _;

/// Inputs over all seeds.
const INPUTS: u64 = 400_000;
const MEMORY_MAX_MB: u64 = 400;
/// Who speaks.
const NODE: u64 = 2;

/// Read, and held against what may be said: whether it was taken. A snapshot is taken whole, so its head and its state go together.
fn taken(kind: u8, body: &[u8], head: &[u8], state: &[u8]) -> bool {
    let snapshot =
        |head: &[u8], state: &[u8]| serde_json::from_slice(head).is_ok_and(|head| received::snapshot(NODE, &head, state).is_ok());
    match kind {
        ask::APPEND => codec::append(body.to_vec().into()).is_ok_and(|said| received::append(NODE, &said).is_ok()),
        ask::VOTE | ask::PRE_VOTE => {
            codec::whole::<VoteRequest<TypeConfig>>(body).is_ok_and(|said| received::candidate(NODE, &said).is_ok())
        }
        ask::TRANSFER_LEADER => {
            codec::whole::<TransferLeaderRequest<TypeConfig>>(body).is_ok_and(|said| received::transfer(NODE, &said).is_ok())
        }
        ask::FORWARD => Forwarded::read(&body.to_vec().into()).is_ok(),
        ask::SNAPSHOT_BEGIN => snapshot(body, state),
        ask::SNAPSHOT_CHUNK => snapshot(head, body),
        // These say nothing beyond their kind.
        _ => true,
    }
}

#[test]
fn changed_messages_of_nodes_are_read_or_refused() {
    let mut messages = fuzz::messages(NODE, 7);
    messages.retain(|message| !message.body.is_empty());
    let body_of = |kind| messages.iter().find(|m| m.kind == kind).unwrap().body.clone();
    let (head, state) = (body_of(ask::SNAPSHOT_BEGIN), body_of(ask::SNAPSHOT_CHUNK));
    for Message { kind, body } in &messages {
        assert!(taken(*kind, body, &head, &state), "a real message is refused: kind {kind}");
    }
    let seeds = fuzz::seeds();
    println!("seeds {seeds:?}, {INPUTS} inputs");
    let (mut accepted, mut refused) = (0, 0);
    for seed in &seeds {
        let mut mutator = Mutator::new(*seed);
        for _ in 0..INPUTS / seeds.len() as u64 {
            let Message { kind, body } = mutator.pick(&messages).clone();
            let other = mutator.pick(&messages).body.clone();
            let bytes = if mutator.rng.random_bool(0.1) { mutator.garbage() } else { mutator.bytes(&body, &other) };
            *if taken(kind, &bytes, &head, &state) { &mut accepted } else { &mut refused } += 1;
        }
    }
    let mb = fuzz::resident_mb(None).unwrap();
    println!("{accepted} could have come from a node, {refused} refused, {mb} MB");
    assert!(accepted > 1_000 && refused > 100_000, "{accepted} taken, {refused} refused: the inputs show nothing");
    assert!(mb < MEMORY_MAX_MB, "{mb} MB");
}
