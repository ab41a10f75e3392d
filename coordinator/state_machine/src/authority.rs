//! Who may say what. The principal comes from the certificate; nothing in a message is believed about its sender.

use crate::state::State;
use picket_core::coordination::Command;
use picket_core::ids::{ClusterName, EntryId, Principal};
use picket_core::limits::{LimitRule, Violation};

fn no(why: String) -> Violation {
    Violation::new(LimitRule::NotAllowed, None, why)
}

/// Checks the sender against the command.
pub(crate) fn may_say(state: &State, who: &Principal, command: &Command) -> Result<(), Violation> {
    let refuse = |needed: &str| Err(no(format!("{who} may not say this: it takes {needed}")));
    match command {
        Command::Propose { proposal } | Command::ProposeRuled { proposal, .. } => match who {
            Principal::Agent(kind) if *kind == proposal.agent => Ok(()),
            _ => refuse(&format!("agent:{}", proposal.agent)),
        },
        Command::Refresh { entry, .. } => match who {
            Principal::Agent(kind) => match state.entries.get(entry) {
                Some(known) if known.agent() == *kind => Ok(()),
                Some(known) => refuse(&format!("agent:{}", known.agent())),
                None => Err(unknown(entry)),
            },
            _ => refuse("the agent that proposed it"),
        },
        Command::Register => match who {
            Principal::Observer(_) | Principal::Actuator(_) => Ok(()),
            _ => refuse("an observer or an actuator"),
        },
        Command::PostFacts { facts } => match who {
            Principal::Observer(cluster) if *cluster == facts.cluster => Ok(()),
            _ => refuse(&format!("observer:{}", facts.cluster)),
        },
        Command::Grade { entry, .. } | Command::ForeignEvidence { entry, .. } => match who {
            Principal::Observer(cluster) => of_cluster(state, entry, cluster),
            _ => refuse("the observer of its cluster"),
        },
        Command::Claim { claim } => match who {
            Principal::Actuator(cluster) => of_cluster(state, &claim.entry, cluster),
            _ => refuse("the actuator of its cluster"),
        },
        Command::Report { entry, .. } => match who {
            Principal::Actuator(cluster) => of_cluster(state, entry, cluster),
            _ => refuse("the actuator of its cluster"),
        },
        Command::FenceRaised { .. } | Command::UploadJournal { .. } => match who {
            Principal::Actuator(_) => Ok(()),
            _ => refuse("an actuator"),
        },
        Command::Approve { .. }
        | Command::Deny { .. }
        | Command::Undo { .. }
        | Command::Resolve { .. }
        | Command::Stop { .. }
        | Command::Resume { .. }
        | Command::BackupTaken { .. }
        | Command::SetPhase { .. }
        | Command::SetPolicy { .. }
        | Command::WaiveJournal { .. }
        | Command::RetireCluster { .. }
        | Command::ResetBreaker { .. }
        | Command::ChangeMembers { .. }
        | Command::Adjudicate { .. } => match who {
            Principal::Human(_) => Ok(()),
            _ => refuse("a person"),
        },
        // An agent may own up; it may not have another demoted.
        Command::ReportViolation { agent, .. } => match who {
            Principal::Agent(kind) if *agent != Some(*kind) => refuse("somebody who is not an agent, or the agent itself"),
            _ => Ok(()),
        },
        Command::RestartEvidence { agent, .. } => match who {
            Principal::Human(_) => Ok(()),
            Principal::Agent(kind) if kind == agent => Ok(()),
            _ => refuse(&format!("a person or agent:{agent}")),
        },
        Command::AcquireLease { .. } | Command::QueueLease { .. } | Command::RenewLease { .. } | Command::ReleaseLease { .. } => {
            match who {
                Principal::Agent(_) => refuse("somebody who is not an agent: the ledger takes its leases by itself"),
                _ => Ok(()),
            }
        }
        Command::ForgetAnswers { .. } => Ok(()),
        Command::Tick => match who {
            Principal::Node(_) => Ok(()),
            _ => refuse("a coordinator node"),
        },
    }
}

fn of_cluster(state: &State, entry: &EntryId, cluster: &ClusterName) -> Result<(), Violation> {
    let known = state.entries.get(entry).ok_or_else(|| unknown(entry))?;
    if known.cluster() == cluster { Ok(()) } else { Err(no(format!("{entry} is of cluster {}, not {cluster}", known.cluster()))) }
}

/// There is no such entry (any more).
pub(crate) fn unknown(entry: &EntryId) -> Violation {
    no(format!("{entry} is not in the ledger: ended entries are kept for a while only, the audit log has them all"))
}
