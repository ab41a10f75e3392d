//! Telemetry that comes late or with a wrong stamp is judged as of when it was made.

use super::emitter::{Emitter, INTERVAL_MS, START_MS, Shape, event, id};
use crate::{DetectionSettings, Detector};
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::signal::Signal;
use picket_core::time::Timestamp;
use std::collections::VecDeque;

fn stamped(signal: Signal, by_ms: i64) -> Signal {
    match signal {
        Signal::Metric(mut point) => {
            point.at = point.at.plus_ms(by_ms);
            Signal::Metric(point)
        }
        Signal::Log(mut log) => {
            log.at = log.at.plus_ms(by_ms);
            Signal::Log(log)
        }
        other => other,
    }
}

/// Three services of which the first is watched; its metrics come `late_ms` after they were made, its clock is `ahead_ms` ahead.
struct Way {
    detector: Detector,
    emitters: Vec<Emitter>,
    held: VecDeque<(Timestamp, Vec<Signal>)>,
    late_ms: i64,
    ahead_ms: i64,
    step: i64,
}

impl Way {
    fn new(late_ms: i64, ahead_ms: i64) -> Self {
        let emitters = ["cart", "web", "search"].into_iter().zip(1..).map(|(name, seed)| Emitter::new(name, 2, seed)).collect();
        Self { detector: Detector::new(DetectionSettings::default()), emitters, held: VecDeque::new(), late_ms, ahead_ms, step: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp(START_MS + self.step * INTERVAL_MS)
    }

    fn run(&mut self, cart: Shape, events: &[Signal]) -> Vec<Anomaly> {
        self.step += 1;
        let now = self.now();
        let mut metrics = Vec::new();
        for (place, emitter) in self.emitters.iter_mut().enumerate() {
            // Every service says something in time, too.
            let shape = if place == 0 { cart } else { Shape::default() };
            let by_ms = if place == 0 { self.ahead_ms } else { 0 };
            for signal in emitter.emit(now, Shape { error_logs: 3.0, ..shape }) {
                match stamped(signal, by_ms) {
                    signal @ Signal::Metric(_) => metrics.push(signal),
                    signal => self.detector.observe(&signal),
                }
            }
        }
        self.held.push_back((now.plus_ms(self.late_ms), metrics));
        for signal in events {
            self.detector.observe(&stamped(signal.clone(), self.ahead_ms));
        }
        while self.held.front().is_some_and(|(due, _)| *due <= now) {
            for signal in self.held.pop_front().map(|(_, signals)| signals).unwrap_or_default() {
                self.detector.observe(&signal);
            }
        }
        self.detector.tick(now)
    }

    fn warm(&mut self, steps: usize) {
        for _ in 0..steps {
            self.run(Shape::default(), &[]);
        }
    }
}

fn find(anomalies: &[Anomaly], symptom: Symptom) -> Option<&Anomaly> {
    anomalies.iter().find(|a| a.service == id("cart") && a.symptom == symptom)
}

#[test]
fn a_deviation_is_dated_by_when_it_was_whatever_the_way_and_the_clock() {
    for (late_ms, ahead_ms) in [(0, 0), (60_000, 0), (0, 15_000), (0, -15_000), (60_000, 15_000), (60_000, -15_000)] {
        let mut way = Way::new(late_ms, ahead_ms);
        way.warm(40);
        let began = way.now().plus_ms(INTERVAL_MS);
        let slow = Shape { median_ms: 300.0, ..Shape::default() };
        let found = (0..20).find_map(|_| find(&way.run(slow, &[]), Symptom::LatencyHigh).cloned());
        let found = found.unwrap_or_else(|| panic!("late {late_ms}, ahead {ahead_ms}: not found"));
        let off_ms = found.onset.since_ms(began);
        assert!(off_ms.abs() <= INTERVAL_MS, "late {late_ms}, ahead {ahead_ms}: dated {off_ms} ms off");
        assert!(way.now().since_ms(began) <= late_ms + 4 * INTERVAL_MS, "late {late_ms}, ahead {ahead_ms}: found late");
        assert_eq!(way.now().since_ms(way.detector.seen_until(way.now())), late_ms);
    }
}

#[test]
fn late_figures_are_figures() {
    let mut way = Way::new(60_000, -12_000);
    way.warm(40);
    let readings = way.detector.readings(&id("cart"), way.now());
    assert!(readings.request_rate.is_some_and(|rate| (rate - 40.0).abs() < 15.0), "{readings:?}");
    assert!(readings.cpu_utilization.is_some_and(|cpu| (cpu - 0.35).abs() < 0.15), "{readings:?}");
}

#[test]
fn figures_that_stop_coming_are_none_soon_however_late_they_were() {
    let mut way = Way::new(60_000, 0);
    way.warm(40);
    way.held.clear();
    way.late_ms = 3_600_000;
    way.warm(6);
    assert_eq!(way.detector.readings(&id("cart"), way.now()).cpu_utilization, None);
}

#[test]
fn a_kill_is_told_at_once_and_held_until_the_metrics_of_its_time_have_come() {
    let mut way = Way::new(60_000, 10_000);
    way.warm(40);
    let killed = way.now().plus_ms(INTERVAL_MS);
    let kill = event("cart", "OOMKilling", killed, &[]);
    let told = way.run(Shape::default(), std::slice::from_ref(&kill));
    let one = find(&told, Symptom::OomKilled).expect("told at once");
    assert!(one.onset.since_ms(killed).abs() <= INTERVAL_MS, "dated {} ms off", one.onset.since_ms(killed));
    let held = (1..40).take_while(|_| find(&way.run(Shape::default(), &[]), Symptom::OomKilled).is_some()).count() as i64 * INTERVAL_MS;
    assert!((80_000..=100_000).contains(&held), "held for {held} ms");
}
