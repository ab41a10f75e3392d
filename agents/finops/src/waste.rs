//! Finds waste: requests far above use, and services that nobody calls.

use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::ids::ServiceId;
use picket_core::ports::Readings;
use picket_core::time::Timestamp;
use picket_detection::{Detector, UseSummary};

/// Windows that a judgement needs (rightsizing tools ask for about a hundred points; at 5 s this is five minutes).
const POINTS_MIN: u64 = 60;
/// A request at most this many times the 95th percentile of use is ordinary headroom.
const OVER_FACTOR: f64 = 2.5;
/// Requests per second below which nobody calls it.
const IDLE_RATE: f64 = 0.001;
/// CPU in use, of the request, below which a service that has never reported a request does nothing else either.
const IDLE_CPU: f64 = 0.1;
/// A CPU request below this is not worth an act.
const CORES_MIN: f64 = 0.1;

/// What is wasted on one service.
pub fn findings(detector: &Detector, service: &ServiceId, _: &Readings, now: Timestamp) -> Vec<Anomaly> {
    detector.long_window_use(service).and_then(|summary| judge(service, &summary, now)).into_iter().collect()
}

fn judge(service: &ServiceId, summary: &UseSummary, now: Timestamp) -> Option<Anomaly> {
    if summary.points < POINTS_MIN || summary.replicas_desired == Some(0) {
        return None;
    }
    let anomaly = |symptom, series: &str, value: f64, expected: f64| Anomaly {
        service: service.clone(),
        pod: None,
        symptom,
        detector: DetectorKind::Direct,
        series: series.to_owned(),
        score: 10.0,
        direction: Direction::Down,
        value,
        expected,
        onset: now.plus_ms(-summary.span_ms),
        last_seen: now,
        peer: None,
        object: None,
    };
    if summary.request_rate_max.is_some_and(|rate| rate < IDLE_RATE) {
        return Some(anomaly(Symptom::Idle, "http.server.request.duration rate", 0.0, IDLE_RATE));
    }
    let (requested, used) = (summary.cpu_request_cores?, summary.cpu_p95_cores?);
    // Counters that were never incremented are not exported: silence alone may be a worker without requests, which computes.
    if summary.request_rate_max.is_none() && used < requested * IDLE_CPU {
        return Some(anomaly(Symptom::Idle, "container.cpu.usage, with no request ever reported", used, requested));
    }
    let (memory, memory_used) = (summary.memory_request_bytes?, summary.memory_max_bytes?);
    let over = requested >= CORES_MIN && requested > used * OVER_FACTOR && memory > memory_used * 1.15;
    over.then(|| anomaly(Symptom::OverRequested, "container.cpu.usage against k8s.container.cpu_request", used, requested))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(requested: f64, rate: f64, points: u64) -> UseSummary {
        UseSummary {
            cpu_p95_cores: Some(0.1),
            cpu_request_cores: Some(requested),
            memory_max_bytes: Some(1e8),
            memory_request_bytes: Some(1e9),
            request_rate_max: Some(rate),
            points,
            span_ms: 300_000,
            replicas_desired: Some(3),
            ..UseSummary::default()
        }
    }

    fn symptom(summary: &UseSummary) -> Option<Symptom> {
        judge(&ServiceId::new("c", "n", "s"), summary, Timestamp(0)).map(|a| a.symptom)
    }

    #[test]
    fn waste_is_told_from_headroom_and_from_too_little_data() {
        assert_eq!(symptom(&summary(1.0, 5.0, 100)), Some(Symptom::OverRequested));
        assert_eq!(symptom(&summary(0.2, 5.0, 100)), None);
        assert_eq!(symptom(&summary(1.0, 0.0, 100)), Some(Symptom::Idle));
        assert_eq!(symptom(&summary(1.0, 5.0, 10)), None);
    }

    #[test]
    fn a_silent_service_is_idle_only_when_it_does_not_compute() {
        let silent = |requested: f64| UseSummary { request_rate_max: None, ..summary(requested, 0.0, 100) };
        assert_eq!(symptom(&silent(1.5)), Some(Symptom::Idle));
        assert_eq!(symptom(&silent(0.6)), Some(Symptom::OverRequested));
        assert_eq!(symptom(&silent(0.2)), None);
    }
}
