//! The latest figures of a service: what remedies are sized by.

use super::{Latest, Pod, SeriesKey, ServiceState};
use crate::forecast;
use crate::series::Series;
use crate::settings::DetectionSettings;
use crate::use_summary::UseSummary;
use picket_core::ports::Readings;
use picket_core::time::Timestamp;

impl ServiceState {
    /// Of the newest pod that says it: after a change of limits the old pods' word no longer counts.
    fn newest(&self, of: impl Fn(&Pod) -> Latest) -> Option<f64> {
        self.pods.values().filter_map(of).max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map(|(_, v)| v)
    }

    pub fn readings(&self, now: Timestamp, settings: &DetectionSettings, revision: Option<(i64, i64)>) -> Readings {
        let stale_ms = settings.stale_ms();
        let long = self.long.summary().unwrap_or_default();
        let limit = self.newest(|p| p.memory_limit);
        let highest_fraction = self
            .series_named(SeriesKey::Memory)
            .and_then(|s| s.history().iter().map(|(_, v)| *v).reduce(f64::max))
            .zip(limit)
            .map(|(f, l)| f * l);
        let volumes = self.volumes.iter().filter_map(|(claim, v)| {
            let growth = forecast::sure_fall(&v.available, 0.0).unwrap_or(0.0);
            Some((claim.clone(), v.capacity?.1, v.available.back()?.1, growth))
        });
        Readings {
            memory_limit_bytes: limit,
            memory_working_set_max_bytes: long.memory_max_bytes.or(highest_fraction),
            cpu_request_cores: self.newest(|p| p.cpu_request),
            cpu_p95_cores: long.cpu_p95_cores,
            cpu_utilization: self.pods.values().filter_map(|p| p.cpu_fraction(now, stale_ms)).reduce(f64::max),
            memory_request_bytes: self.newest(|p| p.memory_request),
            replicas_desired: self.desired.map(|(_, v)| v.clamp(0.0, 1e6) as u32),
            request_rate: self.request_rate(now, stale_ms),
            request_rate_usual: self.series_named(SeriesKey::Rate).and_then(Series::usual_if_known),
            volumes: volumes.collect(),
            certificates: self.certificates.iter().map(|(secret, (_, left_s))| (secret.clone(), *left_s)).collect(),
            revision,
            container: self.container.clone(),
        }
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
