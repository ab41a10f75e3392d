//! Hard limits: pure functions, run early in the agent for an explanation and with authority in the coordinator's `apply`.

use crate::action::{Action, Remediation, RemediationKind, Reversibility};
use crate::facts::{ClusterFacts, ServiceFacts};
use crate::ids::ServiceId;
use crate::invariants::Invariant;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far an act's service may reach when it fails.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlastRadius {
    /// Itself alone.
    Service,
    /// Services of its own namespace.
    #[default]
    ServiceNamespace,
    /// As `service_namespace`, and services that share the namespace without a call to it.
    Namespace,
    /// Anything in the cluster.
    Cluster,
}

/// The limits in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitRules {
    /// Share of the fleet's ready pods, and of its services, that may be disrupted at once, 0..=0.25.
    pub max_fleet_restart_ratio: f64,
    /// No second act of a kind on a service within this, from the first one's resolution.
    pub cooldown_ms: i64,
    /// Farthest reach.
    pub blast_radius: BlastRadius,
    /// Confidence from which an act may be proposed, 0..1.
    pub min_confidence: f64,
    /// Confidence from which an act that cannot be undone may be proposed, 0..1.
    pub min_confidence_irreversible: f64,
    /// Evidence older than this leads to no claim.
    pub evidence_ttl_ms: i64,
    /// Facts older than this lead to no claim.
    pub facts_ttl_ms: i64,
    /// Acts of one cluster that may be open at once.
    pub max_open_actions: u32,
    /// Acts of one cluster that may be claimed within an hour, 1..=1024.
    #[serde(default = "max_actions_per_hour")]
    pub max_actions_per_hour: u32,
    /// So many acts of one cluster that end badly within an hour (regressed, unclear, not undone) and nothing more is done there until a
    /// person resets its breaker; 1..=1024.
    #[serde(default = "breaker_failures")]
    pub breaker_failures: u32,
    /// Nothing is done in a cluster that has not been watched without a gap for this long; 0 for no wait.
    #[serde(default)]
    pub warmup_ms: i64,
}

const fn max_actions_per_hour() -> u32 {
    60
}

const fn breaker_failures() -> u32 {
    5
}

impl Default for LimitRules {
    fn default() -> Self {
        Self {
            max_fleet_restart_ratio: 0.10,
            cooldown_ms: 5 * 60_000,
            blast_radius: BlastRadius::ServiceNamespace,
            min_confidence: 0.85,
            min_confidence_irreversible: 0.90,
            evidence_ttl_ms: 120_000,
            facts_ttl_ms: 10_000,
            max_open_actions: 8,
            max_actions_per_hour: max_actions_per_hour(),
            breaker_failures: breaker_failures(),
            warmup_ms: 0,
        }
    }
}

/// Which rule a violation breaks.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitRule {
    /// Pods of the fleet.
    FleetBudget,
    /// Services of the fleet.
    ServiceShare,
    /// Too soon after the last.
    Cooldown,
    /// Its failure would reach too far.
    BlastRadius,
    /// Not sure enough.
    Confidence,
    /// Facts are missing or too old.
    StaleFacts,
    /// Evidence is too old.
    StaleEvidence,
    /// Picket must not touch it.
    Protected,
    /// Somebody else's rollout is in progress.
    ForeignRollout,
    /// Its last ready replica would go.
    ReplicaFloor,
    /// More replicas at once than any load explains.
    ReplicaCeiling,
    /// Too many open acts in the cluster.
    OpenActions,
    /// The service is not in the facts.
    UnknownService,
    /// The same target has an act under way.
    TargetBusy,
    /// The agent may not do this kind of act, or not say this.
    NotAllowed,
    /// A person said no.
    DeniedByHuman,
    /// STOP is set.
    Stopped,
    /// A bound of the coordinator's memory.
    Capacity,
    /// A value is not a number or out of range.
    Malformed,
    /// A rule of the user's policy.
    UserPolicy,
    /// Changes are frozen there now.
    ChangeFreeze,
    /// Too many acts within the hour.
    RateLimit,
    /// Too many acts of the cluster ended badly: a person must look.
    BreakerOpen,
    /// It takes back what another act did within the hour: a person must decide.
    Oscillation,
    /// The cluster has not been watched for long enough.
    ColdStart,
    /// A PodDisruptionBudget allows fewer pods to go.
    DisruptionBudget,
    /// The coordinator was restored from a backup and not released yet.
    Restoring,
    /// Put into the log by a node that had ceased to lead: nothing was done, send the same request again.
    Deposed,
}

