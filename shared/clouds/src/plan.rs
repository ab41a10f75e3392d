//! What an act sets on a resource: pure functions of what was read.

use crate::settings::CloudTarget;
use crate::snapshot::Snapshot;
use picket_core::action::{Action, Remediation, Reversibility};
use picket_core::ids::EntryId;
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SIZE: &str = "/size";
const ROLLOUT: &str = "/rollout";
const ACTION_ID: &str = "/action_id";

/// The one thing that an act changes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// So many instances.
    Size(u32),
    /// Every instance anew, a few at a time.
    Restart,
}

/// What the work changes.
///
/// # Errors
/// In words, when the resource does not allow it, or it is so already.
pub(crate) fn change(work: &Work, at: &ObjectRef, target: &CloudTarget, read: &Snapshot) -> Result<Change, String> {
    if let Some(why) = read.hands_off.as_ref().or(read.busy.as_ref()) {
        return Err(why.clone());
    }
    let change = match work {
        Work::Do { action } => forward(action, target, read)?,
        Work::Undo { action, receipt } => backward(action, at, receipt, read)?,
    };
    let Change::Size(size) = change else { return read.restart_is_held.clone().map_or(Ok(change), Err) };
    if let Some(why) = &read.size_is_held {
        return Err(why.clone());
    }
    if size == read.size {
        return Err("it is so already".to_owned());
    }
    let (low, high) = (read.size_min.unwrap_or(0), read.size_max.unwrap_or(u32::MAX));
    if (low..=high).contains(&size) { Ok(change) } else { Err(format!("{size} is not within its bounds, {low} to {high}")) }
}

fn forward(action: &Action, target: &CloudTarget, read: &Snapshot) -> Result<Change, String> {
    match &action.remediation {
        Remediation::Scale { replicas, from } => {
            // The act was weighed as "more" or "less" than there were; the other way round it is another act.
            if *replicas != read.size && (replicas > from) != (*replicas > read.size) {
                return Err(format!("it has {} instances, not {from} as when this was proposed", read.size));
            }
            Ok(Change::Size(*replicas))
        }
        Remediation::RolloutRestart => restart(target),
        other => Err(format!("{} is not possible here; {}", other.kind(), instead(target))),
    }
}

fn restart(target: &CloudTarget) -> Result<Change, String> {
    match target {
        CloudTarget::Ecs { .. } | CloudTarget::Asg { .. } => Ok(Change::Restart),
        CloudTarget::AksPool { .. } => {
            Err(format!("an agent pool is not restarted: restart the workloads on it by their own cluster's API; {}", instead(target)))
        }
        // No condition, no expiry: a late copy of the request could be turned away by nothing (docs/decisions/0025).
        CloudTarget::Vmss { .. } => Err(format!(
            "a scale set's restart stops its instances at the same time, and a late copy of it could not be fenced; {}",
            instead(target)
        )),
    }
}

fn instead(target: &CloudTarget) -> &'static str {
    match target {
        CloudTarget::Ecs { .. } => {
            "possible are scale and rollout_restart; images, memory and CPU are set in the task definition, by its owner"
        }
        CloudTarget::Asg { .. } => "possible are scale and rollout_restart; images and sizes are set in the launch template, by its owner",
        CloudTarget::AksPool { .. } => "possible is scale",
        CloudTarget::Vmss { .. } => "possible is scale; new instances can be had by scaling out and in again",
    }
}

/// [M5]: the parent's stamp and what it wrote must stand in this very reading.
fn backward(action: &Action, at: &ObjectRef, receipt: &Receipt, read: &Snapshot) -> Result<Change, String> {
    if action.kind().reversibility() == Reversibility::None {
        return Err(format!("{} cannot be taken back", action.kind()));
    }
    if receipt.object != *at {
        return Err("the receipt is of another object".to_owned());
    }
    if !receipt.after.get(ACTION_ID).is_some_and(Value::is_string) || !receipt.after.contains_key(SIZE) {
        return Err("the receipt bears no stamp, or says nothing of the size".to_owned());
    }
    let standing = serde_json::to_value(read).map_err(|e| e.to_string())?;
    for (pointer, left) in &receipt.after {
        let stands = standing.pointer(pointer).unwrap_or(&Value::Null);
        if stands != left {
            return Err(format!("{pointer} was changed since by somebody else: it is {stands}, the act had left {left}"));
        }
    }
    let size = receipt.before.get(SIZE).and_then(Value::as_u64).and_then(|size| u32::try_from(size).ok());
    size.map(Change::Size).ok_or_else(|| "the receipt does not say what the size was".to_owned())
}

/// What was changed, as far as it is known: `rollout` is the restart's own.
pub(crate) struct Made<'a> {
    pub at: &'a ObjectRef,
    pub entry: &'a EntryId,
    pub before: &'a Snapshot,
    pub change: Change,
    pub rollout: Option<&'a str>,
    pub versions: (String, String),
    pub now: Timestamp,
}

/// The record of what was done.
pub(crate) fn receipt(made: Made<'_>) -> Receipt {
    let Made { at, entry, before, change, rollout, versions, now } = made;
    let (pointer, was, is) = match change {
        Change::Size(size) => (SIZE, json!(before.size), json!(size)),
        Change::Restart => (ROLLOUT, json!(before.rollout), json!(rollout)),
    };
    Receipt {
        object: at.clone(),
        before: BTreeMap::from([(pointer.to_owned(), was), (ACTION_ID.to_owned(), json!(before.action_id))]),
        after: BTreeMap::from([(pointer.to_owned(), is), (ACTION_ID.to_owned(), json!(entry.as_str()))]),
        resource_version_before: versions.0,
        resource_version_after: versions.1,
        applied_at: now,
    }
}

