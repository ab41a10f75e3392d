//! Calls to the other nodes: JSON over HTTP/2 and mutual TLS.

use super::addresses::AddressBook;
use super::wire::{self, SETTINGS_HEADER, SnapshotHead, paths};
use super::{Snapshot, TypeConfig, Vote};
use crate::pki;
use crate::tls::{Identity, TlsError};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::TransferLeaderResponse;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest, VoteRequest, VoteResponse};
use openraft::{BasicNode, OptionalSend};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Longest answer of a node that is read.
const ANSWER_MAX_BYTES: usize = 8 << 20;

/// Where the nodes are, and a client that proves who answers.
#[derive(Clone)]
pub struct Peers {
    http: reqwest::Client,
    addresses: AddressBook,
    settings_digest: Arc<str>,
}

/// `node-N.picket` is looked up as the host that the address book gives for N.
struct Hosts(AddressBook);

impl Resolve for Hosts {
    fn resolve(&self, name: Name) -> Resolving {
        let address = pki::node_of_host(name.as_str()).and_then(|node| self.0.of(node));
        Box::pin(async move {
            let address = address.ok_or_else(|| format!("{} is no node that is known here", name.as_str()))?;
            let found: Vec<_> = tokio::net::lookup_host((address.host.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why a call to a node came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection.
    #[error("node {0} cannot be reached: {1}")]
    Unreachable(u64, String),
    /// The connection, or the answer, was no good.
    #[error("the call to node {0} failed: {1}")]
    Failed(u64, String),
    /// It answered, and not with success.
    #[error("node {node} answered {status}: {}", String::from_utf8_lossy(body))]
    Answered {
        /// Which node.
        node: u64,
        /// HTTP status.
        status: u16,
        /// What it said.
        body: Vec<u8>,
    },
}

impl Peers {
    /// Calls nodes where the address book says they are; `settings_digest` is of the settings that all must share.
    ///
    /// # Errors
    /// When the identity cannot be used.
    pub fn new(identity: &Identity, addresses: AddressBook, settings_digest: &str) -> Result<Self, TlsError> {
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(identity.client()?)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Hosts(addresses.clone())))
            .connect_timeout(Duration::from_secs(1))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(1))
            .http2_keep_alive_timeout(Duration::from_secs(2))
            .http2_keep_alive_while_idle(true)
            .build()
            .map_err(|e| TlsError::Unusable(e.to_string()))?;
        Ok(Self { http, addresses, settings_digest: settings_digest.into() })
    }

    /// What the other nodes' settings must have as digest.
    #[must_use]
    pub fn settings_digest(&self) -> &str {
        &self.settings_digest
    }

    /// Posts a body to a node and reads the answer.
    ///
    /// # Errors
    /// [`CallError`], told apart by what was reached.
    pub async fn post(&self, node: u64, path: &str, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let address = self.addresses.of(node);
        let port = address.ok_or_else(|| CallError::Unreachable(node, "its address is not known here".to_owned()))?.port;
        let url = format!("https://{}:{port}{path}", pki::node_host(node));
        let sent = self.http.post(url).header(SETTINGS_HEADER, &*self.settings_digest).body(body).timeout(timeout).send().await;
        let mut response = sent.map_err(|e| {
            let why = causes(&e);
            if e.is_connect() { CallError::Unreachable(node, why) } else { CallError::Failed(node, why) }
        })?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| CallError::Failed(node, causes(&e)))? {
            if answer.len() + chunk.len() > ANSWER_MAX_BYTES {
                return Err(CallError::Failed(node, format!("its answer is longer than {ANSWER_MAX_BYTES} bytes")));
            }
            answer.extend_from_slice(&chunk);
        }
        let status = response.status();
        if status.is_success() { Ok(answer) } else { Err(CallError::Answered { node, status: status.as_u16(), body: answer }) }
    }

    /// Posts JSON, reads JSON.
    ///
    /// # Errors
    /// As `post`.
    pub async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        node: u64,
        path: &str,
        body: &Q,
        timeout: Duration,
    ) -> Result<A, CallError> {
        let body = serde_json::to_vec(body).map_err(|e| CallError::Failed(node, e.to_string()))?;
        let answer = self.post(node, path, body, timeout).await?;
        serde_json::from_slice(&answer).map_err(|e| CallError::Failed(node, format!("its answer does not parse: {e}")))
    }
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

fn rpc_error(error: &CallError) -> RPCError<TypeConfig> {
    match error {
        // openraft waits before it calls again.
        CallError::Unreachable(..) => RPCError::Unreachable(Unreachable::new(error)),
        CallError::Failed(..) | CallError::Answered { .. } => RPCError::Network(NetworkError::new(error)),
    }
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        self.addresses.learn_one(target, &node.addr);
        Peer { target, peers: self.clone() }
    }
}

/// One of the other nodes.
pub struct Peer {
    target: u64,
    peers: Peers,
}

impl Peer {
    async fn rpc<Q: Serialize, A: DeserializeOwned>(&self, path: &str, body: &Q, option: &RPCOption) -> Result<A, RPCError<TypeConfig>> {
        self.peers.call(self.target, path, body, option.hard_ttl()).await.map_err(|e| rpc_error(&e))
    }
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(paths::APPEND, &rpc, &option).await
    }

    async fn vote(&mut self, rpc: VoteRequest<TypeConfig>, option: RPCOption) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(paths::VOTE, &rpc, &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(paths::PRE_VOTE, &rpc, &option).await
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.rpc(paths::TRANSFER, &rpc, &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let head = SnapshotHead { vote, meta: snapshot.meta };
        let body = wire::pack_snapshot(&head, &snapshot.snapshot).map_err(|e| StreamingError::Network(NetworkError::new(&e)))?;
        drop(snapshot.snapshot);
        let sending = self.peers.post(self.target, paths::SNAPSHOT, body, option.hard_ttl());
        let answer = tokio::select! {
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = sending => answer.map_err(|e| StreamingError::from(rpc_error(&e)))?,
        };
        serde_json::from_slice(&answer).map_err(|e| StreamingError::Network(NetworkError::new(&e)))
    }
}
