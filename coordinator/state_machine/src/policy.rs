//! Limits and caps are changed by a person, through the log; each change is a version.

use crate::ledger;
use crate::phase;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::state::State;
use picket_core::ids::{AgentKind, EntryId};
use picket_core::ledger::LedgerEvent;
use picket_core::limits::LimitRule;
use picket_core::phase::Phase;
use picket_core::policy::Policy;

impl State {
    /// The version of the policy in force, and the agent's rules in it.
    #[must_use]
    pub fn rules(&self, agent: AgentKind) -> (u64, Option<&str>) {
        (self.policy_version, self.settings.rules.get(&agent).map(String::as_str))
    }

    /// What is in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let Settings { limits, approval_severities, two_person_severities, caps, freezes, rules, .. } = self.settings.clone();
        Policy { version: self.policy_version, limits, approval_severities, two_person_severities, caps, freezes, rules }
    }
}

/// Puts a policy in force. A permit from before is held against it at its claim; what a cap no longer lets its agent do is cancelled, and
/// what was admitted under other rules of the user: its agent may ask again.
pub(crate) fn set(state: &mut State, policy: &Policy) -> Reply {
    if policy.version != state.policy_version + 1 {
        let why = format!("version {} does not follow the present one ({}): look again", policy.version, state.policy_version);
        return Reply::refused(LimitRule::NotAllowed, why);
    }
    let settings = Settings {
        limits: policy.limits.clone(),
        approval_severities: policy.approval_severities.clone(),
        two_person_severities: policy.two_person_severities.clone(),
        caps: policy.caps.clone(),
        freezes: policy.freezes.clone(),
        rules: policy.rules.clone(),
        ..state.settings.clone()
    };
    if let Err(why) = settings.validate() {
        return Reply::refused(LimitRule::Malformed, why.to_string());
    }
    let before = std::mem::replace(&mut state.settings, settings);
    state.policy_version = policy.version;
    let pending = state.open.iter().filter_map(|id| state.entries.get(id)).filter(|e| e.is_before_claim() && !e.is_undo());
    let other_rules = |agent| before.rules.get(&agent) != policy.rules.get(&agent);
    let barred = pending.filter(|e| phase::allowed(state, e) == Phase::Observe || other_rules(e.agent()));
    let barred: Vec<EntryId> = barred.map(|e| e.id().clone()).collect();
    for id in barred {
        let _ = ledger::step(state, &id, LedgerEvent::Cancel);
    }
    Reply::Done
}