/// Whether the reading shows what the act had to bring about: for clouds that compare nothing.
#[cfg(feature = "aws")]
pub(crate) fn stands(change: Change, before: &Snapshot, current: &Snapshot) -> bool {
    match change {
        Change::Size(size) => current.size == size,
        // A new rollout of other instances is a deployment of somebody's.
        Change::Restart => current.rollout.is_some() && current.rollout != before.rollout && current.template == before.template,
    }
}

/// The fence above `claim`: what a write of that claim can no longer pass. Tokens of a scope strictly rise (I2), so the next claim carries at
/// least this token.
pub(crate) fn above(claim: FencingToken, standing: Option<FencingToken>) -> FencingToken {
    standing.unwrap_or_default().max(FencingToken(claim.0.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::ids::ServiceId;

    fn ecs() -> CloudTarget {
        CloudTarget::Ecs { region: "r".into(), cluster: "c".into(), service: "s".into() }
    }

    fn vmss() -> CloudTarget {
        CloudTarget::Vmss { subscription: "s".into(), resource_group: "g".into(), name: "n".into() }
    }

    fn read() -> Snapshot {
        Snapshot { id: "arn".into(), size: 3, size_max: Some(10), rollout: Some("d1".into()), ..Snapshot::default() }
    }

    fn act(remediation: Remediation) -> Work {
        Work::Do { action: Action { service: ServiceId::new("east", "shop", "cart"), remediation } }
    }

    fn decide(work: &Work, target: &CloudTarget, read: &Snapshot) -> Result<Change, String> {
        change(work, &crate::object::object(target), target, read)
    }

    fn scale(replicas: u32, from: u32) -> Work {
        act(Remediation::Scale { replicas, from })
    }

    #[test]
    fn a_size_keeps_its_direction_and_its_bounds() {
        assert_eq!(decide(&scale(5, 3), &ecs(), &read()), Ok(Change::Size(5)));
        for (work, word) in [(scale(3, 2), "already"), (scale(2, 1), "not 1"), (scale(11, 3), "bounds")] {
            assert!(decide(&work, &ecs(), &read()).unwrap_err().contains(word), "{work:?}");
        }
        let held = Snapshot { size_is_held: Some("an autoscaler sets it".into()), ..read() };
        assert!(decide(&scale(5, 3), &ecs(), &held).unwrap_err().contains("autoscaler"));
        assert_eq!(decide(&act(Remediation::RolloutRestart), &ecs(), &held), Ok(Change::Restart));
        let steep = Snapshot { restart_is_held: Some("all at once".into()), ..read() };
        assert!(decide(&act(Remediation::RolloutRestart), &ecs(), &steep).is_err());
        assert_eq!(decide(&scale(5, 3), &ecs(), &steep), Ok(Change::Size(5)));
        let busy = Snapshot { busy: Some("a deployment is in progress".into()), ..read() };
        assert!(decide(&act(Remediation::RolloutRestart), &ecs(), &busy).is_err());
    }

    #[test]
    fn what_is_not_possible_says_what_would_be() {
        assert!(decide(&act(Remediation::RolloutRestart), &vmss(), &read()).unwrap_err().contains("possible is scale"));
        let container = Remediation::SetMemoryLimit { container: "c".into(), limit_bytes: 1 };
        assert!(decide(&act(container), &ecs(), &read()).unwrap_err().contains("task definition"));
        assert!(decide(&act(Remediation::Quarantine), &ecs(), &read()).is_err());
    }

    #[test]
    fn an_undo_needs_the_stamp_and_the_size_to_stand() {
        let at = crate::object::object(&ecs());
        let entry = EntryId::from("act-1");
        let before = read();
        let made = Made {
            at: &at,
            entry: &entry,
            before: &before,
            change: Change::Size(5),
            rollout: None,
            versions: ("a".into(), "b".into()),
            now: Timestamp(0),
        };
        let receipt = receipt(made);
        let Work::Do { action } = scale(5, 3) else { unreachable!() };
        let undo = |receipt: &Receipt| Work::Undo { action: action.clone(), receipt: receipt.clone() };
        let standing = Snapshot { size: 5, action_id: Some("act-1".into()), ..read() };
        assert_eq!(decide(&undo(&receipt), &ecs(), &standing), Ok(Change::Size(3)));
        for changed in [Snapshot { size: 6, ..standing.clone() }, Snapshot { action_id: None, ..standing.clone() }] {
            assert!(decide(&undo(&receipt), &ecs(), &changed).unwrap_err().contains("somebody else"));
        }
        let mut unstamped = receipt.clone();
        unstamped.after.remove(ACTION_ID);
        assert!(decide(&undo(&unstamped), &ecs(), &standing).is_err());
        let other = Receipt { object: ObjectRef::default(), ..receipt };
        assert!(decide(&undo(&other), &ecs(), &standing).is_err());
    }

    #[cfg(feature = "aws")]
    #[test]
    fn a_restart_of_another_template_is_not_ours() {
        let after = Snapshot { rollout: Some("d2".into()), ..read() };
        assert!(stands(Change::Restart, &read(), &after));
        assert!(!stands(Change::Restart, &read(), &read()));
        assert!(!stands(Change::Restart, &read(), &Snapshot { template: Some("t2".into()), ..after }));
    }
}
