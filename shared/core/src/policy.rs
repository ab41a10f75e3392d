//! What people may change while the coordinator runs. Each change is a version; a claim is held against the newest.

use crate::action::{Action, RemediationKind};
use crate::freeze::Freeze;
use crate::ids::{AgentKind, ClusterName};
use crate::limits::LimitRules;
use crate::phase::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Limits, severities that need a yes, and caps on phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// The version before, plus one: two people who change it at once do not overwrite each other.
    pub version: u64,
    /// Hard limits.
    pub limits: LimitRules,
    /// Severities that never run without approval; 1 and 2 are among them whatever is written here.
    pub approval_severities: Vec<u8>,
    /// Severities whose acts need the yes of two different people, where they need one at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub two_person_severities: Vec<u8>,
    /// Caps, at most 64.
    pub caps: Vec<PhaseCap>,
    /// Times in which nothing is changed, at most 64.
    #[serde(default)]
    pub freezes: Vec<Freeze>,
    /// Rules of the user by agent, in Cedar. An agent without any is bound by the limits alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<AgentKind, String>,
}

/// Lowers the phase for some acts; it can never raise one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseCap {
    /// Whose acts; `None` for everybody's. So with the others.
    #[serde(default)]
    pub agent: Option<AgentKind>,
    /// Acts of which kind.
    #[serde(default)]
    pub kind: Option<RemediationKind>,
    /// In which cluster.
    #[serde(default)]
    pub cluster: Option<ClusterName>,
    /// In which namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The highest phase for those.
    pub at_most: Phase,
}

impl PhaseCap {
    /// Whether it speaks of this act.
    #[must_use]
    pub fn covers(&self, agent: AgentKind, action: &Action) -> bool {
        self.agent.is_none_or(|a| a == agent)
            && self.kind.is_none_or(|k| k == action.kind())
            && self.cluster.as_ref().is_none_or(|c| *c == action.service.cluster)
            && self.namespace.as_ref().is_none_or(|n| *n == action.service.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Remediation;
    use crate::ids::ServiceId;

    #[test]
    fn a_cap_speaks_of_what_it_names_and_no_more() {
        let restart = Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::RolloutRestart };
        let all = PhaseCap { agent: None, kind: None, cluster: None, namespace: None, at_most: Phase::Assist };
        assert!(all.covers(AgentKind::Sre, &restart));
        for other in [
            PhaseCap { agent: Some(AgentKind::FinOps), ..all.clone() },
            PhaseCap { kind: Some(RemediationKind::Quarantine), ..all.clone() },
            PhaseCap { cluster: Some("west".into()), ..all.clone() },
            PhaseCap { namespace: Some("pay".into()), ..all.clone() },
        ] {
            assert!(!other.covers(AgentKind::Sre, &restart), "{other:?}");
        }
        let exact = PhaseCap { namespace: Some("shop".into()), cluster: Some("east".into()), ..all };
        assert!(exact.covers(AgentKind::Sre, &restart));
    }
}