/// One broken limit, with its reason in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// Which.
    pub rule: LimitRule,
    /// The invariant that it protects, when one.
    pub invariant: Option<Invariant>,
    /// In words, with the figures.
    pub reason: String,
}

impl Violation {
    /// Makes one.
    #[must_use]
    pub fn new(rule: LimitRule, invariant: Option<Invariant>, reason: impl Into<String>) -> Self {
        Self { rule, invariant, reason: reason.into() }
    }
}

/// Pods that an act makes unavailable at the same time, rounded up.
///
/// A rolling update with Kubernetes' default `maxUnavailable` of 25 % takes a quarter of them; that many count even where surge pods
/// would keep it at none, because a surge pod may not fit.
#[must_use]
pub fn cost_pods(action: &Action, facts: &ServiceFacts) -> u32 {
    let quarter = facts.desired.max(facts.total).div_ceil(4).max(1);
    match &action.remediation {
        Remediation::RolloutRestart
        | Remediation::Rollback { .. }
        | Remediation::SetMemoryLimit { .. }
        | Remediation::SetResources { .. } => quarter,
        Remediation::Scale { replicas, .. } | Remediation::SetReplicaBounds { max: replicas, .. } => {
            facts.total.max(facts.desired).saturating_sub(*replicas)
        }
        Remediation::ExpandVolume { .. } | Remediation::RenewCertificate { .. } => 0,
        Remediation::Quarantine => facts.total,
    }
}

/// What is already promised in the cluster: sums over the ledger's entries that hold budget.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reserved {
    /// Pods.
    pub pods: u32,
    /// Services with an act that disrupts pods.
    pub services: Vec<ServiceId>,
    /// Entries that hold budget.
    pub open_actions: u32,
}

/// Floor of `ratio · fleet`; 0 for anything that is not a ratio in 0..=1.
#[must_use]
pub fn budget_pods(ratio: f64, fleet: u32) -> u32 {
    // `NaN > 1.0` is false: ask for what is right, not for what is wrong.
    if !ratio.is_finite() || !(0.0..=1.0).contains(&ratio) {
        return 0;
    }
    // 0.1 · 30 is 3.0000000000000004 in binary; a tenth of a millionth is no pod.
    (ratio * f64::from(fleet) + 1e-7).floor() as u32
}

/// I4: does the act fit into the budget of its fleet?
#[must_use]
pub fn check_budget(rules: &LimitRules, facts: &ClusterFacts, action: &Action, cost: u32, reserved: &Reserved) -> Vec<Violation> {
    let mut broken = Vec::new();
    if cost == 0 {
        return broken;
    }
    let fleet = facts.fleet_ready();
    let budget = budget_pods(rules.max_fleet_restart_ratio, fleet);
    let others = facts.disrupted_by_others();
    let sum = reserved.pods.saturating_add(others).saturating_add(cost);
    if sum > budget {
        let small = if budget < cost { "; the fleet is too small for this act: a person must do it" } else { "" };
        broken.push(Violation::new(
            LimitRule::FleetBudget,
            Some(Invariant::I4),
            format!("{} reserved + {others} disrupted by others + {cost} for this act = {sum} pods, the budget is {budget} of {fleet} ready pods{small}", reserved.pods),
        ));
    }
    let allowed = budget_pods(rules.max_fleet_restart_ratio, facts.services.len() as u32).max(1) as usize;
    let already = reserved.services.iter().filter(|s| **s != action.service).count();
    if already + 1 > allowed {
        broken.push(Violation::new(
            LimitRule::ServiceShare,
            Some(Invariant::I4),
            format!("{already} services are being disrupted already, {allowed} of {} may be", facts.services.len()),
        ));
    }
    broken
}

