//! A resource as an act sees it, the same for every cloud.

use picket_core::scope::FencingToken;
use serde::{Deserialize, Serialize};

/// What was read of a resource. Receipts point into it: `/size`, `/rollout`, `/action_id`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// What the cloud calls it: an ARN, a group's name, a resource id.
    pub id: String,
    /// How many instances are wanted.
    pub size: u32,
    /// How many of them run; `None` where the cloud does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u32>,
    /// The bounds that its owner set for `size`.
    pub size_min: Option<u32>,
    /// See `size_min`.
    pub size_max: Option<u32>,
    /// Its newest deployment or refresh: another one for each restart.
    pub rollout: Option<String>,
    /// What its instances are made from: a task definition, a launch template.
    pub template: Option<String>,
    /// Why `size` is not picket's to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_is_held: Option<String>,
    /// Why a restart would take down more than is reserved for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_is_held: Option<String>,
    /// Why picket keeps its hands off it altogether.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hands_off: Option<String>,
    /// What is under way on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// The ledger entry whose act it bears.
    pub action_id: Option<String>,
    /// The token of that act.
    pub token: Option<FencingToken>,
}

#[cfg(feature = "aws")]
impl Snapshot {
    /// Of everything that an act depends on: the version of a resource whose cloud keeps none. Status is no part of it.
    pub(crate) fn fingerprint(&self, fence: Option<FencingToken>) -> String {
        let bounds = (self.size, self.size_min, self.size_max, &self.restart_is_held);
        let plain = (bounds, &self.rollout, &self.template, &self.action_id, self.token, fence);
        // Plain data; and no text would equal no other text.
        serde_json::to_vec(&plain).map_or_else(|e| e.to_string(), |bytes| picket_core::action::Digest::of(&bytes).0)
    }
}
