//! When a fault is over: by a remedy that stands in the cluster's objects, by a person, or by itself.

use super::lifecycle::ActiveFault;
use super::{FaultKind, RemedyLuck};
use crate::cluster::SimCluster;
use crate::truth::Remedier;

/// A self-healing release is warm this long after a pod's start.
pub(super) const WARM_AFTER_S: i64 = 24;

impl FaultKind {
    /// Its service's users notice. The others are risks or waste.
    #[must_use]
    pub const fn harms(self) -> bool {
        !matches!(self, Self::CertificateExpiring | Self::SuspiciousWorkload | Self::OverRequested | Self::IdleService)
    }

    /// Slow and failing remedies are modelled for it.
    #[must_use]
    pub const fn may_have_bad_luck(self) -> bool {
        matches!(
            self,
            Self::OomKill
                | Self::MemoryLeak
                | Self::LatencySpike
                | Self::SlowDependency
                | Self::ErrorSurge
                | Self::BadDeployment
                | Self::LoadSurge
                | Self::DiskFilling
                | Self::CertificateExpiring
        )
    }
}

impl SimCluster {
    pub(super) fn check_remedy(&mut self, index: usize) {
        let fault = &self.faults[index];
        let (kind, at, now) = (fault.plan.kind, fault.at, self.now);
        if fault.person_at <= now {
            let by = if kind.ends_by_itself() { Remedier::Itself } else { Remedier::Person };
            self.end(index, by);
            return;
        }
        if kind == FaultKind::SelfHealingDeployment && self.release_is_warm(fault) {
            self.end(index, Remedier::Itself);
            return;
        }
        self.maybe_hide(index);
        if self.made_worse(&self.faults[index]) && self.faults[index].satisfied_at.is_none() {
            let wait = (self.faults[index].plan.person_after_s * 1000.0) as i64;
            let fault = &mut self.faults[index];
            fault.satisfied_at = Some(now);
            fault.person_at = fault.person_at.min(now.plus_ms(wait));
            return;
        }
        let fault = &self.faults[index];
        if let Some(since) = fault.satisfied_at.filter(|_| fault.plan.luck == RemedyLuck::Slow && slow_afterwards(kind)) {
            if now.since_ms(since) >= (fault.plan.slow_s * 1000.0) as i64 {
                let by = fault.satisfied_by;
                self.end(index, by);
            }
            return;
        }
        if !self.satisfied(fault) {
            // A certificate that is refused is known to have failed at once: the request stands, nothing comes.
            let asked = kind == FaultKind::CertificateExpiring
                && fault.plan.luck == RemedyLuck::Fails
                && !fault.failed_once
                && self.services[at].certificate.as_ref().is_some_and(|c| c.requests > 0);
            if asked {
                self.fail_first(index);
            }
            return;
        }
        let by = if self.action_ids(at).iter().any(|id| id.is_some() && !fault.action_ids.contains(id)) {
            Remedier::Picket
        } else {
            Remedier::Person
        };
        let luck = fault.plan.luck;
        let fault = &mut self.faults[index];
        fault.truth.remedied_at.get_or_insert(now);
        fault.changed = true;
        match luck {
            RemedyLuck::Fails if !fault.failed_once && kind != FaultKind::CertificateExpiring => self.fail_first(index),
            RemedyLuck::Slow if slow_afterwards(kind) => {
                fault.satisfied_at = Some(now);
                fault.satisfied_by = by;
            }
            _ => self.end(index, by),
        }
    }

    /// The right remedy does nothing the first time; a person looks after it soon.
    fn fail_first(&mut self, index: usize) {
        let (at, now) = (self.faults[index].at, self.now);
        let capacity = self.services[at].volume.as_ref().map_or(0.0, |v| v.capacity_bytes);
        // A remedy that is still rolling out must not count as the second one.
        let (ready, usual) = (f64::from(self.services[at].desired()), self.services[at].spec.usual_utilisation);
        let wait = (self.faults[index].plan.person_after_s * 1000.0) as i64;
        let fault = &mut self.faults[index];
        fault.failed_once = true;
        fault.changed = true;
        fault.truth.remedied_at.get_or_insert(now);
        fault.person_at = fault.person_at.min(now.plus_ms(wait));
        // What it takes the second time: newer pods, a still larger limit, volume or number of replicas.
        fault.pods_before = now;
        fault.memory_demand_bytes *= 1.45;
        fault.volume_bytes = capacity;
        let crowd = (ready + 1.5) * 0.8 / (f64::from(fault.replicas.max(1)) * usual);
        fault.load_factor = (fault.load_factor * 1.3).max(crowd);
    }

