//! Which faults a run has, when and where: drawn from a seed, under the promises that each scenario makes.

mod earn;

pub use earn::{EARN_DAY_S, EARN_RUN_S};

use crate::faults::{FaultClass, FaultKind, FaultPlan, RemedyLuck};
use crate::parameters::SimParameters;
use picket_core::ids::ClusterName;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Seconds at the end of a run in which nothing new begins, so that what began can still be resolved.
const TAIL_S: f64 = 130.0;
/// Faults whose beginnings are this close, in seconds, may be there at one time.
const NEAR_S: f64 = 110.0;
/// Catalogued faults end by themselves after this when nobody does anything.
const CATALOGUED_NATURAL_S: f64 = 600.0;

/// A named schedule.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Every routine fault at least once, at least ten incidents, four traps, one remedy that regresses.
    Demo,
    /// A day on which nothing goes wrong: load comes and goes, an autoscaler follows it, people deploy. What is wasteful is so from the start.
    Quiet,
    /// Many incidents on compressed days: see [`EARN_DAY_S`].
    Earn,
    /// A single OOM kill.
    OneOom,
    /// Two agents want the same namespace.
    Conflict,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Demo, Self::Quiet, Self::Earn, Self::OneOom, Self::Conflict];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Quiet => "quiet",
            Self::Earn => "earn",
            Self::OneOom => "one-oom",
            Self::Conflict => "conflict",
        }
    }

    /// The model's parameters for it.
    #[must_use]
    pub fn parameters(self) -> SimParameters {
        let lift_quarantine = self == Self::Earn;
        SimParameters { lift_quarantine, routine: self == Self::Quiet, ..SimParameters::default() }
    }

    /// Length of a run on virtual time when none is asked for, in seconds.
    #[must_use]
    pub const fn run_s(self) -> u64 {
        match self {
            Self::Earn => EARN_RUN_S,
            Self::Quiet => 86_400,
            _ => 540,
        }
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("`{text}` is no scenario; there are: {}", known()))
    }
}

/// Where a kind of fault can strike. Tier-1 services and the payments namespace are left to faults in which picket should not act.
const fn candidates(kind: FaultKind) -> &'static [&'static str] {
    use FaultKind as F;
    match kind {
        F::OomKill => &["recommendations", "tracking", "thumbnails", "reports", "stream", "cart"],
        F::MemoryLeak => &["search", "warehouse", "images", "stream", "reports", "tracking"],
        F::LatencySpike => &["cart", "catalog", "reports", "shipping"],
        F::ErrorSurge | F::BadDeployment | F::NoWayBack => {
            &["recommendations", "thumbnails", "events", "warehouse", "search", "tracking", "images", "stream"]
        }
        F::CrashLoop => &["events", "images", "catalog", "thumbnails", "tracking", "stock"],
        // Not on services that request far too much: twice the load would still be less than they ask for.
        F::LoadSurge | F::ScaleHurts => &["search", "tracking", "thumbnails", "cart"],
        F::DiskFilling => &["search", "routes-db", "stock", "metrics-store", "stream"],
        F::CertificateExpiring => &["shipping", "reports", "images", "avatars"],
        F::SlowDependency => &["routes-db", "stock", "metrics-store", "blob"],
        F::SuspiciousWorkload => &["batch-scorer", "avatars", "exporter"],
        F::OverRequested => &["batch-scorer", "avatars"],
        F::IdleService => &["exporter"],
        F::PacketLoss => &["warehouse", "reports", "images", "shipping"],
        F::NodeTrouble => &["routes-db", "metrics-store", "blob", "stock"],
        F::DnsFailure => &["shipping", "images", "reports", "events"],
        F::ThirdPartyOutage => &["fraud", "tracking", "thumbnails", "avatars"],
        F::BadFeatureFlag => &["recommendations", "cart", "search", "warehouse", "events", "avatars"],
        F::LoadEbb => &["cart", "tracking", "search", "thumbnails"],
        F::SelfHealingDeployment => &["catalog", "events", "images", "recommendations"],
        F::ProtectedFault => &["legacy-feed", "payment-api"],
        F::Flapping => &["recommendations", "avatars", "stream", "thumbnails"],
    }
}

const UNCATALOGUED: [FaultKind; 5] =
    [FaultKind::PacketLoss, FaultKind::NodeTrouble, FaultKind::DnsFailure, FaultKind::ThirdPartyOutage, FaultKind::BadFeatureFlag];
const TRAPS: [FaultKind; 4] = [FaultKind::LoadEbb, FaultKind::SelfHealingDeployment, FaultKind::ProtectedFault, FaultKind::Flapping];
const ROUTINE: [FaultKind; 11] = [
    FaultKind::OomKill,
    FaultKind::MemoryLeak,
    FaultKind::LatencySpike,
    FaultKind::ErrorSurge,
    FaultKind::BadDeployment,
    FaultKind::CrashLoop,
    FaultKind::SlowDependency,
    FaultKind::LoadSurge,
    FaultKind::DiskFilling,
    FaultKind::CertificateExpiring,
    FaultKind::SuspiciousWorkload,
];

