//! Messages that are lost, late, doubled, overtaken, and cut off in one direction only.

use crate::executor::{self, WORLD};
use crate::happened::Happening;
use crate::host::{Node, SimConfig};
use crate::world::World;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::TransferLeaderResponse;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, VoteRequest, VoteResponse};
use openraft::type_config::TypeConfigExt as _;
use openraft::{BasicNode, OptionalSend};
use picket_coordinator::api::error::Problem;
use picket_coordinator::api::peer_calls::PeerCalls;
use picket_coordinator::api::{reads, writes};
use picket_coordinator::membership;
use picket_coordinator::raft::wire::{Forwarded, ReadIndex};
use picket_coordinator::raft::{Snapshot, Vote};
use picket_core::coordination::Answer;
use picket_core::membership::MembersView;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Where a message comes from or goes to: a node's id, or 0 for everybody outside.
pub type Place = u64;

/// What the network does to messages now.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Of a hundred messages, lost.
    pub loss_percent: u32,
    /// Of a hundred messages, sent twice.
    pub twice_percent: u32,
    /// Of a hundred messages, held up by up to `late_ms_max`, so that later ones overtake them.
    pub late_percent: u32,
    /// Longest delay of such.
    pub late_ms_max: u64,
    /// Usual delay, from.
    pub delay_us_min: u64,
    /// Usual delay, to.
    pub delay_us_max: u64,
    /// From, to: nothing passes.
    pub cut: BTreeSet<(Place, Place)>,
}

impl Weather {
    /// A healthy network.
    #[must_use]
    pub const fn calm() -> Self {
        Self {
            loss_percent: 0,
            twice_percent: 0,
            late_percent: 0,
            late_ms_max: 0,
            delay_us_min: 100,
            delay_us_max: 1_500,
            cut: BTreeSet::new(),
        }
    }
}

/// The wires between nodes and clients.
#[derive(Debug)]
pub struct Network {
    rng: ChaCha8Rng,
    /// What it does to messages now.
    pub weather: Weather,
    sent: u64,
    /// The newest message that has arrived, from and to.
    arrived: BTreeMap<(Place, Place), u64>,
}

impl Network {
    /// A calm network.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), weather: Weather::calm(), sent: 0, arrived: BTreeMap::new() }
    }

    /// Delays in microseconds of each copy that is sent; `None` for one that is lost.
    fn fates(&mut self) -> Vec<Option<u64>> {
        let weather = &self.weather;
        let copies = if self.rng.random_range(0..100) < weather.twice_percent { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let late = self.rng.random_range(0..100) < weather.late_percent;
                let lost = self.rng.random_range(0..100) < weather.loss_percent;
                let delay = self.rng.random_range(weather.delay_us_min..=weather.delay_us_max.max(weather.delay_us_min));
                let more = if late { self.rng.random_range(0..=weather.late_ms_max) * 1_000 } else { 0 };
                (!lost).then_some(delay + more)
            })
            .collect()
    }

    fn passes(&self, from: Place, to: Place) -> bool {
        !self.weather.cut.contains(&(from, to))
    }

    /// A message that was the `number`-th to be sent arrives, or does not.
    fn arrives(&mut self, from: Place, to: Place, number: u64) -> Result<bool, Happening> {
        if !self.passes(from, to) {
            return Err(if self.passes(to, from) { Happening::CutOneWay } else { Happening::CutBothWays });
        }
        let newest = self.arrived.entry((from, to)).or_default();
        let overtaken = number < *newest;
        *newest = number.max(*newest);
        Ok(overtaken)
    }
}

/// Why a call came to nothing. A message that is lost says nothing at all: the caller's deadline does.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum CallFailed {
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// No answer in time.
    #[error("no answer within the deadline")]
    Timeout,
}

type Reply<A> = Arc<Mutex<Option<oneshot::Sender<Result<A, CallFailed>>>>>;

fn reply_once<A>(reply: &Reply<A>, answer: Result<A, CallFailed>) {
    if let Some(sender) = reply.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // Who asked may have given up.
        let _ = sender.send(answer);
    }
}

/// Sends a request to a node and waits for its answer, with a deadline. `handle` runs on the node, once for every copy that arrives.
pub async fn call<Q, A, F>(
    world: &Arc<World>,
    from: Place,
    to: Place,
    name: &'static str,
    request: Q,
    timeout: Duration,
    handle: impl Fn(Arc<Node>, Q) -> F + Clone + Send + 'static,
) -> Result<A, CallFailed>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    F: Future<Output = A> + Send + 'static,
{
    let (sender, answer) = oneshot::channel();
    let reply: Reply<A> = Arc::new(Mutex::new(Some(sender)));
    let (fates, number) = {
        let mut network = world.network();
        network.sent += 1;
        (network.fates(), network.sent)
    };
    if fates.len() > 1 {
        world.history().happened(Happening::MessageDoubled);
    }
    for fate in fates {
        world.trace(format_args!("{from}>{to} {name} {}", Fate(fate)));
        let Some(delay_us) = fate else {
            world.history().happened(Happening::MessageLost);
            continue;
        };
        let (world, reply, request, handle) = (world.clone(), reply.clone(), request.clone(), handle.clone());
        executor::spawn_for(WORLD, async move {
            executor::sleep_us(delay_us).await;
            let arrived = world.network().arrives(from, to, number);
            match arrived {
                Ok(false) => {}
                Ok(true) => world.history().happened(Happening::MessageOvertaken),
                Err(cut) => {
                    world.history().happened(cut);
                    return;
                }
            }
            let Some(node) = world.running(to) else {
                let refused = world.network().rng.random_bool(0.5);
                if refused && world.network().passes(to, from) {
                    reply_once(&reply, Err(CallFailed::Refused));
                }
                return;
            };
            executor::spawn_for(to, async move {
                let answer = handle(node, request).await;
                executor::spawn_for(WORLD, async move {
                    // An answer travels as a message does, but a copy of it says nothing new.
                    let fate = world.network().fates().swap_remove(0);
                    world.trace(format_args!("{to}>{from} {name} answer {}", Fate(fate)));
                    let Some(delay_us) = fate else { return };
                    executor::sleep_us(delay_us).await;
                    if world.network().passes(to, from) {
                        reply_once(&reply, Ok(answer));
                    }
                });
            });
        });
    }
    // Held here as well, so that a lost message is silence and not an error.
    let _open = reply;
    match SimConfig::timeout(timeout, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(CallFailed::Timeout),
    }
}

