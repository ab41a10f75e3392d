//! The API of a node: for clients under `/v1`, for the other nodes over connections of their own.

mod backup_route;
mod client_calls;
pub mod client_routes;
pub mod error;
pub mod listen;
mod member_routes;
mod node_calls;
mod openapi;
pub mod peer_calls;
mod places;
pub mod reads;
mod rules;
mod submitted;
pub mod writes;

use crate::raft::machine::Machine;
use crate::raft::{Host, Proposed, TypeConfig, Written};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use ed25519_dalek::SigningKey;
use error::Problem;
use openraft::async_runtime::watch::WatchReceiver as _;
use picket_core::coordination::Proposer;
use picket_core::ids::Principal;
use picket_core::time::Timestamp;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest body of a client's request.
pub const CLIENT_BODY_MAX_BYTES: usize = picket_coordinator_transport::client::COMMAND_MAX_BYTES;
/// Longest snapshot.
pub const SNAPSHOT_MAX_BYTES: usize = 512 << 20;
/// Deadline of a command, from when the node took it.
pub const SUBMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Deadline of a read: without a leader it fails soon, so that the caller goes elsewhere.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Calls in progress at once.
const CALLS_MAX: usize = 1024;
/// Watches in progress at once; they mostly wait.
const WATCHES_MAX: usize = 512;

/// Gives the time to propose; the run's clock, not the machine's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the routes of a node work with.
pub struct Node<C: Host = TypeConfig> {
    /// This node.
    pub id: u64,
    /// Its part of the group.
    pub raft: openraft::Raft<C, Machine<C>>,
    /// Its state.
    pub machine: Machine<C>,
    /// The other nodes.
    pub peers: C::Peers,
    /// Signs permits and claims from committed entries.
    pub signing_key: SigningKey,
    /// The trust that it belongs to ([`crate::pki::cluster_id`]).
    pub cluster_id: String,
    /// What the leader proposes as the time.
    pub clock: Clock,
    /// The user's rules.
    pub rules: rules::RuleBook,
    /// The group goes on without this node.
    pub removed: OnceLock<()>,
    /// One backup at a time: each is a copy of the whole state.
    pub backing_up: Semaphore,
    /// One change of the members at a time.
    pub changing_members: Semaphore,
    calls: Semaphore,
    watches: Semaphore,
}

impl<C: Host> Node<C> {
    /// A node with nothing in progress.
    #[must_use]
    pub fn new(
        id: u64,
        raft: openraft::Raft<C, Machine<C>>,
        machine: Machine<C>,
        peers: C::Peers,
        signing_key: SigningKey,
        cluster_id: String,
        clock: Clock,
    ) -> Self {
        Self {
            id,
            raft,
            machine,
            peers,
            signing_key,
            cluster_id,
            clock,
            rules: rules::RuleBook::default(),
            removed: OnceLock::new(),
            backing_up: Semaphore::new(1),
            changing_members: Semaphore::new(1),
            calls: Semaphore::new(CALLS_MAX),
            watches: Semaphore::new(WATCHES_MAX),
        }
    }

    /// Why nothing can be asked of the group through this node.
    pub(crate) fn no_leader(&self, what: &str) -> Problem {
        match self.removed.get() {
            Some(()) => Problem::unavailable(what, format!("node {} was removed from its group: ask another, and end this one", self.id)),
            None => Problem::unavailable(what, "there is no leader at the moment"),
        }
    }

    /// Whom to ask: `None` while there is nobody, and for a node that was removed.
    pub(crate) async fn leader(&self) -> Option<u64> {
        if self.removed.get().is_some() { None } else { self.raft.current_leader().await }
    }

    /// A command as this node puts it into the log: with its clock, and the term in which it believes to lead.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn proposes(&self, principal: Principal, written: Written) -> Result<Proposed, postcard::Error> {
        let term = self.raft.metrics().borrow_watched().current_term;
        Proposed::new(principal, written, Some(Proposer { node: self.id, term }), (self.clock)())
    }
}

/// Who calls, taken from the connection's certificate.
#[derive(Clone, Debug)]
pub struct Caller(pub Principal);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal("the connection", "it carries no identity"))
    }
}

/// Every route of a node that clients may call.
pub fn router(node: Arc<Node>) -> Router {
    client_routes::routes().with_state(node)
}
