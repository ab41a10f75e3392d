//! What no single act shows: how many there were of late, how they ended, whether one takes another back, and whether anybody has watched
//! the cluster for long enough.

use crate::entry::Entry;
use crate::planted::{Fault, is_planted};
use crate::reply::Reply;
use crate::state::State;
use picket_core::action::Remediation;
use picket_core::coordination::BreakerView;
use picket_core::freeze::check_freezes;
use picket_core::ids::{ClusterName, EntryId, Principal, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::oscillation::opposes;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Acts of one hour that are remembered at most; no rate may be above it.
pub(crate) const REMEMBERED_MAX: usize = 1024;

/// What one cluster has seen within the hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recent {
    /// Claims, undos apart.
    acts: VecDeque<Acted>,
    /// When acts ended badly.
    failures: VecDeque<Timestamp>,
    /// Nothing is done here until a person says so.
    pub breaker: Option<BreakerView>,
    /// Since when readings have come without a gap.
    pub watched_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Acted {
    at: Timestamp,
    service: ServiceId,
    remediation: Remediation,
}

impl Recent {
    fn forget(&mut self, before: Timestamp) {
        while self.acts.front().is_some_and(|act| act.at <= before) || self.acts.len() > REMEMBERED_MAX {
            self.acts.pop_front();
        }
        while self.failures.front().is_some_and(|at| *at <= before) || self.failures.len() > REMEMBERED_MAX {
            self.failures.pop_front();
        }
    }

    /// A reading has come; one after a gap begins anew.
    pub(crate) fn note_reading(&mut self, now: Timestamp, gap_ms: Option<i64>, facts_ttl_ms: i64) {
        if self.watched_since.is_none() || gap_ms.is_none_or(|gap| gap > 3 * facts_ttl_ms) {
            self.watched_since = Some(now);
        }
    }
}

/// Everything of this kind that stands against an act. Undos are exempt.
pub(crate) fn broken(state: &State, entry: &Entry) -> Vec<Violation> {
    let (now, rules, action) = (state.now(), &state.settings.limits, entry.view.work.action());
    let looks = !(is_planted(Fault::FreezeOnlyAtProposal) && entry.view.state == EntryState::Permitted);
    let mut broken: Vec<Violation> = check_freezes(&state.settings.freezes, action, now).filter(|_| looks).into_iter().collect();
    let cluster = entry.cluster();
    let Some(recent) = state.clusters.get(cluster).map(|book| &book.recent) else { return broken };
    let forgotten = |breaker: &&BreakerView| is_planted(Fault::BreakerClosesWithTime) && now.since_ms(breaker.since) > 60_000;
    if let Some(breaker) = recent.breaker.as_ref().filter(|breaker| !forgotten(breaker)) {
        let why = format!("the breaker of {cluster} is open: {}; `picket cluster reset {cluster}` closes it", breaker.why);
        broken.push(Violation::new(LimitRule::BreakerOpen, None, why));
    }
    let hour_ago = now.plus_ms(-state.settings.hour_ms);
    let acts = recent.acts.iter().filter(|act| act.at > hour_ago).count();
    if acts >= rules.max_actions_per_hour as usize {
        let why = format!("{acts} acts within the hour in {cluster}, {} are allowed", rules.max_actions_per_hour);
        broken.push(Violation::new(LimitRule::RateLimit, None, why));
    }
    let watched_ms = recent.watched_since.map_or(0, |since| now.since_ms(since));
    if watched_ms < rules.warmup_ms {
        let why = format!("{cluster} has been watched for {} s without a gap, {} are asked for", watched_ms / 1000, rules.warmup_ms / 1000);
        broken.push(Violation::new(LimitRule::ColdStart, None, why));
    }
    broken
}

/// Why a person must decide: the act takes back what another did within the hour.
pub(crate) fn oscillates(state: &State, entry: &Entry) -> Option<Violation> {
    if entry.is_undo() {
        return None;
    }
    let action = entry.view.work.action();
    let recent = &state.clusters.get(entry.cluster())?.recent;
    let hour_ago = state.now().plus_ms(-state.settings.hour_ms);
    let mut here = recent.acts.iter().rev().filter(|act| act.at > hour_ago && act.service == action.service);
    let why = here.find_map(|act| opposes(&action.remediation, &act.remediation))?;
    Some(Violation::new(LimitRule::Oscillation, None, format!("{} within the hour: {why}", action.service)))
}

/// An act was claimed.
pub(crate) fn note_claim(state: &mut State, id: &EntryId) {
    let (now, hour_ms) = (state.now(), state.settings.hour_ms);
    let Some(entry) = state.entries.get(id).filter(|entry| !entry.is_undo()) else { return };
    let action = entry.view.work.action();
    if let Some(book) = state.clusters.get_mut(entry.cluster()) {
        book.recent.acts.push_back(Acted { at: now, service: action.service.clone(), remediation: action.remediation.clone() });
        book.recent.forget(now.plus_ms(-hour_ms));
    }
}

/// An entry has come to this state from an act that was claimed. So many bad ends within the hour open the breaker: what picket takes for
/// true of this cluster is not.
pub(crate) fn note_end(state: &mut State, cluster: &ClusterName, to: EntryState) {
    let is_bad = matches!(to, EntryState::Undoing | EntryState::Inconclusive | EntryState::Indeterminate | EntryState::UndoFailed);
    if !is_bad {
        return;
    }
    let (now, hour_ms, most) = (state.now(), state.settings.hour_ms, state.settings.limits.breaker_failures as usize);
    let Some(book) = state.clusters.get_mut(cluster) else { return };
    book.recent.failures.push_back(now);
    book.recent.forget(now.plus_ms(-hour_ms));
    let failures = book.recent.failures.len();
    if failures >= most && book.recent.breaker.is_none() {
        let why = format!("{failures} acts within the hour ended badly");
        book.recent.breaker = Some(BreakerView { since: now, why });
    }
}

/// A person has looked, and closes the breaker.
pub(crate) fn reset(state: &mut State, who: &Principal, cluster: &ClusterName) -> Reply {
    let Some(book) = state.clusters.get_mut(cluster) else {
        return Reply::refused(LimitRule::NotAllowed, format!("{who}: no observer or actuator of {cluster} has registered"));
    };
    book.recent.breaker = None;
    book.recent.failures.clear();
    Reply::Done
}
