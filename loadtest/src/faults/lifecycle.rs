//! The life of a fault: onset, harm, remedy or person, end, and the service's return to its bounds.

use super::{FaultClass, FaultKind, FaultPlan, RemedyLuck};
use crate::cluster::SimCluster;
use crate::cluster::service::USUAL_COMPLAINT;
use crate::objects;
use crate::topology::NODES;
use crate::truth::{Remedier, TruthRecord};
use picket_core::ids::ServiceId;
use picket_core::time::Timestamp;
use rand::RngExt as _;

/// Seconds in a row that a service must be within its bounds.
const STEADY_S: i64 = 3;

/// Where a fault stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FaultState {
    /// Not yet.
    Waiting,
    /// Does harm.
    Active,
    /// Over; its service may still be on its way back.
    Ended,
    /// Over, and its service is back.
    Closed,
}

/// A fault in a cluster.
#[derive(Clone, Debug)]
pub struct ActiveFault {
    /// As planned.
    pub plan: FaultPlan,
    /// Index of its service.
    pub at: usize,
    /// Where it stands.
    pub state: FaultState,
    /// When it was set off (a release's harm begins a little later: see the truth's onset).
    pub set_off: Timestamp,
    /// Pods made before this are touched by faults of running processes.
    pub pods_before: Timestamp,
    /// The image of a bad release.
    pub bad_image: String,
    /// Working set that an OOM kill comes from, in bytes.
    pub memory_demand_bytes: f64,
    /// Size of the volume when it began to fill, in bytes.
    pub volume_bytes: f64,
    /// Used of it then, in bytes.
    pub volume_used_bytes: f64,
    /// Replicas when it began.
    pub replicas: u32,
    /// Certificates issued when it began.
    pub certificates: u32,
    /// CPU request when it began, in cores.
    pub cpu_request: f64,
    /// The slow node.
    pub node: &'static str,
    /// How much the load grows.
    pub load_factor: f64,
    /// When the right remedy stood in the objects.
    pub satisfied_at: Option<Timestamp>,
    /// By whom.
    pub satisfied_by: Remedier,
    /// A failed first remedy was already spent.
    pub failed_once: bool,
    /// When a person repairs it.
    pub person_at: Timestamp,
    /// A wrong remedy hides it until then.
    pub hidden_until: Option<Timestamp>,
    /// Picket's action ids on its objects when it began.
    pub action_ids: Vec<Option<String>>,
    /// Last second in which its service was out of bounds.
    pub last_bad: Option<Timestamp>,
    /// Ground truth.
    pub truth: TruthRecord,
    /// The truth changed since it was last taken.
    pub changed: bool,
}

impl SimCluster {
    /// Adds the plans that are for this cluster.
    #[must_use]
    pub fn with_faults(mut self, plans: &[FaultPlan]) -> Self {
        for plan in plans {
            if plan.cluster == self.name {
                self.add_fault(plan.clone());
            }
        }
        self
    }

    /// Adds one fault. False when its service does not exist.
    pub fn add_fault(&mut self, plan: FaultPlan) -> bool {
        let Some(at) = self.index_of(&plan.service) else { return false };
        let onset = self.started_at.plus_ms((plan.onset_s * 1000.0) as i64);
        let truth = self.truth_of(&plan, at, onset);
        let natural = onset.plus_ms((plan.natural_s * 1000.0) as i64);
        self.faults.push(ActiveFault {
            at,
            state: FaultState::Waiting,
            set_off: onset,
            pods_before: onset,
            bad_image: String::new(),
            memory_demand_bytes: 0.0,
            volume_bytes: 0.0,
            volume_used_bytes: 0.0,
            replicas: 0,
            certificates: 0,
            cpu_request: 0.0,
            node: NODES[0],
            load_factor: 1.0 + 1.25 * plan.strength,
            satisfied_at: None,
            satisfied_by: Remedier::Person,
            failed_once: false,
            person_at: natural,
            hidden_until: None,
            action_ids: Vec::new(),
            last_bad: None,
            truth,
            changed: false,
            plan,
        });
        true
    }

    fn id_of(&self, at: usize) -> ServiceId {
        ServiceId::new(self.name.clone(), self.services[at].spec.namespace, self.services[at].spec.name)
    }

