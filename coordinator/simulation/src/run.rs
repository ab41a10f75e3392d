//! One seed from its start to the verdict.

use crate::client::Client;
use crate::executor::{self, Stuck};
use crate::finding::{Finding, Kind};
use crate::happened::Happened;
use crate::history::History;
use crate::options::Options;
use crate::world::World;
use crate::{actors, checks, nemesis};
use picket_core::coordination::Command;
use picket_core::ids::Principal;
use picket_core::scope::Scope;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A run that needs more polls than this spins.
const POLLS_MAX: u64 = 20_000_000;
/// After healing, elections and restarts may take this long before an unanswered call counts.
pub(crate) const SETTLE_MS: u64 = 8_000;

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// Polls of tasks: what the run was made of.
    pub steps: u64,
    /// Entries of the log.
    pub entries: u64,
    /// Calls that were answered, and all.
    pub answered: (u64, u64),
    /// What went wrong, and how often.
    pub happened: Happened,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Digest of the trace.
    pub trace_digest: u64,
    /// The trace, when it was asked for.
    pub trace: String,
}

/// Who calls the coordinator in a run, and what else is looked at when it is over.
pub trait Cast {
    /// Starts everybody who calls; each is entered ([`World::enter`]), so that the run knows when all have gone home.
    fn start(&self, world: &Arc<World>, seed: u64);
    /// Looks at what is left of a run that came to its end.
    fn judge(&self, history: &mut History, world: &World);
    /// From healing until everybody is asked to go home, ms of virtual time.
    fn rest_ms(&self) -> u64 {
        SETTLE_MS
    }
}

/// The callers of this crate: none of them shares code with what is checked, beyond the types of the protocol.
struct Scripted;

impl Cast for Scripted {
    fn start(&self, world: &Arc<World>, seed: u64) {
        actors::start(world, seed);
    }

    fn judge(&self, _: &mut History, _: &World) {}
}

/// Runs one seed.
#[must_use]
pub fn run_seed(seed: u64, options: &Options, keep_trace: bool) -> Outcome {
    run_seed_of(Arc::new(Scripted), seed, options, keep_trace)
}

/// Runs one seed with that cast.
#[must_use]
pub fn run_seed_of(cast: Arc<dyn Cast + Send + Sync>, seed: u64, options: &Options, keep_trace: bool) -> Outcome {
    let world = World::new(seed, options.clone(), keep_trace);
    let steps = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = steps.clone();
    let (playing, players) = (world.clone(), cast.clone());
    let ran = catch_unwind(AssertUnwindSafe(|| {
        executor::run(seed, POLLS_MAX, async move {
            play(&playing, &*players, seed).await;
            counted.store(executor::polls(), std::sync::atomic::Ordering::Relaxed);
            playing.let_go();
        })
    }));
    World::leave();
    let (mut history, trace) = world.take();
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(Stuck::Deadlock)) => history.find(Kind::Liveness, "every task waits for another"),
        Ok(Err(Stuck::Spinning)) => history.find(Kind::Liveness, format!("no end after {POLLS_MAX} polls")),
        Err(panic) => {
            executor::abandon();
            history.find(Kind::Panic, panic_text(&*panic));
        }
    }
    checks::check(&mut history, options, &world);
    cast.judge(&mut history, &world);
    let answered = history.calls.iter().filter(|c| c.is_answered()).count() as u64;
    let (trace_digest, _, trace) = trace.finish();
    Outcome {
        seed,
        steps: steps.load(std::sync::atomic::Ordering::Relaxed),
        entries: history.log.len() as u64,
        answered: (answered, history.calls.len() as u64),
        happened: history.happened,
        findings: history.findings,
        trace_digest,
        trace,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

async fn play(world: &Arc<World>, cast: &(dyn Cast + Send + Sync), seed: u64) {
    for id in world.ids() {
        world.start(id);
    }
    cast.start(world, seed);
    nemesis::torment(world, seed).await;
    nemesis::heal(world).await;
    let healed_ms = executor::elapsed_ms();
    world.history().healed_ms = Some(healed_ms);
    executor::sleep_ms(cast.rest_ms()).await;
    world.close();
    let until = executor::elapsed_ms() + world.options.heal_ms - SETTLE_MS;
    while world.inside() > 0 && executor::elapsed_ms() < until {
        executor::sleep_ms(50).await;
    }
    if world.inside() > 0 {
        world.history().find(
            Kind::Liveness,
            format!("{} callers still wait {} ms after they were asked to go home", world.inside(), world.options.heal_ms),
        );
        return;
    }
    probe(world, seed).await;
}

/// Every node answers a fresh command and a fresh read, and all come to the same end.
async fn probe(world: &Arc<World>, seed: u64) {
    let mut client = Client::new(world, Principal::Human("probe".into()), "probe", seed);
    for id in world.ids() {
        client.prefer(id);
        let scope = Scope::External("probe".into(), id.to_string());
        client.submit(Command::AcquireLease { scopes: vec![scope], ttl_ms: 1_000 }).await;
        let _ = client.status().await;
    }
    // The followers hear of the last commit with the next heartbeat.
    executor::sleep_ms(1_000).await;
    let mut ends = Vec::new();
    for id in world.ids() {
        let Some(node) = world.running(id) else { continue };
        let (last, digest) = node.machine.read_at(|state, last| (last.map(|l| l.index), crate::history::digest_of(state)));
        ends.push((id, last, digest));
    }
    let members: Vec<u64> = world.leader().and_then(|id| world.running(id)).map(|n| n.raft.voter_ids().collect()).unwrap_or_default();
    if members.is_empty() {
        world.history().find(Kind::Liveness, "there is no leader in the end");
    }
    let newest = ends.iter().filter_map(|(_, last, _)| *last).max().unwrap_or(0);
    for (id, last, digest) in &ends {
        let index = last.unwrap_or(0);
        // The leader's ticks go on meanwhile; nobody tells a node that is no member.
        if newest - index > 8 && members.contains(id) {
            world.history().find(Kind::Liveness, format!("node {id} is at entry {index} when another is at {newest}"));
        }
        // A spare node that never became a member has applied nothing, not even who the first members are.
        if let Some(index) = last {
            world.history().states_at_end.push((*index, *digest));
        }
    }
}
