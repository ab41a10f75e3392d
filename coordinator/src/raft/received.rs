//! What another node says, held against what a node may say, before openraft hears it.
//!
//! openraft takes its peers at their word: a log with holes or an entry that is no command ends the node that received it, and a term at
//! the end of its range leaves no room for the next. So what cannot come from a sound node is refused where it arrives.

use super::wire::SnapshotHead;
use super::{Entry, LogId, TypeConfig, Vote};
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::{EntryPayload, Membership};
use picket_state_machine::State;

/// Far beyond any life of a group: a thousand elections a second for eight thousand years.
const TERM_MAX: u64 = 1 << 48;
/// As many entries.
const INDEX_MAX: u64 = 1 << 48;

/// A candidate or leader speaks in its own name.
fn vote(caller: u64, said: &Vote) -> Result<(), String> {
    let leader = said.leader_id();
    if leader.voted_for != caller {
        return Err(format!("node {caller} speaks for node {}", leader.voted_for));
    }
    if leader.term > TERM_MAX { Err(format!("term {} is none that a group comes to", leader.term)) } else { Ok(()) }
}

fn place(said: Option<&LogId>, of: &Vote) -> Result<(), String> {
    let Some(id) = said else { return Ok(()) };
    let (term, newest) = (id.committed_leader_id().term, of.leader_id().term);
    if id.index > INDEX_MAX || term > newest { Err(format!("there is no entry {id} in term {newest}")) } else { Ok(()) }
}

fn membership(said: &Membership<u64, openraft::BasicNode>) -> Result<(), String> {
    let nobody = said.get_joint_config().iter().any(std::collections::BTreeSet::is_empty) || said.voter_ids().next().is_none();
    let unknown = said.voter_ids().find(|id| said.get_node(id).is_none());
    match (nobody, unknown) {
        (true, _) => Err("nobody votes in this membership".to_owned()),
        (_, Some(id)) => Err(format!("voter {id} is not among the nodes of the membership")),
        _ => Ok(()),
    }
}

fn entry(said: &Entry) -> Result<(), String> {
    match &said.payload {
        EntryPayload::Blank => Ok(()),
        EntryPayload::Normal(command) => command.check().map_err(|e| format!("entry {} is no command: {e}", said.log_id)),
        EntryPayload::Membership(members) => membership(members),
    }
}

/// Entries follow one another from the one that they are said to follow, and can be applied.
///
/// # Errors
/// What is wrong with it.
pub fn append(caller: u64, said: &AppendEntriesRequest<TypeConfig>) -> Result<(), String> {
    vote(caller, &said.vote)?;
    if !said.vote.is_committed() {
        return Err("entries come from a leader, and this is a candidate".to_owned());
    }
    place(said.prev_log_id.as_ref(), &said.vote)?;
    place(said.leader_commit.as_ref(), &said.vote)?;
    let mut before = said.prev_log_id;
    for next in &said.entries {
        place(Some(&next.log_id), &said.vote)?;
        let follows = before.map_or(0, |id| id.index + 1);
        let term = before.map_or(0, |id| id.committed_leader_id().term);
        if next.log_id.index != follows || next.log_id.committed_leader_id().term < term {
            return Err(format!("entry {} does not follow {before:?}", next.log_id));
        }
        entry(next)?;
        before = Some(next.log_id);
    }
    Ok(())
}

/// A candidate's question.
///
/// # Errors
/// What is wrong with it.
pub fn candidate(caller: u64, said: &VoteRequest<TypeConfig>) -> Result<(), String> {
    vote(caller, &said.vote)?;
    place(said.last_log_id.as_ref(), &said.vote)
}

/// A leader's wish that another may lead.
///
/// # Errors
/// What is wrong with it.
pub fn transfer(caller: u64, said: &TransferLeaderRequest<TypeConfig>) -> Result<(), String> {
    vote(caller, said.from_leader())?;
    place(said.last_log_id(), said.from_leader())
}

