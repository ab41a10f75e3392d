//! What people do to a cluster besides picket: they repair what was broken, lift quarantines, and bring waste about.

use super::FaultKind;
use super::lifecycle::{ActiveFault, FaultState};
use crate::cluster::SimCluster;
use crate::objects;
use crate::store::ObjectKey;
use crate::topology::REQUEST_SHARE;
use serde_json::json;

impl SimCluster {
    /// The repair of a person who has found the cause. A bad release and a stuck process are well when their fault is over; these are
    /// states of the cluster, and stay until somebody changes them.
    pub(super) fn repair_by_hand(&mut self, index: usize) {
        let fault = &self.faults[index];
        let (at, kind, used_before) = (fault.at, fault.plan.kind, fault.volume_used_bytes);
        match kind {
            FaultKind::CertificateExpiring => {
                let life_ms = (self.parameters.certificate_life_s * 1000.0) as i64;
                self.issue_certificate(at, self.now.plus_ms(life_ms));
            }
            FaultKind::DiskFilling => {
                if let Some(volume) = self.services[at].volume.as_mut() {
                    volume.used_bytes = volume.used_bytes.min(used_before);
                }
            }
            FaultKind::OverRequested => {
                let usual = self.services[at].spec.full_load_cores * REQUEST_SHARE;
                self.request_cores(at, usual);
            }
            FaultKind::IdleService => self.scale_by_hand(at, 0),
            _ => {}
        }
    }

    /// Brings waste about where it is not there from the start.
    pub(super) fn waste_anew(&mut self, index: usize) {
        let at = self.faults[index].at;
        let (spec, view) = (&self.services[at].spec, self.services[at].deployment.as_ref());
        let (cores, replicas) = (spec.cpu_request(), spec.replicas);
        match self.faults[index].plan.kind {
            FaultKind::OverRequested => {
                if view.is_some_and(|d| d.cpu_request < cores) {
                    self.request_cores(at, cores);
                }
                self.faults[index].cpu_request = cores;
            }
            FaultKind::IdleService => {
                if view.is_some_and(|d| d.replicas < replicas) {
                    self.scale_by_hand(at, replicas);
                }
                self.faults[index].replicas = replicas;
            }
            _ => {}
        }
    }

    fn request_cores(&mut self, at: usize, cores: f64) {
        let spec = self.services[at].spec.clone();
        let limit = cores.max(spec.cpu_request()).max(spec.full_load_cores);
        let milli = |cores: f64| json!(format!("{}m", (cores * 1000.0).round()));
        self.store.update(&objects::deployment_key(&spec), |deployment| {
            let resources = &mut deployment["spec"]["template"]["spec"]["containers"][0]["resources"];
            resources["requests"]["cpu"] = milli(cores);
            resources["limits"]["cpu"] = milli(limit);
        });
    }

    fn scale_by_hand(&mut self, at: usize, replicas: u32) {
        let key = objects::deployment_key(&self.services[at].spec);
        self.store.update(&key, |deployment| deployment["spec"]["replicas"] = json!(replicas));
    }

    /// A workload that picket has quarantined is rebuilt, and let back in.
    pub(super) fn lift_quarantines(&mut self) {
        if !self.parameters.lift_quarantine {
            return;
        }
        let is_rebuilt =
            |fault: &ActiveFault| fault.truth.end.is_some_and(|end| self.now.since_ms(end) as f64 >= fault.plan.person_after_s * 1000.0);
        let suspicious = |fault: &&ActiveFault| fault.plan.kind == FaultKind::SuspiciousWorkload && fault.state != FaultState::Waiting;
        let due: Vec<usize> = (0..self.services.len())
            .filter(|at| self.services[*at].quarantined)
            .filter(|at| self.faults.iter().filter(suspicious).filter(|fault| fault.at == *at).all(is_rebuilt))
            .collect();
        for at in due {
            let spec = self.services[at].spec.clone();
            for policy in self.store.list("networking.k8s.io/v1", "NetworkPolicy", Some(spec.namespace)) {
                if policy["spec"]["podSelector"]["matchLabels"]["app"] == spec.name
                    && let Some(key) = ObjectKey::of(&policy)
                {
                    _ = self.store.delete(&key, None);
                }
            }
            self.services[at].quarantined = false;
        }
    }
}
