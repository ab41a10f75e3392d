//! The ground truth of a run: what was injected, when it ended and by whose hand. One JSON line per change; the last line of an id counts.

use crate::faults::{FaultClass, FaultKind, RemedyLuck};
use picket_core::action::RemediationKind;
use picket_core::cause::Cause;
use picket_core::ids::{AgentKind, ClusterName, ServiceId};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who ended a fault.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedier {
    /// Picket: the object that ended it carries picket's action id.
    Picket,
    /// A person of the platform team.
    Person,
    /// Nobody.
    Itself,
}

/// One fault, as it was. All times are event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthRecord {
    /// The plan's id.
    pub id: String,
    /// What.
    pub kind: FaultKind,
    /// How it counts.
    pub class: FaultClass,
    /// Where.
    pub cluster: ClusterName,
    /// The service that is at fault.
    pub service: ServiceId,
    /// Services that are right to name (`service` among them): both ends of a broken link, every service on a bad node.
    pub right_services: Vec<ServiceId>,
    /// Services that may show it: those, and whoever calls them, directly or not.
    pub affected: Vec<ServiceId>,
    /// The cause in picket's catalogue; `None` for what is not in it.
    pub cause: Option<Cause>,
    /// Other names that are also right.
    pub also_right: Vec<Cause>,
    /// What clears it.
    pub remedies: Vec<RemediationKind>,
    /// Whose business it is.
    pub agent: AgentKind,
    /// Acting is wrong.
    pub is_trap: bool,
    /// How the right remedy turns out.
    pub luck: RemedyLuck,
    /// When harm began.
    pub onset: Timestamp,
    /// When the first right remedy stood in the cluster's objects.
    pub remedied_at: Option<Timestamp>,
    /// Who ended it.
    pub remedied_by: Option<Remedier>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// When the service was back within its bounds (for a risk without harm: when the risk ended).
    pub sli_back: Option<Timestamp>,
}

/// The last state of every fault in a file of JSON lines, by onset.
pub fn read(text: &str) -> Result<Vec<TruthRecord>, serde_json::Error> {
    let mut last: BTreeMap<String, TruthRecord> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let record: TruthRecord = serde_json::from_str(line)?;
        last.insert(record.id.clone(), record);
    }
    let mut records: Vec<_> = last.into_values().collect();
    records.sort_by(|a, b| (a.onset, &a.id).cmp(&(b.onset, &b.id)));
    Ok(records)
}
