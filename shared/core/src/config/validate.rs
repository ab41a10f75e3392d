//! What a configuration may say: values that contradict an invariant are refused with the reason.

use super::{Config, ReasonerProvider};
use std::fmt;

/// One thing wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key: `safety.policies.max_fleet_restart_ratio`.
    pub key: String,
    /// Why it is refused.
    pub why: String,
}

impl Problem {
    pub(super) fn new(key: &str, why: impl Into<String>) -> Self {
        Self { key: key.to_owned(), why: why.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

/// Largest share of a fleet that a file may put at risk: above it a rolling change is an outage (issue 5 adds a signed-off bound).
const RATIO_MAX: f64 = 0.25;

impl Config {
    /// Everything that contradicts an invariant or a bound; empty when the configuration may be used.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut must = |holds: bool, key: &str, why: &str| {
            if !holds {
                found.push(Problem::new(key, why));
            }
        };
        let ratio = |value: f64, low: f64, high: f64| value.is_finite() && value >= low && value <= high;
        let detection = &self.detection;
        must(detection.baseline_window.ms() >= 60_000, "detection.baseline_window", "shorter than 1m: no baseline can be learned");
        must(ratio(detection.anomaly_threshold_sigma, 1.0, 20.0), "detection.anomaly_threshold_sigma", "must be between 1 and 20");
        must(
            ratio(detection.isolation_forest_contamination, 0.0001, 0.5),
            "detection.isolation_forest_contamination",
            "must be between 0.0001 and 0.5",
        );
        must(
            (1..=100).contains(&detection.correlation_engine.max_incidents_per_service),
            "detection.correlation_engine.max_incidents_per_service",
            "must be between 1 and 100",
        );
        must(
            (1000..=3_600_000).contains(&detection.correlation_engine.deduplication_window.ms()),
            "detection.correlation_engine.deduplication_window",
            "must be between 1s and 1h",
        );
        must((1..=50).contains(&self.diagnostics.rag.top_k_retrieval), "diagnostics.rag.top_k_retrieval", "must be between 1 and 50");
        must(
            ratio(self.diagnostics.validation.min_confidence_score, 0.5, 1.0),
            "diagnostics.validation.min_confidence_score",
            "must be between 0.5 and 1: below an even chance picket would guess",
        );
        must(
            self.diagnostics.llm_provider == ReasonerProvider::Evidence || !self.diagnostics.model.is_empty(),
            "diagnostics.model",
            "must name a model of the provider that diagnostics.llm_provider asks for",
        );
        must(
            self.diagnostics.validation.second_opinion_provider != Some(ReasonerProvider::Evidence),
            "diagnostics.validation.second_opinion_provider",
            "must be anthropic or openai: the built-in reasoner is always asked",
        );
        let policies = &self.safety.policies;
        must(
            policies.max_fleet_restart_ratio.is_finite()
                && policies.max_fleet_restart_ratio > 0.0
                && policies.max_fleet_restart_ratio <= RATIO_MAX,
            "safety.policies.max_fleet_restart_ratio",
            "must be above 0 and at most 0.25 (I4)",
        );
        must(
            (1..=1440).contains(&policies.cooldown_window_minutes),
            "safety.policies.cooldown_window_minutes",
            "must be between 1 and 1440 (I5)",
        );
        must(self.safety.remediation.idempotency, "safety.remediation.idempotency", "must be true: nothing may happen twice (I6)");
        must(
            self.safety.remediation.auto_rollback_on_degradation,
            "safety.remediation.auto_rollback_on_degradation",
            "must be true: what regressed is undone (I10)",
        );
        must(
            self.safety.remediation.post_action_monitor_window.ms() >= 10_000,
            "safety.remediation.post_action_monitor_window",
            "shorter than 10s: no outcome can be seen (I10)",
        );
        let rollout = &self.orchestration.phased_rollout;
        must(
            ratio(rollout.accuracy_threshold, 0.5, 0.999),
            "orchestration.phased_rollout.accuracy_threshold",
            "must be between 0.5 and 0.999",
        );
        must(
            rollout.violation_limit == 0,
            "orchestration.phased_rollout.violation_limit",
            "must be 0: autonomy is earned with zero violations",
        );
        let approval = &self.orchestration.chatops.approval_required_for_severity;
        must(
            approval.contains(&1) && approval.contains(&2),
            "orchestration.chatops.approval_required_for_severity",
            "must hold 1 and 2: these never go without a person (I7)",
        );
        must(approval.iter().all(|s| (1..=4).contains(s)), "orchestration.chatops.approval_required_for_severity", "severities are 1 to 4");
        let two_persons = &self.orchestration.chatops.two_persons_for_severity;
        must(two_persons.iter().all(|s| (1..=4).contains(s)), "orchestration.chatops.two_persons_for_severity", "severities are 1 to 4");
        must((1024..=256 << 20).contains(&self.gateway.body_max_bytes), "gateway.body_max_bytes", "must be between 1 KiB and 256 MiB");
        must((1..=1_000_000).contains(&self.gateway.buffer_batches_max), "gateway.buffer_batches_max", "must be between 1 and 1000000");
        let names: std::collections::BTreeSet<_> = self.mesh.clusters.iter().map(|c| c.name.as_str()).collect();
        must(names.len() == self.mesh.clusters.len() && !names.contains(""), "mesh.clusters", "every cluster needs a name of its own");
        must(matches!(self.mesh.coordinators.len(), 1 | 3 | 5), "mesh.coordinators", "must be 3 or 5 nodes (1 for a try-out)");
        must((1000..=300_000).contains(&self.mesh.look_interval.ms()), "mesh.look_interval", "must be between 1s and 5m");
        let locks = &self.orchestration.distributed_locks;
        locks.check(&mut found);
        self.diagnostics.models.check(&mut found);
        self.timing.check(i64::from(locks.ttl_seconds) * 1000, locks.outer_call_ms(), &mut found);
        found
    }

    /// Settings that are understood but whose provider is not built yet: refused by name where a role would need it.
    #[must_use]
    pub fn not_built(&self) -> Vec<Problem> {
        use super::VectorDb;
        let mut found = Vec::new();
        let mut refuse = |unbuilt: bool, key: &str, instead: &str| {
            if unbuilt {
                found.push(Problem::new(key, format!("this provider is not built yet; {instead}")));
            }
        };
        refuse(self.diagnostics.rag.vector_db != VectorDb::Memory, "diagnostics.rag.vector_db", "use `memory`");
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LockProvider, Span};

    fn keys(config: &Config) -> Vec<String> {
        config.problems().into_iter().map(|p| p.key).collect()
    }

    #[test]
    fn defaults_are_sound() {
        assert_eq!(Config::default().problems(), []);
        assert_eq!(Config::default().not_built(), []);
        assert!(Config::default().timing.check_speed(3.0).is_ok());
        assert!(Config::default().timing.check_speed(4.0).is_err());
    }

    #[test]
    fn what_contradicts_an_invariant_is_refused() {
        let mut config = Config::default();
        config.safety.remediation.auto_rollback_on_degradation = false;
        config.safety.remediation.idempotency = false;
        config.orchestration.phased_rollout.violation_limit = 1;
        config.orchestration.chatops.approval_required_for_severity = vec![1];
        config.safety.policies.max_fleet_restart_ratio = 0.3;
        assert_eq!(keys(&config).len(), 5);
        config = Config::default();
        config.safety.policies.max_fleet_restart_ratio = f64::NAN;
        assert_eq!(keys(&config), ["safety.policies.max_fleet_restart_ratio"]);
    }

    #[test]
    fn a_provider_needs_a_model() {
        let mut config = Config::default();
        config.diagnostics.llm_provider = ReasonerProvider::Anthropic;
        assert_eq!(keys(&config), ["diagnostics.model"]);
        config.diagnostics.model = "claude-3-5-sonnet".into();
        config.diagnostics.validation.second_opinion_model = "gpt-4o".into();
        assert_eq!((keys(&config), config.not_built()), (vec![], vec![]));
        config.diagnostics.validation.second_opinion_provider = Some(ReasonerProvider::Evidence);
        assert_eq!(keys(&config), ["diagnostics.validation.second_opinion_provider"]);
    }

    #[test]
    fn times_must_fit_together() {
        let mut config = Config::default();
        config.timing.act_deadline = Span::from_s(5);
        assert_eq!(keys(&config), ["timing.act_deadline"]);
        config = Config::default();
        config.orchestration.distributed_locks.ttl_seconds = 10;
        assert_eq!(keys(&config), ["timing.permit_ttl"]);
        config = Config::default();
        config.timing.backup_period = Span::from_s(4 * 24 * 3600);
        assert_eq!(keys(&config), ["timing.journal_age"], "a backup that fails must not cost the journal");
        config = Config::default();
        config.timing.permit_ttl = Span::from_s(10);
        assert_eq!(keys(&config), Vec::<String>::new(), "enough without an outer lock");
        config.orchestration.distributed_locks.provider = LockProvider::Etcd;
        assert_eq!(keys(&config), ["timing.permit_ttl"], "taking an outer lock takes of a permit's time");
    }
}
