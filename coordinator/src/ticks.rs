//! The leader proposes that time has passed.

use crate::api::Node;
use crate::raft::{Host, Proposed};
use openraft::type_config::TypeConfigExt as _;
use picket_core::coordination::{Attributed, Command, Request};
use picket_core::ids::{Principal, RequestId};
use std::sync::Arc;
use std::time::Duration;

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
        if !node.raft.is_leader() {
            continue;
        }
        count += 1;
        let request = Request { request_id: RequestId(format!("{boot}-{count}")), command: Command::Tick };
        let said = Attributed { principal: Principal::Node(node.id), request };
        match Proposed::new(&said, (node.clock)()) {
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
