//! Closes a service's window: from what was counted to values, from values to confirmed anomalies.

use super::{Calls, Found, POD_FORGOTTEN_MS, Pod, Records, SeriesKey, ServiceState, Tally, fresh};
use crate::distribution::Distribution;
use crate::joint::Features;
use crate::series::{Measure, Series};
use crate::settings::DetectionSettings;
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::time::Timestamp;

/// Fewer calls than this are no sample: windows before are added.
const SAMPLE_MIN: f64 = 30.0;
/// At most this many windows make one sample.
const WINDOWS_MAX: usize = 6;

/// Calls of one window, or of as many as make a sample.
struct Sample {
    p95_ms: Option<f64>,
    error_ratio: Option<f64>,
    count: f64,
}

impl Calls {
    /// Closes the window; `None` when nothing was reported in it (which is not the same as no calls).
    fn close(&mut self) -> Option<Sample> {
        self.last_at.take()?;
        self.before.push_front(std::mem::take(&mut self.open));
        self.before.truncate(WINDOWS_MAX);
        let mut latency = Distribution::default();
        let (mut count, mut errors) = (0.0, 0.0);
        for Tally { latency: l, count: c, errors: e } in &self.before {
            latency.merge(l);
            count += c;
            errors += e;
            if count >= SAMPLE_MIN {
                break;
            }
        }
        // Without a single call in this window there is nothing new to judge.
        let alive = self.before.front().is_some_and(|t| t.count > 0.0);
        Some(Sample {
            p95_ms: latency.quantile(0.95).filter(|_| alive),
            error_ratio: (alive && count > 0.0).then(|| (errors / count).clamp(0.0, 1.0)),
            count,
        })
    }
}

impl<'a> SeriesKey<'a> {
    pub(super) fn name(self) -> String {
        match self {
            Self::Latency => "http.server.request.duration p95 (ms)".to_owned(),
            Self::Errors => "http.server.request error ratio".to_owned(),
            Self::Rate => "http.server.request rate (1/s)".to_owned(),
            Self::Cpu => "container.cpu.usage of limit".to_owned(),
            Self::Memory => "container.memory.working_set of limit".to_owned(),
            Self::ErrorLogs => "error log records".to_owned(),
            Self::PeerLatency(peer) => format!("http.client.request.duration p95 to {peer} (ms)"),
            Self::PeerErrors(peer) => format!("http.client.request error ratio to {peer}"),
        }
    }

    const fn meaning(self) -> (Measure, Symptom, Option<Symptom>) {
        match self {
            Self::Latency => (Measure::LatencyMs, Symptom::LatencyHigh, None),
            Self::Errors => (Measure::ErrorRatio, Symptom::ErrorRateHigh, None),
            Self::Rate => (Measure::RequestRate, Symptom::TrafficHigh, Some(Symptom::TrafficLow)),
            Self::Cpu => (Measure::CpuFraction, Symptom::CpuHigh, Some(Symptom::CpuLow)),
            Self::Memory => (Measure::MemoryFraction, Symptom::MemoryHigh, None),
            Self::ErrorLogs => (Measure::ErrorLogs, Symptom::ErrorLogsHigh, None),
            Self::PeerLatency(_) => (Measure::LatencyMs, Symptom::DependencyLatencyHigh, None),
            Self::PeerErrors(_) => (Measure::ErrorRatio, Symptom::DependencyErrorsHigh, None),
        }
    }

    const fn peer(self) -> Option<&'a str> {
        match self {
            Self::PeerLatency(peer) | Self::PeerErrors(peer) => Some(peer),
            _ => None,
        }
    }
}

impl Pod {
    pub(super) fn cpu_fraction(&self, now: Timestamp, stale_ms: i64) -> Option<f64> {
        ratio(fresh(self.cpu, now, stale_ms), self.cpu_limit.map(|(_, v)| v))
    }

    pub(super) fn memory_fraction(&self, now: Timestamp, stale_ms: i64) -> Option<f64> {
        ratio(fresh(self.memory, now, stale_ms), self.memory_limit.map(|(_, v)| v))
    }

