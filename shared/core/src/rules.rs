//! What the user's own rules are asked about an act, and what they say. They can only take away: a limit that refuses is heard first.

use crate::action::{Action, RemediationKind, Reversibility};
use crate::cause::Cause;
use crate::facts::ServiceFacts;
use crate::ids::{AgentKind, ServiceId};
use crate::limits::{LimitRule, Violation};
use crate::phase::Phase;
use crate::proposal::Proposal;
use crate::severity::Severity;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bound on the rules of one agent, in bytes.
pub const RULES_BYTES_MAX: usize = 16 << 10;
const DAY_MS: i64 = 86_400_000;

/// Everything that rules may look at. It is kept with the entry, so that other rules can be tried on what was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleQuestion {
    /// Who asks.
    pub agent: AgentKind,
    /// What is to be done.
    pub kind: RemediationKind,
    /// To what.
    pub service: ServiceId,
    /// Why.
    pub cause: Cause,
    /// Graver of the agent's word and the coordinator's own.
    pub severity: Severity,
    /// Of the diagnosis, 0..1.
    pub confidence: f64,
    /// Where the agent stands for this act.
    pub phase: Phase,
    /// When (coordinator's clock).
    pub at: Timestamp,
    /// Pods that the act takes down at once.
    pub cost_pods: u32,
    /// Of the service, by the observer's last reading.
    pub tier: u8,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that are wanted.
    pub desired: u32,
    /// Services that call it, directly or not.
    pub dependants: u32,
    /// Namespaces that its failure touches.
    pub namespaces_touched: u32,
    /// Somebody else's rollout is in progress.
    pub foreign_rollout: bool,
    /// Its labels for rules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What it would save, in US dollars a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_saving_usd: Option<f64>,
}

impl RuleQuestion {
    /// The question about a proposal. `severity`, `phase`, `cost_pods` and `facts` as whoever asks knows them; without facts the service
    /// counts as one of the highest tier without pods.
    #[must_use]
    pub fn about(
        proposal: &Proposal,
        severity: Severity,
        phase: Phase,
        cost_pods: u32,
        facts: Option<&ServiceFacts>,
        at: Timestamp,
    ) -> Self {
        let Action { service, remediation } = &proposal.action;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            agent: proposal.agent,
            kind: remediation.kind(),
            service: service.clone(),
            cause: proposal.cause,
            severity,
            confidence: proposal.confidence,
            phase,
            at,
            cost_pods,
            tier: facts.map_or(1, |f| f.tier),
            ready: facts.map_or(0, |f| f.ready),
            desired: facts.map_or(0, |f| f.desired),
            dependants: facts.map_or(u32::MAX, |f| count(f.dependants.len())),
            namespaces_touched: facts.map_or(u32::MAX, |f| count(f.namespaces_touched.len())),
            foreign_rollout: facts.is_some_and(|f| f.foreign_rollout),
            labels: facts.map(|f| f.labels.clone()).unwrap_or_default(),
            monthly_saving_usd: proposal.monthly_saving_usd,
        }
    }

    /// Whether the act can be taken back.
    #[must_use]
    pub const fn is_reversible(&self) -> bool {
        !matches!(self.kind.reversibility(), Reversibility::None)
    }

    /// Hour of the day, UTC, 0..23.
    #[must_use]
    pub const fn hour(&self) -> i64 {
        self.at.0.rem_euclid(DAY_MS) / 3_600_000
    }

    /// Day of the week, UTC, 1 (Monday) to 7.
    #[must_use]
    pub const fn weekday(&self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.at.0.div_euclid(DAY_MS) + 3).rem_euclid(7) + 1
    }
}

/// What rules say of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleAnswer {
    /// Version of the policy that they stand in.
    pub policy_version: u64,
    /// Leave, and no error on the way to it.
    pub allowed: bool,
    /// The rules that decided: those that forbid, or else those that permit; none when no rule permits.
    pub by: Vec<String>,
    /// What went wrong in evaluating; any of it is a no.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

impl RuleAnswer {
    /// The no as a broken limit; `None` when it is a yes.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        (!self.allowed).then(|| Violation::new(LimitRule::UserPolicy, None, self.why()))
    }

    /// In words.
    #[must_use]
    pub fn why(&self) -> String {
        let by = self.by.join(", ");
        match (self.allowed, self.errors.first()) {
            (_, Some(error)) => format!("a rule of the user could not be evaluated: {error}"),
            (true, None) => format!("the user's rules allow it ({by})"),
            (false, None) if self.by.is_empty() => "none of the user's rules permits it".to_owned(),
            (false, None) => format!("the user's rules forbid it ({by})"),
        }
    }
}

/// A question that was put, for the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ruled {
    /// The question.
    pub question: RuleQuestion,
    /// The version of the policy that was in force.
    pub policy_version: u64,
    /// What the rules said; `None` where that policy has none for the agent.
    pub answer: Option<RuleAnswer>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Remediation;

    #[test]
    fn a_question_knows_its_hour_and_day() {
        let proposal = Proposal {
            id: "p".into(),
            agent: AgentKind::Sre,
            incident: "i".into(),
            cause: Cause::LoadSurge,
            severity: Severity::Three,
            confidence: 0.9,
            services_degraded: 1,
            symptoms: vec![],
            action: Action { service: ServiceId::new("east", "shop", "cart"), remediation: Remediation::RolloutRestart },
            evidence_echo: Timestamp(0),
            replay: false,
            monthly_saving_usd: None,
            sentence: String::new(),
        };
        // 2026-11-28T01:04:03Z, a Saturday.
        let at = Timestamp(1_795_827_843_000);
        let question = RuleQuestion::about(&proposal, Severity::Three, Phase::Assist, 1, None, at);
        assert_eq!((question.hour(), question.weekday(), question.is_reversible()), (1, 6, false));
        assert_eq!((question.tier, question.dependants), (1, u32::MAX), "what is not known counts as grave");
    }
}