struct Fate(Option<u64>);

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(us) => write!(f, "{us}us"),
            None => f.write_str("lost"),
        }
    }
}

/// The way from one node to the others.
#[derive(Clone)]
pub struct SimPeers {
    me: u64,
    world: Arc<World>,
}

impl SimPeers {
    /// Of that node.
    #[must_use]
    pub const fn new(me: u64, world: Arc<World>) -> Self {
        Self { me, world }
    }
}

impl PeerCalls for SimPeers {
    async fn read_index(&self, leader: u64, timeout: Duration) -> Result<ReadIndex, Problem> {
        let handle = |node: Arc<Node>, ()| async move { reads::read_index(&node, "read").await };
        let answer = call(&self.world, self.me, leader, "read-index", (), timeout, handle).await;
        answer.unwrap_or_else(|e| Err(Problem::unavailable("read", e.to_string())))
    }

    async fn members(&self, node: u64, timeout: Duration) -> Result<MembersView, Problem> {
        let handle = |node: Arc<Node>, ()| async move { membership::view(&node) };
        let answer = call(&self.world, self.me, node, "members", (), timeout, handle).await;
        answer.map_err(|e| Problem::unavailable("members", e.to_string()))
    }

    async fn forward(&self, leader: u64, command: &Forwarded, timeout: Duration) -> Result<Answer, Problem> {
        let handle = |node: Arc<Node>, command: Forwarded| async move { writes::propose(&node, command.principal, command.written).await };
        let answer = call(&self.world, self.me, leader, "forward", command.clone(), timeout, handle).await;
        answer.unwrap_or_else(|e| Err(Problem::unavailable("submit", e.to_string())))
    }
}

/// One of the other nodes, as openraft sees it.
pub struct Peer {
    target: u64,
    from: SimPeers,
}

impl RaftNetworkFactory<SimConfig> for SimPeers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Peer {
        Peer { target, from: self.clone() }
    }
}

impl Peer {
    async fn rpc<Q, A, E, F>(
        &self,
        name: &'static str,
        request: Q,
        option: &RPCOption,
        handle: impl Fn(Arc<Node>, Q) -> F + Clone + Send + 'static,
    ) -> Result<A, RPCError<SimConfig>>
    where
        Q: Clone + Send + 'static,
        A: Send + 'static,
        E: std::error::Error + Send + 'static,
        F: Future<Output = Result<A, E>> + Send + 'static,
    {
        match call(&self.from.world, self.from.me, self.target, name, request, option.hard_ttl(), handle).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RPCError::Network(NetworkError::new(&error))),
            // openraft waits before it calls again.
            Err(error @ CallFailed::Refused) => Err(RPCError::Unreachable(Unreachable::new(&error))),
            Err(error) => Err(RPCError::Network(NetworkError::new(&error))),
        }
    }
}

impl RaftNetworkV2<SimConfig> for Peer {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<SimConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<SimConfig>, RPCError<SimConfig>> {
        self.rpc("append", rpc, &option, |node, rpc| async move { node.raft.append_entries(rpc).await }).await
    }

    async fn vote(&mut self, rpc: VoteRequest<SimConfig>, option: RPCOption) -> Result<VoteResponse<SimConfig>, RPCError<SimConfig>> {
        self.rpc("vote", rpc, &option, |node, rpc| async move { node.raft.vote(rpc).await }).await
    }

    async fn pre_vote(&mut self, rpc: VoteRequest<SimConfig>, option: RPCOption) -> Result<VoteResponse<SimConfig>, RPCError<SimConfig>> {
        self.rpc("pre-vote", rpc, &option, |node, rpc| async move { node.raft.pre_vote(rpc).await }).await
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<SimConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<SimConfig>, RPCError<SimConfig>> {
        self.rpc("transfer", rpc, &option, |node, rpc| async move { node.raft.handle_transfer_leader(rpc).await }).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<SimConfig>, StreamingError<SimConfig>> {
        let sending = self.rpc("snapshot", (vote, snapshot.meta, snapshot.snapshot), &option, |node, (vote, meta, snapshot)| async move {
            node.raft.install_full_snapshot(vote, Snapshot { meta, snapshot }).await
        });
        tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            answer = sending => {
                let answer = answer?;
                self.from.world.history().happened(Happening::SnapshotInstalled);
                Ok(answer)
            }
        }
    }
}
