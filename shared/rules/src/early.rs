//! An agent's own look at the user's rules, after its look at the limits: an early, explained no. The coordinator decides.

use crate::RuleSet;
use picket_core::facts::ClusterFacts;
use picket_core::ids::AgentKind;
use picket_core::limits::{Violation, cost_pods};
use picket_core::phase::Phase;
use picket_core::policy::Policy;
use picket_core::ports::SafetyPolicyEngine;
use picket_core::proposal::Proposal;
use picket_core::rules::RuleQuestion;
use picket_core::time::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// What an agent knows of the rules in force.
#[derive(Default)]
struct Known {
    version: Option<u64>,
    phase: Phase,
    rules: Option<Arc<RuleSet>>,
}

/// A policy that asks the user's rules when the limits have nothing to say. Clones share what they know.
#[derive(Clone)]
pub struct EarlyRules<P> {
    limits: P,
    known: Arc<Mutex<Known>>,
}

impl<P> EarlyRules<P> {
    /// Knows no rules yet: until it hears of them, the limits alone speak, and the coordinator decides all the same.
    pub fn new(limits: P) -> Self {
        Self { limits, known: Arc::default() }
    }

    /// Hears of the policy in force, and where its agent stands. Rules that cannot be read are left to the coordinator.
    pub fn learn(&self, agent: AgentKind, policy: &Policy, phase: Phase) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.version != Some(policy.version) {
            known.rules = policy.rules.get(&agent).and_then(|text| RuleSet::read(text, policy.version).ok()).map(Arc::new);
        }
        (known.version, known.phase) = (Some(policy.version), phase);
    }
}

impl<P: SafetyPolicyEngine> SafetyPolicyEngine for EarlyRules<P> {
    fn check(&self, proposal: &Proposal, facts: &ClusterFacts, now: Timestamp) -> Vec<Violation> {
        let broken = self.limits.check(proposal, facts, now);
        let (rules, phase) = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            (known.rules.clone(), known.phase)
        };
        let Some(rules) = rules.filter(|_| broken.is_empty()) else { return broken };
        let service = facts.services.get(&proposal.action.service);
        let cost = service.map_or(0, |service| cost_pods(&proposal.action, service));
        rules.ask(&RuleQuestion::about(proposal, proposal.severity, phase, cost, service, now)).violation().into_iter().collect()
    }
}
