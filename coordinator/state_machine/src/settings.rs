//! What every node must agree on. It is part of the state.

use crate::caution::REMEMBERED_MAX;
use picket_core::freeze::Freeze;
use picket_core::ids::AgentKind;
use picket_core::limits::LimitRules;
use picket_core::phase::GateRule;
use picket_core::policy::PhaseCap;
use picket_core::rules::RULES_BYTES_MAX;
use picket_core::severity::Severity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose work goes first: 1 to 31, lower first. By default containment over repair over savings.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Priorities {
    /// Acts of the SecOps agent, and leases taken for containment.
    pub containment: u8,
    /// Acts of the SRE agent, and leases taken for repair.
    pub repair: u8,
    /// Acts of the FinOps agent, and leases taken for savings.
    pub savings: u8,
}

impl Default for Priorities {
    fn default() -> Self {
        Self { containment: 1, repair: 2, savings: 3 }
    }
}

/// Phase caps that may be in force at once.
pub(crate) const CAPS_MAX: usize = 64;
/// Freezes likewise.
pub(crate) const FREEZES_MAX: usize = 64;

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
    /// Severities whose acts need the yes of two different people, where they need one at all.
    #[serde(default)]
    pub two_person_severities: Vec<u8>,
    /// Phases are capped for some acts.
    pub caps: Vec<PhaseCap>,
    /// Times in which nothing is changed.
    pub freezes: Vec<Freeze>,
    /// Rules of the user by agent; whoever puts a proposal into the log holds it against them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<AgentKind, String>,
    /// Whose work goes first.
    pub priorities: Priorities,
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
    /// Other automation is preempted after half its TTL, but not sooner than `preempt_grace_ms` and not later than this.
    pub preempt_grace_max_ms: i64,
    /// A waiter that has waited longer goes before every priority, undos apart.
    pub starvation_ms: i64,
    /// A request that waits for a lease keeps its place this long unless it asks again.
    pub wait_ttl_ms: i64,
    /// Longest delay of a message.
    pub message_delay_ms: i64,
    /// Answers are kept for retries this long.
    pub request_retention_ms: i64,
    /// Largest jump of the replicated clock at a leader change (ε).
    pub clock_jump_ms: i64,
    /// The same episode within this counts once, and episodes of one cause within a day of this length are one group.
    pub episode_ms: i64,
    /// One diagnosis in so many must be judged by a person.
    pub judge_one_in: u32,
    /// Rates, failures and oscillation are counted over this.
    pub hour_ms: i64,
    /// Entries that may be open at once.
    pub entries_open_max: usize,
    /// Ended entries that are kept.
    pub entries_ended_max: usize,
    /// Changes of the ledger that are kept for watchers.
    pub changes_max: usize,
    /// Answers that are kept for retries, per principal.
    pub requests_max: usize,
    /// Answers that are kept for retries, of all principals together.
    pub requests_total_max: usize,
    /// Principals whose answers are kept.
    pub principals_max: usize,
    /// Leases that other automation may hold, all together.
    pub leases_max: usize,
    /// Requests of other automation that may wait for leases.
    pub waiters_max: usize,
    /// Free scopes whose last token is remembered.
    pub tokens_remembered_max: usize,
    /// Services whose cooldowns are remembered at once; more, and nothing new is permitted.
    pub cooldowns_max: usize,
    /// Clusters that one coordinator serves.
    pub clusters_max: usize,
    /// Episodes of the last day that are remembered so as to count once.
    pub episodes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: LimitRules::default(),
            gate: GateRule::default(),
            approval_severities: vec![1, 2],
            two_person_severities: Vec::new(),
            caps: Vec::new(),
            freezes: Vec::new(),
            rules: BTreeMap::new(),
            priorities: Priorities::default(),
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
            preempt_grace_max_ms: 60_000,
            starvation_ms: 60_000,
            wait_ttl_ms: 10_000,
            message_delay_ms: 1_000,
            request_retention_ms: 5 * 60_000,
            clock_jump_ms: 2_000,
            episode_ms: 24 * 3_600_000,
            judge_one_in: 5,
            hour_ms: 3_600_000,
            entries_open_max: 512,
            entries_ended_max: 1024,
            changes_max: 4096,
            requests_max: 16_384,
            requests_total_max: 131_072,
            principals_max: 1024,
            leases_max: 131_072,
            waiters_max: 16_384,
            tokens_remembered_max: 4096,
            cooldowns_max: 8192,
            clusters_max: 64,
            episodes_max: 8192,
        }
    }
}

