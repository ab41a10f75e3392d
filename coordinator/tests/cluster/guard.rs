//! Leases that are kept, and holders that stop in time.

use crate::group::{DEADLINE, Group, eventually, scope};
use crate::proxy::Proxy;
use picket_coordinator_client::{ClientConfig, CoordinatorClient, LeaseGuard, LeaseOptions, Loss};
use picket_core::coordination::{Command, LeasePriority};
use picket_core::ids::Principal;
use picket_core::ports::{Coordinator as _, PortError};
use picket_core::scope::FencingToken;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The coordinator's clock runs as the machine's does.
fn run_clock(group: &Group) {
    let (clock, begun, first) = (group.clock.clone(), Instant::now(), group.clock.load(Ordering::Relaxed));
    tokio::spawn(async move {
        loop {
            clock.store(first + begun.elapsed().as_millis() as i64, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

pub fn config(group: &Group, endpoints: Vec<String>) -> ClientConfig {
    let read = |name: String| std::fs::read_to_string(group.pki().join(name)).unwrap();
    let stem = Principal::Human("test".into()).file_stem();
    ClientConfig {
        endpoints,
        ca_pem: read("ca.pem".to_owned()),
        cert_pem: read(format!("{stem}.pem")),
        key_pem: read(format!("{stem}.key")),
        request_timeout_ms: 30_000,
    }
}

fn options(ttl_ms: i64) -> LeaseOptions {
    LeaseOptions { ttl_ms, ..LeaseOptions::new(vec![scope("a"), scope("b")]) }
}

fn token(guard: &LeaseGuard) -> FencingToken {
    guard.tokens()[&scope("a")]
}

/// Asks for the scopes until they are free, and says when that was.
async fn contend(client: CoordinatorClient) -> (LeaseGuard, Instant) {
    let guard = eventually("the scopes are free", || async {
        match LeaseGuard::acquire(&client, options(60_000)).await {
            Ok(guard) => Some(guard),
            Err(PortError::Refused { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
    (guard, Instant::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_outlives_its_ttl_and_a_leader_and_gives_back_what_it_held() {
    let mut group = Group::start().await;
    run_clock(&group);
    let client = group.human(&[1, 2, 3]);
    let guard = LeaseGuard::acquire(&client, options(4_000)).await.unwrap();
    let begun = Instant::now();
    eventually("it was renewed beyond its TTL", || async {
        assert!(guard.is_held(), "{:?}", guard.lost().await);
        (begun.elapsed() > Duration::from_millis(4_500)).then_some(())
    })
    .await;
    guard.release().await.unwrap();
    let guard = LeaseGuard::acquire(&client, options(40_000)).await.unwrap();
    let dead = group.leader().await;
    group.stop(dead).await;
    let promised = Instant::now() + guard.remaining();
    eventually("it was renewed by the next leader", || async {
        (Instant::now() + guard.remaining() > promised + Duration::from_millis(100)).then_some(())
    })
    .await;
    let held = client.status().await.unwrap();
    assert_eq!(held.leases.iter().filter(|l| l.token == guard.tokens()[&l.scope]).count(), 2);
    drop(guard);
    eventually("a dropped guard gives its lease back", || async { client.status().await.unwrap().leases.is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_cut_off_stops_before_the_coordinator_lets_go() {
    let group = Group::start().await;
    run_clock(&group);
    let mut ways = Vec::new();
    for address in group.addresses.values() {
        ways.push(Proxy::to(address).await);
    }
    let through = CoordinatorClient::connect(config(&group, ways.iter().map(|w| w.address.clone()).collect())).unwrap();
    let guard = LeaseGuard::acquire(&through, options(5_000)).await.unwrap();
    let work = guard.cancellation();
    let contender = tokio::spawn(contend(group.human(&[1, 2, 3])));
    ways.iter().for_each(Proxy::hold_up);
    let lost = tokio::time::timeout(DEADLINE, guard.lost()).await.expect("it notices by itself");
    let stopped = Instant::now();
    assert_eq!(lost, Loss::Unconfirmed);
    assert!(!guard.is_held() && work.is_cancelled());
    let (next, granted) = contender.await.unwrap();
    assert!(stopped < granted, "the next holder had it {:?} before this one stopped", stopped - granted);
    assert!(token(&next) > token(&guard), "I2");
    // What was on its way arrives now, and changes nothing.
    ways.iter().for_each(Proxy::let_pass);
    guard.release().await.unwrap();
    let held = group.human(&[1, 2, 3]).status().await.unwrap();
    assert_eq!(held.leases.iter().map(|l| l.token).max(), next.tokens().values().max().copied());
    assert!(next.is_held());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_was_paused_knows_it_at_its_first_look() {
    let group = Group::start().await;
    run_clock(&group);
    let client_config = config(&group, group.addresses.values().cloned().collect());
    let (held, is_held) = tokio::sync::oneshot::channel();
    let (resume, paused) = mpsc::channel::<()>();
    // A holder with threads of its own: while it waits below, nothing of it runs, renewals neither.
    let holder = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = CoordinatorClient::connect(client_config).unwrap();
            let guard = LeaseGuard::acquire(&client, options(5_000)).await.unwrap();
            held.send((token(&guard), guard.is_held())).unwrap();
            paused.recv().unwrap();
            guard.is_held()
        })
    });
    let (first, held) = is_held.await.unwrap();
    assert!(held);
    let (next, _) = contend(group.human(&[1, 2, 3])).await;
    resume.send(()).unwrap();
    assert!(!holder.join().unwrap(), "it still trusted a lease that another has");
    assert!(token(&next) > first, "I2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_reaches_the_holder_who_stops_before_it_is_over() {
    let group = Group::start().await;
    run_clock(&group);
    let client = group.human(&[1, 2, 3]);
    let guard = LeaseGuard::queue(&client, options(10_000), LeasePriority::Savings).await.unwrap();
    assert_eq!(guard.preempt_at(), None);
    let graver = tokio::spawn({
        let client = client.clone();
        async move { LeaseGuard::queue(&client, options(60_000), LeasePriority::Containment).await.map(|g| (g, Instant::now())) }
    });
    let notice = tokio::time::timeout(DEADLINE, guard.noticed()).await.expect("it is told").expect("by a notice");
    assert!(guard.is_held() && notice > Instant::now());
    let lost = tokio::time::timeout(DEADLINE, guard.lost()).await.expect("the notice ends");
    let stopped = Instant::now();
    assert_eq!(lost, Loss::Preempted);
    let (next, granted) = graver.await.unwrap().unwrap();
    assert!(stopped < granted && token(&next) > token(&guard));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_was_taken_away_is_lost_at_the_next_renewal() {
    let group = Group::start().await;
    run_clock(&group);
    let client = group.human(&[1, 2, 3]);
    let guard = LeaseGuard::acquire(&client, options(6_000)).await.unwrap();
    let release = Command::ReleaseLease { scope: scope("b"), token: guard.tokens()[&scope("b")] };
    client.submit("behind its back".into(), release).await.unwrap();
    let lost = tokio::time::timeout(DEADLINE, guard.lost()).await.expect("it is told");
    assert!(matches!(lost, Loss::Refused(_)), "{lost:?}");
    let too_short = LeaseGuard::acquire(&client, options(1_000)).await;
    assert!(matches!(too_short, Err(PortError::Refused { .. })), "nothing could be relied on");
}
