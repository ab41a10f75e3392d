//! Observers and actuators take over a cluster by a higher epoch; a deposed one is not heard any more.

use crate::reply::Reply;
use crate::state::State;
use crate::{bounds, facts, restore};
use picket_core::ids::Principal;
use picket_core::limits::LimitRule;

/// A new epoch for the caller. It carries `restore_epoch` [M13].
pub(crate) fn register(state: &mut State, who: &Principal) -> Reply {
    let (Principal::Observer(cluster) | Principal::Actuator(cluster)) = who else {
        return Reply::refused(LimitRule::NotAllowed, format!("{who} has no epoch"));
    };
    if facts::book(state, cluster).is_none() {
        let max = state.settings.clusters_max;
        return bounds::refuse("clusters_max", state.clusters.len(), max, "clusters are served (a person can retire one)");
    }
    let epoch = state.next_token().0;
    if let Some(book) = facts::book(state, cluster) {
        match who {
            Principal::Observer(_) => book.observer_epoch = epoch,
            _ => {
                book.actuator_epoch = epoch;
                book.needs_fence = true;
            }
        }
    }
    Reply::Epoch { epoch }
}

/// The cluster's sinks refuse tokens from before this stop epoch. STOP shows who has not said so; a restore waits for it [M13].
pub(crate) fn fence_raised(state: &mut State, who: &Principal, actuator_epoch: u64, stop_epoch: u64) -> Reply {
    let Principal::Actuator(cluster) = who else {
        return Reply::refused(LimitRule::NotAllowed, format!("{who} raises no fence"));
    };
    let current_stop = state.stop.epoch;
    let Some(book) = state.clusters.get_mut(cluster).filter(|b| b.actuator_epoch == actuator_epoch && actuator_epoch != 0) else {
        return Reply::refused(
            LimitRule::NotAllowed,
            format!("actuator epoch {actuator_epoch} of {cluster} is not the current one: only audited"),
        );
    };
    if stop_epoch > current_stop {
        return Reply::refused(LimitRule::Malformed, format!("stop epoch {stop_epoch} has not been: now it is {current_stop}"));
    }
    book.fence_stop_epoch = book.fence_stop_epoch.max(stop_epoch);
    if state.restore.is_some() && stop_epoch == current_stop {
        restore::confirm_fences(state, cluster);
    }
    Reply::Done
}