/// The faults of a run. The same arguments give the same faults.
#[must_use]
pub fn schedule(scenario: Scenario, seed: u64, clusters: &[ClusterName], duration_s: f64, warmup_s: f64) -> Vec<FaultPlan> {
    let mut maker = Maker { rng: ChaCha8Rng::seed_from_u64(seed), plans: Vec::new(), parameters: scenario.parameters() };
    let Some(first) = clusters.first() else { return Vec::new() };
    match scenario {
        Scenario::Quiet => clusters.iter().for_each(|cluster| maker.standing_waste(cluster)),
        Scenario::OneOom => maker.plan(FaultKind::OomKill, first, "recommendations", warmup_s),
        Scenario::Conflict => {
            // The over-requested service and the one that breaks share the namespace: FinOps and SRE want its lease at once.
            maker.plan(FaultKind::OverRequested, first, "batch-scorer", 0.0);
            maker.plan(FaultKind::IdleService, first, "exporter", 0.0);
            maker.plan(FaultKind::OomKill, first, "stream", warmup_s);
            maker.plan(FaultKind::LatencySpike, first, "reports", warmup_s + 60.0);
        }
        Scenario::Demo => maker.demo(clusters, duration_s, warmup_s),
        Scenario::Earn => maker.earn(clusters, duration_s, warmup_s),
    }
    maker.deal_luck();
    maker.plans.sort_by(|a, b| a.onset_s.total_cmp(&b.onset_s).then_with(|| (&a.cluster, &a.service).cmp(&(&b.cluster, &b.service))));
    for (number, plan) in maker.plans.iter_mut().enumerate() {
        plan.id = format!("fault-{:03}", number + 1);
    }
    maker.plans
}

struct Maker {
    rng: ChaCha8Rng,
    plans: Vec<FaultPlan>,
    parameters: SimParameters,
}

impl Maker {
    fn plan(&mut self, kind: FaultKind, cluster: &ClusterName, service: &str, onset_s: f64) {
        use FaultKind as F;
        let natural_s = match kind {
            F::OverRequested | F::IdleService => 1e7,
            F::LoadEbb => 80.0,
            F::SelfHealingDeployment => 110.0,
            F::Flapping => self.rng.random_range(70.0..95.0),
            F::ProtectedFault | F::PacketLoss | F::NodeTrouble | F::DnsFailure | F::ThirdPartyOutage | F::BadFeatureFlag => {
                self.rng.random_range(70.0..108.0)
            }
            _ => CATALOGUED_NATURAL_S,
        };
        let draw = |rng: &mut ChaCha8Rng, range: (f64, f64)| rng.random_range(range.0..=range.1);
        let (slow_s, person_after_s) =
            (draw(&mut self.rng, self.parameters.remedy_slow_s), draw(&mut self.rng, self.parameters.person_after_failed_remedy_s));
        let hides = self.rng.random_range(0.0..1.0) < self.parameters.wrong_seems_right_share;
        let hidden = draw(&mut self.rng, self.parameters.wrong_seems_right_s);
        self.plans.push(FaultPlan {
            id: String::new(),
            kind,
            cluster: cluster.clone(),
            service: service.to_owned(),
            onset_s,
            natural_s,
            luck: if matches!(kind, F::NoWayBack | F::ScaleHurts) { RemedyLuck::Regresses } else { RemedyLuck::Works },
            slow_s,
            person_after_s,
            strength: self.rng.random_range(0.92..1.08),
            wrong_hides_s: if hides { hidden } else { 0.0 },
        });
    }

    /// Two services request too much in every cluster, whatever else befalls them, and one does nothing.
    fn standing_waste(&mut self, cluster: &ClusterName) {
        for wasteful in candidates(FaultKind::OverRequested) {
            self.plan(FaultKind::OverRequested, cluster, wasteful, 0.0);
        }
        self.plan(FaultKind::IdleService, cluster, "exporter", 0.0);
    }

    /// The promised share of the right remedies fails or is slow: an exact number of them, so that short runs have some too.
    fn deal_luck(&mut self) {
        let mut able: Vec<usize> = (0..self.plans.len()).filter(|p| self.plans[*p].kind.may_have_bad_luck()).collect();
        if able.len() < 4 {
            return;
        }
        able.shuffle(&mut self.rng);
        let of = |share: f64| (share * able.len() as f64).round().max(1.0) as usize;
        let (slow, fails) = (of(self.parameters.remedy_slow_share), of(self.parameters.remedy_fails_share));
        for (turn, plan) in able.into_iter().take(slow + fails).enumerate() {
            self.plans[plan].luck = if turn < slow { RemedyLuck::Slow } else { RemedyLuck::Fails };
        }
    }

