//! Load and queueing: requests flow down the call graph, latency and errors flow back up.

use super::SimCluster;
use super::service::{ServiceEffect, Traffic, USUAL_COMPLAINT};
use crate::cluster::pod::PodEffect;
use rand::RngExt as _;

/// A caller gives up on a call after this, and counts it as failed.
const CALL_TIMEOUT_S: f64 = 2.0;
/// Bytes of a request and its answer, as network flows count them.
const BYTES_PER_CALL: f64 = 6_400.0;
/// Share of a pool in use at normal load.
const USUAL_POOL_SHARE: f64 = 0.22;

/// How queueing multiplies latency at that load (0..1; near 1 it explodes, above it requests are shed).
fn queueing(utilisation: f64) -> f64 {
    let load = utilisation.clamp(0.0, 0.985);
    1.0 + 0.5 * load.powi(4) / (1.0 - load)
}

/// Share of requests that an overloaded pod sheds.
fn shed(utilisation: f64) -> f64 {
    let early = ((utilisation - 0.92) * 0.6).clamp(0.0, 0.05);
    if utilisation > 1.0 { (1.0 - 1.0 / utilisation).max(early) } else { early }
}

impl SimCluster {
    /// The traffic of a healthy cluster without noise: capacity, and what "usual" means, come from it.
    pub(super) fn settle_nominal_traffic(&mut self) {
        let mut rates: Vec<f64> = self.services.iter().map(|s| s.spec.ingress_rps).collect();
        for at in 0..self.services.len() {
            for call in self.services[at].spec.calls.clone() {
                if let Some(callee) = self.index_of(call.to) {
                    rates[callee] += rates[at] * call.per_request;
                }
            }
        }
        for at in (0..self.services.len()).rev() {
            let spec = self.services[at].spec.clone();
            let own = spec.base_latency_ms / 1000.0 * queueing(spec.usual_utilisation);
            let called: f64 = spec
                .calls
                .iter()
                .filter_map(|call| Some(call.per_request.min(1.0) * self.services[self.index_of(call.to)?].nominal.latency_s))
                .sum();
            self.services[at].nominal =
                Traffic { rate: rates[at], latency_s: own + called, error_ratio: 0.001, utilisation: spec.usual_utilisation };
        }
    }

    /// One second of load.
    pub(super) fn run_traffic(&mut self) {
        let rates = self.rates();
        for at in (0..self.services.len()).rev() {
            self.serve(at, rates[at]);
        }
        for service in &mut self.services {
            service.link = std::mem::replace(&mut service.effect, ServiceEffect::NONE).calls;
            for pod in &mut service.pods {
                pod.effect = PodEffect::NONE;
            }
        }
    }

    /// Requests per second that arrive at each service.
    fn rates(&mut self) -> Vec<f64> {
        let phase = self.now.since_ms(self.started_at) as f64 / 1000.0 / self.parameters.day_s;
        let day = 1.0 + self.parameters.daily_swing * (std::f64::consts::TAU * phase).sin();
        let noise = self.parameters.rate_noise;
        let mut rates = vec![0.0; self.services.len()];
        for at in 0..self.services.len() {
            let jitter: f64 = self.streams.traffic.random_range(-1.0..1.0);
            let service = &mut self.services[at];
            // An autoregressive drift besides white noise: real load wanders.
            service.drift = 0.95 * service.drift + 0.3 * noise * jitter;
            let white: f64 = self.streams.traffic.random_range(-1.0..1.0);
            let effect = &service.effect;
            let ingress = service.spec.ingress_rps * day * effect.load_factor + effect.extra_rps;
            rates[at] += ingress * (1.0 + service.drift + noise * white).max(0.0);
            let alive = if service.quarantined || service.ready_pods() == 0 { 0.0 } else { 1.0 };
            let rate = rates[at] * alive * (1.0 - 0.5 * service.traffic.error_ratio);
            for call in self.services[at].spec.calls.clone() {
                if let Some(callee) = self.index_of(call.to) {
                    rates[callee] += rate * call.per_request;
                }
            }
        }
        rates
    }

