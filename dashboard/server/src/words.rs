//! Field terms in a reader's words.

use crate::wire::{State, Tone};
use picket_core::action::Reversibility;
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::diagnosis::Abstention;
use picket_core::evidence::EvidenceSource;
use picket_core::ids::AgentKind;
use picket_core::ledger::EntryState;
use picket_core::limits::LimitRule;
use serde::Serialize;

/// `memory_limit_too_low` → `memory limit too low`: the snake-case name in JSON, with blanks.
fn spaced<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text.replace('_', " "),
        _ => String::new(),
    }
}

/// A cause.
#[must_use]
pub fn cause(cause: Cause) -> String {
    cause.as_str().replace('_', " ")
}

/// A symptom.
#[must_use]
pub fn symptom(symptom: Symptom) -> String {
    match symptom {
        Symptom::OomKilled => "killed for memory (OOM)".to_owned(),
        Symptom::CpuHigh => "CPU high".to_owned(),
        Symptom::CpuLow => "CPU low".to_owned(),
        other => spaced(&other),
    }
}

/// Where evidence comes from.
#[must_use]
pub fn source(source: EvidenceSource) -> String {
    spaced(&source)
}

/// An agent's title.
#[must_use]
pub const fn agent(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Sre => "SRE",
        AgentKind::FinOps => "FinOps",
        AgentKind::SecOps => "SecOps",
    }
}

/// Whether it can be taken back.
#[must_use]
pub const fn reversibility(kind: Reversibility) -> &'static str {
    match kind {
        Reversibility::Exact => "exact",
        Reversibility::Compensating => "compensating",
        Reversibility::None => "none",
    }
}

/// Why picket says nothing.
#[must_use]
pub fn abstention(why: &Abstention) -> String {
    match why {
        Abstention::UnknownCause => "nothing in the catalogue explains the evidence".to_owned(),
        Abstention::LowConfidence { percent } => format!("the best candidate is only {percent} % sure"),
        Abstention::Ambiguous { between: [one, other] } => format!("{} and {} explain it about as well", cause(*one), cause(*other)),
        Abstention::Contradicted { why } | Abstention::SelfHealing { why } => why.clone(),
        Abstention::Stale => "the evidence is too old".to_owned(),
        Abstention::AwaitingOpinion => "models are being asked about it".to_owned(),
    }
}

/// What a limit asks for.
#[must_use]
pub const fn rule(rule: LimitRule) -> &'static str {
    match rule {
        LimitRule::FleetBudget => "pods disrupted stay within the fleet's budget",
        LimitRule::ServiceShare => "services disrupted at once stay within their share",
        LimitRule::Cooldown => "no second act of this kind within the cooldown",
        LimitRule::BlastRadius => "a failure stays within the blast radius",
        LimitRule::Confidence => "confidence is high enough",
        LimitRule::StaleFacts => "the observer's facts are fresh",
        LimitRule::StaleEvidence => "the evidence is fresh",
        LimitRule::Protected => "picket may touch the service",
        LimitRule::ForeignRollout => "nobody else's rollout is in progress",
        LimitRule::ReplicaFloor => "a replica stays for those who depend on it",
        LimitRule::ReplicaCeiling => "one act adds no more replicas than a load explains",
        LimitRule::OpenActions => "open acts of the cluster stay within their number",
        LimitRule::UnknownService => "the observer knows the service",
        LimitRule::TargetBusy => "no other act on the target is under way",
        LimitRule::NotAllowed => "the agent may do this kind of act",
        LimitRule::DeniedByHuman => "a person agrees",
        LimitRule::Stopped => "STOP is not set",
        LimitRule::Capacity => "the coordinator has room",
        LimitRule::Malformed => "every value is well formed",
        LimitRule::UserPolicy => "the user's policy allows it",
        LimitRule::ChangeFreeze => "changes are not frozen",
        LimitRule::RateLimit => "acts of the hour stay within their number",
        LimitRule::BreakerOpen => "the cluster's breaker is closed",
        LimitRule::Oscillation => "it takes back no act of the last hour",
        LimitRule::ColdStart => "the cluster has been watched for long enough",
        LimitRule::DisruptionBudget => "PodDisruptionBudgets let the pods go",
        LimitRule::Restoring => "the coordinator was released after its restore",
        LimitRule::Deposed => "the leader still leads",
    }
}

/// The limits that every act is held against, in the order in which a reader asks for them.
pub const RULES: [LimitRule; 20] = [
    LimitRule::Stopped,
    LimitRule::ChangeFreeze,
    LimitRule::BreakerOpen,
    LimitRule::ColdStart,
    LimitRule::NotAllowed,
    LimitRule::Protected,
    LimitRule::Confidence,
    LimitRule::StaleEvidence,
    LimitRule::StaleFacts,
    LimitRule::BlastRadius,
    LimitRule::FleetBudget,
    LimitRule::ServiceShare,
    LimitRule::DisruptionBudget,
    LimitRule::OpenActions,
    LimitRule::RateLimit,
    LimitRule::Cooldown,
    LimitRule::Oscillation,
    LimitRule::ForeignRollout,
    LimitRule::ReplicaFloor,
    LimitRule::ReplicaCeiling,
];

/// A state of the ledger.
#[must_use]
pub fn state(of: EntryState) -> State {
    let (words, tone) = match of {
        EntryState::Denied => ("denied", Tone::Quiet),
        EntryState::Shadowed => ("shadowed: recorded only", Tone::Quiet),
        EntryState::Queued => ("queued for the lease", Tone::Quiet),
        EntryState::AwaitingApproval => ("waits for you", Tone::Asks),
        EntryState::Approved => ("approved", Tone::Acting),
        EntryState::Permitted => ("permitted", Tone::Acting),
        EntryState::Claimed => ("acting", Tone::Acting),
        EntryState::Observing => ("done, watched", Tone::Acting),
        EntryState::Inconclusive => ("inconclusive: look", Tone::Asks),
        EntryState::Undoing => ("being undone", Tone::Acting),
        EntryState::Indeterminate => ("not knowable: resolve", Tone::Bad),
        EntryState::UndoFailed => ("undo failed: resolve", Tone::Bad),
        EntryState::Settled => ("settled", Tone::Good),
        EntryState::Failed => ("had no effect", Tone::Bad),
        EntryState::RolledBack => ("undone", Tone::Quiet),
        EntryState::Expired => ("expired", Tone::Quiet),
        EntryState::Cancelled => ("cancelled", Tone::Quiet),
    };
    let id = serde_json::to_value(of).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    State { id, words: words.to_owned(), tone, over: of.is_terminal() }
}

/// `3 incidents`, `1 incident`.
#[must_use]
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_words_and_ends_where_the_table_ends() {
        for of in EntryState::ALL {
            let state = state(of);
            assert!(!state.words.is_empty() && !state.id.is_empty());
            assert_eq!(state.over, of.is_terminal());
        }
    }

    #[test]
    fn names_lose_their_underscores() {
        assert_eq!(cause(Cause::MemoryLimitTooLow), "memory limit too low");
        assert_eq!(symptom(Symptom::LatencyHigh), "latency high");
        assert_eq!(source(EvidenceSource::Knowledge), "knowledge");
    }
}
