//! What the observers vouch for, in the order in which they saw it [M9].

use crate::caution::Recent;
use crate::planted::{Fault, is_planted};
use crate::reply::Reply;
use crate::restore::Journal;
use crate::state::State;
use picket_core::facts::ClusterFacts;
use picket_core::ids::ClusterName;
use picket_core::limits::LimitRule;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClusterBook {
    pub observer_epoch: u64,
    pub actuator_epoch: u64,
    pub facts: Option<ClusterFacts>,
    /// Last release of budget after an act.
    pub released_at: Option<Timestamp>,
    /// Pods reserved now.
    pub reserved_pods: u32,
    /// Pods that could be reserved when the newest reservation was made.
    pub allowed_pods: u32,
    /// The stop epoch that the sinks' fences were raised to.
    pub fence_stop_epoch: u64,
    /// An actuator has registered at some time: there are sinks to be fenced.
    pub needs_fence: bool,
    /// After a restore: whether its actuator's journal was read.
    pub journal: Journal,
    /// What happened within the hour.
    #[serde(default)]
    pub recent: Recent,
}

/// The book of a cluster; `None` when there are too many.
pub(crate) fn book<'a>(state: &'a mut State, cluster: &ClusterName) -> Option<&'a mut ClusterBook> {
    if !state.clusters.contains_key(cluster) && state.clusters.len() >= state.settings.clusters_max {
        return None;
    }
    Some(state.clusters.entry(cluster.clone()).or_default())
}

/// Takes a reading when it is newer than the last.
pub(crate) fn post(state: &mut State, facts: &ClusterFacts) -> Reply {
    let now = state.now();
    let Some(book) = state.clusters.get_mut(&facts.cluster) else {
        return Reply::refused(LimitRule::NotAllowed, format!("no observer of {} has registered", facts.cluster));
    };
    if facts.observer_epoch != book.observer_epoch || book.observer_epoch == 0 {
        return Reply::refused(
            LimitRule::NotAllowed,
            format!(
                "observer epoch {} of {} is not the current one ({}): register again",
                facts.observer_epoch, facts.cluster, book.observer_epoch
            ),
        );
    }
    if facts.echo > now {
        return Reply::refused(LimitRule::Malformed, format!("the facts echo {}, the coordinator's clock is at {now}", facts.echo));
    }
    if let Some(known) = book.facts.as_ref().filter(|known| (known.observer_epoch, known.seq) >= (facts.observer_epoch, facts.seq)) {
        return Reply::refused(
            LimitRule::StaleFacts,
            format!("reading {} of {} is not newer than {}: dropped", facts.seq, facts.cluster, known.seq),
        );
    }
    let gap_ms = book.facts.as_ref().map(|before| facts.echo.since_ms(before.echo));
    book.recent.note_reading(now, gap_ms, state.settings.limits.facts_ttl_ms);
    let echo = if is_planted(Fault::FactsAgedByArrival) { now } else { facts.echo };
    book.facts = Some(ClusterFacts { echo, ..facts.clone() });
    Reply::Done
}

/// False while the newest reading began before the last release of budget: it may not show what that act still disrupts [M10].
pub(crate) fn read_after_release(state: &State, cluster: &ClusterName) -> bool {
    state.clusters.get(cluster).is_some_and(|book| match (&book.facts, book.released_at) {
        (Some(facts), Some(released)) => facts.echo > released,
        (Some(_), None) => true,
        (None, _) => false,
    })
}

/// Young enough to decide by (I11).
pub(crate) fn are_fresh(state: &State, cluster: &ClusterName) -> bool {
    let age_ms = state.clusters.get(cluster).and_then(|b| b.facts.as_ref()).map(|f| state.now().since_ms(f.echo));
    age_ms.is_some_and(|ms| (0..=state.settings.limits.facts_ttl_ms).contains(&ms))
}
