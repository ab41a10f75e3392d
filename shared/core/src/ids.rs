//! Names and identifiers. Each is a type of its own, so that one is never passed for another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text of it.
            #[must_use]
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl From<&str> for $name { fn from(text: &str) -> Self { Self(text.to_owned()) } }
        impl From<String> for $name { fn from(text: String) -> Self { Self(text) } }
    )*};
}

text_id! {
    /// A cluster, as the sender's credential names it.
    ClusterName,
    /// An incident, `inc-…`.
    IncidentId,
    /// A ledger entry, and so the action that it stands for and its permit: `act-…`.
    EntryId,
    /// A proposal, chosen by the agent; a retry carries the same.
    ProposalId,
    /// The key under which a request to the coordinator is answered once.
    RequestId,
    /// A runbook or post-mortem in the knowledge base.
    DocumentId,
}

/// One service in one cluster. Written `cluster/namespace/name`, also in JSON (so it can be a map's key).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "String", into = "String")]
pub struct ServiceId {
    /// The cluster it runs in.
    pub cluster: ClusterName,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its name (the workload's).
    pub name: String,
}

impl ServiceId {
    /// Names a service.
    #[must_use]
    pub fn new(cluster: impl Into<ClusterName>, namespace: &str, name: &str) -> Self {
        Self { cluster: cluster.into(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.cluster, self.namespace, self.name)
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ServiceId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(cluster), Some(namespace), Some(name)) => Ok(Self::new(cluster, namespace, name)),
            _ => Err(format!("`{text}` is not a service: expected cluster/namespace/name")),
        }
    }
}

/// The agents. Each has its own phase, budget priority and remediation catalogue.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// Repairs what is broken.
    Sre,
    /// Saves what is wasted.
    FinOps,
    /// Contains what is dangerous.
    SecOps,
}

impl AgentKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sre, Self::FinOps, Self::SecOps];

    /// Its name in commands, subjects and certificates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sre => "sre",
            Self::FinOps => "finops",
            Self::SecOps => "secops",
        }
    }
}

impl fmt::Display for AgentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who speaks, taken from the mutual-TLS certificate and never from a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// A reasoning agent: may only propose and refresh.
    Agent(AgentKind),
    /// The observer of one cluster.
    Observer(ClusterName),
    /// The actuator of one cluster.
    Actuator(ClusterName),
    /// A person.
    Human(String),
    /// A coordinator node (Raft traffic, timer ticks).
    Node(u64),
    /// The dashboard's server: may read; acts only in the name of a signed-in person.
    Dashboard,
    /// The gateway: may read the clock.
    Gateway,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(kind) => write!(f, "agent:{kind}"),
            Self::Observer(cluster) => write!(f, "observer:{cluster}"),
            Self::Actuator(cluster) => write!(f, "actuator:{cluster}"),
            Self::Human(name) => write!(f, "human:{name}"),
            Self::Node(id) => write!(f, "node:{id}"),
            Self::Dashboard => f.write_str("dashboard"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

impl Principal {
    /// The name of its certificate's and key's files, without extension: `agent-sre`. Different principals have different names.
    #[must_use]
    pub fn file_stem(&self) -> String {
        let name = self.to_string();
        let mut stem = String::with_capacity(name.len());
        for byte in name.replacen(':', "-", 1).bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => stem.push(char::from(byte)),
                _ => stem.push_str(&format!("_{byte:02x}")),
            }
        }
        stem
    }
}

impl std::str::FromStr for Principal {
    type Err = String;

    /// Reads what `Display` writes: the common name of a picket certificate.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            format!("`{text}` names no principal (agent:sre, observer:CLUSTER, actuator:CLUSTER, human:NAME, node:N, dashboard, gateway)")
        };
        match text.split_once(':') {
            Some(("agent", kind)) => AgentKind::ALL.into_iter().find(|k| k.as_str() == kind).map(Self::Agent).ok_or_else(unknown),
            Some(("observer", cluster)) if !cluster.is_empty() => Ok(Self::Observer(cluster.into())),
            Some(("actuator", cluster)) if !cluster.is_empty() => Ok(Self::Actuator(cluster.into())),
            Some(("human", name)) if !name.is_empty() => Ok(Self::Human(name.to_owned())),
            Some(("node", id)) => id.parse().map(Self::Node).map_err(|_| unknown()),
            None if text == "dashboard" => Ok(Self::Dashboard),
            None if text == "gateway" => Ok(Self::Gateway),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_reads_back_from_its_name() {
        for principal in [
            Principal::Agent(AgentKind::FinOps),
            Principal::Observer("a".into()),
            Principal::Actuator("b".into()),
            Principal::Human("kim".into()),
            Principal::Node(3),
            Principal::Dashboard,
            Principal::Gateway,
        ] {
            assert_eq!(principal.to_string().parse(), Ok(principal));
        }
        assert!("agent:root".parse::<Principal>().is_err());
        assert!("human:".parse::<Principal>().is_err());
    }

    #[test]
    fn a_principals_file_name_is_safe_and_its_own() {
        assert_eq!(Principal::Agent(AgentKind::Sre).file_stem(), "agent-sre");
        assert_eq!(Principal::Human("../a".into()).file_stem(), "human-.._2fa");
        assert_ne!(Principal::Human("a/b".into()).file_stem(), Principal::Human("a_2fb".into()).file_stem());
    }

    #[test]
    fn a_service_is_a_json_map_key() {
        let id = ServiceId::new("east", "shop", "cart");
        let map = std::collections::BTreeMap::from([(id.clone(), 1)]);
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(text, r#"{"east/shop/cart":1}"#);
        assert_eq!(serde_json::from_str::<std::collections::BTreeMap<ServiceId, i32>>(&text).unwrap(), map);
    }
}