/// I5: `until` is when the cooldown of this kind on this service ends; `None` when nothing holds it.
#[must_use]
pub fn check_cooldown(kind: RemediationKind, service: &ServiceId, until: Option<Timestamp>, now: Timestamp) -> Option<Violation> {
    let until = until.filter(|until| *until > now)?;
    let left_s = until.since_ms(now) / 1000;
    let reason = if until.0 == i64::MAX {
        format!("an act of kind {kind} on {service} is not resolved yet")
    } else {
        format!("{kind} on {service} is in its cooldown for {left_s} s more")
    };
    Some(Violation::new(LimitRule::Cooldown, Some(Invariant::I5), reason))
}

/// One act leads to at most so many times the replicas that are there, and from none to so many: for more load, what picket itself proposes
/// is at most twice.
pub const SCALE_FACTOR_MAX: u32 = 4;

/// Everything about the target itself: known, allowed, reach, floor.
#[must_use]
pub fn check_target(rules: &LimitRules, facts: &ClusterFacts, action: &Action) -> Vec<Violation> {
    let service = &action.service;
    let Some(known) = facts.services.get(service) else {
        return vec![Violation::new(LimitRule::UnknownService, None, format!("the observer of {} does not know {service}", facts.cluster))];
    };
    let mut broken = Vec::new();
    if known.protected {
        broken.push(Violation::new(LimitRule::Protected, None, format!("{service} is labelled picket.dev/managed=false")));
    }
    if known.foreign_rollout && action.kind() != RemediationKind::Rollback && cost_pods(action, known) > 0 {
        broken.push(Violation::new(LimitRule::ForeignRollout, None, format!("somebody else's rollout of {service} is in progress")));
    }
    if let Some(reason) = reach(rules.blast_radius, service, known).filter(|_| cost_pods(action, known) > 0) {
        broken.push(Violation::new(LimitRule::BlastRadius, None, reason));
    }
    let cost = cost_pods(action, known);
    // To cut a workload off is the point of a quarantine; a budget for upkeep does not speak of it.
    let asks_budget = action.kind() != RemediationKind::Quarantine;
    if let Some(allowed) = known.disruptions_allowed.filter(|allowed| asks_budget && cost > *allowed) {
        let why = format!("a PodDisruptionBudget lets {allowed} pods of {service} go, the act takes {cost}");
        broken.push(Violation::new(LimitRule::DisruptionBudget, None, why));
    }
    let most = known.desired.max(known.total).max(1).saturating_mul(SCALE_FACTOR_MAX);
    if let Remediation::Scale { replicas, .. } | Remediation::SetReplicaBounds { max: replicas, .. } = action.remediation
        && replicas > most
    {
        let why = format!("{service} has {} replicas; one act leads to {most} at the most, not to {replicas}", known.desired);
        broken.push(Violation::new(LimitRule::ReplicaCeiling, None, why));
    }
    if let Remediation::SetReplicaBounds { min, max, .. } = action.remediation
        && !(1..=max).contains(&min)
    {
        let why =
            format!("an autoscaler of {service} cannot choose between {min} and {max} replicas: 1 is the fewest, and the most is no less");
        broken.push(Violation::new(LimitRule::ReplicaFloor, None, why));
    }
    if let Remediation::Scale { replicas: 0, .. } = action.remediation
        && !known.dependants.is_empty()
    {
        broken.push(Violation::new(
            LimitRule::ReplicaFloor,
            None,
            format!("{service} has {} dependants and may not go to zero", known.dependants.len()),
        ));
    }
    broken
}

