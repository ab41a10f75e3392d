//! The user's rules at the leader: every proposal is held against those in force before it goes into the log, with what was asked and said.

use super::error::Problem;
use crate::raft::machine::Machine;
use crate::raft::{Host, Written};
use picket_core::coordination::{Command, Request};
use picket_core::ids::AgentKind;
use picket_core::policy::Policy;
use picket_core::proposal::Proposal;
use picket_core::rules::{RuleAnswer, RuleQuestion, Ruled};
use picket_rules::RuleSet;
use picket_state_machine::rule_question;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const WHAT: &str = "submit";

/// What was read of one version of the policy.
#[derive(Default)]
struct Read {
    version: u64,
    sets: BTreeMap<AgentKind, Result<Arc<RuleSet>, String>>,
}

/// The rules in force, read once for each version of the policy.
#[derive(Default)]
pub struct RuleBook {
    read: Mutex<Read>,
}

impl RuleBook {
    /// A command as it goes into the log: a proposal with the rules' word on it, anything else as it came.
    ///
    /// # Errors
    /// When a policy's rules cannot be read, or a client says what only the leader may say.
    pub(super) fn hold<C: Host>(&self, machine: &Machine<C>, written: Written) -> Result<Written, Problem> {
        let Request { request_id, command } = written.request();
        match command {
            Command::ProposeRuled { .. } => Err(Problem::bad_request(WHAT, "what the rules say is the leader's to put down: propose")),
            Command::SetPolicy { policy } => check(policy).map(|()| written),
            Command::Propose { proposal } => {
                let command = Command::ProposeRuled { proposal: proposal.clone(), ruled: Box::new(self.rule(machine, proposal)) };
                let request = Request { request_id: request_id.clone(), command };
                Written::new(&request).map_err(|e| Problem::bad_request(WHAT, e.to_string()))
            }
            _ => Ok(written),
        }
    }

    fn rule<C: Host>(&self, machine: &Machine<C>, proposal: &Proposal) -> Ruled {
        let (question, policy_version, rules) = machine.read(|state| {
            let (version, rules) = state.rules(proposal.agent);
            (rule_question(state, proposal), version, rules.map(ToOwned::to_owned))
        });
        let answer = rules.map(|rules| self.ask(&rules, policy_version, &question));
        Ruled { question, policy_version, answer }
    }

    fn ask(&self, rules: &str, version: u64, question: &RuleQuestion) -> RuleAnswer {
        let set = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.version != version {
                *read = Read { version, sets: BTreeMap::new() };
            }
            let set = read.sets.entry(question.agent);
            set.or_insert_with(|| RuleSet::read(rules, version).map(Arc::new).map_err(|e| e.to_string())).clone()
        };
        match set {
            Ok(set) => set.ask(question),
            // Checked when they were set: a release that reads rules otherwise must not let anything through.
            Err(why) => RuleAnswer { policy_version: version, allowed: false, by: Vec::new(), errors: vec![why] },
        }
    }
}

/// Rules that nobody can read are never in force.
fn check(policy: &Policy) -> Result<(), Problem> {
    for (agent, rules) in &policy.rules {
        RuleSet::read(rules, policy.version).map_err(|e| Problem::bad_request("policy", format!("the rules of {agent}: {e}")))?;
    }
    Ok(())
}