/// A leader's snapshot: a state that can be read.
///
/// # Errors
/// What is wrong with it.
pub fn snapshot(caller: u64, head: &SnapshotHead, state: &[u8]) -> Result<(), String> {
    vote(caller, &head.vote)?;
    place(head.meta.last_log_id.as_ref(), &head.vote)?;
    membership(head.meta.last_membership.membership())?;
    serde_json::from_slice::<State>(state).map(drop).map_err(|e| format!("its state does not parse: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{Proposed, SnapshotMeta};
    use bytes::Bytes;
    use openraft::entry::RaftEntry as _;
    use picket_state_machine::Settings;
    use std::collections::{BTreeMap, BTreeSet};

    fn id(term: u64, index: u64) -> LogId {
        openraft::testing::log_id::<TypeConfig>(term, 2, index)
    }

    fn message(entries: Vec<Entry>) -> AppendEntriesRequest<TypeConfig> {
        AppendEntriesRequest { vote: Vote::new_committed(7, 2), prev_log_id: Some(id(6, 9)), leader_commit: Some(id(6, 9)), entries }
    }

    fn blank(term: u64, index: u64) -> Entry {
        Entry::new_blank(id(term, index))
    }

    #[test]
    fn a_leaders_entries_are_taken_and_what_no_leader_says_is_not() {
        append(2, &message(vec![])).unwrap();
        append(2, &message(vec![blank(6, 10), blank(7, 11)])).unwrap();
        let no_command = Entry { log_id: id(7, 10), payload: EntryPayload::Normal(Proposed::of_bytes(Bytes::from_static(b"[1]"))) };
        let nobody = Membership::new_with_defaults(vec![BTreeSet::new()], []);
        for (why, said) in [
            ("a hole", message(vec![blank(7, 11)])),
            ("twice the same", message(vec![blank(7, 10), blank(7, 10)])),
            ("a term that falls", message(vec![blank(7, 10), blank(6, 11)])),
            ("a term that has not begun", message(vec![blank(8, 10)])),
            ("no command", message(vec![no_command])),
            ("a group without voters", message(vec![Entry { log_id: id(7, 10), payload: EntryPayload::Membership(nobody) }])),
            ("a candidate", AppendEntriesRequest { vote: Vote::new(7, 2), ..message(vec![]) }),
            ("another node", AppendEntriesRequest { vote: Vote::new_committed(7, 3), ..message(vec![]) }),
            ("the last term there is", AppendEntriesRequest { vote: Vote::new_committed(u64::MAX, 2), ..message(vec![]) }),
            ("an index at the end of its range", AppendEntriesRequest { prev_log_id: Some(id(6, u64::MAX)), ..message(vec![blank(7, 0)]) }),
        ] {
            assert!(append(2, &said).is_err(), "taken: {why}");
        }
    }

    #[test]
    fn a_candidate_asks_in_its_own_name() {
        candidate(2, &VoteRequest::new(Vote::new(7, 2), Some(id(6, 9)))).unwrap();
        for said in [
            VoteRequest::new(Vote::new(7, 3), Some(id(6, 9))),
            VoteRequest::new(Vote::new(u64::MAX, 2), Some(id(6, 9))),
            VoteRequest::new(Vote::new(7, 2), Some(id(8, 9))),
        ] {
            assert!(candidate(2, &said).is_err(), "{said:?}");
        }
    }

    #[test]
    fn a_snapshot_holds_a_state_and_a_group() {
        let nodes = BTreeMap::from([(1, openraft::BasicNode::new("a:1"))]);
        let members = Membership::new(vec![BTreeSet::from([1])], nodes).unwrap();
        let meta =
            SnapshotMeta { last_log_id: Some(id(6, 9)), last_membership: super::super::StoredMembership::new(Some(id(1, 0)), members) };
        let state = serde_json::to_vec(&State::new(Settings::default())).unwrap();
        let head = SnapshotHead { vote: Vote::new_committed(7, 2), meta, len_bytes: state.len() as u64 };
        snapshot(2, &head, &state).unwrap();
        assert!(snapshot(2, &head, &state[..state.len() - 1]).is_err());
        assert!(snapshot(3, &head, &state).is_err());
        assert!(snapshot(2, &SnapshotHead { meta: SnapshotMeta::default(), ..head }, &state).is_err());
    }
}
