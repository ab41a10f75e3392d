//! The few messages of etcd's v3 API that a lock needs, declared by hand from its `rpc.proto` and `kv.proto`: no `protoc` is needed to build
//! picket (docs/decisions/0004).

/// `etcdserverpb.LeaseGrantRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseGrantRequest {
    /// Seconds.
    #[prost(int64, tag = "1")]
    pub ttl: i64,
    /// 0 lets etcd choose.
    #[prost(int64, tag = "2")]
    pub id: i64,
}

/// `etcdserverpb.LeaseGrantResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseGrantResponse {
    /// The lease.
    #[prost(int64, tag = "2")]
    pub id: i64,
}

/// `etcdserverpb.LeaseRevokeRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct LeaseRevokeRequest {
    /// The lease; its keys go with it.
    #[prost(int64, tag = "1")]
    pub id: i64,
}

/// Any answer of which nothing is read.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Done {}

/// `etcdserverpb.PutRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PutRequest {
    /// Name.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// Content.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    /// It lives as long as this lease.
    #[prost(int64, tag = "3")]
    pub lease: i64,
}

/// `etcdserverpb.DeleteRangeRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteRangeRequest {
    /// Name.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
}

/// `etcdserverpb.DeleteRangeResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeleteRangeResponse {
    /// Keys that were there.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
}

/// `etcdserverpb.Compare`, as far as "created at revision 0, which is: not there" needs it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Compare {
    /// `EQUAL` is 0.
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// `CREATE` is 1.
    #[prost(int32, tag = "2")]
    pub target: i32,
    /// Name.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// What to compare with; it must be on the wire, also when it is 0, because it is one of several.
    #[prost(oneof = "CompareWith", tags = "5")]
    pub with: Option<CompareWith>,
}

/// The union in `Compare`.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum CompareWith {
    /// Revision at which the key was made.
    #[prost(int64, tag = "5")]
    CreateRevision(i64),
}

/// `etcdserverpb.RequestOp`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestOp {
    /// Which.
    #[prost(oneof = "Operation", tags = "2")]
    pub operation: Option<Operation>,
}

/// The union in `RequestOp`.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Operation {
    /// Writes.
    #[prost(message, tag = "2")]
    Put(PutRequest),
}

/// `etcdserverpb.TxnRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TxnRequest {
    /// All must hold.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// Then this is done.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
}

/// `etcdserverpb.TxnResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TxnResponse {
    /// Whether all held.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
}

/// `etcdserverpb.ResponseHeader`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResponseHeader {
    /// Who answered.
    #[prost(uint64, tag = "2")]
    pub member_id: u64,
}

/// `etcdserverpb.StatusRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StatusRequest {}

/// `etcdserverpb.StatusResponse`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StatusResponse {
    /// Who answered.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Whom it takes for the leader.
    #[prost(uint64, tag = "4")]
    pub leader: u64,
}
