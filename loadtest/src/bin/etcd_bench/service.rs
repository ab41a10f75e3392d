//! A lock on etcd as its own clients take it: a key that is made when it is not there, under a lease.

use crate::messages::{
    Compare, CompareWith, DeleteRangeRequest, DeleteRangeResponse, Done, LeaseGrantRequest, LeaseGrantResponse, LeaseRevokeRequest,
    Operation, PutRequest, RequestOp, StatusRequest, StatusResponse, TxnRequest, TxnResponse,
};
use picket_loadtest::bench::LeaseService;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::Request;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

/// Leases of the load, in seconds: as long as those that picket's load takes.
const LEASE_TTL_S: i64 = 60;
/// `Compare.target`: the revision at which the key was made.
const CREATE: i32 = 1;

/// How a lock lives.
#[derive(Copy, Clone, Debug)]
pub enum Lease {
    /// Under a lease that was granted before.
    Standing(i64),
    /// Under one of its own: granted with every acquire, revoked with its release.
    Fresh,
}

/// Connections to one member each, shared by the clients of a load.
#[derive(Clone)]
pub struct Members {
    channels: Arc<[Channel]>,
    /// The one that is asked: the leader, as long as it answers.
    preferred: Arc<AtomicUsize>,
    attempt: Duration,
}

impl Members {
    /// Connects when it is first asked.
    ///
    /// # Errors
    /// When an endpoint is no `host:port`.
    pub fn new(endpoints: &[String], attempt: Duration) -> Result<Self, String> {
        let channel = |at: &String| {
            let endpoint = Endpoint::from_shared(format!("http://{at}")).map_err(|e| format!("{at}: {e}"))?;
            Ok::<_, String>(endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(1)).connect_lazy())
        };
        let channels = endpoints.iter().map(channel).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { channels: channels.into(), preferred: Arc::default(), attempt })
    }

    async fn call<Q, A>(&self, member: usize, path: &'static str, body: Q) -> Result<A, String>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut client = Grpc::new(self.channels[member].clone());
        let call = async {
            client.ready().await.map_err(|e| format!("{path}: {e}"))?;
            let codec = tonic_prost::ProstCodec::<Q, A>::default();
            client.unary(Request::new(body), PathAndQuery::from_static(path), codec).await.map_err(|e| format!("{path}: {e}"))
        };
        match tokio::time::timeout(self.attempt, call).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(format!("{path}: no answer within {:?}", self.attempt)),
        }
    }

    /// Asks the preferred member; when it fails, the next one is preferred.
    async fn ask<Q, A>(&self, path: &'static str, body: Q) -> Result<A, String>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let member = self.preferred.load(Ordering::Relaxed);
        let answer = self.call(member, path, body).await;
        if answer.is_err() {
            let next = (member + 1) % self.channels.len();
            // Whoever fails at the same time moves on once, together.
            _ = self.preferred.compare_exchange(member, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        answer
    }

    /// Finds the leader, and asks it from now on.
    ///
    /// # Errors
    /// When no member leads.
    pub async fn find_leader(&self) -> Result<usize, String> {
        let mut last = String::new();
        for member in 0..self.channels.len() {
            match self.call::<_, StatusResponse>(member, "/etcdserverpb.Maintenance/Status", StatusRequest {}).await {
                Ok(status) if status.leader != 0 && status.header.as_ref().is_some_and(|h| h.member_id == status.leader) => {
                    self.preferred.store(member, Ordering::Relaxed);
                    return Ok(member);
                }
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(format!("no member says that it leads {last}"))
    }

    /// A lease that outlives the load.
    ///
    /// # Errors
    /// etcd's.
    pub async fn standing_lease(&self) -> Result<i64, String> {
        self.grant(3600).await
    }

    async fn grant(&self, ttl_s: i64) -> Result<i64, String> {
        let granted: LeaseGrantResponse = self.ask("/etcdserverpb.Lease/LeaseGrant", LeaseGrantRequest { ttl: ttl_s, id: 0 }).await?;
        Ok(granted.id)
    }
}

/// One client's lock.
pub struct EtcdLock {
    /// The way to etcd.
    pub members: Members,
    /// How it lives.
    pub lease: Lease,
}

impl LeaseService for EtcdLock {
    /// The lease to revoke; none when it stands.
    type Held = Option<i64>;

    async fn acquire(&self, name: &str) -> Result<Option<i64>, String> {
        let (lease, own) = match self.lease {
            Lease::Standing(id) => (id, None),
            Lease::Fresh => {
                let id = self.members.grant(LEASE_TTL_S).await?;
                (id, Some(id))
            }
        };
        let key = name.as_bytes().to_vec();
        let is_new = Compare { result: 0, target: CREATE, key: key.clone(), with: Some(CompareWith::CreateRevision(0)) };
        let put = PutRequest { key, value: b"bench".to_vec(), lease };
        let txn = TxnRequest { compare: vec![is_new], success: vec![RequestOp { operation: Some(Operation::Put(put)) }] };
        let done: TxnResponse = self.members.ask("/etcdserverpb.KV/Txn", txn).await?;
        if done.succeeded { Ok(own) } else { Err(format!("{name} is held already")) }
    }

    async fn release(&self, name: &str, own: Option<i64>) -> Result<(), String> {
        if let Some(id) = own {
            return self.members.ask("/etcdserverpb.Lease/LeaseRevoke", LeaseRevokeRequest { id }).await.map(|_: Done| ());
        }
        let gone: DeleteRangeResponse =
            self.members.ask("/etcdserverpb.KV/DeleteRange", DeleteRangeRequest { key: name.as_bytes().to_vec() }).await?;
        if gone.deleted == 1 { Ok(()) } else { Err(format!("{name} was not held any more")) }
    }
}