/// Why settings contradict an invariant (PROTOCOL.md, Time).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Rules are too long.
    #[error("the rules of {0} are {1} bytes long, {RULES_BYTES_MAX} are allowed")]
    Rules(AgentKind, usize),
    /// A length of time or a bound is not above zero.
    #[error("{0} must be above 0")]
    NotPositive(&'static str),
    /// The ratio is out of range.
    #[error("limits.max_fleet_restart_ratio must be a number between 0 and 0.25")]
    Ratio,
    /// A class of priority is out of range.
    #[error("{0} must be 1 to 31")]
    Class(&'static str),
    /// Too many caps or severities.
    #[error("at most {CAPS_MAX} caps, {FREEZES_MAX} freezes and 4 severities")]
    TooMany,
    /// A count within the hour is out of range.
    #[error("{0} must be 1 to {REMEMBERED_MAX}")]
    Count(&'static str),
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
            ("preempt_grace_ms", self.preempt_grace_ms),
            ("starvation_ms", self.starvation_ms),
            ("wait_ttl_ms", self.wait_ttl_ms),
            ("refresh_ttl_ms", self.refresh_ttl_ms),
            ("limits.evidence_ttl_ms", self.limits.evidence_ttl_ms),
            ("limits.facts_ttl_ms", self.limits.facts_ttl_ms),
            ("entries_open_max", self.entries_open_max as i64),
            ("entries_ended_max", self.entries_ended_max as i64),
            ("changes_max", self.changes_max as i64),
            ("requests_max", self.requests_max as i64),
            ("requests_total_max", self.requests_total_max as i64),
            ("principals_max", self.principals_max as i64),
            ("cooldowns_max", self.cooldowns_max as i64),
            ("clusters_max", self.clusters_max as i64),
            ("episodes_max", self.episodes_max as i64),
            ("episode_ms", self.episode_ms),
            ("hour_ms", self.hour_ms),
            ("judge_one_in", i64::from(self.judge_one_in)),
        ] {
            if value <= 0 {
                return Err(SettingsError::NotPositive(name));
            }
        }
        let ratio = self.limits.max_fleet_restart_ratio;
        if !ratio.is_finite() || !(0.0..=0.25).contains(&ratio) {
            return Err(SettingsError::Ratio);
        }
        for (name, count) in
            [("limits.max_actions_per_hour", self.limits.max_actions_per_hour), ("limits.breaker_failures", self.limits.breaker_failures)]
        {
            if !(1..=REMEMBERED_MAX).contains(&(count as usize)) {
                return Err(SettingsError::Count(name));
            }
        }
        for (name, class) in [
            ("priorities.containment", self.priorities.containment),
            ("priorities.repair", self.priorities.repair),
            ("priorities.savings", self.priorities.savings),
        ] {
            if !(1..=31).contains(&class) {
                return Err(SettingsError::Class(name));
            }
        }
        if self.caps.len() > CAPS_MAX
            || self.freezes.len() > FREEZES_MAX
            || self.approval_severities.len().max(self.two_person_severities.len()) > 4
        {
            return Err(SettingsError::TooMany);
        }
        if let Some((agent, rules)) = self.rules.iter().find(|(_, rules)| rules.len() > RULES_BYTES_MAX) {
            return Err(SettingsError::Rules(*agent, rules.len()));
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
        if self.request_retention_ms < self.permit_ttl_ms + self.act_deadline_ms + self.message_delay_ms {
            return Err(SettingsError::TooShort(
                "request_retention_ms",
                "permit_ttl_ms + act_deadline_ms + message_delay_ms",
                "a retried claim would be answered anew",
            ));
        }
        Ok(())
    }

    pub(crate) fn needs_approval(&self, severity: Severity) -> bool {
        severity.number() <= 2 || self.approval_severities.contains(&severity.number())
    }
}
