//! `picket member ls | add | promote | remove | replace | transfer`: the coordinator's own nodes.

use super::{as_person, person, request_id, table};
use crate::wiring::Wiring;
use anyhow::{Context as _, bail};
use picket_coordinator::membership::BEHIND_MAX;
use picket_coordinator_client::CoordinatorClient;
use picket_core::membership::{MemberChange, MemberRole, MembersView};
use std::time::Duration;
use tokio::time::Instant;

/// The coordinator's own nodes: who they are, and how they come and go while it works.
#[derive(Clone, Debug, clap::Args)]
pub struct MemberOptions {
    #[command(subcommand)]
    command: MemberCommand,
    /// Gives up after so many seconds; a change that is under way then may still happen, and may be asked for again.
    #[arg(long, global = true, default_value_t = 60, value_name = "SECONDS")]
    timeout_s: u64,
    /// Machine output: the nodes afterwards.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum MemberCommand {
    /// Every node: its address, whether it votes, how far behind the leader it is.
    Ls,
    /// Takes a new node in, without a vote, and waits until it has caught up. Start it first: `picket coordinator --id ID --join`.
    Add {
        /// Its id, as in its certificate (`picket pki issue`). It must never have been used: ids are not given twice.
        id: u64,
        /// HOST:PORT where the other nodes reach it.
        address: String,
    },
    /// Gives a node that has caught up a vote. Keep the number of voters odd.
    Promote {
        /// Which.
        id: u64,
    },
    /// Takes a node out, for ever: end its process afterwards. A leader hands over first.
    Remove {
        /// Which.
        id: u64,
    },
    /// Takes NEW in, waits until it has caught up, and gives it OLD's vote in one change; OLD may be dead. Start NEW first.
    Replace {
        /// Who goes.
        old: u64,
        /// Who comes; an id that was never used.
        new: u64,
        /// HOST:PORT where the other nodes reach NEW.
        address: String,
    },
    /// Lets another node lead. Nothing is refused meanwhile, only held up: callers try again by themselves.
    Transfer {
        /// Which; the one that is closest behind when left out.
        to: Option<u64>,
    },
}

/// Between two looks at a node that catches up.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A change, with the deadline of the whole command.
struct Session<'a> {
    wiring: &'a Wiring,
    deadline: Instant,
}

impl Session<'_> {
    /// All nodes are endpoints: the leader may be one that the configuration does not name.
    async fn client(&self) -> anyhow::Result<(CoordinatorClient, MembersView)> {
        let first = as_person(self.wiring)?;
        let view = first.members().await?;
        let mut endpoints: Vec<String> = self.wiring.config.mesh.coordinators.values().cloned().collect();
        endpoints.extend(view.members.iter().map(|m| m.address.clone()));
        endpoints.dedup();
        Ok((CoordinatorClient::from_pki_dir(self.wiring.pki(), &person(), endpoints)?, view))
    }

    async fn change(&self, change: MemberChange) -> anyhow::Result<MembersView> {
        let (client, _) = self.client().await?;
        let what = change.to_string();
        let done = tokio::time::timeout_at(self.deadline, client.change_members(request_id(), change)).await;
        done.with_context(|| format!("{what}: not done within the time given"))?.with_context(|| what)
    }

    async fn caught_up(&self, id: u64) -> anyhow::Result<MembersView> {
        let (client, _) = self.client().await?;
        loop {
            let view = client.members().await?;
            let Some(member) = view.member(id) else { bail!("node {id} is no member any more") };
            if member.behind.is_some_and(|behind| behind <= BEHIND_MAX) && member.answered_ms_ago.is_some() {
                return Ok(view);
            }
            if Instant::now() >= self.deadline {
                let why = match (member.answered_ms_ago, member.behind) {
                    (None, _) => format!("it never answered: is it started, with --join, and reached at {}?", member.address),
                    (Some(_), Some(behind)) => format!("it is {behind} entries behind"),
                    (Some(_), None) => "how far it is, is not known".to_owned(),
                };
                bail!("node {id} is a member without a vote and has not caught up within the time given: {why}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Runs it.
///
/// # Errors
/// When the coordinator is away or refuses, or the time is over.
pub async fn run(wiring: &Wiring, options: &MemberOptions) -> anyhow::Result<()> {
    let session = Session { wiring, deadline: Instant::now() + Duration::from_secs(options.timeout_s) };
    let (view, said) = match &options.command {
        MemberCommand::Ls => (session.client().await?.1, None),
        MemberCommand::Add { id, address } => {
            session.change(MemberChange::Add { id: *id, address: address.clone() }).await?;
            (
                session.caught_up(*id).await?,
                Some(format!("node {id} follows the log, without a vote: `picket member promote {id}` gives it one")),
            )
        }
        MemberCommand::Promote { id } => (session.change(MemberChange::Promote { id: *id }).await?, Some(format!("node {id} votes"))),
        MemberCommand::Remove { id } => {
            (session.change(MemberChange::Remove { id: *id }).await?, Some(format!("node {id} is out for ever; end its process")))
        }
        MemberCommand::Replace { old, new, address } => {
            session.change(MemberChange::Add { id: *new, address: address.clone() }).await?;
            session.caught_up(*new).await?;
            let view = session.change(MemberChange::Replace { old: *old, new: *new }).await?;
            (view, Some(format!("node {new} votes in the place of {old}, which is out for ever; end its process")))
        }
        MemberCommand::Transfer { to } => {
            let view = session.change(MemberChange::Transfer { to: *to }).await?;
            let leader = view.leader.map_or("nobody".to_owned(), |id| format!("node {id}"));
            (view, Some(format!("{leader} leads")))
        }
    };
    if options.json {
        return super::print_json(&view);
    }
    match said {
        Some(said) => println!("{said}"),
        None => print(&view),
    }
    Ok(())
}

fn print(view: &MembersView) {
    let rows: Vec<_> = view
        .members
        .iter()
        .map(|m| {
            let role = match m.role {
                _ if view.leader == Some(m.id) => "leader",
                MemberRole::Voter => "voter",
                MemberRole::Learner => "learner",
            };
            let behind = m.behind.map_or("?".to_owned(), |entries| entries.to_string());
            let answered = m.answered_ms_ago.map_or("never".to_owned(), |ms| format!("{:.1} s ago", ms as f64 / 1000.0));
            [m.id.to_string(), m.address.clone(), role.to_owned(), behind, answered]
        })
        .collect();
    table::print(["NODE", "ADDRESS", "ROLE", "ENTRIES BEHIND", "ANSWERED"], &rows, "no node is known");
    if view.is_joint {
        println!("a change of voters is not complete: both majorities are needed until the next change completes it");
    }
    if !view.removed.is_empty() {
        println!("removed, never to be used again: {}", view.removed.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    }
    for record in &view.changes {
        println!("{}  {}  {}", record.at, record.by, record.change);
    }
}
