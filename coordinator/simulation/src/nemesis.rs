//! What goes wrong, and when. Everything is drawn from the seed; everything is healed in the end.

use crate::disk::Temper;
use crate::executor::{self, WORLD};
use crate::happened::Happening;
use crate::network::Weather;
use crate::world::{self, World};
use openraft::BasicNode;
use picket_coordinator::membership;
use picket_core::ids::Principal;
use picket_core::membership::{MemberChange, MemberRequest};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Clocks are off by at most this. A run and twice this together stay below the retention of answers: exactly-once must hold throughout.
const CLOCK_OFF_MS_MAX: i64 = 60_000;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A node hears and is heard by nobody, or only one of the two.
    Isolate,
    /// The nodes are split in two; a few wires are cut in one direction only.
    Split,
    /// Loss, doubling, delay and overtaking.
    Storm,
    /// Callers do not reach a node.
    Unreachable,
    /// A process dies; its page cache stays.
    KillProcess,
    /// A machine loses power.
    PowerFailure,
    /// The leader loses power.
    KillLeader,
    /// Power fails in the middle of a disk operation.
    Fuse,
    /// All machines lose power.
    Blackout,
    /// Syncs take long.
    SlowDisk,
    /// A sync fails.
    FailingSync,
    /// A process is stopped and goes on later.
    Stop,
    /// A wall clock jumps.
    ClockJump,
    /// A snapshot is made now, and the log purged.
    Snapshot,
    /// Somebody stands for election without need.
    Elect,
    /// A person moves the leadership.
    HandOver,
    /// Other nodes are to be the members, under load: only where there are spare ones.
    Members,
}

const TROUBLES: [Trouble; 17] = [
    Trouble::Isolate,
    Trouble::Split,
    Trouble::Storm,
    Trouble::Unreachable,
    Trouble::KillProcess,
    Trouble::PowerFailure,
    Trouble::KillLeader,
    Trouble::Fuse,
    Trouble::Blackout,
    Trouble::SlowDisk,
    Trouble::FailingSync,
    Trouble::Stop,
    Trouble::ClockJump,
    Trouble::Snapshot,
    Trouble::Elect,
    Trouble::HandOver,
    Trouble::Members,
];

/// What goes wrong with disks.
const DISK_TROUBLES: [Trouble; 6] =
    [Trouble::Fuse, Trouble::Fuse, Trouble::FailingSync, Trouble::FailingSync, Trouble::PowerFailure, Trouble::SlowDisk];

/// Trouble until the time is up.
pub async fn torment(world: &Arc<World>, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6e_656d_6573_6973);
    supervise(world, &mut rng);
    // Each seed has its own few kinds, so that one does not drown the others.
    let mut kinds: Vec<_> = TROUBLES.into_iter().filter(|_| rng.random_bool(0.5)).collect();
    let has_spares = world.options.nodes > world.options.voters;
    kinds.retain(|kind| *kind != Trouble::Members || has_spares);
    if has_spares && !kinds.contains(&Trouble::Members) {
        kinds.push(Trouble::Members);
    }
    let mut pause_ms_max = rng.random_range(400..3_000);
    // Tears and failed syncs need a crash at the right moment: every fourth seed tries little else.
    if seed % 4 == 1 {
        kinds = DISK_TROUBLES.to_vec();
        pause_ms_max = pause_ms_max.min(700);
    }
    let until = executor::elapsed_ms() + world.options.chaos_ms;
    executor::sleep_ms(rng.random_range(500..2_500)).await;
    while executor::elapsed_ms() < until {
        if !kinds.is_empty() {
            let trouble = kinds[rng.random_range(0..kinds.len())];
            make(world, trouble, &mut rng).await;
        }
        executor::sleep_ms(world.options.peace_ms + rng.random_range(50..pause_ms_max)).await;
    }
}

