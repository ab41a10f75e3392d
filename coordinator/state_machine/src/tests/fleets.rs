//! The disruption budget over fleets of every size (I4), against an account in whole numbers that is kept here.

use super::world::*;
use crate::{Reply, Ruling, Settings};
use picket_core::action::Remediation;
use picket_core::coordination::Command;
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, EntryId, Principal, ServiceId};
use picket_core::limits::{LimitRule as L, LimitRules};
use picket_core::phase::Phase;
use picket_core::policy::Policy;
use picket_core::proposal::Proposal;
use proptest::prelude::*;

/// Every service in a namespace of its own, so that no scope keeps acts apart.
fn at(n: usize) -> ServiceId {
    ServiceId::new(CLUSTER, &format!("n{n}"), "s")
}

#[derive(Clone, Debug)]
struct Pods {
    ready: u32,
    missing: u32,
    others: u32,
}

#[derive(Clone, Debug)]
struct Wish {
    service: prop::sample::Index,
    kind: u8,
    confidence: f64,
    /// 0: left as a permit, 1: claimed, 2: done and graded.
    goes: u8,
}

fn pods() -> impl Strategy<Value = Pods> {
    (0u32..12, 0u32..3, 0u32..2).prop_map(|(ready, missing, others)| Pods { ready, missing, others })
}

fn wish() -> impl Strategy<Value = Wish> {
    let confidence = prop::sample::select(vec![0.99, 0.99, 0.99, 0.2, f64::NAN, f64::INFINITY]);
    (any::<prop::sample::Index>(), 0u8..5, confidence, 0u8..3).prop_map(|(service, kind, confidence, goes)| Wish {
        service,
        kind,
        confidence,
        goes,
    })
}

fn proposal(wish: &Wish, service: ServiceId, pods: &Pods) -> Proposal {
    let made = match wish.kind {
        0 => limit(service),
        1 => restart(service),
        2 => resize(service),
        3 => quarantine(service),
        _ => {
            let from = pods.ready + pods.missing;
            let mut scale = limit(service);
            (scale.agent, scale.cause) = (AgentKind::FinOps, picket_core::cause::Cause::IdleService);
            scale.action.remediation = Remediation::Scale { replicas: from / 2, from };
            scale
        }
    };
    Proposal { confidence: wish.confidence, ..made }
}

/// Pods that it takes, by PROTOCOL.md's words.
fn cost(kind: u8, pods: &Pods) -> u32 {
    let all = pods.ready + pods.missing;
    match kind {
        3 => all,
        4 => all - all / 2,
        _ => all.div_ceil(4).max(1),
    }
}

struct Account {
    fleet: Vec<Pods>,
    thousandths: u32,
    open: Vec<(EntryId, usize, u32)>,
}

impl Account {
    fn holds(&self) {
        let (ready, others) = self.fleet.iter().fold((0, 0), |(ready, others), pods| (ready + pods.ready, others + pods.others));
        let taken: u32 = self.open.iter().map(|(_, _, cost)| cost).sum();
        if taken > 0 {
            assert!(taken + others <= self.thousandths * ready / 1000, "{taken} + {others} of {ready}: {:?}", self.open);
        }
        let mut services: Vec<_> = self.open.iter().filter(|(_, _, cost)| *cost > 0).map(|(_, service, _)| service).collect();
        services.sort();
        services.dedup();
        let allowed = (self.thousandths * self.fleet.len() as u32 / 1000).max(1);
        assert!(services.len() as u32 <= allowed, "{services:?} of {}", self.fleet.len());
    }
}

fn world(fleet: &[Pods], thousandths: u32) -> World {
    let limits = LimitRules {
        max_fleet_restart_ratio: f64::from(thousandths) / 1000.0,
        cooldown_ms: 1,
        max_open_actions: 1000,
        max_actions_per_hour: 1000,
        ..LimitRules::default()
    };
    let mut w = World::with(Settings { limits, lease_through_observing: false, ..settings() }, Phase::Autonomous);
    let service = |(n, pods): (usize, &Pods)| {
        let all = pods.ready + pods.missing;
        let namespaces_touched = vec![format!("n{n}")];
        let facts = ServiceFacts { ready: pods.ready, total: all, desired: all, tier: 3, namespaces_touched, ..ServiceFacts::default() };
        (at(n), ServiceFacts { disrupted_by_others: pods.others, ..facts })
    };
    w.facts = ClusterFacts { services: fleet.iter().enumerate().map(service).collect(), ..w.facts };
    w.read();
    w
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_proposals_exceeds_the_budget(
        thousandths in 0u32..=250,
        fleet in prop::collection::vec(pods(), 1..60),
        wishes in prop::collection::vec(wish(), 1..80),
    ) {
        let mut w = world(&fleet, thousandths);
        let mut account = Account { fleet: fleet.clone(), thousandths, open: Vec::new() };
        for wish in wishes {
            let n = wish.service.index(fleet.len());
            let proposal = proposal(&wish, at(n), &fleet[n]);
            if !wish.confidence.is_finite() {
                let who = Principal::Agent(proposal.agent);
                prop_assert_eq!(rules(w.say(&who, Command::Propose { proposal: Box::new(proposal) })), [L::Malformed]);
                continue;
            }
            let (id, ruling) = w.propose(proposal);
            if ruling != Ruling::Permitted {
                continue;
            }
            account.open.push((id.clone(), n, cost(wish.kind, &fleet[n])));
            account.holds();
            if wish.goes > 0 && w.try_claim(w.claim_of(&id)).is_ok() && wish.goes > 1 {
                w.report(&id, applied());
                w.grade(&id, recovered());
                account.open.retain(|(open, ..)| *open != id);
                w.read();
            }
        }
    }
}

#[test]
fn a_fleet_of_one_pod_or_none_is_left_to_people() {
    for ready in [0, 1] {
        let mut w = world(&[Pods { ready, missing: 0, others: 0 }], 250);
        let denied = w.denied(limit(at(0)));
        assert!(denied.contains(&L::FleetBudget), "{ready}: {denied:?}");
    }
}

#[test]
fn a_ratio_that_is_none_never_comes_into_force() {
    let mut w = World::new();
    for ratio in [f64::NAN, f64::INFINITY, -0.1, 0.26, 1.0] {
        let limits = LimitRules { max_fleet_restart_ratio: ratio, ..LimitRules::default() };
        let policy = Policy { version: 1, limits, ..w.state.policy() };
        // Not through a snapshot of the request: JSON has no such numbers.
        let reply = w.say(&human(), Command::SetPolicy { policy: Box::new(policy) });
        assert!(matches!(reply, Reply::Refused { .. }), "{ratio}");
    }
}