    fn serve(&mut self, at: usize, rate: f64) {
        let capacity = self.services[at].pod_capacity_rps();
        let calls: Vec<(usize, f64, f64, f64, f64)> = self.services[at]
            .spec
            .calls
            .iter()
            .filter_map(|call| {
                let callee = self.index_of(call.to)?;
                let there = &self.services[callee].traffic;
                let (extra_s, lost) = self.services[at].effect.calls.get(&callee).copied().unwrap_or((0.0, 0.0));
                let cut = self.services[callee].quarantined || self.services[callee].ready_pods() == 0;
                let failed = if cut { 1.0 } else { 1.0 - (1.0 - there.error_ratio) * (1.0 - lost) };
                let late = there.latency_s + extra_s;
                let failed = if late > CALL_TIMEOUT_S { failed.max(0.5) } else { failed };
                Some((callee, call.per_request, call.passes_errors, late.clamp(0.0005, CALL_TIMEOUT_S), failed))
            })
            .collect();
        let noise = self.parameters.rate_noise;
        let (cut, ready) = (self.services[at].quarantined, self.services[at].ready_pods());
        let rate = if cut { 0.0 } else { rate };
        let pod_rate = if ready == 0 { 0.0 } else { rate / ready as f64 };
        let utilisation = pod_rate / capacity;
        let (mut latency_sum, mut error_sum) = (0.0, 0.0);
        let service = &mut self.services[at];
        let nominal_pod_rate = (service.nominal.rate / f64::from(service.spec.replicas)).max(0.01);
        for pod in &mut service.pods {
            let wobble: f64 = self.streams.traffic.random_range(-1.0..1.0);
            let wobble2: f64 = self.streams.traffic.random_range(-1.0..1.0);
            let effect = pod.effect;
            pod.step_memory(&service.spec, wobble2);
            if !pod.ready() {
                pod.cpu = service.spec.full_load_cores * if pod.waiting().is_none() { 0.3 } else { 0.0 };
                pod.connections = 0.0;
                continue;
            }
            let squeezed = memory_pressure(pod.memory_bytes / pod.memory_limit_bytes);
            let own =
                service.spec.base_latency_ms / 1000.0 * queueing(utilisation) * effect.latency_factor * squeezed * (1.0 + noise * wobble);
            let called: f64 = calls.iter().map(|(_, per_request, _, late, _)| per_request.min(1.0) * late).sum();
            let latency = own + called;
            let kept = calls.iter().fold((1.0 - shed(utilisation)) * (1.0 - effect.errors), |kept, (_, per_request, passes, _, failed)| {
                kept * (1.0 - per_request.min(1.0) * passes * failed)
            });
            let errors = (1.0 - kept).clamp(0.0, 1.0);
            let code = if effect.pool_exhausted || utilisation > 0.95 { 503 } else { 500 };
            pod.server.entry(200).or_default().observe(pod_rate * (1.0 - errors), latency);
            pod.server.entry(code).or_default().observe(pod_rate * errors, latency * 0.8);
            for (callee, per_request, _, late, failed) in &calls {
                pod.client.entry((*callee, 200)).or_default().observe(pod_rate * per_request * (1.0 - failed), *late);
                pod.client.entry((*callee, 503)).or_default().observe(pod_rate * per_request * failed, *late);
                *service.flow_bytes.entry(*callee).or_default() +=
                    pod_rate * per_request * (1.0 - failed) * BYTES_PER_CALL * (1.0 + noise * wobble);
            }
            // Garbage collection near the limit costs CPU as well as time.
            let load = (0.05 + 0.9 * utilisation.min(1.08)) * effect.cpu_factor * squeezed.sqrt();
            pod.cpu = service.spec.full_load_cores * load * (1.0 + noise * wobble2);
            let in_flight = USUAL_POOL_SHARE * (pod_rate * latency) / (nominal_pod_rate * service.nominal.latency_s);
            let share = if effect.pool_exhausted { 1.0 } else { in_flight.min(1.0) };
            pod.connections = (f64::from(service.spec.pool_max) * share).round();
            latency_sum += latency;
            error_sum += errors;
        }
        service.traffic = if ready == 0 || cut {
            Traffic { rate, latency_s: 0.0, error_ratio: if service.desired() == 0 { 0.0 } else { 1.0 }, utilisation: 0.0 }
        } else {
            Traffic { rate, latency_s: latency_sum / ready as f64, error_ratio: error_sum / ready as f64, utilisation }
        };
        service.failed_requests += service.traffic.rate * service.traffic.error_ratio;
        if utilisation > 0.95 && service.complaint == USUAL_COMPLAINT {
            service.complaint = "queue is full, request shed";
        }
    }
}

/// How a nearly full heap slows a process down.
fn memory_pressure(share_of_limit: f64) -> f64 {
    1.0 + 8.0 * (share_of_limit - 0.88).clamp(0.0, 0.12)
}
