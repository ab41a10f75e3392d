//! One node of the coordinator, from its configuration to its shutdown.

use crate::api::{self, Clock, Node};
use crate::log::{DiskLog, LogError};
use crate::membership;
use crate::pki::{self, PkiError};
use crate::raft::Raft;
use crate::raft::addresses::AddressBook;
use crate::raft::machine::Machine;
use crate::raft::network::Peers;
use crate::ticks;
use crate::timers::RaftTimers;
use crate::tls::{Identity, TlsError};
use futures::FutureExt as _;
use openraft::BasicNode;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{InitializeError, RaftError};
use picket_core::ids::Principal;
use picket_state_machine::{Settings, SettingsError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether a node's Raft still runs.
const ENDED_LOOK: Duration = Duration::from_millis(250);

/// What a node needs to know.
#[derive(Clone)]
pub struct NodeConfig {
    /// Its id, as in its certificate `node:N`.
    pub id: u64,
    /// Where it listens, `host:port`.
    pub listen: String,
    /// Nodes at `host:port` as the others reach them, itself included. These go before what the group's membership says.
    pub peers: BTreeMap<u64, String>,
    /// Its own folder: log, vote, snapshot.
    pub data_dir: PathBuf,
    /// Certificates and the permit-signing key.
    pub pki_dir: PathBuf,
    /// Of the state machine; the same on every node. Used when the data folder is new; later those of its first start stay in force.
    pub settings: Settings,
    /// What the leader proposes as the time.
    pub clock: Clock,
    /// True on one node of a new group: it founds the group when its log is empty. A node that is added to a group founds none.
    pub bootstrap: bool,
    /// Raft's timers.
    pub timers: RaftTimers,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its data.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Its certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its keys.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Its settings.
    #[error("the coordinator's settings contradict themselves: {0}")]
    Settings(#[from] SettingsError),
    /// Its configuration.
    #[error("node {id}: {why}")]
    Config {
        /// Which node.
        id: u64,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Its address.
    #[error("{address} cannot be listened on: {error}")]
    Listen {
        /// Which address.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// openraft.
    #[error("Raft did not start: {0}")]
    Raft(String),
}

/// A running node. Dropping it without `shutdown` leaves the rest to the end of the process.
pub struct NodeHandle {
    node: Arc<Node>,
    log: DiskLog,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Listens, and starts the node.
///
/// # Errors
/// [`NodeError`] says what, where, and what to do.
pub async fn serve(config: NodeConfig) -> Result<NodeHandle, NodeError> {
    let listener = TcpListener::bind(&config.listen).await.map_err(|error| NodeError::Listen { address: config.listen.clone(), error })?;
    serve_on(listener, config).await
}

/// Starts the node on a listener that is there already.
///
/// # Errors
/// As [`serve`].
pub async fn serve_on(listener: TcpListener, config: NodeConfig) -> Result<NodeHandle, NodeError> {
    let bad = |why: String| NodeError::Config { id: config.id, why };
    config.settings.validate()?;
    if !config.peers.contains_key(&config.id) {
        return Err(bad("it is not among the peers; add its own address to them".to_owned()));
    }
    let ca_path = config.pki_dir.join("ca.pem");
    let ca = std::fs::read_to_string(&ca_path).map_err(|error| PkiError::Io { path: ca_path, error })?;
    if config.settings.demonstration != pki::is_demonstration(&ca)? {
        let real = config.settings.demonstration;
        let (is, says) = if real { ("a real one", "demonstration") } else { ("for demonstrations", "production") };
        return Err(bad(format!("its CA is {is} but its settings are for {says}; use the other CA or change `demonstration`")));
    }
    let identity = Identity::read(&config.pki_dir, &Principal::Node(config.id))?;
    let signing_key = pki::signing_key(&config.pki_dir)?;
    let (dir, settings) = (config.data_dir.clone(), config.settings.clone());
    let opened = tokio::task::spawn_blocking(move || Ok::<_, LogError>((DiskLog::open(&dir)?, <Machine>::open(&dir, settings)?))).await;
    let (log, machine) = opened.map_err(|e| NodeError::Raft(e.to_string()))??;
    let addresses = AddressBook::new(&config.peers).map_err(&bad)?;
    let peers = Peers::new(config.id, &identity, addresses.clone(), &machine.settings_digest())?;
    let address = listener.local_addr().map_err(|error| NodeError::Listen { address: config.listen.clone(), error })?;

    let raft_config = config.timers.of_node(config.id).raft_config().map_err(|e| bad(e.to_string()))?;
    let raft = Raft::new(config.id, Arc::new(raft_config), peers.clone(), log.clone(), machine.clone()).await;
    let raft = raft.map_err(|e| NodeError::Raft(e.to_string()))?;

    let node = Arc::new(Node::new(config.id, raft.clone(), machine, peers, signing_key, pki::cluster_id(&ca)?, config.clock.clone()));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(api::listen::run(listener, Arc::new(identity.server()?), node.clone(), stop.clone()));
    let ticks = ticks::propose_ticks(node.clone(), config.timers.tick_ms, boot_id(config.id)?);
    let until = stop.clone();
    tasks.spawn(async move { _ = until.run_until_cancelled_owned(ticks).await });
    let until = stop.clone();
    let standing = membership::look_for_removal(node.clone());
    tasks.spawn(async move { _ = until.run_until_cancelled_owned(standing).await });
    let until = stop.clone();
    let following = follow_membership(raft.clone(), addresses);
    tasks.spawn(async move { _ = until.run_until_cancelled_owned(following).await });
    let handle = NodeHandle { node, log, address, stop, tasks };
    if config.bootstrap {
        let members: BTreeMap<u64, BasicNode> = config.peers.iter().map(|(id, address)| (*id, BasicNode::new(address))).collect();
        match raft.initialize(members).await {
            // It has a log or a vote: the group was founded before.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(error) => {
                let error = NodeError::Raft(error.to_string());
                handle.shutdown().await;
                return Err(error);
            }
        }
    }
    tracing::info!(node = config.id, %address, "coordinator node is up");
    Ok(handle)
}

/// Keeps the address book at the newest membership, committed or not: replication begins before the commit.
async fn follow_membership(raft: Raft, addresses: AddressBook) {
    let mut metrics = raft.server_metrics();
    loop {
        let membership = metrics.borrow_and_update().membership_config.clone();
        addresses.learn(membership.membership());
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the ticks of one process from those of another, also of the same node before a restart.
fn boot_id(node: u64) -> Result<String, NodeError> {
    let mut random = [0; 8];
    let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut random);
    filled.map_err(|_| NodeError::Config { id: node, why: "the system gave no randomness".to_owned() })?;
    Ok(format!("tick-{node}-{}", hex::encode(random)))
}

impl NodeHandle {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.node.id
    }

    /// Whom it takes for the leader.
    pub async fn leader(&self) -> Option<u64> {
        self.node.raft.current_leader().await
    }

    /// Its part of the group, for metrics and tests.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.node.raft
    }

    /// Returns when its Raft has ended by itself, with the reason: its disk failed, or it met a defect. It serves nobody from then on; its
    /// process should end, so that whoever supervises it starts it again.
    pub async fn ended(&self) -> String {
        let mut metrics = self.node.raft.metrics();
        // Looked at now and then: whoever waits for them to change is woken by every command, on a thread of its own perhaps.
        let mut look = tokio::time::interval(ENDED_LOOK);
        loop {
            look.tick().await;
            if let Err(why) = &metrics.borrow_watched().running_state {
                return why.to_string();
            }
            if let Some(Err(_)) = metrics.changed().now_or_never() {
                return "Raft is gone".to_owned();
            }
        }
    }

    /// Stops at once: connections are dropped, what is acknowledged is on disk.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        if let Err(error) = self.node.raft.shutdown().await {
            tracing::warn!(%error, "Raft did not end cleanly");
        }
        self.node.peers.close();
        let log = self.log;
        if let Err(error) = tokio::task::spawn_blocking(move || log.close()).await {
            tracing::warn!(%error, "the log did not close cleanly");
        }
    }
}
