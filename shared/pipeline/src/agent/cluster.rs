//! What an agent knows of one cluster.

use super::{AgentProfile, AgentSettings};
use crate::intake::Intake;
use crate::topics::{self, PublishedFacts};
use picket_core::calibration::Reliability;
use picket_core::facts::ClusterFacts;
use picket_core::graph::{GraphSnapshot, ServiceGraph};
use picket_core::ids::{AgentKind, ClusterName, ServiceId};
use picket_core::incident::{ChangeEvent, Incident};
use picket_core::ports::{Bus, DiagnosisContext, PortResult, Readings};
use picket_core::post_mortem::PostMortem;
use picket_core::severity::has_impact;
use picket_core::time::Timestamp;
use picket_detection::{CorrelationSettings, Correlator, Detector, IncidentEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes up to this long before an incident are looked at as its cause.
const CHANGES_BEFORE_MS: i64 = 10 * 60_000;

#[derive(Debug)]
pub(super) struct ClusterView {
    cluster: ClusterName,
    intake: Intake,
    detector: Detector,
    correlator: Correlator,
    graph: Arc<ServiceGraph>,
    facts: Option<Arc<ClusterFacts>>,
    readings: BTreeMap<ServiceId, Readings>,
    graph_revision: u64,
    facts_revision: u64,
    looked: Option<Look>,
}

/// A look at the baselines: when, and the newest telemetry that it saw.
#[derive(Copy, Clone, Debug)]
struct Look {
    at: Timestamp,
    newest: Timestamp,
}

impl ClusterView {
    pub(super) fn new(cluster: &ClusterName, kind: AgentKind, settings: &AgentSettings) -> Self {
        let name = format!("agent-{kind}-{}", settings.name);
        Self {
            cluster: cluster.clone(),
            intake: Intake::new(&name, cluster, settings.replay),
            detector: Detector::new(settings.detection.clone()),
            correlator: Correlator::new(
                CorrelationSettings {
                    agent: Some(kind),
                    id_prefix: format!("inc-{kind}-{}", settings.name),
                    ..settings.correlation.clone()
                },
                cluster.clone(),
            ),
            graph: Arc::default(),
            facts: None,
            readings: BTreeMap::new(),
            graph_revision: 0,
            facts_revision: 0,
            looked: None,
        }
    }

    pub(super) fn is_live(&self, now: Timestamp, lag_ms: i64) -> bool {
        self.intake.is_live(now, lag_ms)
    }

    /// An open incident that hurts and is another agent's business.
    pub(super) fn trouble(&self, kind: AgentKind) -> Option<&Incident> {
        self.correlator.open().find(|i| i.agent != kind && i.anomalies.iter().any(|a| has_impact(a.symptom)))
    }

    pub(super) fn facts(&self) -> Option<&ClusterFacts> {
        self.facts.as_deref()
    }

    pub(super) fn readings(&self, service: &ServiceId) -> Option<&Readings> {
        self.readings.get(service)
    }

    /// Takes the observer's latest graph and facts. What cannot be read is left: the older word stands.
    pub(super) async fn refresh<B: Bus>(&mut self, bus: &B) -> PortResult<()> {
        for value in bus.latest(&topics::graph(&self.cluster), self.graph_revision).await? {
            self.graph_revision = value.revision;
            if let Ok(snapshot) = serde_json::from_slice::<GraphSnapshot>(&value.value) {
                self.graph = Arc::new(ServiceGraph::from_snapshot(&snapshot));
            }
        }
        for value in bus.latest(&topics::facts(&self.cluster), self.facts_revision).await? {
            self.facts_revision = value.revision;
            if let Ok(published) = serde_json::from_slice::<PublishedFacts>(&value.value) {
                self.facts = Some(Arc::new(published.facts));
                self.readings = published.readings;
            }
        }
        Ok(())
    }

    /// Takes telemetry; when it is time, looks at the baselines and correlates.
    pub(super) async fn look<B: Bus>(
        &mut self,
        bus: &B,
        settings: &AgentSettings,
        profile: &AgentProfile,
        now: Timestamp,
    ) -> PortResult<Vec<IncidentEvent>> {
        let detector = &mut self.detector;
        let signals = self.intake.drain(bus, |signal| detector.observe(signal)).await?;
        let Some(newest) = self.intake.newest() else { return Ok(Vec::new()) };
        // While the past is being caught up with, its own time counts.
        let data_now = if self.intake.is_live(now, super::LIVE_LAG_MS) { now } else { newest.min(now) };
        if self.looked.is_some_and(|last| !is_due(last, Look { at: data_now, newest }, signals == 0, settings.tick_ms)) {
            return Ok(Vec::new());
        }
        self.looked = Some(Look { at: data_now, newest });
        let mut anomalies = self.detector.tick(data_now);
        let seen = self.detector.seen_until(data_now);
        let services: Vec<_> = self.detector.services().cloned().collect();
        for service in services {
            let readings = self.readings_of(&service, data_now);
            anomalies.extend((profile.findings)(&self.detector, &service, &readings, seen));
        }
        self.correlator.note_changes(&self.detector.changes(seen.plus_ms(-settings.correlation.dedup_window_ms)), seen);
        let before = self.correlator.suppressed();
        let events = self.correlator.ingest(&anomalies, &self.graph, self.facts.as_deref(), seen, data_now);
        let more = self.correlator.suppressed() - before;
        if more > 0 {
            let (cluster, open) = (self.cluster.as_str(), self.correlator.open().count());
            tracing::warn!(
                cluster,
                open,
                "a storm: {more} further troubles are told within the incidents that are open, not as incidents of their own"
            );
        }
        Ok(events)
    }

    /// Telemetry's figures, completed by what the cluster's API says.
    fn readings_of(&self, service: &ServiceId, now: Timestamp) -> Readings {
        let seen = self.detector.readings(service, now);
        let Some(known) = self.readings.get(service) else { return seen };
        Readings {
            memory_limit_bytes: known.memory_limit_bytes.or(seen.memory_limit_bytes),
            cpu_request_cores: known.cpu_request_cores.or(seen.cpu_request_cores),
            memory_request_bytes: known.memory_request_bytes.or(seen.memory_request_bytes),
            replicas_desired: known.replicas_desired.or(seen.replicas_desired),
            replicas_before_zero: known.replicas_before_zero,
            revision: known.revision.or(seen.revision),
            autoscaler: known.autoscaler.clone(),
            container: known.container.clone().or_else(|| seen.container.clone()),
            ..seen
        }
    }

    /// Up to when its metrics speak, `now`.
    pub(super) const fn seen_until(&self, now: Timestamp) -> Timestamp {
        self.detector.seen_until(now)
    }

    /// What is known beside the incident, as of the time up to which metrics speak: what they do not show yet is not absent.
    pub(super) fn context(
        &self,
        incident: &Incident,
        own: &[ChangeEvent],
        reliability: Reliability,
        post_mortems: Arc<Vec<PostMortem>>,
        now: Timestamp,
    ) -> DiagnosisContext {
        let mut services = incident.services.clone();
        services.extend(incident.subgraph.iter().flat_map(|(a, b)| [a.clone(), b.clone()]));
        services.sort_unstable();
        services.dedup();
        let mut changes = self.detector.changes(incident.onset.plus_ms(-CHANGES_BEFORE_MS));
        changes.extend(own.iter().filter(|c| c.service.cluster == self.cluster).cloned());
        DiagnosisContext {
            graph: self.graph.clone(),
            facts: self.facts.clone(),
            changes,
            readings: services.into_iter().map(|s| (s.clone(), self.readings_of(&s, now))).collect(),
            now: self.seen_until(now),
            reliability,
            post_mortems,
        }
    }
}

/// Whether it is time for the next look. Senders report in step with their interval: whoever looks right after a report has come in is
/// as early as can be, and whoever looks by a clock of its own is late by half an interval.
fn is_due(last: Look, now: Look, all_in: bool, tick_ms: i64) -> bool {
    let since_ms = now.at.since_ms(last.at);
    let reported = now.newest.since_ms(last.newest) >= tick_ms;
    if reported && all_in { 10 * since_ms >= 8 * tick_ms } else { since_ms >= if reported { tick_ms } else { tick_ms + tick_ms / 2 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_as_soon_as_a_report_is_in() {
        let last = Look { at: Timestamp(10_600), newest: Timestamp(10_000) };
        let due = |at: i64, newest: i64, all_in: bool| is_due(last, Look { at: Timestamp(at), newest: Timestamp(newest) }, all_in, 5_000);
        assert!(!due(15_300, 15_000, false), "it is still coming in");
        assert!(due(15_300, 15_000, true));
        assert!(!due(12_000, 15_000, true), "two reports at once are no reason to look twice");
        assert!(due(15_600, 15_000, false), "telemetry that never pauses is looked at all the same");
        assert!(!due(16_000, 10_000, true) && due(18_100, 10_000, true), "without a report a little later: silence is news, too");
    }
}
