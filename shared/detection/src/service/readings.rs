//! The latest figures of a service: what remedies are sized by.

use super::conditions::POOL_FULL;
use super::{Latest, Pod, SeriesKey, ServiceState};
use crate::forecast;
use crate::series::Series;
use crate::settings::DetectionSettings;
use crate::use_summary::UseSummary;
use picket_core::foreign::LastWrites;
use picket_core::ports::{Readings, Receding};
use picket_core::time::Timestamp;

/// How far back the peak is looked for that figures are compared with.
const PEAK_WITHIN_MS: i64 = 60_000;

impl ServiceState {
    /// Of the newest pod that says it: after a change of limits the old pods' word no longer counts.
    pub(super) fn newest(&self, of: impl Fn(&Pod) -> Latest) -> Option<f64> {
        self.pods.values().filter_map(of).max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map(|(_, v)| v)
    }

    pub fn readings(&self, now: Timestamp, settings: &DetectionSettings, revision: Option<(i64, i64)>) -> Readings {
        let (stale_ms, stamped) = (settings.stale_ms(), self.arrival.stamped(now));
        let long = self.long.summary().unwrap_or_default();
        let limit = self.newest(|p| p.memory_limit);
        let highest_fraction = self
            .series_named(SeriesKey::Memory)
            .and_then(|s| s.history().iter().map(|(_, v)| *v).reduce(f64::max))
            .zip(limit)
            .map(|(f, l)| f * l);
        let volumes = self.volumes.iter().filter_map(|(claim, v)| {
            let growth = forecast::sure_fall(&v.available, 0.0).map_or(0.0, |f| f.per_s);
            Some((claim.clone(), v.capacity?.1, v.available.back()?.1, growth))
        });
        Readings {
            memory_limit_bytes: limit,
            memory_working_set_max_bytes: long.memory_max_bytes.or(highest_fraction),
            cpu_request_cores: self.newest(|p| p.cpu_request),
            cpu_p95_cores: long.cpu_p95_cores,
            cpu_utilization: self.live_pods(settings).filter_map(|p| p.cpu_fraction(stamped, stale_ms)).reduce(f64::max),
            memory_request_bytes: self.newest(|p| p.memory_request),
            replicas_desired: self.desired.map(|(_, v)| v.clamp(0.0, 1e6) as u32),
            request_rate: self.request_rate(now, settings),
            request_rate_usual: self.series_named(SeriesKey::Rate).and_then(Series::usual_if_known),
            volumes: volumes.collect(),
            certificates: self.certificates.iter().map(|(secret, (_, left_s))| (secret.clone(), *left_s)).collect(),
            revision,
            container: self.container.clone(),
            // Telemetry does not say what sets replicas, and who wrote what.
            replicas_before_zero: None,
            autoscaler: None,
            last_writes: LastWrites::default(),
            receding: Receding {
                errors: self.of_peak(SeriesKey::Errors, now),
                latency: self.of_peak(SeriesKey::Latency, now),
                request_rate: self.of_peak(SeriesKey::Rate, now),
            },
            pools_full: self.pools_full(now, settings),
        }
    }

    /// The latest value as a share of the highest of the last minute.
    fn of_peak(&self, key: SeriesKey<'_>, now: Timestamp) -> Option<f64> {
        let series = self.series_named(key)?;
        let (_, latest) = series.latest()?;
        let recent = series.history().iter().filter(|(at, _)| now.since_ms(*at) <= PEAK_WITHIN_MS);
        let peak = recent.map(|(_, value)| *value).reduce(f64::max)?;
        (peak > 0.0).then(|| latest / peak)
    }

    fn pools_full(&self, now: Timestamp, settings: &DetectionSettings) -> Option<(u32, u32, Option<String>)> {
        let stamped = self.arrival.stamped(now);
        let pools = || self.live_pods(settings).filter_map(|p| Some((p, p.pool_fraction(stamped, settings.stale_ms())?)));
        let full: Vec<&Pod> = pools().filter(|(_, used)| *used > POOL_FULL).map(|(pod, _)| pod).collect();
        let node = full.first().and_then(|pod| pod.node.clone()).filter(|node| full.iter().all(|pod| pod.node.as_ref() == Some(node)));
        let all = pools().count();
        (all > 0).then(|| (full.len().try_into().unwrap_or(u32::MAX), all.try_into().unwrap_or(u32::MAX), node))
    }

    pub fn long_window_use(&self) -> Option<UseSummary> {
        let summary = self.long.summary()?;
        Some(UseSummary {
            cpu_request_cores: self.newest(|p| p.cpu_request),
            cpu_limit_cores: self.newest(|p| p.cpu_limit),
            memory_request_bytes: self.newest(|p| p.memory_request),
            memory_limit_bytes: self.newest(|p| p.memory_limit),
            replicas_desired: self.desired.map(|(_, v)| v.clamp(0.0, 1e6) as u32),
            ..summary
        })
    }
}
