//! Use over a long window, in bounded memory: what rightsizing is computed from.

use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Use of one service over the long window. Per pod where it says so: requests and limits are per pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UseSummary {
    /// 95th percentile of a pod's CPU use, in cores (to within 5 %, rounded up).
    pub cpu_p95_cores: Option<f64>,
    /// Highest working set of a pod.
    pub memory_max_bytes: Option<f64>,
    /// CPU request of a pod, in cores.
    pub cpu_request_cores: Option<f64>,
    /// CPU limit of a pod, in cores.
    pub cpu_limit_cores: Option<f64>,
    /// Memory request of a pod.
    pub memory_request_bytes: Option<f64>,
    /// Memory limit of a pod.
    pub memory_limit_bytes: Option<f64>,
    /// Mean requests per second of the service; `None` when it has never reported any, not even zero.
    pub request_rate_mean: Option<f64>,
    /// Highest requests per second of the service in one window.
    pub request_rate_max: Option<f64>,
    /// Replicas wanted.
    pub replicas_desired: Option<u32>,
    /// Windows that it is made of.
    pub points: u64,
    /// Time that it covers.
    pub span_ms: i64,
}

const BUCKETS: usize = 300;
const SMALLEST_CORES: f64 = 0.000_1;
const GROWTH: f64 = 1.05;

#[derive(Clone, Debug)]
struct Generation {
    first: Timestamp,
    last: Timestamp,
    cpu: Vec<u32>,
    cpu_count: u64,
    memory_max: Option<f64>,
    rate_sum: f64,
    rate_count: u64,
    rate_max: f64,
    points: u64,
}

impl Generation {
    fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            cpu: vec![0; BUCKETS],
            cpu_count: 0,
            memory_max: None,
            rate_sum: 0.0,
            rate_count: 0,
            rate_max: 0.0,
            points: 0,
        }
    }
}

/// Two generations of half the window each: the older leaves whole, so memory is bounded and old peaks are forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct LongUse {
    now: Option<Generation>,
    before: Option<Generation>,
}

impl LongUse {
    fn generation(&mut self, at: Timestamp, window_ms: i64) -> &mut Generation {
        if self.now.as_ref().is_some_and(|g| at.since_ms(g.first) > window_ms / 2) {
            self.before = self.now.take();
        }
        let generation = self.now.get_or_insert_with(|| Generation::new(at));
        generation.last = generation.last.max(at);
        generation
    }

    pub fn cpu(&mut self, at: Timestamp, cores: f64, window_ms: i64) {
        let generation = self.generation(at, window_ms);
        let bucket = ((cores.max(SMALLEST_CORES) / SMALLEST_CORES).ln() / GROWTH.ln()).ceil() as usize;
        generation.cpu[bucket.min(BUCKETS - 1)] += 1;
        generation.cpu_count += 1;
    }

    pub fn memory(&mut self, at: Timestamp, bytes: f64, window_ms: i64) {
        let generation = self.generation(at, window_ms);
        generation.memory_max = Some(generation.memory_max.map_or(bytes, |m| m.max(bytes)));
    }

    /// Closes a window of the service.
    pub fn window(&mut self, at: Timestamp, rate: Option<f64>, window_ms: i64) {
        let generation = self.generation(at, window_ms);
        generation.points += 1;
        if let Some(rate) = rate {
            generation.rate_sum += rate;
            generation.rate_count += 1;
            generation.rate_max = generation.rate_max.max(rate);
        }
    }

    /// The use part of the summary; requests and limits are the caller's to add.
    pub fn summary(&self) -> Option<UseSummary> {
        let both: Vec<&Generation> = self.before.iter().chain(&self.now).collect();
        let (first, last) = (both.first()?.first, both.last()?.last);
        let cpu_count: u64 = both.iter().map(|g| g.cpu_count).sum();
        let mut seen = 0;
        let cpu_p95_cores = (cpu_count > 0)
            .then(|| {
                (0..BUCKETS).find(|i| {
                    seen += both.iter().map(|g| u64::from(g.cpu[*i])).sum::<u64>();
                    seen as f64 >= 0.95 * cpu_count as f64
                })
            })
            .flatten()
            .map(|bucket| SMALLEST_CORES * GROWTH.powi(bucket as i32));
        let rate_count: u64 = both.iter().map(|g| g.rate_count).sum();
        Some(UseSummary {
            cpu_p95_cores,
            memory_max_bytes: both.iter().filter_map(|g| g.memory_max).reduce(f64::max),
            request_rate_mean: (rate_count > 0).then(|| both.iter().map(|g| g.rate_sum).sum::<f64>() / rate_count as f64),
            request_rate_max: (rate_count > 0).then(|| both.iter().map(|g| g.rate_max).fold(0.0, f64::max)),
            points: both.iter().map(|g| g.points).sum(),
            span_ms: last.since_ms(first),
            ..UseSummary::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_bounds_use_from_above_and_forgets() {
        let mut long = LongUse::default();
        for i in 0..1_000 {
            let at = Timestamp(i * 5_000);
            long.cpu(at, 0.2 + f64::from((i % 100) as u32) * 0.001, 86_400_000);
            long.memory(at, 1e8 + i as f64, 86_400_000);
            long.window(at, Some(10.0), 86_400_000);
        }
        let summary = long.summary().unwrap();
        let p95 = summary.cpu_p95_cores.unwrap();
        assert!((0.294..0.294 * 1.06).contains(&p95), "{p95}");
        assert_eq!((summary.memory_max_bytes, summary.request_rate_mean, summary.points), (Some(1e8 + 999.0), Some(10.0), 1_000));
        for i in 0..3 {
            long.memory(Timestamp(100_000_000 + i * 50_000_000), 5.0, 86_400_000);
        }
        assert_eq!(long.summary().unwrap().memory_max_bytes, Some(5.0));
    }
}
