//! Which service a symptom comes from: the walk from caller to callee.

use super::weight::{Part, is_about_peer, is_own, part};
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::graph::ServiceGraph;
use picket_core::ids::ServiceId;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A callee whose trouble was seen up to this much later may still be the cause: detection takes windows.
const SLACK_MS: i64 = 30_000;
/// Of a callee's share of failures: a service that was just changed and fails at least so much does not merely pass them on.
const PASSED_ON: f64 = 0.5;
/// Times the failures that a callee shows, and a share on top: whoever fails more requests than that fails some by itself.
const FAILS_MORE: f64 = 2.0;
const FAILS_MORE_BY: f64 = 0.1;
/// Times the usual: a callee this slow makes its callers fail by their deadlines, and nobody counts those calls as failed but they.
const SLOW_ENOUGH_TO_FAIL: f64 = 3.0;
/// Times what a callee measures itself: a caller that waits so much longer waits for something between them.
const WAITS_LONGER: f64 = 3.0;
/// Services walked before a circle is assumed.
const WALK_MAX: usize = 32;

/// What one service shows.
#[derive(Default)]
struct Shown<'a> {
    anomalies: Vec<&'a Anomaly>,
    onset: Option<Timestamp>,
    own: bool,
}

/// The present anomalies by service, ready to be walked.
pub(super) struct Blame<'a> {
    shown: BTreeMap<&'a ServiceId, Shown<'a>>,
    changed: &'a BTreeSet<ServiceId>,
    graph: &'a ServiceGraph,
    hops: u32,
    window_ms: i64,
}

impl<'a> Blame<'a> {
    /// `changed`: services with a rollout so young that it may be what they suffer from.
    pub fn new(anomalies: &'a [Anomaly], changed: &'a BTreeSet<ServiceId>, graph: &'a ServiceGraph, hops: u32, window_ms: i64) -> Self {
        let mut shown: BTreeMap<&ServiceId, Shown<'_>> = BTreeMap::new();
        for anomaly in anomalies.iter().filter(|a| part(a) == Part::Trouble) {
            let entry = shown.entry(&anomaly.service).or_default();
            entry.anomalies.push(anomaly);
            entry.onset = Some(entry.onset.map_or(anomaly.onset, |o| o.min(anomaly.onset)));
            entry.own |= is_own(anomaly.symptom);
        }
        Self { shown, changed, graph, hops, window_ms }
    }

    /// Every service with trouble and the service that it comes from (itself, when nothing else explains it).
    pub fn roots(&self) -> BTreeMap<ServiceId, ServiceId> {
        self.shown.keys().map(|service| ((*service).clone(), self.root(service))).collect()
    }

    /// True when a service shows trouble that no callee could have given it.
    pub fn is_own(&self, service: &ServiceId) -> bool {
        self.shown.get(service).is_some_and(|s| s.own)
            || self.exceeds_callees(service)
            || (self.changed.contains(service) && self.blamed(service).is_none())
    }

    fn root(&self, service: &ServiceId) -> ServiceId {
        let mut at = service.clone();
        let mut seen = BTreeSet::from([at.clone()]);
        while seen.len() <= WALK_MAX {
            let Some(next) = self.blamed(&at) else { break };
            if !seen.insert(next.clone()) {
                // A circle of calls: who showed it first is the cause.
                let first = seen.iter().filter_map(|s| Some((self.shown.get(s)?.onset?, s))).min();
                return first.map_or(at, |(_, s)| s.clone());
            }
            at = next;
        }
        at
    }

    /// The callee that a service's trouble comes from, unless its own change explains it better.
    fn blamed(&self, service: &ServiceId) -> Option<ServiceId> {
        self.inherited(service).filter(|callee| !(self.changed.contains(service) && self.outdoes(service, callee)))
    }

    /// Fails or slows more than the callee could make it: whoever passes trouble on has less of it.
    fn outdoes(&self, service: &ServiceId, callee: &ServiceId) -> bool {
        let of = |service: &ServiceId, symptom: Symptom| self.shows(service, symptom);
        let seen_by_caller = self.shown.get(service).into_iter().flat_map(|s| &s.anomalies);
        let seen_by_caller = seen_by_caller.filter(|a| a.symptom == Symptom::DependencyErrorsHigh && a.peer.as_ref() == Some(callee));
        let failing = of(callee, Symptom::ErrorRateHigh).into_iter().chain(seen_by_caller.copied()).map(|a| a.value).fold(0.0, f64::max);
        let slowing = |a: &Anomaly| a.value / a.expected.max(f64::MIN_POSITIVE);
        of(service, Symptom::ErrorRateHigh).is_some_and(|a| a.value >= PASSED_ON * failing)
            || of(service, Symptom::LatencyHigh).is_some_and(|a| slowing(a) > of(callee, Symptom::LatencyHigh).map_or(1.0, slowing))
    }

