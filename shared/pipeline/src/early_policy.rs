//! The agent's own look at the limits: an early, explained no. The coordinator decides.

use picket_core::facts::ClusterFacts;
use picket_core::limits::{self, LimitRules, Reserved, Violation};
use picket_core::ports::SafetyPolicyEngine;
use picket_core::proposal::Proposal;
use picket_core::time::Timestamp;

/// The hard limits, run on the facts that the agent knows, as if nothing were reserved.
#[derive(Clone, Debug, Default)]
pub struct EarlyPolicy {
    /// The limits.
    pub rules: LimitRules,
}

impl SafetyPolicyEngine for EarlyPolicy {
    fn check(&self, proposal: &Proposal, facts: &ClusterFacts, _now: Timestamp) -> Vec<Violation> {
        let action = &proposal.action;
        let mut broken: Vec<_> = limits::check_confidence(&self.rules, action.kind(), proposal.confidence).into_iter().collect();
        broken.extend(limits::check_target(&self.rules, facts, action));
        if let Some(service) = facts.services.get(&action.service) {
            let cost = limits::cost_pods(action, service);
            broken.extend(limits::check_budget(&self.rules, facts, action, cost, &Reserved::default()));
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_core::action::{Action, Remediation};
    use picket_core::cause::Cause;
    use picket_core::facts::ServiceFacts;
    use picket_core::ids::{AgentKind, ServiceId};
    use picket_core::limits::LimitRule;
    use picket_core::severity::Severity;

    #[test]
    fn a_protected_service_is_refused_before_anybody_is_asked() {
        let service = ServiceId::new("east", "shop", "cart");
        let known = ServiceFacts { ready: 30, total: 30, desired: 30, tier: 2, protected: true, ..ServiceFacts::default() };
        let facts = ClusterFacts { services: [(service.clone(), known)].into(), ..ClusterFacts::default() };
        let proposal = Proposal {
            id: "p".into(),
            agent: AgentKind::Sre,
            incident: "i".into(),
            cause: Cause::LoadSurge,
            severity: Severity::Three,
            confidence: 0.95,
            services_degraded: 1,
            symptoms: vec![],
            action: Action { service, remediation: Remediation::Scale { replicas: 31, from: 30 } },
            evidence_echo: Timestamp(0),
            replay: false,
            monthly_saving_usd: None,
            sentence: String::new(),
        };
        let rules: Vec<_> = EarlyPolicy::default().check(&proposal, &facts, Timestamp(0)).into_iter().map(|v| v.rule).collect();
        assert_eq!(rules, [LimitRule::Protected]);
    }
}
