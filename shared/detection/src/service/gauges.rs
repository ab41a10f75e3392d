//! Gauges that picket has no meaning for: what a service measures of its own. Each is watched by a streaming detector, which tells when the
//! series is where it never was.
//!
//! Of thousands of such series some are always somewhere new. What is told must therefore be the newest thing that any of the cluster's
//! series has shown for hours: a record among n values in random order has a chance of 1 / n (A. Rényi, "Théorie des éléments saillants
//! d'une suite d'observations", 1962), so chance tells of one thing in [`Records::WITHIN_MS`], however many series there are.

use super::{Found, OBJECTS_MAX, ServiceState};
use crate::settings::DetectionSettings;
use crate::stream::{StreamDetector, StreamProfile};
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::signal::MetricPoint;
use picket_core::time::Timestamp;
use std::collections::VecDeque;

/// Longer names of series (metric and attributes) are cut: they are shown to people.
const NAME_MAX_CHARS: usize = 200;
/// Scores of anomalies end here, as those of direct signals.
const SCORE_MAX: f64 = 10.0;

/// One such gauge: its open window, its detector, and what is told of it at present.
#[derive(Clone, Debug)]
pub(super) struct Gauge {
    sum: f64,
    count: u32,
    stream: StreamDetector,
    closed: Option<Timestamp>,
    told: Option<Told>,
}

#[derive(Copy, Clone, Debug)]
struct Told {
    at: Timestamp,
    until: Timestamp,
    value: f64,
    usual: f64,
    score: f64,
}

/// The greatest novelties of the cluster's gauges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// What can still be the greatest, oldest and greatest first.
    kept: VecDeque<(Timestamp, f64)>,
}

impl Records {
    /// How far back a record must reach.
    pub const WITHIN_MS: i64 = 6 * 3_600_000;
    /// Beyond so many the least are let go.
    const KEPT_MAX: usize = 4_096;

    /// Takes a novelty; true when there was none as great within the time.
    fn take(&mut self, at: Timestamp, novelty: f64) -> bool {
        while self.kept.front().is_some_and(|(then, _)| at.since_ms(*then) > Self::WITHIN_MS) {
            self.kept.pop_front();
        }
        while self.kept.back().is_some_and(|(_, other)| *other <= novelty) {
            self.kept.pop_back();
        }
        let is_record = self.kept.is_empty();
        if self.kept.len() < Self::KEPT_MAX {
            self.kept.push_back((at, novelty));
        }
        is_record
    }
}

impl Gauge {
    fn new() -> Self {
        Self { sum: 0.0, count: 0, stream: StreamDetector::new(&StreamProfile::lean()), closed: None, told: None }
    }

    /// Closes the window: the mean of what came in it is one observation.
    fn close(&mut self, now: Timestamp, settings: &DetectionSettings, records: &mut Records) {
        if self.count == 0 {
            return;
        }
        let value = std::mem::take(&mut self.sum) / f64::from(std::mem::take(&mut self.count));
        let usual = self.stream.mean();
        let seen = self.stream.observe(now, value);
        let is_record = records.take(now, seen.novelty);
        let gap_ms = self.closed.replace(now).map_or(0, |before| now.since_ms(before));
        if seen.is_alert() && is_record {
            // 1/2, 2/3, 4/5: once, twice, four times the bar.
            let times = seen.score / (1.0 - seen.score);
            let until = now.plus_ms(settings.event_hold_ms.max(gap_ms.saturating_mul(2)));
            self.told = Some(Told {
                at: now,
                until,
                value,
                usual: usual.unwrap_or(value),
                score: (settings.threshold_sigma * times).min(SCORE_MAX),
            });
        }
    }
}

impl ServiceState {
    /// Takes a point of a gauge that no other part of detection knows.
    pub(super) fn observe_other_gauge(&mut self, point: &MetricPoint, value: f64) {
        let mut name = point.name.clone();
        for (key, value) in &point.attributes {
            name.push_str(&format!(" {key}={value}"));
        }
        let name: String = name.chars().take(NAME_MAX_CHARS).collect();
        if !self.gauges.contains_key(&name) && self.gauges.len() >= OBJECTS_MAX {
            self.left_out += 1;
            return;
        }
        let gauge = self.gauges.entry(name).or_insert_with(Gauge::new);
        if gauge.count < u32::MAX {
            (gauge.sum, gauge.count) = (gauge.sum + value, gauge.count + 1);
        }
    }

    /// Closes their windows; what is unusual.
    pub(super) fn unusual_gauges(&mut self, now: Timestamp, settings: &DetectionSettings, records: &mut Records) -> Vec<Found> {
        for gauge in self.gauges.values_mut() {
            gauge.close(now, settings, records);
        }
        let told = self.gauges.iter().filter_map(|(name, gauge)| Some((name, gauge.told.filter(|told| now <= told.until)?)));
        told.map(|(name, told)| {
            let direction = if told.value >= told.usual { Direction::Up } else { Direction::Down };
            let mut found = self.found(Symptom::MetricUnusual, DetectorKind::Baseline, name, told.score, direction);
            found.anomaly = Anomaly {
                value: told.value,
                expected: told.usual,
                onset: told.at,
                last_seen: told.at,
                object: Some(name.clone()),
                ..found.anomaly
            };
            found
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_makes_one_record_in_its_time_however_many_series_there_are() {
        for series in [1_u64, 10, 1_000] {
            let mut records = Records::default();
            let mut state = 7_u64;
            let mut told = 0;
            let ticks = 4 * Records::WITHIN_MS / 60_000;
            for tick in 0..ticks {
                for _ in 0..series {
                    // Knuth's generator (MMIX).
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let novelty = (state >> 11) as f64 / (1_u64 << 53) as f64;
                    let is_record = records.take(Timestamp(tick * 60_000), novelty);
                    told += u32::from(is_record && tick > ticks / 4);
                }
            }
            assert!(told <= 12, "{told} records of {series} series in three times the time");
        }
    }

    #[test]
    fn what_is_greater_than_all_of_hours_is_a_record_and_its_equal_later_is_none_until_then() {
        let mut records = Records::default();
        records.take(Timestamp(0), 1.0);
        assert!(records.take(Timestamp(1_000), 5.0));
        assert!(!records.take(Timestamp(2_000), 4.0));
        assert!(records.take(Timestamp(2_001 + Records::WITHIN_MS), 2.0), "the greater one is too old, 4.0 as well");
    }
}