    /// Fails or waits more than its callees, by their own measure, could make it: a fault of its own, or of the way to them, beside
    /// whatever they have.
    fn exceeds_callees(&self, service: &ServiceId) -> bool {
        let Some(shown) = self.shown.get(service) else { return false };
        let peers = shown.anomalies.iter().filter_map(|a| a.peer.clone());
        let callees: BTreeSet<ServiceId> = self.graph.callees(service).into_iter().chain(peers).collect();
        // Who is down or starts anew measures nothing of the calls that it does not take.
        if callees.iter().any(|callee| self.shown.get(callee).is_some_and(|s| s.own)) {
            return false;
        }
        let waits = |a: &Anomaly| {
            a.symptom == Symptom::DependencyLatencyHigh
                && a.peer.as_ref().and_then(|p| self.shows(p, Symptom::LatencyHigh)).is_some_and(|own| a.value > WAITS_LONGER * own.value)
        };
        if shown.anomalies.iter().copied().any(waits) {
            return true;
        }
        let slow = |a: &Anomaly| a.value >= SLOW_ENOUGH_TO_FAIL * a.expected;
        let waited_for = shown.anomalies.iter().copied().filter(|a| a.symptom == Symptom::DependencyLatencyHigh);
        if waited_for.chain(callees.iter().filter_map(|c| self.shows(c, Symptom::LatencyHigh))).any(slow) {
            return false;
        }
        let failed_calls = shown.anomalies.iter().copied().filter(|a| a.symptom == Symptom::DependencyErrorsHigh);
        let by_callees = callees.iter().filter_map(|c| self.shows(c, Symptom::ErrorRateHigh));
        let more = |than: f64, failing: f64| failing > FAILS_MORE * than + FAILS_MORE_BY;
        let calls = failed_calls.clone().map(|a| a.value).fold(0.0, f64::max);
        let served = by_callees.map(|a| a.value).fold(0.0, f64::max);
        let own = self.shows(service, Symptom::ErrorRateHigh).is_some_and(|a| more(calls.max(served), a.value));
        // A callee that says nothing of itself cannot be asked.
        let between = failed_calls.filter(|a| a.peer.as_ref().is_some_and(|p| self.shown.contains_key(p))).any(|a| more(served, a.value));
        own || between
    }

    fn shows(&self, service: &ServiceId, symptom: Symptom) -> Option<&'a Anomaly> {
        self.shown.get(service)?.anomalies.iter().find(|a| a.symptom == symptom && &a.service == service).copied()
    }

    fn inherited(&self, service: &ServiceId) -> Option<ServiceId> {
        let shown = self.shown.get(service)?;
        if shown.own || self.exceeds_callees(service) {
            return None;
        }
        let onset = shown.onset?;
        // Its own calls name the callee. Of several the one that fails worst.
        let pointed = shown.anomalies.iter().filter(|a| is_about_peer(a.symptom)).filter_map(|a| Some((a.peer.as_ref()?, a.score)));
        let pointed = pointed
            .filter(|(peer, _)| *peer != service && self.explains(peer, onset))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(a.0)));
        if let Some((peer, _)) = pointed {
            return Some(peer.clone());
        }
        if shown.anomalies.iter().any(|a| is_about_peer(a.symptom) && a.peer.as_ref().is_some_and(|p| self.is_accused(p))) {
            let accused = shown.anomalies.iter().filter_map(|a| a.peer.as_ref()).find(|p| self.is_accused(p));
            return accused.cloned();
        }
        // Else slowness and failures are inherited from the nearest callee that shows them; a full pool is what waiting leads to.
        let inheritable = |a: &&Anomaly| {
            is_about_peer(a.symptom) || matches!(a.symptom, Symptom::LatencyHigh | Symptom::ErrorRateHigh | Symptom::ConnectionsSaturated)
        };
        if !shown.anomalies.iter().all(inheritable) {
            return None;
        }
        let near = self.graph.dependencies(service).into_iter().filter(|(callee, hops)| *hops <= self.hops && self.explains(callee, onset));
        near.min_by(|a, b| a.1.cmp(&b.1).then_with(|| self.onset(&a.0).cmp(&self.onset(&b.0))).then_with(|| a.0.cmp(&b.0)))
            .map(|(callee, _)| callee)
    }

    fn onset(&self, service: &ServiceId) -> Option<Timestamp> {
        self.shown.get(service).and_then(|s| s.onset)
    }

    /// True when a callee shows trouble of its own that began in time to be the cause.
    fn explains(&self, callee: &ServiceId, onset: Timestamp) -> bool {
        self.onset(callee).is_some_and(|began| {
            let later_ms = began.since_ms(onset);
            later_ms <= SLACK_MS && later_ms >= -self.window_ms
        })
    }

    /// True when two services or more complain of a callee that says nothing itself.
    fn is_accused(&self, callee: &ServiceId) -> bool {
        !self.shown.contains_key(callee) && self.accusers(callee) >= 2
    }

    fn accusers(&self, callee: &ServiceId) -> usize {
        self.shown.values().filter(|s| s.anomalies.iter().any(|a| a.peer.as_ref() == Some(callee))).count()
    }
}
