//! Calls to the other nodes, over connections that last.

use super::addresses::{Address, AddressBook};
use super::link::{CallError, Dialer, Link};
use super::wire::{Greeting, SnapshotHead, ask};
use super::{Snapshot, TypeConfig, Vote, codec};
use crate::api::error::Problem;
use crate::tls::{Identity, TlsError};
use futures::{Stream, StreamExt as _};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend};
use picket_coordinator_transport::connection::{Connection, Lost, Sent};
use picket_coordinator_transport::frame::Frame;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Messages to one follower that may be without an answer.
const APPENDS_IN_FLIGHT: usize = 8;
/// A follower that takes longer to write is asked anew.
const APPEND_TIMEOUT: Duration = Duration::from_secs(2);
/// A snapshot travels in pieces of this length, and so many may be without an answer.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_IN_FLIGHT: usize = 4;

/// Ways to one node. What is large holds up nothing that must be in time.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// Votes, heartbeats and reads.
    Control,
    /// Entries, and commands that are passed on.
    Entries,
    /// Snapshots.
    Snapshot,
}

/// The connections that were needed so far, by node and lane.
type Links = Arc<Mutex<BTreeMap<(u64, Lane), Arc<Link>>>>;

/// The other nodes.
#[derive(Clone)]
pub struct Peers {
    dialer: Arc<Dialer>,
    links: Links,
    addresses: AddressBook,
    settings_digest: Arc<str>,
}

/// What a node answered, as the caller reads it.
pub enum Answer {
    /// What was asked for.
    Done(Frame),
    /// It said no.
    Problem(Problem),
}

impl Peers {
    /// Calls nodes where the address book says they are, as node `me`; `settings_digest` is of the settings that all must share.
    ///
    /// # Errors
    /// When the identity cannot be used.
    pub fn new(me: u64, identity: &Identity, addresses: AddressBook, settings_digest: &str) -> Result<Self, TlsError> {
        let settings = settings_digest.to_owned();
        let greeting = move |to| {
            let body = postcard::to_stdvec(&Greeting { from: me, to, settings: settings.clone() });
            // Plain data always has this form; an empty greeting would be refused.
            (ask::GREET, body.unwrap_or_default())
        };
        let dialer = Arc::new(Dialer::new(identity, addresses.clone(), Arc::new(greeting))?);
        Ok(Self { dialer, links: Arc::default(), addresses, settings_digest: settings_digest.into() })
    }

    /// What the other nodes' settings must have as digest.
    #[must_use]
    pub fn settings_digest(&self) -> &str {
        &self.settings_digest
    }

    fn link(&self, node: u64, lane: Lane) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry((node, lane)).or_insert_with(|| Arc::new(Link::new(node, self.dialer.clone()))).clone()
    }

    fn peer(&self, node: u64, lane: Lane, address: &str) -> Peer {
        self.addresses.learn_one(node, address);
        Peer { link: self.link(node, lane) }
    }

    /// Where that node is.
    #[must_use]
    pub fn address_of(&self, node: u64) -> Option<Address> {
        self.addresses.of(node)
    }

    /// Closes every connection. What is still called connects anew.
    pub fn close(&self) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Calls a node for what must be in time.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, node: u64, kind: u8, body: &[u8], timeout: Duration) -> Result<Answer, CallError> {
        let lane = if kind == ask::FORWARD { Lane::Entries } else { Lane::Control };
        let write = |out: &mut Vec<u8>| -> Result<(), String> {
            out.extend_from_slice(body);
            Ok(())
        };
        self.link(node, lane).call(kind, write, timeout).await.map(read_answer)
    }
}

fn read_answer(frame: Frame) -> Answer {
    if frame.kind == super::wire::answer::DONE { Answer::Done(frame) } else { Answer::Problem(Problem::of_bytes(&frame.body)) }
}

fn failed(node: u64, why: impl ToString) -> CallError {
    CallError::Failed(node, why.to_string())
}

fn done<T: DeserializeOwned>(node: u64, frame: Frame) -> Result<T, CallError> {
    match read_answer(frame) {
        Answer::Done(frame) => codec::whole(&frame.body).map_err(|e| failed(node, format!("its answer does not parse: {e}"))),
        Answer::Problem(problem) => Err(failed(node, format!("it answered {}: {}", problem.status, problem.why))),
    }
}

fn rpc_error(error: &CallError) -> RPCError<TypeConfig> {
    match error {
        // openraft waits before it calls again.
        CallError::Unreachable(..) => RPCError::Unreachable(Unreachable::new(error)),
        CallError::Failed(..) => RPCError::Network(NetworkError::new(error)),
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, Lane::Entries, &node.addr)
    }

    async fn new_heartbeat_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, Lane::Control, &node.addr)
    }

    async fn new_snapshot_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.peer(target, Lane::Snapshot, &node.addr)
    }
}

/// One of the other nodes, by one way.
pub struct Peer {
    link: Arc<Link>,
}