    fn truth_of(&self, plan: &FaultPlan, at: usize, onset: Timestamp) -> TruthRecord {
        let mut right = vec![at];
        if matches!(plan.kind, FaultKind::PacketLoss | FaultKind::DnsFailure) {
            right.extend(self.services[at].spec.calls.iter().filter_map(|call| self.index_of(call.to)));
        }
        let mut affected = right.clone();
        // Callers stand before callees: one pass backwards finds all who call them, directly or not.
        for caller in (0..self.services.len()).rev() {
            let calls = self.services[caller].spec.calls.iter().filter_map(|call| self.index_of(call.to));
            if calls.into_iter().any(|callee| affected.contains(&callee)) && !affected.contains(&caller) {
                affected.push(caller);
            }
        }
        let causes = plan.kind.causes();
        TruthRecord {
            id: plan.id.clone(),
            kind: plan.kind,
            class: plan.kind.class(),
            cluster: self.name.clone(),
            service: self.id_of(at),
            right_services: right.into_iter().map(|at| self.id_of(at)).collect(),
            affected: affected.into_iter().map(|at| self.id_of(at)).collect(),
            cause: causes.first().copied(),
            also_right: causes.iter().skip(1).chain(plan.kind.right_without_act()).copied().collect(),
            remedies: plan.kind.remedies().to_vec(),
            agent: plan.kind.agent(),
            is_trap: plan.kind.class() == FaultClass::Trap,
            luck: plan.luck,
            onset,
            remedied_at: None,
            remedied_by: None,
            end: None,
            sli_back: None,
        }
    }

    /// The truth of every fault that has begun.
    #[must_use]
    pub fn truths(&self) -> Vec<TruthRecord> {
        self.faults.iter().filter(|f| f.state != FaultState::Waiting).map(|f| f.truth.clone()).collect()
    }

    /// The truths that changed since the last call: what goes into the ground truth's file next.
    pub fn take_changed_truths(&mut self) -> Vec<TruthRecord> {
        let changed = self.faults.iter_mut().filter(|f| f.changed);
        changed
            .map(|f| {
                f.changed = false;
                f.truth.clone()
            })
            .collect()
    }

    /// Pages the person on call about a service: every fault on it is repaired 15 to 25 s later. Says how many there are. Nobody who is
    /// called for trouble sets about saving money.
    pub fn page(&mut self, service: &str) -> usize {
        let range = self.parameters.person_after_page_s;
        let mut found = 0;
        for index in 0..self.faults.len() {
            let fault = &self.faults[index];
            let harmful = fault.truth.class != FaultClass::Waste;
            if harmful && fault.state == FaultState::Active && (fault.plan.service == service || fault.truth.service.to_string() == service)
            {
                let wait = (self.streams.faults.random_range(range.0..=range.1) * 1000.0) as i64;
                let fault = &mut self.faults[index];
                fault.person_at = fault.person_at.min(self.now.plus_ms(wait));
                found += 1;
            }
        }
        found
    }

    /// Before traffic: sets faults off, ends them, and puts their effects into place.
    pub(crate) fn run_faults(&mut self) {
        for service in &mut self.services {
            service.complaint = USUAL_COMPLAINT;
        }
        for index in 0..self.faults.len() {
            if self.faults[index].state == FaultState::Waiting && self.faults[index].set_off <= self.now {
                self.set_off(index);
            }
            if self.faults[index].state == FaultState::Active {
                self.check_remedy(index);
            }
            if self.faults[index].state == FaultState::Active {
                self.apply_effect(index);
            }
        }
        self.lift_quarantines();
    }

    /// After traffic: is the service within its bounds?
    pub(crate) fn judge_faults(&mut self) {
        for index in 0..self.faults.len() {
            let (state, at) = (self.faults[index].state, self.faults[index].at);
            if !matches!(state, FaultState::Active | FaultState::Ended) {
                continue;
            }
            // Once it is over, harm that another fault does to the same service is that one's.
            let another = state == FaultState::Ended && {
                let service = &self.faults[index].truth.service;
                self.faults.iter().any(|f| {
                    f.state == FaultState::Active
                        && f.plan.kind.harms()
                        && f.plan.id != self.faults[index].plan.id
                        && f.truth.affected.contains(service)
                })
            };
            let bad = self.faults[index].plan.kind.harms() && !another && !self.services[at].quarantined && self.out_of_bounds(at);
            let (now, fault) = (self.now, &mut self.faults[index]);
            if bad {
                fault.last_bad = Some(now);
            }
            let quiet = fault.last_bad.is_none_or(|last| now.since_ms(last) >= STEADY_S * 1000);
            if let Some(end) = fault.truth.end.filter(|_| state == FaultState::Ended && quiet) {
                fault.truth.sli_back = Some(fault.last_bad.map_or(end, |last| last.plus_ms(1000).max(end)));
                fault.state = FaultState::Closed;
                fault.changed = true;
            }
        }
    }

    /// Errors or latency above the bound, or short of a replica for longer than a rollout takes to replace one.
    pub(crate) fn out_of_bounds(&self, at: usize) -> bool {
        let service = &self.services[at];
        let short = service.short_since.is_some_and(|since| self.now.since_ms(since) > self.parameters.sli_replicas_grace_s * 1000);
        service.traffic.error_ratio > self.parameters.sli_error_ratio
            || service.traffic.latency_s > self.parameters.sli_latency_factor * service.nominal.latency_s
            || short
    }

