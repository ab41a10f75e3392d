//! The detector: signals in, anomalies out.

use crate::changes::ChangeLog;
use crate::series::{Series, SeriesView};
use crate::service::{Arrival, Found, Records, ServiceState, median};
use crate::settings::DetectionSettings;
use crate::use_summary::UseSummary;
use picket_core::anomaly::Anomaly;
use picket_core::ids::{ClusterName, ServiceId};
use picket_core::incident::ChangeEvent;
use picket_core::ports::Readings;
use picket_core::signal::Signal;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A service that has been silent for this long makes room for a new one.
const SILENT_MS: i64 = 600_000;

/// Watches every service that its signals name.
///
/// It takes time as an argument and draws randomness from a seeded stream: the same signals and ticks give the same anomalies.
#[derive(Clone, Debug)]
pub struct Detector {
    settings: DetectionSettings,
    services: BTreeMap<ServiceId, ServiceState>,
    namespaces: BTreeMap<(ClusterName, String), BTreeSet<String>>,
    changes: ChangeLog,
    closed: Option<Timestamp>,
    active: Vec<Anomaly>,
    left_out: u64,
    /// How late metrics usually come.
    late_ms: i64,
    /// The greatest novelties of gauges without a meaning.
    records: Records,
}

impl Detector {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(settings: DetectionSettings) -> Self {
        Self {
            settings,
            services: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            changes: ChangeLog::default(),
            closed: None,
            active: Vec::new(),
            left_out: 0,
            late_ms: 0,
            records: Records::default(),
        }
    }

    /// Takes a signal. Values that are no number, points out of order and signals of no service are passed over.
    pub fn observe(&mut self, signal: &Signal) {
        let resource = signal.resource();
        let at = signal.at();
        if resource.service.name.is_empty() || !self.make_room(&resource.service, at) {
            return;
        }
        let Some(state) = self.services.get_mut(&resource.service) else { return };
        state.observe_resource(resource, at, matches!(signal, Signal::Metric(_)), &mut self.changes);
        match signal {
            Signal::Metric(point) => state.observe_metric(point, &self.settings, &mut self.changes),
            Signal::Log(log) => state.observe_log(log, &mut self.changes),
            Signal::Event(event) => state.observe_security(event),
            // Spans and flows make the service graph; the same calls are counted in full by the metrics.
            Signal::Span(_) | Signal::Flow(_) => {}
        }
    }

    fn make_room(&mut self, service: &ServiceId, at: Timestamp) -> bool {
        if self.services.contains_key(service) {
            return true;
        }
        if self.services.len() >= self.settings.services_max {
            self.services.retain(|_, s| at.since_ms(s.last_seen()) < SILENT_MS);
        }
        if self.services.len() >= self.settings.services_max {
            self.left_out += 1;
            return false;
        }
        self.services.insert(service.clone(), ServiceState::new(service.clone(), &self.settings));
        self.namespaces.entry((service.cluster.clone(), service.name.clone())).or_default().insert(service.namespace.clone());
        true
    }

    /// Closes the window when an interval (less a fifth: reports come early and late) has passed, and returns every anomaly that is
    /// breaching now. Within an interval the answer is the last one.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Anomaly> {
        let closed = *self.closed.get_or_insert(now);
        // A clock that was set back must not stop detection for as long as it was set back.
        if (0..self.settings.interval_ms * 4 / 5).contains(&now.since_ms(closed)) {
            return self.active.clone();
        }
        self.closed = Some(now);
        self.judge_arrivals(now);
        let mut found = Vec::new();
        for state in self.services.values_mut() {
            found.append(&mut state.close(now, &self.settings, &mut self.records));
        }
        self.active = found.into_iter().map(|f| self.named(f)).collect();
        self.active.clone()
    }

    fn judge_arrivals(&mut self, now: Timestamp) {
        let delays: Vec<i64> = self.services.values_mut().filter_map(|state| state.arrival_mut().close(now)).collect();
        let Some(usual_ms) = median(delays) else { return };
        for state in self.services.values_mut() {
            state.arrival_mut().judge(usual_ms, self.settings.interval_ms);
        }
        let metrics = self.services.values().map(ServiceState::arrival).filter(|arrival| arrival.has_metrics());
        self.late_ms = median(metrics.map(Arrival::late_ms).collect()).unwrap_or(0);
    }

    /// Up to when the metrics that have come by `now` speak: `now`, unless they usually come late. What is compared with them is to be
    /// taken as of then; what happened later cannot be judged yet.
    #[must_use]
    pub const fn seen_until(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-self.late_ms)
    }

    fn named(&self, found: Found) -> Anomaly {
        let Found { anomaly, peer_name } = found;
        let peer = peer_name.map(|name| self.peer(&anomaly.service, &name));
        Anomaly { peer, ..anomaly }
    }

    /// The service that a caller means: `name`, `name.namespace` or `namespace/name`; of its own namespace before others.
    fn peer(&self, caller: &ServiceId, text: &str) -> ServiceId {
        let known = |name: &str| self.namespaces.get(&(caller.cluster.clone(), name.to_owned()));
        let of = |namespace: &str, name: &str| ServiceId::new(caller.cluster.clone(), namespace, name);
        if let Some(namespaces) = known(text) {
            let namespace = namespaces.get(&caller.namespace).or_else(|| namespaces.first());
            return of(namespace.unwrap_or(&caller.namespace), text);
        }
        if let Some((namespace, name)) = text.split_once('/') {
            return of(namespace, name);
        }
        if let Some((name, rest)) = text.split_once('.') {
            let namespace = rest.split('.').next().unwrap_or(rest);
            if known(name).is_some_and(|n| n.contains(namespace)) {
                return of(namespace, name);
            }
        }
        of(&caller.namespace, text)
    }

    /// The latest figures of a service; of an unknown one all empty.
    #[must_use]
    pub fn readings(&self, service: &ServiceId, now: Timestamp) -> Readings {
        self.services.get(service).map_or_else(Readings::default, |s| s.readings(now, &self.settings, self.changes.revision(service)))
    }

    /// Changes seen since then, oldest first.
    #[must_use]
    pub fn changes(&self, since: Timestamp) -> Vec<ChangeEvent> {
        self.changes.since(since)
    }

    /// The series of a service with their history and baseline.
    #[must_use]
    pub fn series_of(&self, service: &ServiceId) -> Vec<SeriesView> {
        self.services.get(service).map_or_else(Vec::new, |s| s.series().map(Series::view).collect())
    }

    /// Every service seen, sorted.
    pub fn services(&self) -> impl Iterator<Item = &ServiceId> {
        self.services.keys()
    }

    /// Use of a service over the long window: what rightsizing is computed from.
    #[must_use]
    pub fn long_window_use(&self, service: &ServiceId) -> Option<UseSummary> {
        self.services.get(service)?.long_window_use()
    }

    /// Points left out because a bound was reached.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out + self.services.values().map(|s| s.left_out).sum::<u64>()
    }
}
