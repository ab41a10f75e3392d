//! What every node must agree on. It is part of the state.

use picket_core::limits::LimitRules;
use picket_core::phase::GateRule;
use picket_core::severity::Severity;
use serde::{Deserialize, Serialize};

/// Limits, gate, and every length of time of PROTOCOL.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Hard limits.
    pub limits: LimitRules,
    /// What a promotion asks for.
    pub gate: GateRule,
    /// Severities that never run without approval. 1 and 2 are among them whatever is written here.
    pub approval_severities: Vec<u8>,
    /// True under the demonstration CA: phases by fiat, permits that a real actuator refuses.
    pub demonstration: bool,
    /// Keep the scope's lease until the act is graded. False: until it is reported; its target stays blocked until the grade.
    pub lease_through_observing: bool,
    /// A permit is claimed within this.
    pub permit_ttl_ms: i64,
    /// A claim is reported within this.
    pub act_deadline_ms: i64,
    /// After `act_deadline`: how long the actuator may take to prove what happened before nobody can say (Indeterminate).
    pub report_grace_ms: i64,
    /// A person answers within this.
    pub approval_ttl_ms: i64,
    /// An entry waits for its scope at most this long.
    pub queue_ttl_ms: i64,
    /// A merged change is synced within this.
    pub sync_ttl_ms: i64,
    /// The observer watches an act for this long.
    pub monitor_window_ms: i64,
    /// A lease lasts this long unless prolonged.
    pub lease_ttl_ms: i64,
    /// After an approval the agent reads its evidence again within this.
    pub refresh_ttl_ms: i64,
    /// A permitted act is preempted this long after a graver one was told to wait.
    pub preempt_grace_ms: i64,
    /// Answers are kept for retries this long.
    pub request_retention_ms: i64,
    /// Largest jump of the replicated clock at a leader change (ε).
    pub clock_jump_ms: i64,
    /// The same episode within this counts once.
    pub episode_ms: i64,
    /// Entries that may be open at once.
    pub entries_open_max: usize,
    /// Ended entries that are kept.
    pub entries_ended_max: usize,
    /// Changes of the ledger that are kept for watchers.
    pub changes_max: usize,
    /// Answers that are kept for retries, per principal.
    pub requests_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: LimitRules::default(),
            gate: GateRule::default(),
            approval_severities: vec![1, 2],
            demonstration: false,
            lease_through_observing: true,
            permit_ttl_ms: 20_000,
            act_deadline_ms: 30_000,
            report_grace_ms: 60_000,
            approval_ttl_ms: 15 * 60_000,
            queue_ttl_ms: 2 * 60_000,
            sync_ttl_ms: 10 * 60_000,
            monitor_window_ms: 10 * 60_000,
            lease_ttl_ms: 60_000,
            refresh_ttl_ms: 30_000,
            preempt_grace_ms: 5_000,
            request_retention_ms: 5 * 60_000,
            clock_jump_ms: 2_000,
            episode_ms: 24 * 3_600_000,
            entries_open_max: 512,
            entries_ended_max: 1024,
            changes_max: 4096,
            requests_max: 4096,
        }
    }
}

/// Why settings contradict an invariant (PROTOCOL.md, Time).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A length of time or a bound is not above zero.
    #[error("{0} must be above 0")]
    NotPositive(&'static str),
    /// The ratio is out of range.
    #[error("limits.max_fleet_restart_ratio must be a number between 0 and 0.25")]
    Ratio,
    /// The first must be at least the second.
    #[error("{0} must be at least {1}: {2}")]
    TooShort(&'static str, &'static str, &'static str),
}

impl Settings {
    /// Checks what must hold before the first command.
    ///
    /// # Errors
    /// [`SettingsError`] names the first value that contradicts an invariant.
    pub fn validate(&self) -> Result<(), SettingsError> {
        for (name, value) in [
            ("permit_ttl_ms", self.permit_ttl_ms),
            ("act_deadline_ms", self.act_deadline_ms),
            ("report_grace_ms", self.report_grace_ms),
            ("approval_ttl_ms", self.approval_ttl_ms),
            ("queue_ttl_ms", self.queue_ttl_ms),
            ("monitor_window_ms", self.monitor_window_ms),
            ("lease_ttl_ms", self.lease_ttl_ms),
            ("refresh_ttl_ms", self.refresh_ttl_ms),
            ("limits.evidence_ttl_ms", self.limits.evidence_ttl_ms),
            ("limits.facts_ttl_ms", self.limits.facts_ttl_ms),
            ("entries_open_max", self.entries_open_max as i64),
            ("entries_ended_max", self.entries_ended_max as i64),
            ("changes_max", self.changes_max as i64),
            ("requests_max", self.requests_max as i64),
        ] {
            if value <= 0 {
                return Err(SettingsError::NotPositive(name));
            }
        }
        let ratio = self.limits.max_fleet_restart_ratio;
        if !ratio.is_finite() || !(0.0..=0.25).contains(&ratio) {
            return Err(SettingsError::Ratio);
        }
        if self.lease_ttl_ms < self.permit_ttl_ms + self.clock_jump_ms {
            return Err(SettingsError::TooShort(
                "lease_ttl_ms",
                "permit_ttl_ms + clock_jump_ms",
                "a lease outlives the permit it stands for",
            ));
        }
        if self.limits.evidence_ttl_ms < self.refresh_ttl_ms + self.permit_ttl_ms {
            return Err(SettingsError::TooShort(
                "limits.evidence_ttl_ms",
                "refresh_ttl_ms + permit_ttl_ms",
                "an approved act could never be claimed",
            ));
        }
        if self.request_retention_ms < self.permit_ttl_ms + self.act_deadline_ms {
            return Err(SettingsError::TooShort(
                "request_retention_ms",
                "permit_ttl_ms + act_deadline_ms",
                "a retried claim would be answered anew",
            ));
        }
        Ok(())
    }

    pub(crate) fn needs_approval(&self, severity: Severity) -> bool {
        severity.number() <= 2 || self.approval_severities.contains(&severity.number())
    }
}
