//! Three real nodes on real sockets and disks, in one process.

use picket_coordinator::tls::Identity;
use picket_coordinator::{NodeConfig, NodeError, NodeHandle, RaftTimers, pki, serve, serve_on};
use picket_coordinator_client::{ClientConfig, CoordinatorClient};
use picket_core::coordination::{Answer, Command};
use picket_core::ids::{AgentKind, Principal};
use picket_core::ports::{Coordinator as _, PortResult};
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use picket_state_machine::Settings;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Nodes 1 to this one found the group.
pub const FOUNDERS: u64 = 3;
pub const DEADLINE: Duration = Duration::from_secs(40);

pub struct Group {
    dir: tempfile::TempDir,
    pub addresses: BTreeMap<u64, String>,
    pub nodes: BTreeMap<u64, NodeHandle>,
    pub timers: RaftTimers,
    pub clock: Arc<AtomicI64>,
}

pub fn everyone() -> Vec<Principal> {
    vec![
        Principal::Node(1),
        Principal::Node(2),
        Principal::Node(3),
        Principal::Human("test".into()),
        Principal::Agent(AgentKind::Sre),
        Principal::Actuator("east".into()),
        Principal::Actuator("west".into()),
        Principal::Observer("east".into()),
    ]
}

pub fn fast() -> RaftTimers {
    RaftTimers { heartbeat_ms: 100, election_min_ms: 600, election_max_ms: 1200, ..RaftTimers::default() }
}

impl Group {
    pub async fn start() -> Self {
        Self::start_with(fast()).await
    }

    pub async fn start_with(timers: RaftTimers) -> Self {
        let dir = tempfile::tempdir().unwrap();
        pki::init_demo(&dir.path().join("pki"), &everyone(), &[]).unwrap();
        let mut listeners = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for id in 1..=FOUNDERS {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(id, listener.local_addr().unwrap().to_string());
            listeners.insert(id, listener);
        }
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let mut group = Self { dir, addresses, nodes: BTreeMap::new(), timers, clock };
        for (id, listener) in listeners {
            let node = serve_on(listener, group.config(id)).await.unwrap();
            group.nodes.insert(id, node);
        }
        group
    }

    pub fn pki(&self) -> PathBuf {
        self.dir.path().join("pki")
    }

    pub fn data(&self, id: u64) -> PathBuf {
        self.dir.path().join(format!("node-{id}"))
    }

    pub fn config(&self, id: u64) -> NodeConfig {
        let clock = self.clock.clone();
        NodeConfig {
            id,
            listen: self.addresses[&id].clone(),
            // Founders are configured with each other; whoever came later is known by the membership alone.
            peers: self
                .addresses
                .iter()
                .filter(|(peer, _)| **peer == id || id.max(**peer) <= FOUNDERS)
                .map(|(p, a)| (*p, a.clone()))
                .collect(),
            data_dir: self.data(id),
            pki_dir: self.pki(),
            settings: Settings { demonstration: true, ..Settings::default() },
            clock: Arc::new(move || Timestamp(clock.load(Ordering::Relaxed))),
            bootstrap: id == 1,
            timers: self.timers.clone(),
        }
    }

    pub async fn stop(&mut self, id: u64) {
        self.nodes.remove(&id).unwrap().shutdown().await;
    }

    pub async fn restart(&mut self, id: u64) -> Result<(), NodeError> {
        let node = serve(self.config(id)).await?;
        self.nodes.insert(id, node);
        Ok(())
    }

    /// Starts a node that no other knows yet, with a certificate of its own; it founds nothing.
    pub async fn start_new(&mut self, id: u64) {
        pki::issue(&self.pki(), &[Principal::Node(id)], &[]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.addresses.insert(id, listener.local_addr().unwrap().to_string());
        let node = serve_on(listener, self.config(id)).await.unwrap();
        self.nodes.insert(id, node);
    }

    /// The leader that all running nodes agree on.
    pub async fn leader(&self) -> u64 {
        self.leader_of(&self.nodes.keys().copied().collect::<Vec<_>>()).await
    }

    /// The leader that these nodes agree on.
    pub async fn leader_of(&self, nodes: &[u64]) -> u64 {
        eventually("the nodes agree on a leader that runs", || async {
            let mut leaders = Vec::new();
            for id in nodes {
                leaders.push(self.nodes[id].leader().await);
            }
            let first = leaders[0].filter(|l| self.nodes.contains_key(l))?;
            leaders.iter().all(|l| *l == Some(first)).then_some(first)
        })
        .await
    }

    pub fn client(&self, principal: &Principal, nodes: &[u64]) -> CoordinatorClient {
        self.client_with(&self.pki(), principal, nodes, 30_000)
    }

    pub fn client_with(&self, identity: &Path, principal: &Principal, nodes: &[u64], request_timeout_ms: u64) -> CoordinatorClient {
        let read = |dir: &Path, name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
        let stem = principal.file_stem();
        CoordinatorClient::connect(ClientConfig {
            endpoints: nodes.iter().map(|id| self.addresses[id].clone()).collect(),
            ca_pem: read(&self.pki(), "ca.pem"),
            cert_pem: read(identity, &format!("{stem}.pem")),
            key_pem: read(identity, &format!("{stem}.key")),
            request_timeout_ms,
        })
        .unwrap()
    }

    pub fn human(&self, nodes: &[u64]) -> CoordinatorClient {
        self.client(&Principal::Human("test".into()), nodes)
    }
}

/// A caller that speaks HTTP itself.
pub fn raw(pki: &Path, principal: &Principal) -> reqwest::Client {
    let tls = Identity::read(pki, principal).unwrap().client().unwrap();
    reqwest::Client::builder().use_preconfigured_tls(tls).no_proxy().build().unwrap()
}

/// Asks until there is an answer; fails after the deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

pub fn scope(name: &str) -> Scope {
    Scope::External("test".into(), name.into())
}

pub fn acquire(name: &str) -> Command {
    Command::AcquireLease { scopes: vec![scope(name)], ttl_ms: 60_000 }
}

/// Takes the lease and gives its token.
pub async fn lease(client: &CoordinatorClient, request: &str, name: &str) -> PortResult<FencingToken> {
    match client.submit(request.into(), acquire(name)).await? {
        Answer::Leased { tokens, .. } => Ok(tokens[&scope(name)]),
        other => panic!("{request}: {other:?}"),
    }
}

/// Gives the lease back.
pub async fn release(client: &CoordinatorClient, request: &str, name: &str, token: FencingToken) {
    let command = Command::ReleaseLease { scope: scope(name), token };
    assert_eq!(client.submit(request.into(), command).await.unwrap(), Answer::Done);
}