fn reach(limit: BlastRadius, service: &ServiceId, facts: &ServiceFacts) -> Option<String> {
    let outside: Vec<_> = match limit {
        BlastRadius::Cluster => return None,
        BlastRadius::Service => facts.dependants.iter().map(ToString::to_string).collect(),
        BlastRadius::ServiceNamespace | BlastRadius::Namespace => {
            facts.namespaces_touched.iter().filter(|n| **n != service.namespace).cloned().collect()
        }
    };
    (!outside.is_empty()).then(|| format!("a failure of {service} would reach {}", outside.join(", ")))
}

/// Confidence: higher for acts that cannot be taken back. Anything that is not a number in 0..=1 is malformed.
#[must_use]
pub fn check_confidence(rules: &LimitRules, kind: RemediationKind, confidence: f64) -> Option<Violation> {
    if !confidence.is_finite() || !(0.0..=1.0).contains(&confidence) {
        return Some(Violation::new(LimitRule::Malformed, None, format!("confidence {confidence} is not a number between 0 and 1")));
    }
    let needed = if kind.reversibility() == Reversibility::None { rules.min_confidence_irreversible } else { rules.min_confidence };
    (confidence < needed)
        .then(|| Violation::new(LimitRule::Confidence, None, format!("confidence {confidence:.2} is below {needed:.2}, asked for {kind}")))
}

