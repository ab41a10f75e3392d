//! The two kinds of resources: how each is read, and what a write of it holds.

use super::stamp;
use crate::error::words;
use crate::settings::CloudTarget;
use crate::snapshot::Snapshot;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// States in which a resource is at rest.
const AT_REST: [&str; 3] = ["Succeeded", "Failed", "Canceled"];
/// Of an agent pool: what the service itself fills in, or what a write of a size must not touch.
const NOT_WRITTEN: [&str; 6] = ["provisioningState", "eTag", "currentOrchestratorVersion", "nodeImageVersion", "powerState", "status"];

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    AksPool { path: String },
    Vmss { path: String },
}

/// What was read: [`picket_core::ports::Before::content`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub snapshot: Snapshot,
    /// The ETag: every write is conditioned on it.
    pub version: String,
    /// All tags, which a write replaces as a whole.
    pub tags: Map<String, Value>,
    /// What else a write has to hold: an agent pool's properties, a scale set's SKU.
    pub rest: Map<String, Value>,
    /// The last operation on it has failed.
    pub failed: bool,
}

impl Resource {
    /// `None` for a target of another cloud. Names were checked when the settings were: none has a character that an address would read.
    pub(super) fn of(target: &CloudTarget) -> Option<Self> {
        let group = |subscription: &str, group: &str| format!("/subscriptions/{subscription}/resourceGroups/{group}/providers");
        match target {
            CloudTarget::AksPool { subscription, resource_group, cluster, pool } => {
                let path = format!("Microsoft.ContainerService/managedClusters/{cluster}/agentPools/{pool}");
                Some(Self::AksPool { path: format!("{}/{path}", group(subscription, resource_group)) })
            }
            CloudTarget::Vmss { subscription, resource_group, name } => {
                let path = format!("Microsoft.Compute/virtualMachineScaleSets/{name}");
                Some(Self::Vmss { path: format!("{}/{path}", group(subscription, resource_group)) })
            }
            CloudTarget::Ecs { .. } | CloudTarget::Asg { .. } => None,
        }
    }

    /// Below the resource manager's address.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::AksPool { path } | Self::Vmss { path } => path,
        }
    }

    /// The version of the API whose documents describe `If-Match` and the ETag.
    pub(super) const fn api_version(&self) -> &'static str {
        match self {
            Self::AksPool { .. } => "2025-05-01",
            Self::Vmss { .. } => "2024-07-01",
        }
    }

    /// The permission to write it.
    pub(super) const fn write_action(&self) -> &'static str {
        match self {
            Self::AksPool { .. } => "Microsoft.ContainerService/managedClusters/agentPools/write",
            Self::Vmss { .. } => "Microsoft.Compute/virtualMachineScaleSets/write",
        }
    }

    /// # Errors
    /// In words, when something that an act depends on is not there.
    pub(super) fn read(&self, body: &Value) -> Result<Reading, String> {
        match self {
            Self::AksPool { .. } => agent_pool(body),
            Self::Vmss { .. } => scale_set(body),
        }
    }

    /// Method and body of a write that sets tags, and the size where there is one; all else stays as it was read.
    pub(super) fn write(&self, reading: &Reading, size: Option<u32>, tags: &Map<String, Value>) -> (Method, Value) {
        let mut rest = reading.rest.clone();
        match self {
            Self::AksPool { .. } => {
                rest.insert("tags".to_owned(), json!(tags));
                if let Some(size) = size {
                    rest.insert("count".to_owned(), json!(size));
                }
                (Method::PUT, json!({ "properties": rest }))
            }
            // A scale set is patched: what is not named stays. A fence names tags only.
            Self::Vmss { .. } => match size {
                Some(size) => {
                    rest.insert("capacity".to_owned(), json!(size));
                    (Method::PATCH, json!({"sku": rest, "tags": tags}))
                }
                None => (Method::PATCH, json!({ "tags": tags })),
            },
        }
    }
}

fn agent_pool(body: &Value) -> Result<Reading, String> {
    let properties = body["properties"].as_object().ok_or("it has no properties")?;
    let text = |name: &str| properties.get(name).and_then(Value::as_str).unwrap_or_default();
    let tags = properties.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
    let autoscaled = properties.get("enableAutoScaling").and_then(Value::as_bool).unwrap_or(false);
    let stopped = properties.get("powerState").is_some_and(|power| power["code"] == "Stopped");
    let (size_is_held, hands_off) = if autoscaled {
        (Some("the cluster's autoscaler sets its size; set its bounds instead"), None)
    } else if text("type") == "VirtualMachines" {
        (Some("its size is set per kind of machine"), None)
    } else {
        (None, stopped.then_some("it is stopped"))
    };
    let mut rest = properties.clone();
    rest.retain(|name, _| !NOT_WRITTEN.contains(&name.as_str()));
    rest.remove("tags");
    let version = properties.get("eTag").and_then(Value::as_str).ok_or("it has no eTag")?;
    let size = properties.get("count").and_then(Value::as_u64);
    reading(body, Parts { version, size, state: text("provisioningState"), tags, rest, size_is_held, hands_off })
}

