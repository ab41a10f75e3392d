//! Safety times and what must hold between them (PROTOCOL.md, "Time").

use super::duration::Span;
use super::validate::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long permits, evidence and facts are good for, on the coordinator's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// From permit to claim.
    pub permit_ttl: Span,
    /// From claim to report.
    pub act_deadline: Span,
    /// Age of evidence up to which an act may be claimed.
    pub evidence_ttl: Span,
    /// How long an approval is waited for.
    pub approval_ttl: Span,
    /// From approval to the agent's refresh.
    pub refresh_ttl: Span,
    /// Age of facts up to which an act may be claimed.
    pub facts_ttl: Span,
    /// How long a cluster must have been watched without a gap before anything is done there.
    pub warmup: Span,
    /// How long a proposal waits for its scope.
    pub queue_ttl: Span,
    /// How long a merged change may take to be synced.
    pub sync_ttl: Span,
    /// How often the observer posts facts.
    pub facts_period: Span,
    /// One write's timeout (w).
    pub write_timeout: Span,
    /// Largest jump of the replicated clock at a leader change (ε).
    pub clock_jump: Span,
    /// Drift of any two clocks (ρ), 0..1.
    pub clock_drift: f64,
    /// One election.
    pub election: Span,
    /// Longest delay of a message.
    pub message_delay: Span,
    /// How often the coordinator is backed up (`picket backup`), at the least.
    pub backup_period: Span,
    /// How long an actuator's journal keeps what no backup covers.
    pub journal_age: Span,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            permit_ttl: Span::from_s(20),
            act_deadline: Span::from_s(30),
            evidence_ttl: Span::from_s(120),
            approval_ttl: Span::from_s(900),
            refresh_ttl: Span::from_s(30),
            facts_ttl: Span::from_s(10),
            warmup: Span::from_s(300),
            queue_ttl: Span::from_s(120),
            sync_ttl: Span::from_s(600),
            facts_period: Span::from_s(2),
            write_timeout: Span::from_s(3),
            clock_jump: Span::from_s(1),
            clock_drift: 0.01,
            election: Span::from_s(2),
            message_delay: Span::from_s(1),
            backup_period: Span::from_s(24 * 3600),
            journal_age: Span::from_s(7 * 24 * 3600),
        }
    }
}

impl Timing {
    /// The actuator's own deadline, counted from when it first sent the claim: the longest that satisfies the first rule.
    #[must_use]
    pub fn actuator_deadline_ms(&self) -> i64 {
        let rho = self.clock_drift;
        let room = self.act_deadline.ms() as f64 * (1.0 - rho) - self.clock_jump.ms() as f64 - self.write_timeout.ms() as f64;
        (room / (1.0 + rho)).floor() as i64
    }

    /// Checks what must hold between the times; `lease_ttl_ms` comes from `distributed_locks.ttl_seconds`, `outer_lock_ms` is what taking an
    /// outer lock may take (0 without one).
    pub(super) fn check(&self, lease_ttl_ms: i64, outer_lock_ms: i64, problems: &mut Vec<Problem>) {
        let mut must = |holds: bool, key: &str, rule: String| {
            if !holds {
                problems.push(Problem::new(&format!("timing.{key}"), rule));
            }
        };
        let claim_timeout = self.message_delay.ms() * 2;
        let drift_ok = self.clock_drift.is_finite() && (0.0..0.2).contains(&self.clock_drift);
        must(drift_ok, "clock_drift", format!("{} is not a ratio between 0 and 0.2", self.clock_drift));
        must(
            self.actuator_deadline_ms() >= self.write_timeout.ms(),
            "act_deadline",
            format!(
                "{} leaves the actuator {} ms, less than one write ({})",
                self.act_deadline,
                self.actuator_deadline_ms(),
                self.write_timeout
            ),
        );
        let lease_min = self.permit_ttl.ms() + claim_timeout + self.clock_jump.ms();
        must(
            lease_ttl_ms >= lease_min,
            "permit_ttl",
            format!("the lease TTL of {lease_ttl_ms} ms is below permit_ttl + claim timeout + clock jump = {lease_min} ms"),
        );
        let claim_path = self.message_delay.ms() * 2 + self.write_timeout.ms() + outer_lock_ms + self.election.ms() + claim_timeout;
        must(
            self.permit_ttl.ms() >= claim_path,
            "permit_ttl",
            format!("{} is shorter than watch, audit, outer lock, election and claim together ({claim_path} ms)", self.permit_ttl),
        );
        let evidence_min = self.refresh_ttl.ms() + self.permit_ttl.ms() + claim_timeout + self.clock_jump.ms();
        must(
            self.evidence_ttl.ms() >= evidence_min,
            "evidence_ttl",
            format!("{} is shorter than refresh + permit + claim ({evidence_min} ms)", self.evidence_ttl),
        );
        let facts_min = 2 * self.facts_period.ms() + self.message_delay.ms() + self.election.ms();
        must(
            self.facts_ttl.ms() >= facts_min,
            "facts_ttl",
            format!("{} is shorter than two facts periods, delivery and an election ({facts_min} ms)", self.facts_ttl),
        );
        // One backup may fail, and the act may have been claimed just before the one that came before it.
        let journal_min = 2 * self.backup_period.ms() + self.act_deadline.ms();
        must(
            self.journal_age.ms() >= journal_min,
            "journal_age",
            format!("{} is shorter than two backup periods and an act ({journal_min} ms)", self.journal_age),
        );
    }

    /// Checks that a run whose clock goes `speed` times as fast leaves every time at least 3 real seconds.
    ///
    /// # Errors
    /// The times that would be too short, in words.
    pub fn check_speed(&self, speed: f64) -> Result<(), String> {
        if !speed.is_finite() || speed <= 0.0 {
            return Err(format!("--speed {speed} is not a positive number"));
        }
        let real_s = |span: Span| span.ms() as f64 / 1000.0 / speed;
        let named = [
            ("permit_ttl", self.permit_ttl),
            ("act_deadline", self.act_deadline),
            ("evidence_ttl", self.evidence_ttl),
            ("facts_ttl", self.facts_ttl),
            ("refresh_ttl", self.refresh_ttl),
        ];
        let short: Vec<_> = named
            .into_iter()
            .filter(|(_, span)| real_s(*span) < 3.0)
            .map(|(name, span)| format!("{name} ({span}) would last {:.1} s", real_s(span)))
            .collect();
        if short.is_empty() {
            Ok(())
        } else {
            Err(format!("--speed {speed} is too fast: {}; at least 3 real seconds are needed", short.join(", ")))
        }
    }
}
