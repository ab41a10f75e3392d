//! Findings that need no baseline: limits that are reached, objects that run out, things that happened.

use super::{Found, SeriesKey, ServiceState, fresh};
use crate::forecast;
use crate::settings::DetectionSettings;
use picket_core::anomaly::{Anomaly, DetectorKind, Direction, Symptom};
use picket_core::time::Timestamp;

/// Direct signals' score.
const CERTAIN: f64 = 10.0;
/// Working set of the limit that counts as high in itself.
const MEMORY_HIGH: f64 = 0.9;
/// Below this, growth of memory is not yet anybody's business.
const MEMORY_FORECAST_FROM: f64 = 0.7;
/// CPU use of the limit that counts as high in itself.
const CPU_HIGH: f64 = 0.9;
/// Connections in use, of the pool.
pub(super) const POOL_FULL: f64 = 0.95;
/// Free share of a volume that is too little, whatever its growth.
const DISK_FREE_MIN: f64 = 0.05;
/// Free share that is too little when it shrinks.
const DISK_FREE_LOW: f64 = 0.10;
/// The least growth, of the limit, that a memory forecast is made from.
const MEMORY_GROWTH_MIN: f64 = 0.02;
/// The least fall, of the capacity, that a disk forecast is made from.
const DISK_FALL_MIN: f64 = 0.01;

struct Condition {
    symptom: Symptom,
    object: Option<String>,
    detector: DetectorKind,
    series: String,
    met: bool,
    value: f64,
    expected: f64,
    direction: Direction,
    needed: u32,
    /// When it began, where that is earlier than its first breach.
    began: Option<Timestamp>,
}

impl ServiceState {
    /// Evaluates every condition of the window that ends `now`.
    pub(super) fn conditions(&mut self, now: Timestamp, settings: &DetectionSettings) -> Vec<Found> {
        let mut conditions = self.saturation(now, settings);
        conditions.extend(self.replicas(now, settings));
        conditions.extend(self.objects(now, settings));
        let mut found = Vec::new();
        for c in conditions {
            let gate = self.gates.entry((c.symptom, c.object.clone())).or_default();
            if gate.step(c.met, now, c.needed) {
                let onset = c.began.map_or(gate.onset(), |began| began.min(gate.onset()));
                let last_seen = gate.last_seen();
                let mut one = self.found(c.symptom, c.detector, &c.series, CERTAIN, c.direction);
                one.anomaly = Anomaly { value: c.value, expected: c.expected, object: c.object, onset, last_seen, ..one.anomaly };
                found.push(one);
            }
        }
        let (volumes, certificates) = (&self.volumes, &self.certificates);
        self.gates.retain(|(_, object), _| object.as_ref().is_none_or(|o| volumes.contains_key(o) || certificates.contains_key(o)));
        found
    }

    fn saturation(&self, now: Timestamp, settings: &DetectionSettings) -> Vec<Condition> {
        let (stale_ms, stamped) = (settings.stale_ms(), self.arrival.stamped(now));
        let mut conditions = Vec::new();
        let mut over = |symptom, series: &str, fraction: Option<f64>, bound: f64| {
            if let Some(value) = fraction {
                conditions.push(Condition {
                    symptom,
                    object: None,
                    detector: DetectorKind::Direct,
                    series: series.to_owned(),
                    met: value > bound,
                    value,
                    expected: bound,
                    direction: Direction::Up,
                    needed: settings.persistence,
                    began: None,
                });
            }
        };
        let most = |of: &dyn Fn(&super::Pod) -> Option<f64>| self.live_pods(settings).filter_map(of).reduce(f64::max);
        over(Symptom::CpuHigh, "container.cpu.usage of limit, highest pod", most(&|p| p.cpu_fraction(stamped, stale_ms)), CPU_HIGH);
        over(
            Symptom::ConnectionsSaturated,
            "db.client.connection.count of max, highest pod",
            most(&|p| p.pool_fraction(stamped, stale_ms)),
            POOL_FULL,
        );
        let looping = self.live_pods(settings).filter(|p| p.crash_loop.is_some_and(|at| stamped.since_ms(at) <= stale_ms)).count();
        conditions.push(Condition {
            symptom: Symptom::CrashLoop,
            object: None,
            detector: DetectorKind::Direct,
            series: "pods waiting in CrashLoopBackOff".to_owned(),
            met: looping > 0,
            value: looping as f64,
            expected: 0.0,
            direction: Direction::Up,
            needed: 1,
            began: None,
        });
        conditions.extend(self.memory(now, settings));
        conditions
    }

