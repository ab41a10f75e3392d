//! What people did about a trouble themselves: evidence for or against what picket proposed, from somebody who did not ask it
//! (PROTOCOL.md, "Earning a phase").

use crate::action::Remediation;
use crate::ports::Readings;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who wrote a workload's fields last, and from which pod template it went to which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWrites {
    /// Field manager of `spec.replicas`.
    pub replicas_by: Option<String>,
    /// Field manager of the pod template.
    pub template_by: Option<String>,
    /// Names the template in force.
    pub template: Option<String>,
    /// Names the one before.
    pub template_before: Option<String>,
}

/// A change that somebody else made to a workload.
#[derive(Clone, Debug, PartialEq)]
pub enum ForeignChange {
    /// Another number of replicas.
    Scaled {
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// The template before the present one, again.
    RolledBack,
    /// Another memory limit, bytes.
    MemoryLimit {
        /// Before.
        from: f64,
        /// After.
        to: f64,
    },
}

impl fmt::Display for ForeignChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scaled { from, to } => write!(f, "scaled it from {from} to {to} replicas"),
            Self::RolledBack => f.write_str("rolled it back"),
            Self::MemoryLimit { from, to } => {
                let mebibytes = |bytes: &f64| bytes / f64::from(1 << 20);
                write!(f, "set its memory limit from {:.0} to {:.0} MiB", mebibytes(from), mebibytes(to))
            }
        }
    }
}

/// Field managers that follow rules of their own: what they do says nothing of what a person thinks. (A GitOps controller carries out what
/// people have merged.)
const CONTROLLERS: [&str; 6] = ["kube-controller-manager", "keda-operator", "vpa-admission-controller", "vpa-updater", "kubelet", "picket"];

/// Whether a person is behind this field manager.
fn is_person(manager: Option<&String>) -> Option<&str> {
    manager.map(String::as_str).filter(|manager| !CONTROLLERS.contains(manager))
}

/// What people changed between two readings of one workload, and through which field manager.
#[must_use]
pub fn changes(before: &Readings, after: &Readings) -> Vec<(ForeignChange, String)> {
    let mut found = Vec::new();
    let writes = &after.last_writes;
    if let (Some(from), Some(to), Some(by)) = (before.replicas_desired, after.replicas_desired, is_person(writes.replicas_by.as_ref()))
        && from != to
    {
        found.push((ForeignChange::Scaled { from, to }, by.to_owned()));
    }
    let Some(by) = is_person(writes.template_by.as_ref()) else { return found };
    if writes.template.is_some() && writes.template != before.last_writes.template && writes.template == before.last_writes.template_before
    {
        found.push((ForeignChange::RolledBack, by.to_owned()));
    } else if let (Some(from), Some(to)) = (before.memory_limit_bytes, after.memory_limit_bytes)
        && from != to
    {
        found.push((ForeignChange::MemoryLimit { from, to }, by.to_owned()));
    }
    found
}

/// What a change says of a proposed act: the same remedy agrees with it, its opposite does not, and a rollback by people says that a
/// release was the cause. `None`: it says nothing either way.
#[must_use]
pub fn agrees(proposed: &Remediation, change: &ForeignChange) -> Option<bool> {
    match (proposed, change) {
        (Remediation::Scale { replicas, from: had }, ForeignChange::Scaled { from, to }) => Some((replicas > had) == (to > from)),
        (Remediation::Rollback { .. }, ForeignChange::RolledBack) => Some(true),
        (_, ForeignChange::RolledBack) => Some(false),
        (Remediation::SetMemoryLimit { .. }, ForeignChange::MemoryLimit { from, to }) => Some(to > from),
        _ => None,
    }
}

/// What people did while an entry of the ledger had done nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForeignEvidence {
    /// It is what picket had proposed; `false`: its opposite, or the remedy for another cause.
    pub agrees: bool,
    /// In words: `rolled it back`.
    pub what: String,
    /// Through which field manager.
    pub by: String,
    /// When the observer saw it (coordinator time).
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(replicas: u32, template: &str, before: &str, limit: f64, by: &str) -> Readings {
        Readings {
            replicas_desired: Some(replicas),
            memory_limit_bytes: Some(limit),
            last_writes: LastWrites {
                replicas_by: Some(by.to_owned()),
                template_by: Some(by.to_owned()),
                template: Some(template.to_owned()),
                template_before: Some(before.to_owned()),
            },
            ..Readings::default()
        }
    }

    #[test]
    fn changes_by_people_are_told_apart_from_those_by_controllers() {
        let before = readings(3, "v2", "v1", 512.0, "kubectl-edit");
        let found = |after: Readings| changes(&before, &after).into_iter().map(|(change, _)| change).collect::<Vec<_>>();
        assert_eq!(found(before.clone()), []);
        assert_eq!(found(readings(5, "v2", "v1", 512.0, "kubectl")), [ForeignChange::Scaled { from: 3, to: 5 }]);
        assert_eq!(found(readings(3, "v1", "v2", 512.0, "kubectl-rollout")), [ForeignChange::RolledBack]);
        assert_eq!(found(readings(3, "v3", "v2", 1024.0, "argocd-controller")), [ForeignChange::MemoryLimit { from: 512.0, to: 1024.0 }]);
        assert_eq!(found(readings(3, "v3", "v2", 512.0, "kubectl-edit")), [], "a new release may be anything");
        for controller in CONTROLLERS {
            assert_eq!(found(readings(9, "v1", "v2", 99.0, controller)), [], "{controller}");
        }
        assert_eq!(changes(&before, &Readings { last_writes: LastWrites::default(), ..readings(9, "v1", "v2", 9.0, "x") }), []);
    }

    #[test]
    fn the_same_remedy_agrees_and_its_opposite_does_not() {
        let up = Remediation::Scale { replicas: 5, from: 3 };
        assert_eq!(agrees(&up, &ForeignChange::Scaled { from: 3, to: 4 }), Some(true));
        assert_eq!(agrees(&up, &ForeignChange::Scaled { from: 3, to: 1 }), Some(false));
        assert_eq!(agrees(&up, &ForeignChange::RolledBack), Some(false), "the release was the cause");
        let back = Remediation::Rollback { to_revision: 1 };
        assert_eq!(agrees(&back, &ForeignChange::RolledBack), Some(true));
        assert_eq!(agrees(&back, &ForeignChange::Scaled { from: 3, to: 5 }), None, "a stopgap says nothing of the cause");
        let limit = Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 };
        assert_eq!(agrees(&limit, &ForeignChange::MemoryLimit { from: 1.0, to: 2.0 }), Some(true));
        assert_eq!(agrees(&limit, &ForeignChange::MemoryLimit { from: 2.0, to: 1.0 }), Some(false));
        assert_eq!(agrees(&Remediation::RolloutRestart, &ForeignChange::Scaled { from: 3, to: 5 }), None);
    }
}
