//! Who the coordinator's nodes are and were. Raft decides who is a member; this is the record: an id is never given twice, because a
//! machine that was a member once may come back with an old log and an old vote.

use crate::bounds;
use crate::reply::Reply;
use crate::state::State;
use picket_core::ids::Principal;
use picket_core::limits::LimitRule;
use picket_core::membership::{MemberChange, MemberRecord};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ids that may ever have been members.
const EVER_MAX: usize = 4096;
/// Changes that are shown.
const CHANGES_KEPT: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members {
    /// As the newest membership entry says: id to address.
    now: BTreeMap<u64, String>,
    ever: BTreeSet<u64>,
    /// What was asked for, oldest first.
    changes: VecDeque<MemberRecord>,
}

impl State {
    /// A membership entry was applied: these are the nodes from now on, with their addresses.
    pub fn set_members(&mut self, nodes: BTreeMap<u64, String>) {
        // Of what the log had before this was recorded, the predecessor is still known.
        self.members.ever.extend(self.members.now.keys().chain(nodes.keys()));
        self.members.now = nodes;
    }

    /// Ids that were members and are none any more.
    #[must_use]
    pub fn removed_members(&self) -> Vec<u64> {
        self.members.ever.iter().filter(|id| !self.members.now.contains_key(id)).copied().collect()
    }

    /// Every id that is or was a member, in order.
    #[must_use]
    pub fn ever_members(&self) -> Vec<u64> {
        self.members.ever.iter().copied().collect()
    }

    /// The newest changes that were asked for, oldest first.
    #[must_use]
    pub fn member_changes(&self) -> Vec<MemberRecord> {
        self.members.changes.iter().cloned().collect()
    }
}

/// Puts a change on record when it contradicts nothing that is known of the members. The leader carries it out afterwards. A change that
/// holds already is no error: whoever lost the answer asks again.
pub(crate) fn change(state: &mut State, who: &Principal, change: &MemberChange) -> Reply {
    if let Err(refused) = may_change(&state.members, change) {
        return refused;
    }
    let at = state.now();
    state.members.changes.push_back(MemberRecord { at, by: who.to_string(), change: change.clone() });
    if state.members.changes.len() > CHANGES_KEPT {
        state.members.changes.pop_front();
    }
    Reply::Done
}

fn may_change(members: &Members, change: &MemberChange) -> Result<(), Reply> {
    let no = |why: String| Err(Reply::refused(LimitRule::NotAllowed, why));
    let is_member = |id: &u64| match members.now.contains_key(id) {
        true => Ok(()),
        false if members.ever.contains(id) => no(format!("node {id} was removed; ids are never used twice")),
        false => no(format!("node {id} is no member")),
    };
    match change {
        MemberChange::Add { id, address } => match members.now.get(id) {
            Some(known) if known == address => Ok(()),
            Some(known) => {
                no(format!("node {id} is a member at {known}: to move it, change its address in the other nodes' configurations"))
            }
            None if members.ever.contains(id) => no(format!("node {id} was a member before; ids are never used twice: choose another")),
            None if members.ever.len() >= EVER_MAX => Err(bounds::refuse("members", members.ever.len(), EVER_MAX, "ids were ever members")),
            None => Ok(()),
        },
        MemberChange::Promote { id } | MemberChange::Transfer { to: Some(id) } => is_member(id),
        MemberChange::Transfer { to: None } => Ok(()),
        MemberChange::Remove { id } if !members.now.contains_key(id) && members.ever.contains(id) => Ok(()),
        MemberChange::Remove { id } => {
            is_member(id)?;
            if members.now.len() == 1 { no(format!("node {id} is the only one")) } else { Ok(()) }
        }
        MemberChange::Replace { old, new } => {
            is_member(new)?;
            if old == new {
                return no(format!("node {old} cannot replace itself"));
            }
            if members.ever.contains(old) { Ok(()) } else { no(format!("node {old} is no member")) }
        }
    }
}
