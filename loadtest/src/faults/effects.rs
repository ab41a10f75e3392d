//! What an active fault does to pods, calls and volumes in one second.

use super::lifecycle::ActiveFault;
use super::remedied::WARM_AFTER_S;
use super::{FaultKind, RemedyLuck};
use crate::cluster::SimCluster;
use crate::cluster::pod::{Pod, PodEffect};
use crate::store::hash_text;

/// Seconds until a filling volume is full.
const DISK_FULL_AFTER_S: f64 = 220.0;
/// Seconds until a leak reaches the limit.
const LEAK_FULL_AFTER_S: f64 = 80.0;

fn stuck(effect: &mut PodEffect, strength: f64) {
    effect.latency_factor *= 14.0 * strength;
    effect.errors += 0.14 * strength;
    effect.cpu_factor *= 0.3;
    effect.pool_exhausted = true;
}

/// A number between 0.8 and 1.2 that belongs to the pod: pods do not fail in step.
fn own_pace(pod: &Pod) -> f64 {
    0.8 + 0.4 * (hash_text(&pod.name) % 1000) as f64 / 1000.0
}

impl SimCluster {
    /// Images that do not start, by fault.
    pub(crate) fn image_does_not_start(&self, image: &str) -> bool {
        self.faults
            .iter()
            .any(|f| f.state == super::lifecycle::FaultState::Active && f.plan.kind == FaultKind::CrashLoop && f.bad_image == image)
    }

    pub(super) fn apply_effect(&mut self, index: usize) {
        let fault = self.faults[index].clone();
        if fault.hidden_until.is_some_and(|until| until > self.now) {
            return;
        }
        if let Some(complaint) = complaint(fault.plan.kind) {
            self.services[fault.at].complaint = complaint;
        }
        let seconds = self.now.since_ms(fault.set_off) as f64 / 1000.0;
        let strength = fault.plan.strength;
        match fault.plan.kind {
            FaultKind::LoadSurge | FaultKind::ScaleHurts => {
                let ramp = (seconds / 8.0).min(1.0);
                self.add_load(fault.at, (fault.load_factor - 1.0) * ramp);
            }
            FaultKind::LoadEbb => {
                let hump = if seconds < 20.0 { seconds / 20.0 } else { (1.0 - (seconds - 28.0).max(0.0) / 50.0).max(0.0) };
                self.add_load(fault.at, (fault.load_factor - 1.0) * hump);
            }
            FaultKind::PacketLoss => {
                if let Some(callee) = self.services[fault.at].spec.calls.first().and_then(|call| self.index_of(call.to)) {
                    self.services[fault.at].effect.calls.insert(callee, (0.28 * strength, 0.22 * strength));
                }
            }
            FaultKind::DnsFailure => {
                for call in self.services[fault.at].spec.calls.clone() {
                    if let Some(callee) = self.index_of(call.to) {
                        self.services[fault.at].effect.calls.insert(callee, (0.45 * strength, 0.5 * strength));
                    }
                }
            }
            FaultKind::DiskFilling => self.fill_volume(&fault),
            FaultKind::NodeTrouble => {
                for service in self.services.iter_mut().filter(|s| s.volume.is_some()) {
                    for pod in service.pods.iter_mut().filter(|p| p.node == fault.node) {
                        pod.effect.latency_factor *= 6.0 * strength;
                        pod.effect.errors += 0.12 * strength;
                        pod.effect.cpu_factor *= 0.6;
                    }
                }
                return;
            }
            _ => {}
        }
        let worse = self.made_worse(&fault);
        let now = self.now;
        for pod in &mut self.services[fault.at].pods {
            pod_effect(&fault, pod, seconds, worse, now.since_ms(pod.serving_since));
        }
    }

    /// Load from outside on top of the usual, as a share of it.
    fn add_load(&mut self, at: usize, share: f64) {
        let service = &mut self.services[at];
        service.effect.extra_rps += service.nominal.rate * share;
    }

    fn fill_volume(&mut self, fault: &ActiveFault) {
        let service = &mut self.services[fault.at];
        let Some(volume) = service.volume.as_mut() else { return };
        let step = 0.45 * fault.volume_bytes / DISK_FULL_AFTER_S * fault.plan.strength;
        volume.used_bytes = (volume.used_bytes + step).min(volume.capacity_bytes);
        let full = volume.used_bytes / volume.capacity_bytes;
        for pod in &mut service.pods {
            if full > 0.995 {
                pod.effect.errors += 0.6;
            } else if full > 0.93 {
                pod.effect.latency_factor *= 1.7;
            }
        }
    }
}