    pub(super) fn pool_fraction(&self, now: Timestamp, stale_ms: i64) -> Option<f64> {
        ratio(fresh(self.pool_used, now, stale_ms), self.pool_max.map(|(_, v)| v))
    }
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (part, whole) = (part?, whole?);
    (whole > 0.0).then_some(part / whole)
}

impl ServiceState {
    /// Closes the window of what came until `now` and returns what is breaching. Windows are counted by when reports come; what is said of
    /// them is by when it was so.
    pub fn close(&mut self, now: Timestamp, settings: &DetectionSettings, records: &mut Records) -> Vec<Found> {
        let stale_ms = settings.stale_ms();
        let stamped = self.arrival.stamped(now);
        let alive = stamped.since_ms(self.last_seen) <= stale_ms;
        self.pods.retain(|_, pod| stamped.since_ms(pod.last_seen) < POD_FORGOTTEN_MS);
        let mut features: Features = [0.0; 7];

        if let Some(sample) = self.server.close() {
            self.feed_calls(now, &sample, SeriesKey::Latency, SeriesKey::Errors, settings);
            features[1] = sample.p95_ms.unwrap_or(0.0).max(0.01).ln() as f32;
            features[2] = sample.error_ratio.unwrap_or(0.0) as f32;
        }
        let rate = self.request_rate(now, settings);
        if let Some(rate) = rate {
            let requests = rate * settings.interval_ms as f64 / 1_000.0;
            let usual = self.series.get(&SeriesKey::Rate.name()).map_or(0.0, Series::usual) * settings.interval_ms as f64 / 1_000.0;
            // Sampling noise is that of the usual number: few requests now must not hide that there were many.
            self.feed(now, SeriesKey::Rate, rate, requests.max(usual), settings);
            features[0] = (rate + 0.1).ln() as f32;
        }
        let peers: Vec<String> = self.peers.keys().cloned().collect();
        for peer in &peers {
            let Some(sample) = self.peers.get_mut(peer).and_then(Calls::close) else { continue };
            self.feed_calls(now, &sample, SeriesKey::PeerLatency(peer), SeriesKey::PeerErrors(peer), settings);
            features[6] = features[6].max(sample.p95_ms.unwrap_or(0.0).max(1.0).ln() as f32);
        }
        let cpu: Vec<f64> = self.live_pods(settings).filter_map(|p| p.cpu_fraction(stamped, stale_ms)).collect();
        if !cpu.is_empty() {
            let mean = cpu.iter().sum::<f64>() / cpu.len() as f64;
            self.feed(now, SeriesKey::Cpu, mean, 1.0, settings);
            features[3] = mean as f32;
        }
        if let Some(memory) = self.live_pods(settings).filter_map(|p| p.memory_fraction(stamped, stale_ms)).reduce(f64::max) {
            self.feed(now, SeriesKey::Memory, memory, 1.0, settings);
            features[4] = memory as f32;
        }
        let logs = std::mem::take(&mut self.error_logs) as f64;
        if alive {
            self.feed(now, SeriesKey::ErrorLogs, logs, 1.0, settings);
            features[5] = logs.ln_1p() as f32;
            self.long.window(now, rate, settings.long_window_ms);
        }

        let mut found = self.confirmed(now, settings);
        found.extend(self.conditions(now, settings));
        found.extend(self.unusual_gauges(now, settings, records));
        let events = self.events(now, settings);
        let quiet = found.is_empty() && events.is_empty() && !self.series.values().any(Series::is_suspect);
        if alive && let Some(unusual) = self.joint.observe(now, features, quiet, settings) {
            // Its scale is not deviations: it is kept below every baseline's threshold.
            let score = 3.0 * f64::from(unusual.score);
            found.push(self.found(Symptom::JointlyUnusual, DetectorKind::IsolationForest, "features taken together", score, Direction::Up));
            if let Some(last) = found.last_mut() {
                let a = &mut last.anomaly;
                (a.value, a.expected) = (f64::from(unusual.score), f64::from(unusual.threshold));
                (a.onset, a.last_seen) = (unusual.onset, unusual.last_seen);
            }
        }
        for one in &mut found {
            one.anomaly.onset = self.was_so(one.anomaly.symptom, one.anomaly.onset);
            one.anomaly.last_seen = self.was_so(one.anomaly.symptom, one.anomaly.last_seen);
        }
        found.extend(events);
        strongest(found)
    }

