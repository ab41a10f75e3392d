//! Alerts as the deviations that detection would have told of.

use super::read::Truth;
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Standard deviations of a signal that needs no statistics: an alert says that a bar was passed, not by how much.
const DIRECT: f64 = 10.0;

/// What an alert means; none where picket has no symptom for it. Without one are: `NoDatabaseOperations`, `NoRequestsOpened` (calls that are
/// not made; picket knows only slow and failing ones), `NodeCPUHighUsage`, `NodeSystemSaturation` (a node is no service),
/// `KafkaConnectionClosureRate`, `HighKafkaConnectionClosureRate`, `KafkaConsumerGroupInactive`, `HighKafkaConsumerLag`,
/// `KubeHpaMaxedOut` (does not say of what), and those on cost, whose names the open half does not show.
pub(super) fn symptom(alert: &str) -> Option<Symptom> {
    Some(match alert {
        "HighRequestErrorRate" => Symptom::ErrorRateHigh,
        "HighRequestLatency" => Symptom::LatencyHigh,
        "NoRequestsReceived" => Symptom::TrafficLow,
        "KubePodNotReady" | "KubeContainerWaiting" | "FailedPodsDetected" => Symptom::ReplicasUnavailable,
        "KubePodCrashLooping" => Symptom::CrashLoop,
        "CPUThrottlingHigh" => Symptom::CpuHigh,
        _ => return None,
    })
}

/// What the alerts of a scenario come to.
pub(super) struct Shown {
    /// Each symptom of each service once, by service.
    pub anomalies: Vec<Anomaly>,
    /// Alerts without a symptom, counted by id.
    pub unknown: BTreeMap<String, usize>,
    /// Alerts with a symptom that no service shows.
    pub unplaced: usize,
}

/// All of them, begun and seen at `at`.
pub(super) fn shown(truth: &Truth, at: Timestamp) -> Shown {
    let (mut found, mut unknown, mut unplaced) = (BTreeSet::new(), BTreeMap::new(), 0);
    for alert in &truth.alerts {
        let Some(symptom) = symptom(&alert.id) else {
            *unknown.entry(alert.id.clone()).or_default() += 1;
            continue;
        };
        match alert.group.as_deref().and_then(|group| truth.shows(group)) {
            Some(service) => {
                found.insert((service, symptom));
            }
            None => unplaced += 1,
        }
    }
    let anomalies = found.into_iter().map(|(service, symptom)| {
        let falls = matches!(symptom, Symptom::TrafficLow | Symptom::ReplicasUnavailable);
        let (direction, value, expected) = if falls { (Direction::Down, 0.0, 1.0) } else { (Direction::Up, 1.0, 0.0) };
        Anomaly {
            service,
            pod: None,
            symptom,
            detector: DetectorKind::Direct,
            series: "alert".to_owned(),
            score: DIRECT,
            direction,
            value,
            expected,
            onset: at,
            last_seen: at,
            peer: None,
            object: None,
        }
    });
    Shown { anomalies: anomalies.collect(), unknown, unplaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_mean_what_they_say_or_nothing() {
        assert_eq!(symptom("HighRequestLatency"), Some(Symptom::LatencyHigh));
        assert_eq!(symptom("NoRequestsReceived"), Some(Symptom::TrafficLow));
        assert_eq!(symptom("KubeHpaMaxedOut"), None);
        assert_eq!(symptom("highrequestlatency"), None);
    }
}
