//! A synthetic service that speaks the telemetry table, seeded.

use crate::{DetectionSettings, Detector};
use picket_core::anomaly::{Anomaly, Symptom};
use picket_core::ids::ServiceId;
use picket_core::signal::{LogRecord, MetricPoint, MetricValue, Resource, Signal, Temporality};
use picket_core::time::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;

pub const INTERVAL_MS: i64 = 5_000;
pub const START_MS: i64 = 1_700_000_000_000;
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

pub fn id(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

pub fn resource(service: &str, pod: &str) -> Resource {
    Resource { service: id(service), pod: Some(pod.to_owned()), ..Resource::default() }
}

pub fn gauge(service: &str, pod: &str, name: &str, at: Timestamp, value: f64) -> Signal {
    Signal::Metric(MetricPoint {
        resource: resource(service, pod),
        name: name.to_owned(),
        unit: String::new(),
        attributes: BTreeMap::new(),
        at,
        value: MetricValue::Gauge { value },
    })
}

pub fn with_attribute(signal: Signal, key: &str, value: &str) -> Signal {
    match signal {
        Signal::Metric(mut m) => {
            m.attributes.insert(key.to_owned(), value.to_owned());
            Signal::Metric(m)
        }
        other => other,
    }
}

pub fn event(service: &str, reason: &str, at: Timestamp, extra: &[(&str, &str)]) -> Signal {
    let mut attributes: BTreeMap<_, _> = extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    attributes.insert("k8s.event.reason".to_owned(), reason.to_owned());
    Signal::Log(LogRecord { resource: resource(service, "p0"), at, severity: 9, body: String::new(), attributes })
}

/// What the service is like at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Requests per second over all pods.
    pub rate: f64,
    /// Median latency, ms; lognormal.
    pub median_ms: f64,
    pub error_ratio: f64,
    pub cpu: f64,
    pub memory: f64,
    pub error_logs: f64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { rate: 40.0, median_ms: 30.0, error_ratio: 0.002, cpu: 0.35, memory: 0.5, error_logs: 0.3 }
    }
}

pub struct Emitter {
    service: String,
    pods: usize,
    rng: ChaCha8Rng,
    ok: Vec<Vec<u64>>,
    failed: Vec<Vec<u64>>,
    start: Timestamp,
}

impl Emitter {
    pub fn new(service: &str, pods: usize, seed: u64) -> Self {
        let zero = vec![vec![0; BOUNDS.len() + 1]; pods];
        Self {
            service: service.to_owned(),
            pods,
            rng: ChaCha8Rng::seed_from_u64(seed),
            ok: zero.clone(),
            failed: zero,
            start: Timestamp(START_MS),
        }
    }

    pub fn unit(&mut self) -> f64 {
        (self.rng.next_u32() >> 8) as f64 / f64::from(1u32 << 24)
    }

    pub fn gaussian(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.gaussian()).max(0.0).round() as u64;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }

    /// The containers restart: cumulative histograms begin anew.
    pub fn restart(&mut self, at: Timestamp) {
        for counts in self.ok.iter_mut().chain(&mut self.failed) {
            counts.fill(0);
        }
        self.start = at;
    }

    fn histogram(&self, name: &str, pod: usize, at: Timestamp, counts: &[u64], attributes: &[(&str, &str)]) -> Signal {
        Signal::Metric(MetricPoint {
            resource: resource(&self.service, &format!("p{pod}")),
            name: name.to_owned(),
            unit: "s".to_owned(),
            attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            at,
            value: MetricValue::Histogram {
                bounds: BOUNDS.to_vec(),
                counts: counts.to_vec(),
                sum: 0.0,
                count: counts.iter().sum(),
                temporality: Temporality::Cumulative,
                start: self.start,
            },
        })
    }

    fn serve(&mut self, shape: &Shape) {
        for pod in 0..self.pods {
            for _ in 0..self.poisson(shape.rate * INTERVAL_MS as f64 / 1_000.0 / self.pods as f64) {
                let seconds = shape.median_ms / 1_000.0 * (0.45 * self.gaussian()).exp();
                let bucket = BOUNDS.partition_point(|b| *b < seconds);
                let failed = self.unit() < shape.error_ratio;
                let counts = if failed { &mut self.failed } else { &mut self.ok };
                counts[pod][bucket] += 1;
            }
        }
    }

    /// The signals of one interval.
    pub fn emit(&mut self, at: Timestamp, shape: Shape) -> Vec<Signal> {
        self.serve(&shape);
        let mut out = Vec::new();
        for pod in 0..self.pods {
            let name = format!("p{pod}");
            out.push(self.histogram("http.server.request.duration", pod, at, &self.ok[pod], &[("http.response.status_code", "200")]));
            // As SDKs do: a counter appears with its first count.
            if self.failed[pod].iter().any(|c| *c > 0) {
                out.push(self.histogram(
                    "http.server.request.duration",
                    pod,
                    at,
                    &self.failed[pod],
                    &[("http.response.status_code", "500")],
                ));
            }
            let (cpu, memory) = (shape.cpu * (1.0 + 0.08 * self.gaussian()), shape.memory * (1.0 + 0.02 * self.gaussian()));
            out.push(gauge(&self.service, &name, "container.cpu.usage", at, cpu));
            out.push(gauge(&self.service, &name, "k8s.container.cpu_limit", at, 1.0));
            out.push(gauge(&self.service, &name, "container.memory.working_set", at, memory * 1e9));
            out.push(gauge(&self.service, &name, "k8s.container.memory_limit", at, 1e9));
        }
        for _ in 0..self.poisson(shape.error_logs) {
            let resource = resource(&self.service, "p0");
            out.push(Signal::Log(LogRecord { resource, at, severity: 17, body: "failed".into(), attributes: BTreeMap::new() }));
        }
        out
    }

    /// Calls to a peer, in place of the service's own requests.
    pub fn emit_calls(&mut self, at: Timestamp, peer: &str, shape: Shape) -> Vec<Signal> {
        self.serve(&shape);
        let calls = |counts: &[u64], pod, code| {
            self.histogram("http.client.request.duration", pod, at, counts, &[("peer.service", peer), ("http.response.status_code", code)])
        };
        (0..self.pods).flat_map(|pod| [calls(&self.ok[pod], pod, "200"), calls(&self.failed[pod], pod, "503")]).collect()
    }
}

/// A detector and the service that it watches, in step.
pub struct Bench {
    pub detector: Detector,
    pub emitter: Emitter,
    pub step: i64,
}

impl Bench {
    pub fn new(seed: u64) -> Self {
        Self { detector: Detector::new(DetectionSettings::default()), emitter: Emitter::new("cart", 3, seed), step: 0 }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(START_MS + self.step * INTERVAL_MS)
    }

    /// One interval.
    pub fn run(&mut self, shape: Shape) -> Vec<Anomaly> {
        self.step += 1;
        for signal in self.emitter.emit(self.now(), shape) {
            self.detector.observe(&signal);
        }
        self.detector.tick(self.now())
    }

    pub fn warm(&mut self, steps: usize) {
        for _ in 0..steps {
            self.run(Shape::default());
        }
    }

    /// Intervals until the symptom is raised, at most `limit`.
    pub fn until(&mut self, symptom: Symptom, limit: usize, shape: Shape) -> Option<usize> {
        (1..=limit).find(|_| self.run(shape).iter().any(|a| a.symptom == symptom))
    }
}
