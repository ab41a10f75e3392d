//! One run, from its start to the verdict.

use crate::clock;
use crate::group::Group;
use crate::namespaces::Namespaces;
use crate::nemesis;
use crate::register::Register;
use crate::schedule;
use crate::verdict::{self, Verdict};
use crate::writer::{Account, Field, Writer, scope};
use picket_coordinator_client::CoordinatorClient;
use picket_core::coordination::{Answer, Command};
use picket_core::ids::Principal;
use picket_core::ports::Coordinator as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Callers.
const WRITERS: u32 = 20;
/// Scopes that they share.
const REGISTERS: usize = 5;
/// Deadline of a writer's call: short, so that some outcomes stay unknown.
const CALL_MS: u64 = 3_000;
/// After healing, every node must serve within this. A machine that builds something else at the same time needs part of it.
const HEAL_DEADLINE_S: u64 = 45;
/// Deadline of a call whose answer must come.
const PATIENT_MS: u64 = 40_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct RunOptions {
    /// Everything that is drawn is drawn from it; chosen afresh when missing. (What the machine does with it differs from run to run.)
    #[arg(long)]
    pub seed: Option<u64>,
    /// Faults are made for this long.
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
}

/// Who looks after the group.
#[must_use]
pub fn operator() -> Principal {
    Principal::Human("chaos".into())
}

fn principal(writer: u32) -> Principal {
    Principal::Human(format!("writer-{writer}"))
}

/// Starts the group, torments it, heals it, and looks at everything.
///
/// # Errors
/// When processes, files or the network do not obey. A broken promise is a finding, not an error.
pub async fn run(seed: u64, seconds: u64, namespaces: Option<Namespaces>) -> io::Result<Verdict> {
    let with_wires = namespaces.is_some();
    let callers: Vec<_> = (0..WRITERS).map(principal).chain([operator()]).collect();
    let mut group = Group::start(&std::env::current_exe()?, &callers, namespaces)?;
    let ids = group.ids();
    let schedule = schedule::draw(seed, seconds, &ids, with_wires);
    println!("seed {seed}: {} faults", schedule.len());
    schedule.iter().for_each(|trouble| println!("{trouble}"));
    let result = play(&mut group, seed, seconds, &schedule).await;
    match &result {
        Ok(verdict) if verdict.findings.is_empty() => {}
        _ => println!("{}", group.said()),
    }
    result
}

async fn play(group: &mut Group, seed: u64, seconds: u64, schedule: &[schedule::Trouble]) -> io::Result<Verdict> {
    let ids = group.ids();
    wait_until_serving(group).await?;
    let field = Arc::new(Field { registers: (0..REGISTERS).map(|_| Register::default()).collect(), closing: AtomicBool::new(false) });
    let until_us = clock::now_us() + seconds * 1_000_000;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let mut order = ids.clone();
        order.rotate_left(number as usize % ids.len());
        let client = group.client(&principal(number), &order, CALL_MS)?;
        writers.push(tokio::spawn(Writer::new(number, client, field.clone(), seed).work()));
    }
    let looker = group.client(&operator(), &ids, 1_000)?;
    let done = nemesis::torment(group, schedule, &looker, until_us).await?;
    println!("healed; faults {:?}; leaders in turn {:?}", done.faults, done.leaders);
    let mut findings = Vec::new();
    match wait_until_serving(group).await {
        Ok(took) => println!("every node served {:.1} s after the healing", took.as_secs_f64()),
        Err(error) => findings.push(format!("not healed: {error}")),
    }
    field.closing.store(true, Ordering::Relaxed);
    let mut accounts = Vec::new();
    for writer in writers {
        accounts.push(writer.await.map_err(io::Error::other)?);
    }
    // What was acknowledged must be on disk: every process dies once more before it is asked for.
    for id in &ids {
        group.kill_nine(*id)?;
    }
    group.heal()?;
    if let Err(error) = wait_until_serving(group).await {
        findings.push(format!("not up again after all had been killed: {error}"));
    }
    let registers: Vec<_> = field.registers.iter().map(Register::seen).collect();
    let mut verdict = verdict::of(&accounts, &registers);
    let (asked_again, lost) = ask_again(group, &accounts).await?;
    verdict.asked_again = asked_again;
    verdict.findings.extend(lost);
    verdict.findings.extend(findings);
    verdict.findings.extend(broken_invariants(group).await);
    verdict.findings.append(&mut group.ended_alone);
    verdict.findings.extend(group.panics());
    if done.leaders.len() < 2 || verdict.refused == 0 || verdict.unknown == 0 {
        verdict.findings.push(format!(
            "the run shows nothing: leaders {:?}, {} stale accesses, {} unknown",
            done.leaders, verdict.refused, verdict.unknown
        ));
    }
    Ok(verdict)
}

