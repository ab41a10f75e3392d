//! The leader proposes that time has passed.

use crate::api::Node;
use crate::raft::{Host, Written};
use openraft::type_config::TypeConfigExt as _;
use picket_core::coordination::{Command, Request};
use picket_core::ids::{Principal, RequestId};
use picket_core::invariants::Invariant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot is begun after this many bytes of commands, however few they are.
const SNAPSHOT_BYTES: u64 = 64 << 20;

/// While this node leads, it proposes that time has passed; runs until dropped. A tick that fails is not repeated: the next one says more.
///
/// `boot` tells the ticks of one life of this node from those of another.
pub async fn propose_ticks<C: Host>(node: Arc<Node<C>>, every_ms: u64, boot: String) {
    let every = Duration::from_millis(every_ms.max(1));
    let mut count = 0u64;
    let mut next = C::now();
    loop {
        // Beats that were missed are not made up for.
        next = (next + every).max(C::now());
        C::sleep_until(next).await;
        node.machine.read(|state| count_violations(state.violations()));
        // Entries may be large: `snapshot_every` alone would let a restart apply gigabytes again.
        if node.machine.bytes_since_snapshot() > SNAPSHOT_BYTES
            && let Err(error) = node.raft.trigger().snapshot().await
        {
            tracing::debug!(%error, "a snapshot was not begun");
        }
        let leads = node.raft.is_leader();
        metrics::gauge!("picket_coordinator_leads").set(if leads { 1.0 } else { 0.0 });
        if !leads {
            continue;
        }
        count += 1;
        let request = Request { request_id: RequestId(format!("{boot}-{count}")), command: Command::Tick };
        let written = Written::new(&request).map_err(|e| e.to_string());
        match written.and_then(|tick| node.proposes(Principal::Node(node.id), tick).map_err(|e| e.to_string())) {
            // Without a quorum ticks would pile up in the log: one at a time.
            Ok(proposed) => {
                if let Err(error) = node.raft.client_write(proposed).await {
                    tracing::debug!(%error, "a tick was not committed");
                }
            }
            Err(error) => tracing::error!(%error, "a tick could not be written"),
        }
    }
}

/// Every node tells what was agreed on, so that any of them may be scraped.
fn count_violations(violations: &BTreeMap<Invariant, u64>) {
    for (invariant, count) in violations {
        metrics::counter!("picket_invariant_violations_total", "id" => invariant.as_str()).absolute(*count);
    }
}