    /// Memory near its limit is context; memory that grows into its limit is a finding (and says so by being a forecast).
    fn memory(&self, now: Timestamp, settings: &DetectionSettings) -> Option<Condition> {
        let series = self.series_named(SeriesKey::Memory)?;
        let (_, value) = series.latest().filter(|(at, _)| now.since_ms(*at) <= settings.stale_ms())?;
        let growth = (value > MEMORY_FORECAST_FROM).then(|| forecast::sure_rise(series.history(), MEMORY_GROWTH_MIN)).flatten();
        let left_s = growth.map_or(f64::INFINITY, |g| (1.0 - value).max(0.0) / g.per_s);
        let will_end = left_s < settings.memory_horizon_s;
        Some(Condition {
            symptom: Symptom::MemoryHigh,
            object: None,
            detector: if will_end { DetectorKind::Forecast } else { DetectorKind::Direct },
            series: series.name.clone(),
            met: will_end || value > MEMORY_HIGH,
            value,
            expected: series.usual_if_known().unwrap_or(MEMORY_HIGH),
            direction: Direction::Up,
            // A sure line is made of as many points as persistence asks for, and more.
            needed: if will_end { settings.persistence.min(2) } else { settings.persistence },
            began: growth.filter(|_| will_end).map(|g| g.since),
        })
    }

    fn replicas(&mut self, now: Timestamp, settings: &DetectionSettings) -> Option<Condition> {
        let stamped = self.arrival.stamped(now);
        let desired = fresh(self.desired, stamped, settings.stale_ms())?;
        let available = fresh(self.available, stamped, settings.stale_ms())?;
        if available + 0.5 < desired {
            // Being scaled up is no failure: the count starts anew.
            let since = self.short_since.unwrap_or(now);
            self.short_since = Some(self.desired_changed.map_or(since, |changed| since.max(changed)));
        } else {
            self.short_since = None;
        }
        let met = self.short_since.is_some_and(|since| now.since_ms(since) >= settings.replicas_patience_ms);
        Some(Condition {
            symptom: Symptom::ReplicasUnavailable,
            object: None,
            detector: DetectorKind::Direct,
            series: "k8s.deployment.available".to_owned(),
            met,
            value: available,
            expected: desired,
            direction: Direction::Down,
            needed: 1,
            began: None,
        })
    }

    fn objects(&self, now: Timestamp, settings: &DetectionSettings) -> Vec<Condition> {
        // Objects are scraped less often than pods; what they said a minute ago still holds.
        let (stale_ms, stamped) = (settings.stale_ms().max(300_000), self.arrival.stamped(now));
        let mut conditions = Vec::new();
        for (claim, volume) in &self.volumes {
            let (Some((at, available)), Some((_, capacity))) = (volume.available.back().copied(), volume.capacity) else { continue };
            if stamped.since_ms(at) > stale_ms || capacity <= 0.0 {
                continue;
            }
            let falling = forecast::sure_fall(&volume.available, DISK_FALL_MIN * capacity);
            let left_s = falling.map_or(f64::INFINITY, |f| available.max(0.0) / f.per_s);
            let free = available / capacity;
            conditions.push(Condition {
                symptom: Symptom::DiskFilling,
                object: Some(claim.clone()),
                detector: DetectorKind::Forecast,
                series: format!("k8s.volume.available of {claim} (bytes)"),
                met: left_s < settings.disk_horizon_s || free < DISK_FREE_MIN || (falling.is_some() && free < DISK_FREE_LOW),
                value: available,
                expected: capacity,
                direction: Direction::Down,
                // A sure line is made of more points than persistence asks for, and of more fall than they waver by.
                needed: if falling.is_some() { 1 } else { settings.persistence.min(2) },
                began: None,
            });
        }
        for (secret, (at, left_s)) in &self.certificates {
            if stamped.since_ms(*at) <= stale_ms {
                conditions.push(Condition {
                    symptom: Symptom::CertificateExpiring,
                    object: Some(secret.clone()),
                    detector: DetectorKind::Direct,
                    series: format!("tlscheck.time_left of {secret} (s)"),
                    met: *left_s < settings.certificate_warn_s,
                    value: *left_s,
                    expected: settings.certificate_warn_s,
                    direction: Direction::Down,
                    needed: 1,
                    began: None,
                });
            }
        }
        conditions
    }

    /// What happened, by our clock. It is held until metrics of the same time have come: what they say belongs to it.
    pub(super) fn events(&mut self, now: Timestamp, settings: &DetectionSettings) -> Vec<Found> {
        let arrival = &self.arrival;
        self.happened.retain(|_, h| arrival.seen(now).since_ms(arrival.ours(h.last)) <= settings.event_hold_ms);
        let held = self.happened.iter();
        held.map(|((symptom, object), h)| {
            let mut one = self.found(*symptom, DetectorKind::Direct, &h.series, CERTAIN, Direction::Up);
            one.anomaly = Anomaly {
                pod: h.pod.clone().filter(|p| !p.is_empty()),
                value: h.count as f64,
                object: object.clone(),
                onset: arrival.ours(h.first),
                last_seen: arrival.ours(h.last),
                ..one.anomaly
            };
            one
        })
        .collect()
    }
}