    /// When what came then was so. Logs are counted as they come.
    const fn was_so(&self, symptom: Symptom, came: Timestamp) -> Timestamp {
        if matches!(symptom, Symptom::ErrorLogsHigh) { came } else { self.arrival.seen(came) }
    }

    /// Requests per second over all pods: of each its last word, unless it has fallen silent.
    pub(super) fn request_rate(&self, now: Timestamp, settings: &DetectionSettings) -> Option<f64> {
        let (stale_ms, stamped) = (settings.stale_ms(), self.arrival.stamped(now));
        let fresh: Vec<f64> = self
            .live_pods(settings)
            .flat_map(|p| p.rate.values())
            .filter(|(at, _)| stamped.since_ms(*at) <= stale_ms)
            .map(|(_, rate)| *rate)
            .collect();
        (!fresh.is_empty()).then(|| fresh.iter().sum())
    }

    fn feed_calls(&mut self, at: Timestamp, sample: &Sample, latency: SeriesKey<'_>, errors: SeriesKey<'_>, settings: &DetectionSettings) {
        if let Some(p95_ms) = sample.p95_ms {
            self.feed(at, latency, p95_ms, sample.count, settings);
        }
        if let Some(error_ratio) = sample.error_ratio {
            self.feed(at, errors, error_ratio, sample.count, settings);
        }
    }

    fn feed(&mut self, at: Timestamp, key: SeriesKey<'_>, value: f64, samples: f64, settings: &DetectionSettings) {
        let name = key.name();
        if !self.series.contains_key(&name) {
            if self.series.len() >= settings.series_max {
                self.left_out += 1;
                return;
            }
            let (measure, up, down) = key.meaning();
            self.series.insert(name.clone(), Series::new(name.clone(), measure, up, down, key.peer(), settings));
        }
        if let Some(series) = self.series.get_mut(&name) {
            series.observe(at, value, samples, settings);
        }
    }

    pub(super) fn series_named(&self, key: SeriesKey<'_>) -> Option<&Series> {
        self.series.get(&key.name())
    }

    fn confirmed(&self, now: Timestamp, settings: &DetectionSettings) -> Vec<Found> {
        let recent = |series: &&Series| series.latest().is_some_and(|(at, _)| now.since_ms(at) <= settings.stale_ms());
        let breaching = self.series.values().filter(recent).filter_map(|s| s.confirmed().map(|c| (s, c)));
        breaching
            .map(|(series, c)| {
                let mut found = self.found(c.symptom, DetectorKind::Baseline, &series.name, c.score, c.direction);
                found.peer_name.clone_from(&series.peer);
                let a = &mut found.anomaly;
                (a.value, a.expected, a.onset, a.last_seen) = (c.value, c.expected, c.onset, c.last_seen);
                found
            })
            .collect()
    }

    pub(super) fn found(&self, symptom: Symptom, detector: DetectorKind, series: &str, score: f64, direction: Direction) -> Found {
        let anomaly = Anomaly {
            service: self.id.clone(),
            pod: None,
            symptom,
            detector,
            series: series.to_owned(),
            score,
            direction,
            value: 0.0,
            expected: 0.0,
            onset: Timestamp(0),
            last_seen: Timestamp(0),
            peer: None,
            object: None,
        };
        Found { anomaly, peer_name: None }
    }
}

/// Of several witnesses to one symptom of one thing the strongest speaks; the onset is the earliest.
fn strongest(found: Vec<Found>) -> Vec<Found> {
    let mut kept: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        let same = kept.iter_mut().find(|k| {
            k.anomaly.symptom == next.anomaly.symptom && k.peer_name == next.peer_name && k.anomaly.object == next.anomaly.object
        });
        match same {
            None => kept.push(next),
            Some(known) => {
                let onset = known.anomaly.onset.min(next.anomaly.onset);
                let last_seen = known.anomaly.last_seen.max(next.anomaly.last_seen);
                // A forecast says most, then a plain fact, then a deviation.
                if next.anomaly.detector > known.anomaly.detector {
                    *known = next;
                }
                (known.anomaly.onset, known.anomaly.last_seen) = (onset, last_seen);
            }
        }
    }
    kept
}
