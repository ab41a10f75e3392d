//! What nodes say to each other, changed: read and held against what a node may say. openraft does not hear of it.

use openraft::entry::RaftEntry as _;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::testing::log_id;
use openraft::{BasicNode, EntryPayload, Membership};
use picket_coordinator::raft::wire::{Forwarded, SnapshotHead, Speaker};
use picket_coordinator::raft::{Entry, LogId, Proposed, SnapshotMeta, StoredMembership, TypeConfig, Vote, Written, codec, received};
use picket_coordinator_chaos::fuzz::{self, Mutator};
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use std::collections::{BTreeMap, BTreeSet};

/// Inputs over all seeds.
const INPUTS: u64 = 400_000;
const MEMORY_MAX_MB: u64 = 400;

fn id(term: u64, index: u64) -> LogId {
    log_id::<TypeConfig>(term, 2, index)
}

fn members() -> Membership<u64, BasicNode> {
    let nodes: BTreeMap<_, _> = (1..=3).map(|n| (n, BasicNode::new(format!("node-{n}:1")))).collect();
    Membership::new(vec![BTreeSet::from([1, 2, 3])], nodes).unwrap()
}

fn append() -> Vec<u8> {
    let commands = fuzz::requests().into_iter().take(4).map(|said| {
        let written = Written::read(said.request.to_string().into()).unwrap();
        EntryPayload::Normal(Proposed::new(said.by, written, None, Timestamp(1)).unwrap())
    });
    let payloads = commands.chain([EntryPayload::Membership(members())]);
    let mut entries: Vec<Entry> = (11..).zip(payloads).map(|(index, payload)| Entry { log_id: id(7, index), payload }).collect();
    entries.insert(0, Entry::new_blank(id(7, 10)));
    let message =
        AppendEntriesRequest { vote: Vote::new_committed(7, 2), prev_log_id: Some(id(6, 9)), leader_commit: Some(id(6, 9)), entries };
    let mut bytes = Vec::new();
    codec::put_append(&mut bytes, &message).unwrap();
    bytes
}

/// A snapshot's head: JSON.
fn head() -> Vec<u8> {
    let meta = SnapshotMeta { last_log_id: Some(id(6, 9)), last_membership: StoredMembership::new(Some(id(1, 0)), members()) };
    serde_json::to_vec(&SnapshotHead { vote: Vote::new_committed(7, 2), meta, len_bytes: 1 }).unwrap()
}

fn forwarded() -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::put(&mut bytes, &Speaker { principal: Principal::Human("kim".into()) }).unwrap();
    bytes.extend(fuzz::requests().remove(16).request.to_string().into_bytes());
    bytes
}

fn small<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::put(&mut bytes, value).unwrap();
    bytes
}

/// Read, and held against what may be said: whether it was taken.
fn taken(which: usize, bytes: &[u8], state: &[u8]) -> bool {
    match which {
        0 => codec::append(bytes.to_vec().into()).is_ok_and(|said| received::append(2, &said).is_ok()),
        1 => codec::whole::<VoteRequest<TypeConfig>>(bytes).is_ok_and(|said| received::candidate(2, &said).is_ok()),
        2 => codec::whole::<TransferLeaderRequest<TypeConfig>>(bytes).is_ok_and(|said| received::transfer(2, &said).is_ok()),
        3 => Forwarded::read(&bytes.to_vec().into()).is_ok(),
        4 => serde_json::from_slice(bytes).is_ok_and(|head| received::snapshot(2, &head, state).is_ok()),
        _ => serde_json::from_slice(&head()).is_ok_and(|head| received::snapshot(2, &head, bytes).is_ok()),
    }
}

#[test]
fn changed_messages_of_nodes_are_read_or_refused() {
    let state = serde_json::to_vec(&picket_state_machine::State::new(picket_coordinator_chaos::node::settings())).unwrap();
    let messages = [
        append(),
        small(&VoteRequest::<TypeConfig>::new(Vote::new(7, 2), Some(id(6, 9)))),
        small(&TransferLeaderRequest::<TypeConfig>::new(Vote::new_committed(7, 2), 1, Some(id(6, 9)))),
        forwarded(),
        head(),
        state.clone(),
    ];
    for (which, message) in messages.iter().enumerate() {
        assert!(taken(which, message, &state), "a real message is refused: number {which}");
    }
    let seeds = fuzz::seeds();
    println!("seeds {seeds:?}, {INPUTS} inputs");
    let (mut accepted, mut refused) = (0, 0);
    for seed in &seeds {
        let mut mutator = Mutator::new(*seed);
        for _ in 0..INPUTS / seeds.len() as u64 {
            let which = mutator.rng.random_range(0..messages.len());
            let other = mutator.pick(&messages).clone();
            let bytes = if mutator.rng.random_bool(0.1) { mutator.garbage() } else { mutator.bytes(&messages[which], &other) };
            *if taken(which, &bytes, &state) { &mut accepted } else { &mut refused } += 1;
        }
    }
    let mb = fuzz::resident_mb(None).unwrap();
    println!("{accepted} could have come from a node, {refused} refused, {mb} MB");
    assert!(accepted > 1_000 && refused > 100_000, "{accepted} taken, {refused} refused: the inputs show nothing");
    assert!(mb < MEMORY_MAX_MB, "{mb} MB");
}