    /// Draws until no service has two faults; nearly every second draw is right, so the bound is never met.
    fn demo(&mut self, clusters: &[ClusterName], duration_s: f64, warmup_s: f64) {
        for _ in 0..500 {
            self.plans.clear();
            self.draw_demo(clusters, duration_s, warmup_s);
            let faults = self.plans.iter().filter(|plan| plan.kind.class() != FaultClass::Waste);
            let mut places: Vec<_> = faults.map(|plan| (&plan.cluster, &plan.service)).collect();
            places.sort_unstable();
            if places.windows(2).all(|pair| pair[0] != pair[1]) && !self.node_trouble_hides_another() {
                return;
            }
        }
    }

    /// A slow node's disk hits every service with a volume there: another fault on one of those at that time nobody could tell apart.
    fn node_trouble_hides_another(&self) -> bool {
        let with_volume = |name: &str| crate::topology::services().iter().any(|s| s.name == name && s.volume_gib > 0);
        let troubles = || self.plans.iter().filter(|plan| plan.kind == FaultKind::NodeTrouble);
        self.plans
            .iter()
            .filter(|plan| !matches!(plan.kind, FaultKind::NodeTrouble | FaultKind::OverRequested | FaultKind::IdleService))
            .filter(|plan| with_volume(&plan.service))
            .any(|plan| troubles().any(|node| node.cluster == plan.cluster && (node.onset_s - plan.onset_s).abs() < NEAR_S))
    }

    fn draw_demo(&mut self, clusters: &[ClusterName], duration_s: f64, warmup_s: f64) {
        let regressing = if self.rng.random_range(0..2) == 0 { FaultKind::NoWayBack } else { FaultKind::ScaleHurts };
        let mut uncatalogued = UNCATALOGUED.to_vec();
        uncatalogued.shuffle(&mut self.rng);
        let mut kinds: Vec<FaultKind> = ROUTINE.to_vec();
        kinds.push(regressing);
        // Four of sixteen incidents have a cause outside the catalogue: more than one in five.
        kinds.extend(uncatalogued.into_iter().take(4));
        kinds.extend(TRAPS);
        kinds.shuffle(&mut self.rng);
        let (disrupting, gentle): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|kind| kind.remedy_disrupts());
        let span_s = (duration_s - TAIL_S - warmup_s).max(60.0);
        let mut taken: BTreeMap<ClusterName, Vec<(String, f64)>> = BTreeMap::new();
        for (turn, cluster) in clusters.iter().enumerate() {
            self.standing_waste(cluster);
            taken.insert(
                cluster.clone(),
                vec![("exporter".into(), 0.0), (if turn % 2 == 0 { "batch-scorer" } else { "avatars" }.into(), 0.0)],
            );
        }
        // Offsets keep the two rows of a cluster, and the clusters, out of step.
        for (row, kinds) in [disrupting, gentle].into_iter().enumerate() {
            let per_cluster = kinds.len().div_ceil(clusters.len());
            let spacing_s = span_s / per_cluster as f64;
            for (turn, kind) in kinds.into_iter().enumerate() {
                let cluster = &clusters[turn % clusters.len()];
                let slot = (turn / clusters.len()) as f64 + [0.0, 0.4][row] + 0.25 * (turn % clusters.len()) as f64 / clusters.len() as f64;
                let jitter: f64 = self.rng.random_range(0.0..0.2);
                let onset_s = warmup_s + (spacing_s * (slot + jitter)).min(span_s);
                let used = taken.entry(cluster.clone()).or_default();
                let service = choose(&mut self.rng, kind, onset_s, used);
                used.push((service.clone(), onset_s));
                self.plan(kind, cluster, &service, onset_s.round());
            }
        }
    }
}

/// A service for the fault: not one that has another, and if possible not a neighbour of one that had a fault shortly before.
fn choose(rng: &mut ChaCha8Rng, kind: FaultKind, onset_s: f64, used: &[(String, f64)]) -> String {
    let all = crate::topology::services();
    let calls = |caller: &str, callee: &str| all.iter().any(|s| s.name == caller && s.calls.iter().any(|c| c.to == callee));
    let namespace = |name: &str| all.iter().find(|s| s.name == name).map(|s| s.namespace);
    let mut best: Vec<&str> = candidates(kind).to_vec();
    best.shuffle(rng);
    best.sort_by_key(|name| {
        used.iter()
            .map(|(other, at)| {
                let near = (onset_s - at).abs() < NEAR_S;
                if other == name {
                    1000
                } else if near && (calls(name, other) || calls(other, name)) {
                    100
                } else if near && namespace(name) == namespace(other) {
                    10
                } else {
                    0
                }
            })
            .sum::<u32>()
    });
    best.first().map_or_else(|| "recommendations".to_owned(), |name| (*name).to_owned())
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