fn scale_set(body: &Value) -> Result<Reading, String> {
    let tags = body["tags"].as_object().cloned().unwrap_or_default();
    let rest = body["sku"].as_object().cloned().ok_or("it has no sku")?;
    let version = body["etag"].as_str().ok_or("it has no etag")?;
    let size = rest.get("capacity").and_then(Value::as_u64);
    let of_aks = tags.keys().any(|name| name.to_ascii_lowercase().starts_with("aks-managed"));
    let hands_off = of_aks.then_some("it belongs to an AKS cluster: its agent pool is the target to name");
    let state = body.pointer("/properties/provisioningState").and_then(Value::as_str).unwrap_or_default();
    reading(body, Parts { version, size, state, tags, rest, size_is_held: None, hands_off })
}

struct Parts<'a> {
    version: &'a str,
    size: Option<u64>,
    state: &'a str,
    tags: Map<String, Value>,
    rest: Map<String, Value>,
    size_is_held: Option<&'static str>,
    hands_off: Option<&'static str>,
}

fn reading(body: &Value, parts: Parts<'_>) -> Result<Reading, String> {
    let Parts { version, size, state, tags, rest, size_is_held, hands_off } = parts;
    let at_rest = AT_REST.contains(&state);
    let managed = stamp::read(&tags, stamp::MANAGED) != Some("false");
    let snapshot = Snapshot {
        id: body["id"].as_str().unwrap_or_default().to_owned(),
        size: size.and_then(|size| u32::try_from(size).ok()).ok_or("it does not say how many instances it has")?,
        running: None,
        size_min: None,
        size_max: None,
        rollout: None,
        template: None,
        size_is_held: size_is_held.map(str::to_owned),
        restart_is_held: None,
        hands_off: if managed { hands_off.map(str::to_owned) } else { Some(format!("it is tagged {}=false", stamp::MANAGED)) },
        busy: (!at_rest).then(|| format!("an operation is in progress ({})", words(state))),
        action_id: stamp::read(&tags, stamp::ACTION_ID).map(str::to_owned),
        token: stamp::token(&tags),
    };
    Ok(Reading { snapshot, version: version.to_owned(), tags, rest, failed: at_rest && state != "Succeeded" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Value {
        json!({"id": "/x", "properties": {"count": 3, "eTag": "e1", "provisioningState": "Succeeded", "vmSize": "Standard_D4s_v5", "mode": "User",
            "type": "VirtualMachineScaleSets", "powerState": {"code": "Running"}, "nodeImageVersion": "AKS-1", "tags": {"owner": "shop"}}})
    }

    #[test]
    fn a_pools_write_holds_all_that_was_read_and_nothing_that_is_not_its_own() {
        let pool_at = Resource::AksPool { path: "/p".into() };
        let reading = pool_at.read(&pool()).unwrap();
        assert_eq!((reading.snapshot.size, reading.version.as_str(), reading.failed), (3, "e1", false));
        let tags = stamp::with_act(&reading.tags, &"act-1".into(), picket_core::scope::FencingToken(7));
        let (method, body) = pool_at.write(&reading, Some(5), &tags);
        assert_eq!(method, Method::PUT);
        assert_eq!(
            body,
            json!({"properties": {"count": 5, "vmSize": "Standard_D4s_v5", "mode": "User", "type": "VirtualMachineScaleSets",
                "tags": {"owner": "shop", "picket.dev.action-id": "act-1", "picket.dev.fencing-token": "7"}}})
        );
    }

    #[test]
    fn what_others_hold_is_seen() {
        let with = |pointer: &str, value: Value| {
            let mut pool = pool();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            pool.pointer_mut(parent).unwrap()[name] = value;
            agent_pool(&pool).unwrap()
        };
        assert!(with("/properties/enableAutoScaling", json!(true)).snapshot.size_is_held.is_some());
        assert!(with("/properties/powerState", json!({"code": "Stopped"})).snapshot.hands_off.is_some());
        assert!(with("/properties/tags", json!({"Picket.dev.Managed": "false"})).snapshot.hands_off.is_some());
        assert!(with("/properties/provisioningState", json!("Updating")).snapshot.busy.is_some());
        assert!(with("/properties/provisioningState", json!("Failed")).failed);
        assert!(agent_pool(&json!({"properties": {"count": 1}})).is_err(), "without an eTag there is no condition");
    }

    #[test]
    fn a_scale_set_is_patched() {
        let body = json!({"id": "/v", "etag": "\"1\"", "sku": {"name": "D4", "tier": "Standard", "capacity": 2},
            "properties": {"provisioningState": "Succeeded"}});
        let set = Resource::Vmss { path: "/v".into() };
        let reading = set.read(&body).unwrap();
        let (method, write) = set.write(&reading, Some(4), &Map::new());
        assert_eq!((method, write), (Method::PATCH, json!({"sku": {"name": "D4", "tier": "Standard", "capacity": 4}, "tags": {}})));
        assert_eq!(set.write(&reading, None, &Map::new()).1, json!({"tags": {}}));
        let mut owned = body;
        owned["tags"] = json!({"aks-managed-poolName": "apps"});
        assert!(set.read(&owned).unwrap().snapshot.hands_off.is_some());
    }
}
