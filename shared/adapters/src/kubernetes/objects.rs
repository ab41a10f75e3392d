//! The few things that picket asks of an object store with versions.

use picket_core::outcome::ObjectRef;
use picket_core::ports::PortResult;
use serde_json::Value;
use std::future::Future;

/// A kind of object that picket reads or writes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `apps/v1`.
    Deployment,
    /// `apps/v1`.
    ReplicaSet,
    /// `v1`.
    Pod,
    /// `v1`.
    PersistentVolumeClaim,
    /// `v1`.
    Secret,
    /// `networking.k8s.io/v1`.
    NetworkPolicy,
    /// `policy/v1`. Read only.
    PodDisruptionBudget,
    /// `autoscaling/v2`.
    HorizontalPodAutoscaler,
    /// `v1`. Read only.
    ResourceQuota,
    /// `v1`; in no namespace itself. Picket writes nothing to it but its fence.
    Namespace,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Deployment,
        Self::ReplicaSet,
        Self::Pod,
        Self::PersistentVolumeClaim,
        Self::Secret,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::ResourceQuota,
        Self::Namespace,
    ];

    /// The kind that an [`ObjectRef`] names.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name in objects.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Secret => "Secret",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
            Self::ResourceQuota => "ResourceQuota",
            Self::Namespace => "Namespace",
        }
    }

    /// Its name in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::ReplicaSet => "replicasets",
            Self::Pod => "pods",
            Self::PersistentVolumeClaim => "persistentvolumeclaims",
            Self::Secret => "secrets",
            Self::NetworkPolicy => "networkpolicies",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::HorizontalPodAutoscaler => "horizontalpodautoscalers",
            Self::ResourceQuota => "resourcequotas",
            Self::Namespace => "namespaces",
        }
    }

    /// Its API group; empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Deployment | Self::ReplicaSet => "apps",
            Self::NetworkPolicy => "networking.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::HorizontalPodAutoscaler => "autoscaling",
            Self::Pod | Self::PersistentVolumeClaim | Self::Secret | Self::ResourceQuota | Self::Namespace => "",
        }
    }

    /// `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(self) -> String {
        let version = self.version();
        if self.group().is_empty() { version.to_owned() } else { format!("{}/{version}", self.group()) }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::HorizontalPodAutoscaler => "v2",
            _ => "v1",
        }
    }

    /// Path of its collection, in one namespace or in all.
    #[must_use]
    pub fn path(self, namespace: Option<&str>) -> String {
        let root = if self.group().is_empty() { "/api" } else { "/apis" };
        let root = format!("{root}/{}", self.api_version());
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural()),
            None => format!("{root}/{}", self.plural()),
        }
    }

    /// Names one namespace.
    #[must_use]
    pub fn namespace(name: &str) -> ObjectRef {
        Self::Namespace.named("", name)
    }

    /// Names one object.
    #[must_use]
    pub fn named(self, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef { kind: self.as_str().to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// Whether a write is only tried out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The server checks everything and stores nothing.
    DryRun,
    /// It counts.
    Commit,
}

/// Objects with versions: reads see the newest, writes are conditioned on a version.
pub trait Objects: Send + Sync {
    /// Reads one object, as of now (never from a cache). `NotFound` when it does not exist.
    fn get(&self, at: &ObjectRef) -> impl Future<Output = PortResult<Value>> + Send;
    /// All objects of a kind in a namespace, or everywhere.
    fn list(&self, kind: Kind, namespace: Option<&str>) -> impl Future<Output = PortResult<Vec<Value>>> + Send;
    /// One JSON merge patch. `Conflict` when the version in its `metadata.resourceVersion` is not the newest. MUST NOT be repeated below.
    fn patch(&self, at: &ObjectRef, patch: &Value, mode: Mode) -> impl Future<Output = PortResult<Value>> + Send;
    /// Creates it. `Conflict` when one of that name exists. MUST NOT be repeated below.
    fn create(&self, at: &ObjectRef, object: &Value, mode: Mode) -> impl Future<Output = PortResult<Value>> + Send;
    /// Whether the credentials allow this verb there.
    fn may(&self, verb: &str, at: &ObjectRef) -> impl Future<Output = PortResult<bool>> + Send;
}
