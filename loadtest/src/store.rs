//! The objects of one simulated cluster, as its API server would keep them: real Kubernetes JSON under optimistic concurrency,
//! with one version counter and a bounded log of changes for watches.

use crate::rfc3339;
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::watch;

/// Changes kept for watches; older ones answer [`StoreError::Gone`] (HTTP 410: list again).
pub const EVENTS_MAX: usize = 4096;

/// What names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// `v1`, `apps/v1`, `networking.k8s.io/v1`.
    pub api_version: String,
    /// `Deployment`, `Pod`, …
    pub kind: String,
    /// Empty for objects without one.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    /// Names an object.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key that an object states itself; `None` when apiVersion, kind or name is missing.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let name = object["metadata"]["name"].as_str().filter(|name| !name.is_empty())?;
        Some(Self::new(
            object["apiVersion"].as_str()?,
            object["kind"].as_str()?,
            object["metadata"]["namespace"].as_str().unwrap_or(""),
            name,
        ))
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What happened to an object; the words of a watch.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ChangeType {
    /// `ADDED`
    Added,
    /// `MODIFIED`
    Modified,
    /// `DELETED`
    Deleted,
}

impl ChangeType {
    /// As a watch writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub struct StoreEvent {
    /// The version that it made.
    pub resource_version: u64,
    /// What happened.
    pub change: ChangeType,
    /// To what.
    pub key: ObjectKey,
    /// The object after it (for a deletion: the last state, with the deletion's version).
    pub object: Arc<Value>,
}

/// Why a write or a watch is refused. The API server turns each into the status that Kubernetes uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// 404
    #[error("{0} not found")]
    NotFound(ObjectKey),
    /// 409, reason AlreadyExists
    #[error("{0} already exists")]
    AlreadyExists(ObjectKey),
    /// 409, reason Conflict
    #[error(
        "{key} has been modified: resourceVersion is {is}, the request says {said}; read it again and apply the change to the latest version"
    )]
    Conflict {
        /// Of what.
        key: ObjectKey,
        /// The present version.
        is: String,
        /// The version in the request.
        said: String,
    },
    /// 422
    #[error("the object is invalid: {0}")]
    Invalid(String),
    /// 410
    #[error("resourceVersion {asked} is too old, the oldest change kept is {oldest}; list again")]
    Gone {
        /// Asked for.
        asked: u64,
        /// Oldest kept.
        oldest: u64,
    },
}

/// The objects and their changes.
#[derive(Debug)]
pub struct ObjectStore {
    revision: u64,
    uid_salt: u64,
    uids: u64,
    now: Timestamp,
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    events: VecDeque<StoreEvent>,
    changed: watch::Sender<u64>,
}

impl ObjectStore {
    /// An empty store. `uid_salt` makes the uids of one cluster differ from another's.
    #[must_use]
    pub fn new(uid_salt: u64, now: Timestamp) -> Self {
        Self { revision: 1, uid_salt, uids: 0, now, objects: BTreeMap::new(), events: VecDeque::new(), changed: watch::channel(1).0 }
    }

