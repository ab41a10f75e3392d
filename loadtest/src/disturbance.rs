//! What befalls telemetry on its way: metrics come late, points are lost, and clocks disagree.

use picket_core::ids::ServiceId;
use picket_core::signal::{MetricValue, Signal, SignalBatch, SignalKind};
use picket_core::time::Timestamp;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};

/// How bad it is; the default is not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disturbance {
    /// Metrics arrive so long after they were measured. Traces, logs and events are in time.
    pub metrics_late_ms: i64,
    /// Share of metric points that never arrive, 0..1.
    pub points_missing: f64,
    /// No two clocks are further apart: each service's is off by up to half of it, early or late, and stays so.
    pub clocks_apart_ms: i64,
}

/// The way of one cluster's telemetry.
#[derive(Debug)]
pub struct DisturbedWay {
    disturbance: Disturbance,
    rng: ChaCha8Rng,
    offsets_ms: BTreeMap<ServiceId, i64>,
    late: VecDeque<(Timestamp, SignalBatch)>,
}

impl DisturbedWay {
    /// The same arguments disturb the same telemetry in the same way.
    #[must_use]
    pub fn new(disturbance: Disturbance, seed: u64) -> Self {
        Self { disturbance, rng: ChaCha8Rng::seed_from_u64(seed), offsets_ms: BTreeMap::new(), late: VecDeque::new() }
    }

    /// What is sent at `now`, and what arrives at `now`: what was held up first.
    pub fn pass(&mut self, sent: Vec<SignalBatch>, now: Timestamp) -> Vec<SignalBatch> {
        let mut arrived = Vec::new();
        while self.late.front().is_some_and(|(due, _)| *due <= now) {
            arrived.extend(self.late.pop_front().map(|(_, batch)| batch));
        }
        for mut batch in sent {
            batch.signals.retain_mut(|signal| self.keeps(signal));
            if batch.kind == SignalKind::Metrics && self.disturbance.metrics_late_ms > 0 {
                self.late.push_back((now.plus_ms(self.disturbance.metrics_late_ms), batch));
            } else {
                arrived.push(batch);
            }
        }
        arrived.retain(|batch| !batch.signals.is_empty());
        arrived
    }

    /// Whether it is not lost; then by its own clock.
    fn keeps(&mut self, signal: &mut Signal) -> bool {
        let Disturbance { points_missing, clocks_apart_ms, .. } = self.disturbance;
        if matches!(signal, Signal::Metric(_)) && points_missing > 0.0 && self.rng.random_bool(points_missing.clamp(0.0, 1.0)) {
            return false;
        }
        if clocks_apart_ms > 0 {
            let rng = &mut self.rng;
            let service = signal.resource().service.clone();
            let half = clocks_apart_ms / 2;
            let offset_ms = *self.offsets_ms.entry(service).or_insert_with(|| rng.random_range(-half..=half));
            shift(signal, offset_ms);
        }
        true
    }
}

fn shift(signal: &mut Signal, by_ms: i64) {
    let move_it = |at: &mut Timestamp| *at = at.plus_ms(by_ms);
    match signal {
        Signal::Metric(point) => {
            move_it(&mut point.at);
            if let MetricValue::Sum { start, .. } | MetricValue::Histogram { start, .. } = &mut point.value {
                move_it(start);
            }
        }
        Signal::Span(span) => {
            move_it(&mut span.start);
            move_it(&mut span.end);
        }
        Signal::Log(record) => move_it(&mut record.at),
        Signal::Flow(flow) => move_it(&mut flow.at),
        Signal::Event(event) => move_it(&mut event.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::signal::{LogRecord, MetricPoint, Resource};

    fn of(service: &str, at: Timestamp, kind: SignalKind, count: usize) -> SignalBatch {
        let resource = Resource { service: ServiceId::new("east", "shop", service), ..Resource::default() };
        let signal = || match kind {
            SignalKind::Metrics => Signal::Metric(MetricPoint {
                resource: resource.clone(),
                name: "requests".into(),
                unit: "1".into(),
                attributes: BTreeMap::new(),
                at,
                value: MetricValue::Gauge { value: 1.0 },
            }),
            _ => Signal::Log(LogRecord { resource: resource.clone(), at, severity: 9, body: String::new(), attributes: BTreeMap::new() }),
        };
        SignalBatch {
            cluster: "east".into(),
            namespace: "shop".into(),
            kind,
            replay: false,
            signals: (0..count).map(|_| signal()).collect(),
        }
    }

    #[test]
    fn nothing_happens_when_nothing_is_asked_for() {
        let sent = vec![of("a", Timestamp(1_000), SignalKind::Metrics, 3), of("b", Timestamp(1_000), SignalKind::Logs, 1)];
        assert_eq!(DisturbedWay::new(Disturbance::default(), 1).pass(sent.clone(), Timestamp(1_000)), sent);
    }

    #[test]
    fn late_metrics_come_when_they_are_due_and_say_when_they_were_measured() {
        let mut way = DisturbedWay::new(Disturbance { metrics_late_ms: 60_000, ..Disturbance::default() }, 1);
        let metrics = of("a", Timestamp(5_000), SignalKind::Metrics, 2);
        let logs = of("a", Timestamp(5_000), SignalKind::Logs, 1);
        assert_eq!(way.pass(vec![metrics.clone(), logs.clone()], Timestamp(5_000)), vec![logs]);
        assert_eq!(way.pass(vec![], Timestamp(64_999)), vec![]);
        assert_eq!(way.pass(vec![], Timestamp(65_000)), vec![metrics]);
        assert_eq!(way.pass(vec![], Timestamp(65_001)), vec![]);
    }

    #[test]
    fn the_asked_share_of_points_is_lost_and_of_logs_none() {
        let mut way = DisturbedWay::new(Disturbance { points_missing: 0.1, ..Disturbance::default() }, 7);
        let sent = vec![of("a", Timestamp(0), SignalKind::Metrics, 10_000), of("a", Timestamp(0), SignalKind::Logs, 100)];
        let arrived = way.pass(sent, Timestamp(0));
        let lost = 10_000 - arrived[0].signals.len();
        assert!((900..1_100).contains(&lost), "{lost} of 10,000");
        assert_eq!(arrived[1].signals.len(), 100);
    }

    #[test]
    fn every_service_keeps_its_own_clock() {
        let mut way = DisturbedWay::new(Disturbance { clocks_apart_ms: 30_000, ..Disturbance::default() }, 7);
        let mut offsets = BTreeMap::new();
        for at in [100_000, 200_000] {
            for n in 0..50 {
                let name = format!("s{n}");
                let arrived = way.pass(vec![of(&name, Timestamp(at), SignalKind::Logs, 1)], Timestamp(at));
                let offset = arrived[0].signals[0].at().since_ms(Timestamp(at));
                assert!(offset.abs() <= 15_000, "{offset}");
                assert_eq!(*offsets.entry(name).or_insert(offset), offset);
            }
        }
        let (least, most) = (offsets.values().min().unwrap(), offsets.values().max().unwrap());
        assert!(most - least > 20_000, "{least} to {most}");
    }
}
