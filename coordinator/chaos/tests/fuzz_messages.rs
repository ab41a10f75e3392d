//! What nodes say to each other, changed: read and held against what a node may say. openraft does not hear of it.

use openraft::entry::RaftEntry as _;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::testing::log_id;
use openraft::{BasicNode, EntryPayload, Membership};
use picket_coordinator::raft::wire::{Forwarded, SnapshotHead, pack_snapshot, unpack_snapshot};
use picket_coordinator::raft::{Entry, LogId, Proposed, SnapshotMeta, StoredMembership, TypeConfig, Vote, received};
use picket_coordinator_chaos::fuzz::{self, Mutator};
use picket_core::coordination::{Attributed, Request};
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use rand::RngExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
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

fn append() -> AppendEntriesRequest<TypeConfig> {
    let commands = fuzz::requests().into_iter().take(4).map(|said| {
        let request: Request = serde_json::from_value(said.request).unwrap();
        EntryPayload::Normal(Proposed::new(&Attributed::new(said.by, request), Timestamp(1)).unwrap())
    });
    let payloads = commands.chain([EntryPayload::Membership(members())]);
    let mut entries: Vec<Entry> = (11..).zip(payloads).map(|(index, payload)| Entry { log_id: id(7, index), payload }).collect();
    entries.insert(0, Entry::new_blank(id(7, 10)));
    AppendEntriesRequest { vote: Vote::new_committed(7, 2), prev_log_id: Some(id(6, 9)), leader_commit: Some(id(6, 9)), entries }
}

fn head() -> SnapshotHead {
    let meta = SnapshotMeta { last_log_id: Some(id(6, 9)), last_membership: StoredMembership::new(Some(id(1, 0)), members()) };
    SnapshotHead { vote: Vote::new_committed(7, 2), meta }
}

/// Read, and held against what may be said: whether it was taken.
fn taken<T: DeserializeOwned>(bytes: &[u8], check: impl FnOnce(&T) -> Result<(), String>) -> bool {
    serde_json::from_slice::<T>(bytes).is_ok_and(|said| check(&said).is_ok())
}

#[test]
fn changed_messages_of_nodes_are_read_or_refused() {
    let state = serde_json::to_vec(&picket_state_machine::State::new(picket_coordinator_chaos::node::settings())).unwrap();
    let snapshot = pack_snapshot(&head(), &state).unwrap();
    let forwarded = Forwarded {
        principal: Principal::Human("kim".into()),
        request: serde_json::from_value(fuzz::requests().remove(16).request).unwrap(),
    };
    let messages: [Value; 4] = [
        serde_json::to_value(append()).unwrap(),
        serde_json::to_value(VoteRequest::<TypeConfig>::new(Vote::new(7, 2), Some(id(6, 9)))).unwrap(),
        serde_json::to_value(TransferLeaderRequest::<TypeConfig>::new(Vote::new_committed(7, 2), 1, Some(id(6, 9)))).unwrap(),
        serde_json::to_value(&forwarded).unwrap(),
    ];
    let read = |which: usize, bytes: &[u8]| match which {
        0 => taken::<AppendEntriesRequest<TypeConfig>>(bytes, |said| received::append(2, said)),
        1 => taken::<VoteRequest<TypeConfig>>(bytes, |said| received::candidate(2, said)),
        2 => taken::<TransferLeaderRequest<TypeConfig>>(bytes, |said| received::transfer(2, said)),
        _ => taken::<Forwarded>(bytes, |_| Ok(())),
    };
    for (which, message) in messages.iter().enumerate() {
        assert!(read(which, message.to_string().as_bytes()), "a real message is refused: {message}");
    }
    let whole = |bytes: &[u8]| unpack_snapshot(bytes).and_then(|(head, state)| received::snapshot(2, &head, state)).is_ok();
    assert!(whole(&snapshot));
    let seeds = fuzz::seeds();
    println!("seeds {seeds:?}, {INPUTS} inputs");
    let (mut accepted, mut refused) = (0, 0);
    for seed in &seeds {
        let mut mutator = Mutator::new(*seed);
        for _ in 0..INPUTS / seeds.len() as u64 {
            let which = mutator.rng.random_range(0..messages.len() + 1);
            let was_taken = match messages.get(which) {
                None => whole(&mutator.bytes(&snapshot, &state)),
                Some(message) => {
                    let other = mutator.pick(&messages).clone();
                    let bytes = match mutator.rng.random_range(0..10) {
                        0 => mutator.garbage(),
                        1..4 => mutator.bytes(message.to_string().as_bytes(), other.to_string().as_bytes()),
                        _ => mutator.json(message, &other),
                    };
                    read(which, &bytes)
                }
            };
            *if was_taken { &mut accepted } else { &mut refused } += 1;
        }
    }
    let mb = fuzz::resident_mb(None).unwrap();
    println!("{accepted} could have come from a node, {refused} refused, {mb} MB");
    assert!(accepted > 1_000 && refused > 100_000, "{accepted} taken, {refused} refused: the inputs show nothing");
    assert!(mb < MEMORY_MAX_MB, "{mb} MB");
}
