//! What a node's API asks of another node.

use super::error::Problem;
use crate::raft::codec;
use crate::raft::link::CallError;
use crate::raft::network::{self, Peers};
use crate::raft::wire::{Forwarded, ReadIndex, Speaker, ask};
use picket_coordinator_transport::frame::Frame;
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

fn frame_of(what: &str, answer: Result<network::Answer, CallError>) -> Result<Frame, Problem> {
    match answer {
        Ok(network::Answer::Done(frame)) => Ok(frame),
        Ok(network::Answer::Problem(problem)) => Err(problem),
        Err(error) => Err(Problem::unavailable(what, error.to_string())),
    }
}

impl PeerCalls for Peers {
    async fn read_index(&self, leader: u64, timeout: Duration) -> Result<ReadIndex, Problem> {
        let frame = frame_of("read", self.call(leader, ask::READ_INDEX, &[], timeout).await)?;
        codec::whole(&frame.body).map_err(|e| Problem::unavailable("read", e.to_string()))
    }

    async fn members(&self, node: u64, timeout: Duration) -> Result<MembersView, Problem> {
        let frame = frame_of("members", self.call(node, ask::MEMBERS, &[], timeout).await)?;
        serde_json::from_slice(&frame.body).map_err(|e| Problem::unavailable("members", e.to_string()))
    }

    async fn forward(&self, leader: u64, command: &Forwarded, timeout: Duration) -> Result<Answer, Problem> {
        let Forwarded { principal, written } = command;
        let speaker = postcard::to_stdvec(&Speaker { principal: principal.clone() });
        let mut body = speaker.map_err(|e| Problem::internal("submit", e.to_string()))?;
        body.extend_from_slice(written.text());
        let frame = frame_of("submit", self.call(leader, ask::FORWARD, &body, timeout).await)?;
        serde_json::from_slice(&frame.body).map_err(|e| Problem::unavailable("submit", e.to_string()))
    }
}