    /// The cluster-wide version: that of the last change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The store's time (event time), which stamps creations.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves the store's time; the simulator does, once a step.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Wakes a watcher after every change; the value is the newest version.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// One object.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// The objects of a kind, of one namespace or of all, by namespace and name.
    #[must_use]
    pub fn list(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let from = ObjectKey::new(api_version, kind, namespace.unwrap_or(""), "");
        self.objects
            .range(from..)
            .take_while(|(key, _)| key.api_version == api_version && key.kind == kind && namespace.is_none_or(|n| key.namespace == n))
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// What [`Self::create`] would store (for a dry run): defaults filled in, nothing kept.
    pub fn check_create(&self, mut object: Value) -> Result<Value, StoreError> {
        let key = ObjectKey::of(&object).ok_or_else(|| StoreError::Invalid("apiVersion, kind and metadata.name are needed".into()))?;
        if self.objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists(key));
        }
        let uid = self.uid();
        let metadata = metadata_of(&mut object)?;
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), json!(rfc3339::format(self.now)));
        metadata.insert("generation".into(), json!(1));
        metadata.insert("resourceVersion".into(), json!(self.revision.to_string()));
        Ok(object)
    }

    /// Adds an object.
    pub fn create(&mut self, object: Value) -> Result<Arc<Value>, StoreError> {
        let object = self.check_create(object)?;
        self.uids += 1;
        Ok(self.commit(ChangeType::Added, object))
    }

    /// What [`Self::replace`] would store (for a dry run). A `metadata.resourceVersion` in the object is its precondition;
    /// uid, creation and generation are the store's own.
    pub fn check_replace(&self, mut object: Value) -> Result<Value, StoreError> {
        let key = ObjectKey::of(&object).ok_or_else(|| StoreError::Invalid("apiVersion, kind and metadata.name are needed".into()))?;
        let present = self.objects.get(&key).ok_or_else(|| StoreError::NotFound(key.clone()))?;
        let is = present["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if let Some(said) = object["metadata"]["resourceVersion"].as_str().filter(|said| !said.is_empty() && *said != is) {
            return Err(StoreError::Conflict { key, is: is.to_owned(), said: said.to_owned() });
        }
        let uid = &present["metadata"]["uid"];
        if object["metadata"]["uid"].as_str().is_some_and(|said| Some(said) != uid.as_str()) {
            return Err(StoreError::Conflict { key, is: is.to_owned(), said: "another uid".into() });
        }
        let generation = present["metadata"]["generation"].as_i64().unwrap_or(1) + i64::from(present["spec"] != object["spec"]);
        let created = present["metadata"]["creationTimestamp"].clone();
        let (uid, is) = (uid.clone(), is.to_owned());
        let metadata = metadata_of(&mut object)?;
        metadata.insert("uid".into(), uid);
        metadata.insert("creationTimestamp".into(), created);
        metadata.insert("generation".into(), json!(generation));
        metadata.insert("resourceVersion".into(), json!(is));
        Ok(object)
    }

    /// Puts a full object in place of the present one. A write that changes nothing makes no version, as in Kubernetes.
    pub fn replace(&mut self, object: Value) -> Result<Arc<Value>, StoreError> {
        let object = self.check_replace(object)?;
        if let Some(present) = ObjectKey::of(&object).and_then(|key| self.objects.get(&key)).filter(|present| ***present == object) {
            return Ok(present.clone());
        }
        Ok(self.commit(ChangeType::Modified, object))
    }

    /// Changes the present object in place (controllers, which read and write within one step). `None` when there is none.
    pub fn update(&mut self, key: &ObjectKey, change: impl FnOnce(&mut Value)) -> Option<Arc<Value>> {
        let mut object = (**self.objects.get(key)?).clone();
        change(&mut object);
        self.replace(object).ok()
    }

    /// Removes an object; `resource_version` is the precondition when given.
    pub fn delete(&mut self, key: &ObjectKey, resource_version: Option<&str>) -> Result<Arc<Value>, StoreError> {
        let present = self.objects.get(key).ok_or_else(|| StoreError::NotFound(key.clone()))?;
        let is = present["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if let Some(said) = resource_version.filter(|said| *said != is) {
            return Err(StoreError::Conflict { key: key.clone(), is: is.to_owned(), said: said.to_owned() });
        }
        let object = (**present).clone();
        Ok(self.commit(ChangeType::Deleted, object))
    }

    /// The changes after a version, in order. [`StoreError::Gone`] when some of them are no longer kept.
    pub fn events_after(&self, resource_version: u64) -> Result<Vec<StoreEvent>, StoreError> {
        let oldest = self.events.front().map_or(self.revision + 1, |event| event.resource_version);
        if resource_version + 1 < oldest {
            return Err(StoreError::Gone { asked: resource_version, oldest });
        }
        let from = self.events.partition_point(|event| event.resource_version <= resource_version);
        Ok(self.events.iter().skip(from).cloned().collect())
    }

    fn uid(&self) -> String {
        let a = mix(self.uid_salt ^ self.uids);
        let b = mix(a ^ 0x5bd1_e995);
        format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff, b >> 52, b & 0xffff_ffff_ffff)
    }

    fn commit(&mut self, change: ChangeType, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Arc::new(object);
        // Both callers have read the key from this very object.
        if let Some(key) = ObjectKey::of(&object) {
            if change == ChangeType::Deleted {
                self.objects.remove(&key);
            } else {
                self.objects.insert(key.clone(), object.clone());
            }
            if self.events.len() == EVENTS_MAX {
                self.events.pop_front();
            }
            self.events.push_back(StoreEvent { resource_version: self.revision, change, key, object: object.clone() });
        }
        self.changed.send_replace(self.revision);
        object
    }
}