impl Peer {
    async fn rpc<Q: Serialize, A: DeserializeOwned>(&self, kind: u8, body: &Q, timeout: Duration) -> Result<A, RPCError<TypeConfig>> {
        let answer = self.link.call(kind, |out| codec::put(out, body), timeout).await;
        answer.and_then(|frame| done(self.link.node(), frame)).map_err(|e| rpc_error(&e))
    }

    /// Sends a part of a snapshot, once there is room on the way.
    async fn chunk(&self, connection: &Arc<Connection>, on_the_way: &mut VecDeque<Sent>, bytes: &[u8]) -> Result<(), Lost> {
        let write = |out: &mut Vec<u8>| -> Result<(), String> {
            out.extend_from_slice(bytes);
            Ok(())
        };
        on_the_way.push_back(connection.send(ask::SNAPSHOT_CHUNK, write)?);
        while on_the_way.len() >= CHUNKS_IN_FLIGHT {
            self.arrived(on_the_way).await?;
        }
        Ok(())
    }

    async fn arrived(&self, on_the_way: &mut VecDeque<Sent>) -> Result<(), Lost> {
        let Some(sent) = on_the_way.pop_front() else { return Ok(()) };
        match read_answer(sent.answer(APPEND_TIMEOUT).await?) {
            Answer::Done(_) => Ok(()),
            Answer::Problem(problem) => Err(Lost::NotSent(problem.why)),
        }
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: Snapshot, timeout: Duration) -> Result<SnapshotResponse<TypeConfig>, CallError> {
        let node = self.link.node();
        let connection = self.link.connection().await?;
        let lost = |e: Lost| self.link.failed(&e);
        let head = SnapshotHead { vote, meta: snapshot.meta, len_bytes: snapshot.snapshot.len() as u64 };
        let begun = connection.send(ask::SNAPSHOT_BEGIN, |out| serde_json::to_writer(out, &head)).map_err(lost)?;
        let mut on_the_way = VecDeque::from([begun]);
        for bytes in snapshot.snapshot.chunks(CHUNK_BYTES) {
            self.chunk(&connection, &mut on_the_way, bytes).await.map_err(lost)?;
        }
        while !on_the_way.is_empty() {
            self.arrived(&mut on_the_way).await.map_err(lost)?;
        }
        let ended = connection.send(ask::SNAPSHOT_END, |_| Ok::<_, String>(())).map_err(lost)?;
        done(node, ended.answer(timeout).await.map_err(lost)?)
    }
}

/// A follower's answer in openraft's form for streams.
fn appended(node: u64, frame: Frame, message: &Ends) -> Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>> {
    let answer: AppendEntriesResponse<TypeConfig> = done(node, frame).map_err(|e| rpc_error(&e))?;
    if answer.is_conflict() && message.prev.is_none() {
        return Err(rpc_error(&failed(node, "it says that the beginning of the log conflicts with its own")));
    }
    Ok(answer.into_stream_result(message.prev, message.last))
}

/// Between which entries a message stands.
struct Ends {
    prev: Option<super::LogId>,
    last: Option<super::LogId>,
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let answer = self.link.call(ask::APPEND, |out| codec::put_append(out, &rpc), option.hard_ttl()).await;
        answer.and_then(|frame| done(self.link.node(), frame)).map_err(|e| rpc_error(&e))
    }

    /// Several messages are on their way at once. They share a connection, and the other node takes them in its order.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let connection = self.link.connection().await.map_err(|e| rpc_error(&e))?;
            let link = &self.link;
            let answers = input.map(move |rpc| {
                let ends = Ends { prev: rpc.prev_log_id, last: rpc.entries.last().map(|e| e.log_id).or(rpc.prev_log_id) };
                let sent = connection.send(ask::APPEND, |out| codec::put_append(out, &rpc));
                async move {
                    let frame = match sent {
                        Ok(sent) => sent.answer(APPEND_TIMEOUT).await,
                        Err(lost) => Err(lost),
                    };
                    appended(link.node(), frame.map_err(|e| rpc_error(&link.failed(&e)))?, &ends)
                }
            });
            Ok(Box::pin(answers.buffered(APPENDS_IN_FLIGHT)) as BoxStream<'s, _>)
        })
    }

    async fn vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(ask::VOTE, &rpc, option.hard_ttl()).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(ask::PRE_VOTE, &rpc, option.hard_ttl()).await
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(ask::TRANSFER_LEADER, &rpc, option.hard_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = tokio::time::timeout(option.hard_ttl(), self.send_snapshot(vote, snapshot, option.hard_ttl()));
        let sent = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            sent = sending => sent,
        };
        let late = || failed(self.link.node(), format!("the snapshot was not installed within {:?}", option.hard_ttl()));
        sent.unwrap_or_else(|_| Err(late())).map_err(|e| StreamingError::from(rpc_error(&e)))
    }
}