/// Everything works again.
pub async fn heal(world: &Arc<World>) {
    world.trace(format_args!("healed"));
    world.network().weather = Weather::calm();
    for id in world.ids() {
        if let Some(platters) = world.platters(id) {
            platters.set_temper(Temper::CALM);
        }
        world.set_clock_offset(id, 0);
        go_on(id);
        if world.has_failed(id) {
            world.kill(id, false);
        }
        world.start(id);
    }
}

/// Starts again what has died, as a supervisor of processes does; also what lives on with a log that failed.
fn supervise(world: &Arc<World>, rng: &mut ChaCha8Rng) {
    for id in world.ids() {
        let (world, mut rng) = (world.clone(), ChaCha8Rng::seed_from_u64(rng.random()));
        executor::spawn_for(WORLD, async move {
            loop {
                executor::sleep_ms(rng.random_range(50..2_500)).await;
                if world.has_failed(id) {
                    world.kill(id, false);
                }
                world.start(id);
            }
        });
    }
}

fn go_on(id: u64) {
    if executor::go_on(id) > 0 {
        world::happened(Happening::Paused);
    }
}

fn later(ms: u64, work: impl FnOnce() + Send + 'static) {
    executor::spawn_for(WORLD, async move {
        executor::sleep_ms(ms).await;
        work();
    });
}

async fn make(world: &Arc<World>, trouble: Trouble, rng: &mut ChaCha8Rng) {
    let ids = world.ids();
    let id = ids[rng.random_range(0..ids.len())];
    let lasts_ms = rng.random_range(200..4_000);
    world.trace(format_args!("{trouble:?} of {id} for {lasts_ms} ms"));
    match trouble {
        Trouble::Isolate => {
            let id = if rng.random_bool(0.4) { world.leader().unwrap_or(id) } else { id };
            let (hears, speaks) = [(false, false), (true, false), (false, true)][rng.random_range(0..3)];
            let others = || ids.iter().filter(move |other| **other != id);
            let cuts = others().flat_map(|other| {
                let to = (!speaks).then_some((id, *other));
                let from = (!hears).then_some((*other, id));
                to.into_iter().chain(from)
            });
            cut(world, cuts.collect(), lasts_ms);
        }
        Trouble::Split => {
            let sides: Vec<bool> = ids.iter().map(|_| rng.random_bool(0.5)).collect();
            let one_way = rng.random_bool(0.3);
            let pairs = ids.iter().enumerate().flat_map(|(i, a)| ids.iter().enumerate().map(move |(j, b)| (i, *a, j, *b)));
            let cuts = pairs.filter(|(i, _, j, _)| sides[*i] != sides[*j] && (!one_way || sides[*i]));
            cut(world, cuts.map(|(_, a, _, b)| (a, b)).collect(), lasts_ms);
        }
        Trouble::Unreachable => {
            let both = rng.random_bool(0.5);
            cut(world, if both { vec![(0, id), (id, 0)] } else { vec![(id, 0)] }, lasts_ms);
        }
        Trouble::Storm => storm(world, rng, lasts_ms),
        Trouble::KillProcess => world.kill(id, false),
        Trouble::PowerFailure => world.kill(id, true),
        Trouble::KillLeader => world.kill(world.leader().unwrap_or(id), rng.random_bool(0.7)),
        Trouble::Fuse => temper(world, id, Temper { fuse: Some(rng.random_range(0..40)), ..Temper::CALM }, lasts_ms),
        Trouble::Blackout => ids.iter().for_each(|id| world.kill(*id, true)),
        Trouble::SlowDisk => {
            let sync_us_max = rng.random_range(5_000..600_000);
            temper(world, id, Temper { sync_us_max, ..Temper::CALM }, lasts_ms);
        }
        Trouble::FailingSync => temper(world, id, Temper { fail_next_sync: true, ..Temper::CALM }, lasts_ms),
        Trouble::Stop => {
            let id = if rng.random_bool(0.4) { world.leader().unwrap_or(id) } else { id };
            executor::stop(id);
            later(lasts_ms, move || go_on(id));
        }
        Trouble::ClockJump => world.set_clock_offset(id, rng.random_range(-CLOCK_OFF_MS_MAX..=CLOCK_OFF_MS_MAX)),
        Trouble::Snapshot => ask(world, id, false),
        Trouble::Elect => ask(world, id, true),
        Trouble::HandOver => hand_over(world, rng.random()),
        Trouble::Members => {
            let mut members = ids.clone();
            while members.len() as u64 > world.options.voters {
                members.swap_remove(rng.random_range(0..members.len()));
            }
            change_members(world, members);
        }
    }
}