fn pod_effect(fault: &ActiveFault, pod: &mut Pod, seconds: f64, worse: bool, serving_ms: i64) {
    let strength = fault.plan.strength;
    // A remedy that works late, or did nothing the first time, leaves the new pods no better.
    let lingers = fault.satisfied_at.is_some() || fault.failed_once;
    let touched = pod.created_at <= fault.pods_before || lingers;
    let pace = own_pace(pod);
    let effect = &mut pod.effect;
    match fault.plan.kind {
        FaultKind::OomKill => {
            effect.memory_target_bytes =
                Some(if lingers { fault.memory_demand_bytes.max(pod.memory_limit_bytes * 1.05) } else { fault.memory_demand_bytes });
            effect.memory_step_bytes = fault.memory_demand_bytes / 34.0 * pace;
        }
        FaultKind::MemoryLeak if touched => {
            effect.memory_target_bytes = Some(pod.memory_limit_bytes * 1.1);
            effect.memory_step_bytes = 0.33 * pod.memory_limit_bytes / LEAK_FULL_AFTER_S * pace;
            // Collections grow longer as the heap fills.
            effect.latency_factor *= 1.0 + (seconds / 40.0).min(1.2) * strength;
            effect.cpu_factor *= 1.0 + (seconds / 80.0).min(0.5);
        }
        FaultKind::LatencySpike | FaultKind::SlowDependency | FaultKind::ProtectedFault if touched => stuck(effect, strength),
        FaultKind::ErrorSurge | FaultKind::NoWayBack if pod.image == fault.bad_image => {
            effect.errors += 0.33 * strength;
            effect.latency_factor *= 1.25;
        }
        FaultKind::BadDeployment if pod.image == fault.bad_image => {
            effect.errors += 0.06 * strength;
            effect.latency_factor *= 5.0 * strength;
            effect.cpu_factor *= 1.7;
        }
        FaultKind::ErrorSurge | FaultKind::BadDeployment if lingers => {
            effect.errors += 0.2 * strength;
            effect.latency_factor *= 1.7;
        }
        FaultKind::NoWayBack if worse => {
            effect.errors += 0.8;
            effect.latency_factor *= 2.0;
        }
        FaultKind::ScaleHurts if worse => {
            effect.errors += 0.5;
            effect.latency_factor *= 4.0;
        }
        FaultKind::LoadSurge if fault.plan.luck == RemedyLuck::Slow && fault.satisfied_at.is_some() => effect.latency_factor *= 2.5,
        FaultKind::SelfHealingDeployment if pod.image == fault.bad_image && serving_ms < WARM_AFTER_S * 1000 => {
            effect.errors += 0.3 * strength
        }
        FaultKind::SuspiciousWorkload => effect.cpu_factor *= 1.35,
        FaultKind::ThirdPartyOutage => {
            effect.errors += 0.22 * strength;
            effect.latency_factor *= 9.0 * strength;
            effect.cpu_factor *= 0.75;
        }
        FaultKind::BadFeatureFlag => effect.errors += 0.28 * strength,
        FaultKind::Flapping if seconds % 22.0 < 9.0 => effect.errors += 0.35 * strength,
        _ => {}
    }
}

/// What the error logs of the service say while it lasts.
const fn complaint(kind: FaultKind) -> Option<&'static str> {
    match kind {
        FaultKind::LatencySpike | FaultKind::SlowDependency | FaultKind::ProtectedFault => {
            Some("timed out waiting for a connection from the pool")
        }
        FaultKind::ErrorSurge | FaultKind::NoWayBack | FaultKind::BadDeployment => Some("unhandled exception in request handler"),
        FaultKind::SelfHealingDeployment => Some("cache miss, origin overloaded"),
        FaultKind::PacketLoss => Some("connection reset by peer"),
        FaultKind::DnsFailure => Some("lookup failed: temporary failure in name resolution"),
        FaultKind::ThirdPartyOutage => Some("api.partner.example did not answer in time"),
        FaultKind::BadFeatureFlag => Some("unexpected variant in checkout experiment"),
        FaultKind::DiskFilling => Some("no space left on device"),
        FaultKind::NodeTrouble => Some("slow write to disk"),
        FaultKind::Flapping => Some("upstream unavailable"),
        _ => None,
    }
}
