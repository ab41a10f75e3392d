//! Reads: from this node's state, once it is known to hold everything that was committed when the read began.

use super::error::Problem;
use super::peer_calls::PeerCalls as _;
use super::{Node, READ_TIMEOUT};
use crate::planted::{Fault, is_planted};
use crate::raft::Host;
use crate::raft::wire::ReadIndex;
use openraft::ReadPolicy;
use openraft::type_config::TypeConfigExt as _;
use picket_core::coordination::{LedgerChange, LedgerEntry, WatchPage};
use picket_core::ids::Principal;
use picket_core::ledger::EntryState;
use std::time::Duration;

/// Returns once this node has applied all that was committed when it was called.
///
/// # Errors
/// Unavailable, when no quorum confirms the leader within the deadline.
pub async fn linearize<C: Host>(node: &Node<C>, what: &str) -> Result<(), Problem> {
    if is_planted(Fault::ReadWithoutQuorum) {
        return Ok(());
    }
    let work = async {
        let index = match node.leader().await {
            Some(leader) if leader == node.id => read_index(node, what).await?.log_id.index,
            Some(leader) => {
                let answer = node.peers.read_index(leader, READ_TIMEOUT).await;
                answer.map_err(|e| Problem::unavailable(what, e.why))?.log_id.index
            }
            None => return Err(node.no_leader(what)),
        };
        if is_planted(Fault::ReadBeforeApplied) {
            return Ok(());
        }
        let wait = node.raft.wait(Some(READ_TIMEOUT)).applied_index_at_least(Some(index), "a read").await;
        wait.map(|_| ()).map_err(|e| Problem::unavailable(what, e.to_string()))
    };
    C::timeout(READ_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(Problem::unavailable(what, "no quorum confirmed the leader within the deadline")))
}

/// The leader's part: a quorum confirms that it still leads (ReadIndex; no clock is trusted).
///
/// # Errors
/// Unavailable, when this node does not lead.
pub async fn read_index<C: Host>(node: &Node<C>, what: &str) -> Result<ReadIndex, Problem> {
    let (read, _) = node.raft.get_read_log_id(ReadPolicy::ReadIndex).await.map_err(|e| Problem::unavailable(what, e.to_string()))?;
    Ok(ReadIndex { log_id: *read.log_id() })
}

/// Changes after `revision`, in order and gapless; waits for the first.
///
/// # Errors
/// As `linearize`.
pub async fn watch<C: Host>(node: &Node<C>, principal: &Principal, revision: u64, wait: Duration) -> Result<WatchPage, Problem> {
    let deadline = C::now() + wait;
    let mut revisions = node.machine.revisions();
    // A node that is cut off would let its watchers wait for ever.
    linearize(node, "watch").await?;
    loop {
        revisions.borrow_and_update();
        let page = page(node, principal, revision);
        if page.compacted || !page.changes.is_empty() || C::now() >= deadline {
            return Ok(page);
        }
        match C::timeout_at(deadline, revisions.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => return Err(Problem::unavailable("watch", "this node is shutting down")),
        }
    }
}

/// Changes that one answer carries at most.
const PAGE_MAX: usize = 256;

/// A permit goes to the actuator of its cluster, and to nobody else.
fn page<C: Host>(node: &Node<C>, principal: &Principal, revision: u64) -> WatchPage {
    node.machine.read(|state| {
        let (changes, compacted) = state.changes_after(revision, PAGE_MAX);
        let permit_of = |entry: &LedgerEntry| match principal {
            Principal::Actuator(cluster) if entry.state == EntryState::Permitted => {
                picket_state_machine::permit_for(state, &entry.id, &node.signing_key).filter(|p| &p.body.cluster == cluster)
            }
            _ => None,
        };
        let changes: Vec<_> =
            changes.into_iter().map(|(revision, entry)| LedgerChange { revision, permit: permit_of(&entry), entry }).collect();
        let next = if compacted { state.revision() } else { changes.last().map_or(revision, |c| c.revision) };
        WatchPage { changes, revision: next, compacted }
    })
}
