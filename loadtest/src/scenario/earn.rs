//! `earn`: a stream of incidents for each agent, over compressed days. In Observe picket repairs nothing, so people repair everything.

use super::{Maker, NEAR_S, ROUTINE, TAIL_S, TRAPS, UNCATALOGUED, candidates, choose};
use crate::faults::FaultKind;
use picket_core::ids::{AgentKind, ClusterName};
use rand::RngExt as _;

/// Length of a day of `earn`, event time.
pub const EARN_DAY_S: f64 = 60.0;
/// Length of a run in which every agent can earn its way to Autonomous, event time.
pub const EARN_RUN_S: u64 = 3600;

/// Between two faults of the SRE agent in one cluster: about as dense as the demo's.
const SRE_EVERY_S: f64 = 32.0;
/// The same for the SecOps agent, whose faults do no harm to requests.
const SECOPS_EVERY_S: f64 = 32.0;
/// A person repairs a fault this long after its onset, unless picket does.
const REPAIRED_AFTER_S: (f64, f64) = (55.0, 80.0);
/// Waste of the beginning stands until rightsizing has seen enough of it (five minutes) and a little more.
const FIRST_WASTE_S: f64 = 400.0;
/// Waste stands for this long, then is gone for this long: longer than a rollout and the resolving of an incident take.
const WASTE_S: (f64, f64) = (66.0, 62.0);
/// A service is left alone for this long after the onset of its last fault.
const REST_S: f64 = 150.0;
/// Shares of the SRE agent's faults: a cause in the catalogue; outside of it (one in five); the rest are traps.
const ROUTINE_SHARE: f64 = 0.72;
const UNCATALOGUED_SHARE: f64 = 0.20;
/// Draws until a fault can be told from what else is there.
const DRAWS_MAX: usize = 30;

impl Maker {
    pub(super) fn earn(&mut self, clusters: &[ClusterName], duration_s: f64, warmup_s: f64) {
        let end_s = duration_s - TAIL_S;
        for (turn, cluster) in clusters.iter().enumerate() {
            // Clusters take turns.
            let offset_s = turn as f64 / clusters.len() as f64;
            self.waste(cluster, offset_s * WASTE_S.0, end_s);
            self.sre_faults(cluster, warmup_s + offset_s * SRE_EVERY_S, end_s);
            self.secops_faults(cluster, warmup_s + (offset_s + 0.5) * SECOPS_EVERY_S, end_s);
        }
    }

    fn repaired(&mut self) {
        let after_s = self.rng.random_range(REPAIRED_AFTER_S.0..REPAIRED_AFTER_S.1);
        if let Some(plan) = self.plans.last_mut().filter(|plan| !plan.kind.ends_by_itself()) {
            plan.natural_s = after_s;
        }
    }

    fn sre_faults(&mut self, cluster: &ClusterName, from_s: f64, end_s: f64) {
        let kinds: Vec<_> = ROUTINE.into_iter().filter(|kind| kind.agent() == AgentKind::Sre).collect();
        let mut used: Vec<(String, f64)> = Vec::new();
        let mut onset_s = from_s;
        while onset_s < end_s {
            for _ in 0..DRAWS_MAX {
                let dice: f64 = self.rng.random_range(0.0..1.0);
                let kind = match dice {
                    d if d < ROUTINE_SHARE => kinds[self.rng.random_range(0..kinds.len())],
                    d if d < ROUTINE_SHARE + UNCATALOGUED_SHARE => UNCATALOGUED[self.rng.random_range(0..UNCATALOGUED.len())],
                    _ => TRAPS[self.rng.random_range(0..TRAPS.len())],
                };
                let at_s = (onset_s + self.rng.random_range(0.0..0.25) * SRE_EVERY_S).round();
                used.retain(|(_, at)| at_s - at < REST_S);
                // The wasteful services are rolled out again and again: whoever fails there would be blamed on that.
                let wasteful = candidates(FaultKind::OverRequested).iter().chain(candidates(FaultKind::IdleService));
                let all: Vec<_> = used.iter().cloned().chain(wasteful.map(|name| ((*name).to_owned(), at_s))).collect();
                let service = choose(&mut self.rng, kind, at_s, &all);
                if all.iter().any(|(other, _)| *other == service) || self.node_would_hide(kind, cluster, &service, at_s) {
                    continue;
                }
                used.push((service.clone(), at_s));
                self.plan(kind, cluster, &service, at_s);
                self.repaired();
                break;
            }
            onset_s += SRE_EVERY_S;
        }
    }

    /// As in the demo: a slow node's disk hits every service with a volume on it, so that no other fault on one of those can be told apart.
    fn node_would_hide(&self, kind: FaultKind, cluster: &ClusterName, service: &str, onset_s: f64) -> bool {
        let with_volume = |name: &str| crate::topology::services().iter().any(|s| s.name == name && s.volume_gib > 0);
        let node = |kind: FaultKind| kind == FaultKind::NodeTrouble;
        self.plans
            .iter()
            .filter(|p| &p.cluster == cluster && (p.onset_s - onset_s).abs() < NEAR_S && p.kind.harms())
            .any(|p| (node(kind) && with_volume(&p.service)) || (node(p.kind) && with_volume(service)))
    }

    fn secops_faults(&mut self, cluster: &ClusterName, from_s: f64, end_s: f64) {
        let kinds: Vec<_> = ROUTINE.into_iter().filter(|kind| kind.agent() == AgentKind::SecOps).collect();
        // An intruder at work on an idle service makes it less idle than the truth says.
        let idle = candidates(FaultKind::IdleService);
        let places: Vec<_> = kinds.iter().flat_map(|kind| candidates(*kind).iter().map(|name| (*kind, *name))).collect();
        let places: Vec<_> = places.into_iter().filter(|(_, name)| !idle.contains(name)).collect();
        // Every place in turn, beginning anywhere: as long a rest as can be for each.
        let mut turn = self.rng.random_range(0..places.len());
        let mut onset_s = from_s;
        while onset_s < end_s {
            let (kind, service) = places[turn % places.len()];
            self.plan(kind, cluster, service, onset_s.round());
            self.repaired();
            turn += 1;
            onset_s += SECOPS_EVERY_S;
        }
    }

    /// Waste comes back: somebody asks for more again, or starts up again what nobody calls.
    fn waste(&mut self, cluster: &ClusterName, offset_s: f64, end_s: f64) {
        for kind in [FaultKind::OverRequested, FaultKind::IdleService] {
            for service in candidates(kind) {
                let (mut onset_s, mut lasts_s) = (0.0, FIRST_WASTE_S + offset_s);
                while onset_s + lasts_s < end_s {
                    self.plan(kind, cluster, service, onset_s);
                    if let Some(plan) = self.plans.last_mut() {
                        plan.natural_s = lasts_s;
                    }
                    onset_s += (lasts_s + WASTE_S.1).round();
                    lasts_s = WASTE_S.0;
                }
            }
        }
    }
}