/// Cuts wires, and mends them later.
fn cut(world: &Arc<World>, wires: Vec<(u64, u64)>, lasts_ms: u64) {
    world.network().weather.cut.extend(wires.iter().copied());
    let world = world.clone();
    later(lasts_ms, move || {
        let mut network = world.network();
        for wire in wires {
            network.weather.cut.remove(&wire);
        }
    });
}

fn storm(world: &Arc<World>, rng: &mut ChaCha8Rng, lasts_ms: u64) {
    {
        let mut network = world.network();
        let weather = &mut network.weather;
        weather.loss_percent = rng.random_range(0..30);
        weather.twice_percent = rng.random_range(0..20);
        weather.late_percent = rng.random_range(0..30);
        weather.late_ms_max = rng.random_range(1..1_500);
        weather.delay_us_max = rng.random_range(1_000..60_000);
    }
    let world = world.clone();
    later(lasts_ms, move || {
        let mut network = world.network();
        let cut = std::mem::take(&mut network.weather.cut);
        network.weather = Weather { cut, ..Weather::calm() };
    });
}

fn temper(world: &Arc<World>, id: u64, temper: Temper, lasts_ms: u64) {
    let Some(platters) = world.platters(id) else { return };
    platters.set_temper(temper);
    later(lasts_ms, move || platters.set_temper(Temper::CALM));
}

/// Asks a node for a snapshot or an election; it does it in its own time.
fn ask(world: &Arc<World>, id: u64, election: bool) {
    let Some(node) = world.running(id) else { return };
    executor::spawn_for(id, async move {
        // A node that is going down has no ear for it.
        let _ = if election { node.raft.trigger().elect(false).await } else { node.raft.trigger().snapshot().await };
    });
}

/// The leader is asked to move its place to whoever is closest behind. It may say no, or fall on the way.
fn hand_over(world: &Arc<World>, number: u32) {
    let Some(node) = world.leader().and_then(|id| world.running(id)) else { return };
    executor::spawn_for(node.id, async move {
        let request = MemberRequest { request_id: format!("hand-over-{number}").into(), change: MemberChange::Transfer { to: None } };
        if membership::change(&node, Principal::Human("nemesis".into()), request).await.is_ok() {
            world::happened(Happening::HandedOver);
        }
    });
}

/// The leader is told who the members are from now on: newcomers learn first. It may fail half-way, and somebody else goes on from there.
/// It stays a member itself: openraft's own assertions deny a leader that leaves its group the next change, so whoever removes a leader
/// moves the leadership first.
fn change_members(world: &Arc<World>, members: Vec<u64>) {
    let Some(node) = world.leader().and_then(|id| world.running(id)) else { return };
    world.trace(format_args!("members are to be {members:?}"));
    executor::spawn_for(node.id, async move {
        let mut members: BTreeSet<u64> = members.into_iter().collect();
        if members.insert(node.id) {
            let other = members.iter().copied().find(|id| *id != node.id);
            members.retain(|id| Some(*id) != other);
        }
        for id in &members {
            if node.raft.add_learner(*id, BasicNode::new(format!("n{id}")), false).await.is_err() {
                return;
            }
        }
        // No leader any more, or another change is under way: the next one will be asked again.
        if node.raft.change_membership(members, false).await.is_ok() {
            world::happened(Happening::MembersChanged);
        }
    });
}