    /// The objects are as the right remedy leaves them.
    fn satisfied(&self, fault: &ActiveFault) -> bool {
        let service = &self.services[fault.at];
        let desired = service.desired() as usize;
        let all_ready = service.ready_pods() >= desired;
        // The controllers take what a person wrote up in the step after.
        let taken_up = self.now.since_ms(fault.set_off) >= 3_000;
        let replaced = || all_ready && service.pods.iter().all(|p| p.created_at > fault.pods_before);
        match fault.plan.kind {
            FaultKind::OomKill => all_ready && service.pods.iter().all(|p| p.memory_limit_bytes >= fault.memory_demand_bytes),
            FaultKind::MemoryLeak | FaultKind::LatencySpike | FaultKind::SlowDependency => replaced(),
            FaultKind::ErrorSurge | FaultKind::BadDeployment | FaultKind::CrashLoop => {
                let image = service.deployment.as_ref().is_some_and(|d| d.image != fault.bad_image);
                taken_up
                    && image
                    && all_ready
                    && service.pods.iter().all(|p| p.image != fault.bad_image && p.created_at > zero_unless_failed(fault))
            }
            FaultKind::LoadSurge => service.ready_pods() >= needed_replicas(fault, service.spec.usual_utilisation),
            FaultKind::DiskFilling => service.volume.as_ref().is_some_and(|v| v.capacity_bytes >= 1.2 * fault.volume_bytes),
            FaultKind::CertificateExpiring => service.certificate.as_ref().is_some_and(|c| c.issued > fault.certificates),
            FaultKind::SuspiciousWorkload => service.quarantined,
            FaultKind::OverRequested => taken_up && service.deployment.as_ref().is_some_and(|d| d.cpu_request <= 0.6 * fault.cpu_request),
            FaultKind::IdleService => taken_up && service.deployment.as_ref().is_some_and(|d| d.replicas < fault.replicas) && desired <= 1,
            _ => false,
        }
    }

    /// The remedy that the catalogue suggests was taken, and does harm.
    pub(super) fn made_worse(&self, fault: &ActiveFault) -> bool {
        let service = &self.services[fault.at];
        match fault.plan.kind {
            FaultKind::NoWayBack => {
                service.deployment.as_ref().is_some_and(|d| d.image != fault.bad_image)
                    && service.pods.iter().any(|p| p.ready() && p.image != fault.bad_image && p.created_at > fault.set_off)
            }
            FaultKind::ScaleHurts => service.ready_pods() > fault.replicas as usize,
            _ => false,
        }
    }

    /// A wrong restart sometimes seems to help for a while.
    fn maybe_hide(&mut self, index: usize) {
        let fault = &self.faults[index];
        let hideable = matches!(
            fault.plan.kind,
            FaultKind::BadFeatureFlag | FaultKind::ThirdPartyOutage | FaultKind::ErrorSurge | FaultKind::BadDeployment | FaultKind::OomKill
        );
        let restarted = || self.services[fault.at].pods.iter().all(|p| p.created_at > fault.set_off && p.ready());
        let unchanged =
            self.services[fault.at].deployment.as_ref().is_some_and(|d| fault.bad_image.is_empty() || d.image == fault.bad_image);
        // A release replaces the pods by itself; only pods newer than the release's own rollout were restarted.
        let wrong = fault.bad_image.is_empty() || self.services[fault.at].pods.iter().all(|p| p.created_at > fault.set_off.plus_ms(30_000));
        if hideable && fault.plan.wrong_hides_s > 0.0 && fault.hidden_until.is_none() && unchanged && wrong && restarted() {
            let until = self.now.plus_ms((fault.plan.wrong_hides_s * 1000.0) as i64);
            self.faults[index].hidden_until = Some(until);
        }
    }

    fn release_is_warm(&self, fault: &ActiveFault) -> bool {
        let service = &self.services[fault.at];
        let out = service.pods.iter().all(|p| p.image == fault.bad_image);
        let warm = || service.pods.iter().all(|p| p.ready() && self.now.since_ms(p.serving_since) > WARM_AFTER_S * 1000);
        let undone = service.deployment.as_ref().is_some_and(|d| d.image != fault.bad_image) && self.now.since_ms(fault.set_off) > 10_000;
        (out && warm()) || undone
    }
}

fn zero_unless_failed(fault: &ActiveFault) -> picket_core::time::Timestamp {
    if fault.failed_once { fault.pods_before } else { picket_core::time::Timestamp(i64::MIN) }
}

/// Kinds whose slowness comes after the remedy stands (volumes and certificates are slow in their controllers).
const fn slow_afterwards(kind: FaultKind) -> bool {
    !matches!(kind, FaultKind::DiskFilling | FaultKind::CertificateExpiring)
}

/// Replicas that bring the load of each below four fifths.
pub(super) fn needed_replicas(fault: &ActiveFault, usual_utilisation: f64) -> usize {
    (f64::from(fault.replicas) * fault.load_factor * usual_utilisation / 0.8).ceil() as usize
}