    fn set_off(&mut self, index: usize) {
        let (at, kind) = (self.faults[index].at, self.faults[index].plan.kind);
        let strength = self.faults[index].plan.strength;
        let service = &self.services[at];
        let limit = service.deployment.as_ref().and_then(|d| d.memory_limit_bytes).unwrap_or(5e8);
        let (replicas, cpu) = (service.desired(), service.deployment.as_ref().map_or(0.0, |d| d.cpu_request));
        let certificates = service.certificate.as_ref().map_or(0, |c| c.issued);
        let (volume, used) = service.volume.as_ref().map_or((0.0, 0.0), |v| (v.capacity_bytes, v.used_bytes));
        let node = service.pods.first().map_or(NODES[0], |pod| pod.node);
        let action_ids = self.action_ids(at);
        let now = self.now;
        let fault = &mut self.faults[index];
        fault.state = FaultState::Active;
        fault.changed = true;
        fault.pods_before = now;
        fault.memory_demand_bytes = limit * (1.07 + 0.4 * (strength - 1.0));
        fault.volume_bytes = volume;
        fault.volume_used_bytes = used;
        fault.replicas = replicas;
        fault.certificates = certificates;
        fault.cpu_request = cpu;
        fault.node = node;
        fault.action_ids = action_ids;
        match kind {
            FaultKind::ErrorSurge
            | FaultKind::BadDeployment
            | FaultKind::CrashLoop
            | FaultKind::NoWayBack
            | FaultKind::SelfHealingDeployment => {
                // Harm begins with its first pod.
                self.faults[index].bad_image = self.deploy(at);
            }
            FaultKind::CertificateExpiring => {
                let left_ms = (strength * 2.0 * 3600.0 * 1000.0) as i64;
                if let Some(certificate) = self.services[at].certificate.as_mut() {
                    certificate.requests = 0;
                }
                self.issue_certificate(at, now.plus_ms(left_ms));
            }
            FaultKind::OverRequested | FaultKind::IdleService => self.waste_anew(index),
            FaultKind::NodeTrouble => {
                let touched: Vec<_> = (0..self.services.len())
                    .filter(|s| self.services[*s].volume.is_some() && self.services[*s].pods.iter().any(|p| p.node == node))
                    .map(|s| self.id_of(s))
                    .collect();
                let truth = &mut self.faults[index].truth;
                for id in touched {
                    if !truth.right_services.contains(&id) {
                        truth.right_services.push(id.clone());
                        truth.affected.push(id);
                    }
                }
            }
            _ => {}
        }
    }

    /// Picket's action ids on whatever may end a fault of that service.
    pub(super) fn action_ids(&self, at: usize) -> Vec<Option<String>> {
        let spec = &self.services[at].spec;
        let mut keys = vec![objects::deployment_key(spec)];
        keys.extend((spec.volume_gib > 0).then(|| objects::claim_key(spec)));
        keys.extend(spec.certificate.then(|| objects::secret_key(spec)));
        let mut ids: Vec<_> = keys
            .iter()
            .map(|key| self.store.get(key).and_then(|o| objects::annotation(o, objects::ACTION_ID)).map(ToOwned::to_owned))
            .collect();
        let policies = self.store.list("networking.k8s.io/v1", "NetworkPolicy", Some(spec.namespace));
        ids.extend(
            policies
                .iter()
                .filter(|p| p["spec"]["podSelector"]["matchLabels"]["app"] == spec.name)
                .map(|p| objects::annotation(p, objects::ACTION_ID).map(ToOwned::to_owned)),
        );
        ids
    }

    pub(super) fn end(&mut self, index: usize, by: Remedier) {
        let now = self.now;
        if by == Remedier::Person {
            self.repair_by_hand(index);
        }
        let fault = &mut self.faults[index];
        fault.state = FaultState::Ended;
        fault.truth.end = Some(now);
        fault.truth.remedied_by = Some(by);
        fault.changed = true;
    }

    pub(crate) fn remedy_delay_ms(&self, at: usize) -> i64 {
        let slow = self.faults.iter().find(|f| f.at == at && f.state == FaultState::Active && f.plan.luck == RemedyLuck::Slow);
        slow.map_or(0, |fault| (fault.plan.slow_s * 1000.0) as i64)
    }

    pub(crate) fn refuses_first_certificate(&self, at: usize) -> bool {
        self.faults.iter().any(|f| {
            f.at == at && f.state == FaultState::Active && f.plan.kind == FaultKind::CertificateExpiring && f.plan.luck == RemedyLuck::Fails
        })
    }
}