/// Returns when each node by itself has answered a new command and a read; needs the certificate of `operator`.
///
/// # Errors
/// When one does not within the deadline.
pub async fn wait_until_serving(group: &Group) -> io::Result<Duration> {
    let began_us = clock::now_us();
    for id in group.ids() {
        let client = group.client(&operator(), &[id], HEAL_DEADLINE_S * 1_000)?;
        let left_us = (began_us + HEAL_DEADLINE_S * 1_000_000).saturating_sub(clock::now_us());
        let serving = async {
            let request_id = format!("serving-{id}-{began_us}");
            client.submit(request_id.into(), Command::ForgetAnswers { requests: Vec::new() }).await?;
            client.status().await
        };
        let served = tokio::time::timeout(Duration::from_micros(left_us), serving).await;
        served.map_err(|_| io::Error::other(format!("node {id} did not serve within {HEAL_DEADLINE_S} s")))?.map_err(io::Error::other)?;
    }
    Ok(Duration::from_micros(clock::now_us() - began_us))
}

/// Every acknowledged command once more, under its id: the first answer must come again. What was lost would be done anew.
async fn ask_again(group: &Group, accounts: &[Account]) -> io::Result<(u64, Vec<String>)> {
    let mut asking = Vec::new();
    for (number, account) in accounts.iter().enumerate() {
        let mut order = group.ids();
        let by = number % order.len();
        order.rotate_left(by);
        let client = group.client(&principal(number as u32), &order, PATIENT_MS)?;
        let acknowledged = account.acknowledged.clone();
        asking.push(tokio::spawn(ask_all(client, acknowledged)));
    }
    let (mut asked, mut lost) = (0, Vec::new());
    for account in asking {
        let (count, found) = account.await.map_err(io::Error::other)?;
        asked += count;
        lost.extend(found);
    }
    Ok((asked, lost))
}

async fn ask_all(client: CoordinatorClient, acknowledged: Vec<crate::writer::Acknowledged>) -> (u64, Vec<String>) {
    let (mut asked, mut lost) = (0, Vec::new());
    for known in acknowledged {
        asked += 1;
        match client.submit(known.request_id.as_str().into(), known.command.clone()).await {
            Ok(answer) if answer == known.answer => {}
            again => lost.push(format!("{} was answered {:?}, and asked again {again:?}: it is lost", known.request_id, known.answer)),
        }
    }
    (asked, lost)
}

/// What the coordinator counted itself; and that the leases of those who are gone are over.
async fn broken_invariants(group: &Group) -> Vec<String> {
    let client = match group.client(&operator(), &group.ids(), PATIENT_MS) {
        Ok(client) => client,
        Err(error) => return vec![format!("no client: {error}")],
    };
    let mut found = Vec::new();
    match client.status().await {
        Ok(status) => {
            let broken: Vec<_> = status.violations.iter().filter(|(_, count)| **count > 0).collect();
            if !broken.is_empty() {
                found.push(format!("the coordinator itself counted {broken:?}"));
            }
        }
        Err(error) => found.push(format!("no status: {error}")),
    }
    for number in 0..REGISTERS {
        let command = Command::QueueLease { scopes: vec![scope(number)], ttl_ms: 1_000, priority: Default::default() };
        let until_us = clock::now_us() + HEAL_DEADLINE_S * 1_000_000;
        loop {
            match client.submit(format!("last-{number}").into(), command.clone()).await {
                Ok(Answer::Leased { .. }) => break,
                Ok(Answer::Waiting { .. }) if clock::now_us() < until_us => tokio::time::sleep(Duration::from_millis(100)).await,
                other => {
                    found.push(format!("scope {number} never came free: {other:?}"));
                    break;
                }
            }
        }
    }
    found
}