/// I11: ages in coordinator time.
#[must_use]
pub fn check_age(rules: &LimitRules, evidence_echo: Timestamp, facts_echo: Timestamp, now: Timestamp) -> Vec<Violation> {
    let mut broken = Vec::new();
    let (evidence_age, facts_age) = (now.since_ms(evidence_echo), now.since_ms(facts_echo));
    if evidence_age > rules.evidence_ttl_ms || evidence_age < 0 {
        broken.push(Violation::new(
            LimitRule::StaleEvidence,
            Some(Invariant::I11),
            format!("the evidence is {} s old, {} s are allowed", evidence_age / 1000, rules.evidence_ttl_ms / 1000),
        ));
    }
    if facts_age > rules.facts_ttl_ms || facts_age < 0 {
        broken.push(Violation::new(
            LimitRule::StaleFacts,
            Some(Invariant::I11),
            format!("the observer's facts are {:.1} s old, {} s are allowed", facts_age as f64 / 1000.0, rules.facts_ttl_ms / 1000),
        ));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn cluster(services: usize, pods: u32) -> ClusterFacts {
        let one = ServiceFacts { ready: pods, total: pods, desired: pods, tier: 2, ..ServiceFacts::default() };
        let services: BTreeMap<_, _> = (0..services).map(|i| (ServiceId::new("c", "n", &format!("s{i}")), one.clone())).collect();
        ClusterFacts { cluster: "c".into(), services, ..ClusterFacts::default() }
    }

    fn restart(name: &str) -> Action {
        Action { service: ServiceId::new("c", "n", name), remediation: Remediation::RolloutRestart }
    }

    #[test]
    fn one_act_adds_no_more_replicas_than_a_load_explains() {
        let facts = cluster(20, 3);
        let scaled = |replicas| {
            let action = Action { service: ServiceId::new("c", "n", "s0"), remediation: Remediation::Scale { replicas, from: 3 } };
            check_target(&LimitRules::default(), &facts, &action).into_iter().map(|v| v.rule).collect::<Vec<_>>()
        };
        assert_eq!((scaled(12), scaled(13)), (vec![], vec![LimitRule::ReplicaCeiling]));
        assert_eq!(scaled(u32::MAX), [LimitRule::ReplicaCeiling]);
    }

    #[test]
    fn a_tenth_is_a_tenth() {
        assert_eq!(budget_pods(0.10, 30), 3);
        assert_eq!(budget_pods(0.10, 29), 2);
        assert_eq!(budget_pods(0.10, 9), 0);
        for nonsense in [f64::NAN, f64::INFINITY, -0.1, 1.5] {
            assert_eq!(budget_pods(nonsense, 1000), 0);
        }
    }

    #[test]
    fn budget_counts_what_others_disrupt() {
        let rules = LimitRules::default();
        let mut facts = cluster(20, 3); // 60 pods: budget 6, services 2
        let action = restart("s0");
        let cost = cost_pods(&action, &facts.services[&action.service]);
        assert_eq!(cost, 1);
        assert!(check_budget(&rules, &facts, &action, cost, &Reserved { pods: 5, ..Reserved::default() }).is_empty());
        facts.services.values_mut().next().unwrap().disrupted_by_others = 1;
        let broken = check_budget(&rules, &facts, &action, cost, &Reserved { pods: 5, ..Reserved::default() });
        assert_eq!(broken[0].invariant, Some(Invariant::I4));
    }

    #[test]
    fn a_fleet_too_small_for_one_unit_escalates() {
        let facts = cluster(3, 1);
        let broken = check_budget(&LimitRules::default(), &facts, &restart("s0"), 1, &Reserved::default());
        assert!(broken[0].reason.contains("a person must do it"));
    }

    #[test]
    fn services_are_bounded_too() {
        let facts = cluster(20, 10);
        let busy = Reserved { services: vec![ServiceId::new("c", "n", "s1"), ServiceId::new("c", "n", "s2")], ..Reserved::default() };
        assert_eq!(check_budget(&LimitRules::default(), &facts, &restart("s0"), 1, &busy)[0].rule, LimitRule::ServiceShare);
        assert!(
            check_budget(
                &LimitRules::default(),
                &facts,
                &restart("s1"),
                1,
                &Reserved { services: vec![ServiceId::new("c", "n", "s1")], ..Reserved::default() }
            )
            .is_empty()
        );
    }

    #[test]
    fn the_target_is_looked_at() {
        let rules = LimitRules::default();
        let mut facts = cluster(20, 3);
        let action = restart("s0");
        assert!(check_target(&rules, &facts, &action).is_empty());
        let one = facts.services.get_mut(&action.service).unwrap();
        one.protected = true;
        one.namespaces_touched = vec!["n".into(), "payments".into()];
        let rules_broken: Vec<_> = check_target(&rules, &facts, &action).into_iter().map(|v| v.rule).collect();
        assert_eq!(rules_broken, [LimitRule::Protected, LimitRule::BlastRadius]);
        assert_eq!(check_target(&rules, &facts, &restart("nobody"))[0].rule, LimitRule::UnknownService);
    }

    #[test]
    fn a_budget_of_the_cluster_is_kept_where_it_is_stricter() {
        let rules = LimitRules::default();
        let mut facts = cluster(20, 8);
        let action = restart("s0");
        for (allowed, broken) in [(None, false), (Some(2), false), (Some(1), true), (Some(0), true)] {
            facts.services.get_mut(&action.service).unwrap().disruptions_allowed = allowed;
            let said: Vec<_> = check_target(&rules, &facts, &action).into_iter().map(|v| v.rule).collect();
            assert_eq!(said.contains(&LimitRule::DisruptionBudget), broken, "{allowed:?}");
        }
        let raise = Remediation::ExpandVolume { claim: "data".into(), size_bytes: 1 };
        for remediation in [raise, Remediation::Quarantine] {
            let free = Action { remediation, ..action.clone() };
            assert!(check_target(&rules, &facts, &free).is_empty(), "{free:?} asks no budget");
        }
    }

    #[test]
    fn ages_from_the_future_are_refused_like_old_ones() {
        let rules = LimitRules::default();
        let now = Timestamp(1_000_000);
        assert!(check_age(&rules, now, now, now).is_empty());
        assert_eq!(check_age(&rules, now.plus_ms(1), now, now)[0].rule, LimitRule::StaleEvidence);
        assert_eq!(check_age(&rules, now, now.plus_ms(-10_001), now)[0].rule, LimitRule::StaleFacts);
    }

    #[test]
    fn what_cannot_be_undone_needs_more() {
        let rules = LimitRules::default();
        assert!(check_confidence(&rules, RemediationKind::Scale, 0.86).is_none());
        assert!(check_confidence(&rules, RemediationKind::RolloutRestart, 0.86).is_some());
        assert_eq!(check_confidence(&rules, RemediationKind::Scale, f64::NAN).unwrap().rule, LimitRule::Malformed);
    }
}
