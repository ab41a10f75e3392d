//! What a lease covers.

use crate::ids::{ClusterName, ServiceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The unit of exclusion. Several are taken in one sorted command. Written as text in JSON, so it can be a map's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// One namespace of one cluster: `ns:CLUSTER/NAMESPACE`.
    Namespace(ClusterName, String),
    /// A whole cluster (nodes): `cluster:CLUSTER`.
    Cluster(ClusterName),
    /// Something outside (a repository, an account): `ext:SYSTEM/ID`.
    External(String, String),
}

impl Scope {
    /// The scope that an act on this service needs.
    #[must_use]
    pub fn of(service: &ServiceId) -> Self {
        Self::Namespace(service.cluster.clone(), service.namespace.clone())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(cluster, namespace) => write!(f, "ns:{cluster}/{namespace}"),
            Self::Cluster(cluster) => write!(f, "cluster:{cluster}"),
            Self::External(system, id) => write!(f, "ext:{system}/{id}"),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bad = || format!("`{text}` is not a scope: expected ns:CLUSTER/NAMESPACE, cluster:CLUSTER or ext:SYSTEM/ID");
        let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
        match (kind, rest.split_once('/')) {
            ("ns", Some((cluster, namespace))) => Ok(Self::Namespace(cluster.into(), namespace.to_owned())),
            ("ext", Some((system, id))) => Ok(Self::External(system.to_owned(), id.to_owned())),
            ("cluster", None) => Ok(Self::Cluster(rest.into())),
            _ => Err(bad()),
        }
    }
}

/// A fencing token: `restore_epoch << 40 | counter`. Of one scope they only rise (I2).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// Bits that count within one restore epoch.
    pub const COUNTER_BITS: u32 = 40;

    /// Puts one together.
    #[must_use]
    pub const fn new(restore_epoch: u64, counter: u64) -> Self {
        Self(restore_epoch << Self::COUNTER_BITS | counter)
    }

    /// The life that it was issued in.
    #[must_use]
    pub const fn restore_epoch(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
