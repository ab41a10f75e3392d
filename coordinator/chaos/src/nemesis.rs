//! Carries the schedule out.

use crate::clock;
use crate::group::Group;
use crate::schedule::{Fault, Target, Trouble};
use picket_coordinator_client::CoordinatorClient;
use picket_core::ports::Coordinator as _;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// Undone later.
#[derive(Debug)]
enum Remedy {
    Start,
    GoOn(u64),
    Mend(Vec<(u64, u64)>),
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// How often.
    pub faults: BTreeMap<Fault, u64>,
    /// Leaders seen, each time it was another.
    pub leaders: Vec<u64>,
}

impl Done {
    fn leads(&mut self, leader: u64) {
        if self.leaders.last() != Some(&leader) {
            self.leaders.push(leader);
        }
    }
}

/// Both directions between the two.
fn between(a: u64, b: u64) -> [(u64, u64); 2] {
    [(a, b), (b, a)]
}

fn apply(group: &mut Group, trouble: &Trouble, node: u64) -> io::Result<Remedy> {
    let others: Vec<u64> = group.ids().into_iter().filter(|id| *id != node).collect();
    let outside = Group::outside();
    let wires: Vec<(u64, u64)> = match trouble.fault {
        Fault::KillNine => {
            group.kill_nine(node)?;
            return Ok(Remedy::Start);
        }
        Fault::Blackout => {
            group.ids().into_iter().try_for_each(|id| group.kill_nine(id))?;
            return Ok(Remedy::Start);
        }
        Fault::Pause => {
            group.pause(node);
            return Ok(Remedy::GoOn(node));
        }
        Fault::Isolated => others.iter().copied().chain([outside]).flat_map(|other| between(node, other)).collect(),
        Fault::Unheard => others.iter().map(|other| (node, *other)).collect(),
        Fault::Deaf => others.iter().map(|other| (*other, node)).collect(),
        Fault::Parted => between(node, others[trouble.lasts_ms as usize % others.len()]).to_vec(),
        Fault::Unreachable => between(node, outside).to_vec(),
    };
    group.cut(&wires)?;
    Ok(Remedy::Mend(wires))
}

fn undo(group: &mut Group, remedy: &Remedy) -> io::Result<()> {
    match remedy {
        // After a blackout all are missing.
        Remedy::Start => group.ids().into_iter().try_for_each(|id| group.start_node(id)),
        Remedy::GoOn(node) => {
            group.go_on(*node);
            Ok(())
        }
        Remedy::Mend(wires) => group.mend(wires),
    }
}

async fn sleep_until(at_us: u64) {
    tokio::time::sleep(Duration::from_micros(at_us.saturating_sub(clock::now_us()))).await;
}

/// Does what the schedule says, tells of each, and heals everything at the end. `looker` is asked who leads.
///
/// # Errors
/// When the processes or the network do not obey.
pub async fn torment(group: &mut Group, schedule: &[Trouble], looker: &CoordinatorClient, until_us: u64) -> io::Result<Done> {
    let began_us = clock::now_us();
    let mut pending: BTreeMap<(u64, u64), Remedy> = BTreeMap::new();
    let mut done = Done::default();
    let mut ahead = (0..).zip(schedule).peekable();
    loop {
        let next_us = ahead.peek().map(|(_, trouble)| began_us + trouble.at_ms * 1_000);
        let due = pending.first_key_value().map(|((at_us, _), _)| *at_us);
        match (next_us, due) {
            (_, Some(at_us)) if next_us.is_none_or(|next| at_us <= next) => {
                sleep_until(at_us).await;
                if let Some((_, remedy)) = pending.pop_first() {
                    undo(group, &remedy)?;
                }
            }
            (Some(at_us), _) => {
                let Some((number, trouble)) = ahead.next() else { continue };
                sleep_until(at_us).await;
                let leader = looker.status().await.ok().and_then(|status| status.leader);
                if let Some(leader) = leader {
                    done.leads(leader);
                }
                let node = match trouble.target {
                    Target::Leader => leader.unwrap_or(1),
                    Target::Node(node) => node,
                };
                println!("{:>6} ms: {:?} of node {node}", (clock::now_us() - began_us) / 1_000, trouble.fault);
                let remedy = apply(group, trouble, node)?;
                *done.faults.entry(trouble.fault).or_default() += 1;
                pending.insert((clock::now_us() + trouble.lasts_ms * 1_000, number), remedy);
            }
            (None, None) => break,
            (None, Some(_)) => {}
        }
    }
    sleep_until(until_us).await;
    group.heal()?;
    Ok(done)
}