fn metadata_of(object: &mut Value) -> Result<&mut serde_json::Map<String, Value>, StoreError> {
    object.get_mut("metadata").and_then(Value::as_object_mut).ok_or_else(|| StoreError::Invalid("metadata is not an object".into()))
}

/// A well-mixed 64-bit number (finaliser of `SplitMix64`): stable over versions of the standard library, unlike its hasher.
#[must_use]
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A stable hash of some text (FNV-1a, then mixed).
#[must_use]
pub(crate) fn hash_text(text: &str) -> u64 {
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, size: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "shop"}, "spec": {"size": size}})
    }

    #[test]
    fn a_stale_version_is_a_conflict_and_a_status_change_keeps_the_generation() {
        let mut store = ObjectStore::new(1, Timestamp(0));
        let first = store.create(claim("a", "1Gi")).unwrap();
        let mut larger = (*first).clone();
        larger["spec"]["size"] = json!("2Gi");
        let second = store.replace(larger.clone()).unwrap();
        assert_eq!(second["metadata"]["generation"], 2);
        assert!(matches!(store.replace(larger), Err(StoreError::Conflict { .. })));
        let key = ObjectKey::of(&second).unwrap();
        let third = store.update(&key, |o| o["status"] = json!({"phase": "Bound"})).unwrap();
        assert_eq!(third["metadata"]["generation"], 2);
        assert_ne!(third["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
        let revision = store.revision();
        store.update(&key, |_| {});
        assert_eq!(store.revision(), revision, "a write without a change makes no version");
        assert!(matches!(store.create(claim("a", "1Gi")), Err(StoreError::AlreadyExists(_))));
        assert!(matches!(store.delete(&key, Some("1")), Err(StoreError::Conflict { .. })));
        store.delete(&key, None).unwrap();
        assert_eq!(store.delete(&key, None), Err(StoreError::NotFound(key)));
    }

    #[test]
    fn watches_see_every_change_in_order_or_are_told_to_list_again() {
        let mut store = ObjectStore::new(1, Timestamp(0));
        let start = store.revision();
        store.create(claim("a", "1Gi")).unwrap();
        let key = ObjectKey::new("v1", "PersistentVolumeClaim", "shop", "a");
        store.update(&key, |o| o["spec"]["size"] = json!("2Gi"));
        store.delete(&key, None).unwrap();
        let seen: Vec<_> = store.events_after(start).unwrap().iter().map(|e| e.change.as_str()).collect();
        assert_eq!(seen, ["ADDED", "MODIFIED", "DELETED"]);
        assert!(store.events_after(store.revision()).unwrap().is_empty());
        for i in 0..EVENTS_MAX {
            store.create(claim(&format!("b{i}"), "1Gi")).unwrap();
        }
        assert!(matches!(store.events_after(start), Err(StoreError::Gone { .. })));
    }

    #[test]
    fn lists_are_of_one_kind_and_namespace() {
        let mut store = ObjectStore::new(1, Timestamp(0));
        store.create(claim("a", "1Gi")).unwrap();
        let mut other = claim("b", "1Gi");
        other["metadata"]["namespace"] = json!("media");
        store.create(other).unwrap();
        assert_eq!(store.list("v1", "PersistentVolumeClaim", None).len(), 2);
        assert_eq!(store.list("v1", "PersistentVolumeClaim", Some("shop")).len(), 1);
        assert_eq!(store.list("v1", "Pod", None).len(), 0);
    }
}
