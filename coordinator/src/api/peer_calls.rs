//! What a node's API asks of another node.

use super::error::Problem;
use crate::raft::network::{CallError, Peers};
use crate::raft::wire::{Forwarded, ReadIndex, paths};
use picket_core::coordination::Answer;
use picket_core::membership::MembersView;
use std::future::Future;
use std::time::Duration;

/// The way to the leader.
pub trait PeerCalls: Clone + Send + Sync + 'static {
    /// How far the commits had come when it was asked.
    fn read_index(&self, leader: u64, timeout: Duration) -> impl Future<Output = Result<ReadIndex, Problem>> + Send;

    /// Who the members are, as that node knows it.
    fn members(&self, node: u64, timeout: Duration) -> impl Future<Output = Result<MembersView, Problem>> + Send;

    /// Passes a client's command on.
    fn forward(&self, leader: u64, command: &Forwarded, timeout: Duration) -> impl Future<Output = Result<Answer, Problem>> + Send;
}

fn problem(what: &str, error: CallError) -> Problem {
    match error {
        CallError::Answered { status, body, .. } => Problem::passed_on(status, &body),
        error => Problem::unavailable(what, error.to_string()),
    }
}

impl PeerCalls for Peers {
    async fn read_index(&self, leader: u64, timeout: Duration) -> Result<ReadIndex, Problem> {
        self.call(leader, paths::READ_INDEX, &(), timeout).await.map_err(|e| problem("read", e))
    }

    async fn members(&self, node: u64, timeout: Duration) -> Result<MembersView, Problem> {
        self.call(node, paths::MEMBERS, &(), timeout).await.map_err(|e| problem("members", e))
    }

    async fn forward(&self, leader: u64, command: &Forwarded, timeout: Duration) -> Result<Answer, Problem> {
        self.call(leader, paths::FORWARD, command, timeout).await.map_err(|e| problem("submit", e))
    }
}
