//! `picket phase show | promote | demote | restart`.

use super::table;
use crate::wiring::Wiring;
use picket_core::coordination::Command;
use picket_core::ids::AgentKind;
use picket_core::phase::Phase;
use picket_core::ports::Coordinator as _;

/// How much each agent may do.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum PhaseCommand {
    /// Phase, evidence, and what is still missing for the next.
    Show {
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// One step up, when it was earned.
    Promote {
        /// sre, finops or secops.
        #[arg(value_parser = agent_of)]
        agent: AgentKind,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// What the agent has earned counts no longer, because its model, catalogue or calibration changed; it starts again in Observe.
    Restart {
        /// sre, finops or secops.
        #[arg(value_parser = agent_of)]
        agent: AgentKind,
        /// On record: what changed.
        #[arg(long)]
        why: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
    /// To Observe.
    Demote {
        /// sre, finops or secops.
        #[arg(value_parser = agent_of)]
        agent: AgentKind,
        /// On record.
        #[arg(long)]
        why: String,
        /// Machine output.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn agent_of(name: &str) -> anyhow::Result<AgentKind> {
    AgentKind::ALL.into_iter().find(|k| k.as_str() == name).ok_or_else(|| anyhow::anyhow!("`{name}` is no agent: sre, finops or secops"))
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away or refuses.
pub async fn run(wiring: &Wiring, command: &PhaseCommand) -> anyhow::Result<()> {
    let status = super::as_person(wiring)?.status().await?;
    let stop_epoch = status.stop.epoch;
    match command {
        PhaseCommand::Show { json: true } => super::print_json(&status.phases),
        PhaseCommand::Show { json: false } => {
            let rows: Vec<_> = status
                .phases
                .iter()
                .map(|(agent, view)| {
                    let accuracy = view
                        .gate
                        .accuracy
                        .map_or("-".to_owned(), |a| format!("{a:.3} ({:.3}-{:.3})", view.gate.accuracy_low, view.gate.accuracy_high));
                    let missing = if view.gate.missing.is_empty() { "nothing".to_owned() } else { view.gate.missing.join("; ") };
                    [
                        agent.to_string(),
                        view.state.phase.to_string(),
                        view.state.episodes.to_string(),
                        accuracy,
                        view.state.violations.to_string(),
                        missing,
                    ]
                })
                .collect();
            table::print(["AGENT", "PHASE", "EPISODES", "ACCURACY (95 %)", "VIOLATIONS", "MISSING FOR THE NEXT"], &rows, "no agents");
            for (agent, due) in status.phases.iter().filter_map(|(agent, view)| Some((agent, view.judgements_due.first()?))) {
                let left_h = due.by.since_ms(status.now) as f64 / 3_600_000.0;
                let all = status.phases[agent].judgements_due.len();
                println!(
                    "{agent}: {all} diagnoses must be judged; {} counts as wrong in {left_h:.0} h: picket incident adjudicate {} --correct",
                    due.incident, due.incident
                );
            }
            Ok(())
        }
        PhaseCommand::Promote { agent, json } => {
            let phase = match status.phases.get(agent).map(|v| v.state.phase) {
                Some(Phase::Observe) | None => Phase::Assist,
                Some(_) => Phase::Autonomous,
            };
            let command = Command::SetPhase { agent: *agent, phase, stop_epoch, why: "promoted on the command line".into() };
            say(wiring, command, format!("{agent} is in {phase}"), *json).await
        }
        PhaseCommand::Restart { agent, why, json } => {
            super::submit(wiring, Command::RestartEvidence { agent: *agent, why: why.clone() }).await?;
            if *json {
                return super::print_json(&serde_json::json!({ "restarted": agent }));
            }
            println!("{agent}'s evidence starts again");
            Ok(())
        }
        PhaseCommand::Demote { agent, why, json } => {
            let command = Command::SetPhase { agent: *agent, phase: Phase::Observe, stop_epoch, why: why.clone() };
            say(wiring, command, format!("{agent} is in observe"), *json).await
        }
    }
}

async fn say(wiring: &Wiring, command: Command, said: String, json: bool) -> anyhow::Result<()> {
    let answer = super::submit(wiring, command).await?;
    if json {
        return super::print_json(&answer);
    }
    println!("{said}");
    Ok(())
}
