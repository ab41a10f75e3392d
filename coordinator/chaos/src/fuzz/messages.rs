//! Real messages between nodes: one of each kind.

use openraft::entry::RaftEntry as _;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::testing::log_id;
use openraft::{BasicNode, EntryPayload, Membership};
use picket_coordinator::raft::wire::{Greeting, SnapshotHead, Speaker, ask};
use picket_coordinator::raft::{Entry, LogId, Proposed, SnapshotMeta, StoredMembership, TypeConfig, Vote, Written, codec};
use picket_coordinator_transport::frame;
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use picket_state_machine::State;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A call of a node.
#[derive(Clone, Debug)]
pub struct Message {
    /// What is asked ([`ask`]).
    pub kind: u8,
    /// What is said.
    pub body: Vec<u8>,
}

/// Plain data is written without fail.
fn small<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = codec::put(&mut bytes, value);
    bytes
}

fn members() -> Option<Membership<u64, BasicNode>> {
    let nodes: BTreeMap<_, _> = (1..=3).map(|n| (n, BasicNode::new(format!("node-{n}:1")))).collect();
    Membership::new(vec![BTreeSet::from([1, 2, 3])], nodes).ok()
}

fn append(leader: u64, term: u64, before: LogId) -> Vec<u8> {
    let id = |index| log_id::<TypeConfig>(term, leader, index);
    let commands = super::requests().into_iter().take(4).filter_map(|said| {
        let written = Written::read(said.request.to_string().into()).ok()?;
        Some(EntryPayload::Normal(Proposed::new(said.by, written, None, Timestamp(1)).ok()?))
    });
    let payloads = commands.chain(members().map(EntryPayload::Membership));
    let mut entries = vec![Entry::new_blank(id(before.index + 1))];
    entries.extend((before.index + 2..).zip(payloads).map(|(index, payload)| Entry { log_id: id(index), payload }));
    let vote = Vote::new_committed(term, leader);
    let mut bytes = Vec::new();
    let _ = codec::put_append(&mut bytes, &AppendEntriesRequest { vote, prev_log_id: Some(before), leader_commit: Some(before), entries });
    bytes
}

/// What `node` would say in that term.
#[must_use]
pub fn messages(node: u64, term: u64) -> Vec<Message> {
    let before = log_id::<TypeConfig>(term.saturating_sub(1), node, 9);
    let membership = StoredMembership::new(Some(log_id::<TypeConfig>(0, node, 0)), members().unwrap_or_default());
    let state = serde_json::to_vec(&State::new(crate::node::settings())).unwrap_or_default();
    let head = SnapshotHead {
        vote: Vote::new_committed(term, node),
        meta: SnapshotMeta { last_log_id: Some(before), last_membership: membership },
        len_bytes: state.len() as u64,
    };
    let vote = small(&VoteRequest::<TypeConfig>::new(Vote::new(term, node), Some(before)));
    let transfer = small(&TransferLeaderRequest::<TypeConfig>::new(Vote::new_committed(term, node), 1, Some(before)));
    let mut forward = small(&Speaker { principal: Principal::Human("kim".into()) });
    forward.extend(super::requests().into_iter().nth(16).map(|said| said.request.to_string().into_bytes()).unwrap_or_default());
    vec![
        Message { kind: ask::APPEND, body: append(node, term, before) },
        Message { kind: ask::VOTE, body: vote.clone() },
        Message { kind: ask::PRE_VOTE, body: vote },
        Message { kind: ask::TRANSFER_LEADER, body: transfer },
        Message { kind: ask::READ_INDEX, body: Vec::new() },
        Message { kind: ask::FORWARD, body: forward },
        Message { kind: ask::SNAPSHOT_BEGIN, body: serde_json::to_vec(&head).unwrap_or_default() },
        Message { kind: ask::SNAPSHOT_CHUNK, body: state },
        Message { kind: ask::SNAPSHOT_END, body: Vec::new() },
        Message { kind: ask::MEMBERS, body: Vec::new() },
    ]
}

/// A frame as it goes over the wire.
#[must_use]
pub fn frame(call: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = frame::put(&mut bytes, call, kind, |out: &mut Vec<u8>| {
        out.extend_from_slice(body);
        Ok::<_, String>(())
    });
    bytes
}

/// The frame that a connection between nodes begins with.
#[must_use]
pub fn greeting(from: u64, to: u64, settings: &str) -> Vec<u8> {
    frame(0, ask::GREET, &small(&Greeting { from, to, settings: settings.to_owned() }))
}
