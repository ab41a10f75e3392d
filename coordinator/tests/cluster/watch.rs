//! The ledger's changes, as its watchers see them.

use crate::group::Group;
use picket_coordinator::pki;
use picket_coordinator_client::{CoordinatorClient, LedgerWatch, WatchEvent};
use picket_core::action::{Action, Digest, Remediation};
use picket_core::anomaly::Symptom;
use picket_core::cause::Cause;
use picket_core::claim::ClaimRequest;
use picket_core::coordination::{Answer, Command, Decision, LedgerChange};
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::{AgentKind, EntryId, Principal, ServiceId};
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::ports::{Coordinator as _, PortError};
use picket_core::proposal::Proposal;
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::time::{Duration, Instant};

fn service(n: usize) -> ServiceId {
    ServiceId::new("east", "shop", &format!("s{n}"))
}

pub async fn epoch(client: &CoordinatorClient, request: &str) -> u64 {
    match client.submit(request.into(), Command::Register).await.unwrap() {
        Answer::Epoch { epoch } => epoch,
        other => panic!("{other:?}"),
    }
}

/// Forty services of four pods, read now by a registered observer; the SRE agent may act.
pub async fn ready_to_act(group: &Group) -> Timestamp {
    let observer = group.client(&Principal::Observer("east".into()), &[1, 2, 3]);
    let observer_epoch = epoch(&observer, "observer").await;
    let promote = Command::SetPhase { agent: AgentKind::Sre, phase: Phase::Autonomous, stop_epoch: 0, why: "test".into() };
    assert_eq!(group.human(&[1, 2, 3]).submit("promote".into(), promote).await.unwrap(), Answer::Done);
    let now = observer.status().await.unwrap().now;
    let one =
        || ServiceFacts { ready: 4, total: 4, desired: 4, tier: 2, namespaces_touched: vec!["shop".into()], ..ServiceFacts::default() };
    let services = (0..40).map(|n| (service(n), one())).collect();
    let facts = ClusterFacts { cluster: "east".into(), observer_epoch, seq: 1, echo: now, services, ..ClusterFacts::default() };
    let posted = observer.submit("facts".into(), Command::PostFacts { facts: Box::new(facts) }).await.unwrap();
    assert_eq!(posted, Answer::Done);
    now
}

pub async fn propose(group: &Group, now: Timestamp) -> Decision {
    propose_on(group, now, 1).await
}

pub async fn propose_on(group: &Group, now: Timestamp, n: usize) -> Decision {
    let container = "s1".to_owned();
    let action = Action { service: service(n), remediation: Remediation::SetMemoryLimit { container, limit_bytes: 1 << 30 } };
    let proposal = Proposal {
        id: format!("p{n}").into(),
        agent: AgentKind::Sre,
        incident: "inc-1".into(),
        cause: Cause::MemoryLimitTooLow,
        severity: Severity::Three,
        confidence: 0.95,
        services_degraded: 1,
        symptoms: vec![Symptom::OomKilled],
        action,
        evidence_echo: now,
        replay: false,
        monthly_saving_usd: None,
        sentence: "more memory".into(),
    };
    let agent = group.client(&Principal::Agent(AgentKind::Sre), &[1, 2, 3]);
    match agent.submit(format!("propose-{n}").into(), Command::Propose { proposal: Box::new(proposal) }).await.unwrap() {
        Answer::Decided { decision, .. } => decision,
        other => panic!("{other:?}"),
    }
}

/// All changes so far, page by page.
async fn all(client: &CoordinatorClient) -> Vec<LedgerChange> {
    let mut changes = Vec::new();
    let mut revision = 0;
    loop {
        let page = client.watch(revision, 0).await.unwrap();
        assert!(!page.compacted);
        if page.changes.is_empty() {
            return changes;
        }
        revision = page.revision;
        changes.extend(page.changes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_wakes_when_something_happens_and_misses_nothing_on_any_node() {
    let group = Group::start().await;
    let now = ready_to_act(&group).await;
    let actuator = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]);
    let begun = Instant::now();
    let waiting = tokio::spawn({
        let actuator = actuator.clone();
        async move { actuator.watch(0, 30_000).await.unwrap() }
    });
    let decision = propose(&group, now).await;
    let Decision::Permitted { permit } = &decision else { panic!("{decision:?}") };
    let page = waiting.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20) && !page.changes.is_empty());
    for id in 1..=3 {
        let changes = all(&group.client(&Principal::Actuator("east".into()), &[id])).await;
        let revisions: Vec<u64> = changes.iter().map(|c| c.revision).collect();
        assert_eq!(revisions, (1..=revisions.len() as u64).collect::<Vec<_>>(), "gapless on node {id}");
        assert_eq!(changes.last().unwrap().entry.id, permit.body.entry);
    }
    let nothing = actuator.watch(all(&actuator).await.last().unwrap().revision, 200).await.unwrap();
    assert!(nothing.changes.is_empty() && !nothing.compacted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_across_leaders_without_a_gap_and_says_when_there_is_one() {
    let mut group = Group::start().await;
    let now = ready_to_act(&group).await;
    let watcher = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]);
    let mut watch = LedgerWatch::after(watcher.clone(), 0);
    let mut seen = Vec::new();
    for n in 1..=2 {
        propose_on(&group, now, n).await;
        let WatchEvent::Change(change) = watch.next().await.unwrap() else { panic!("compacted") };
        seen.push(change.revision);
        let leader = group.leader().await;
        group.stop(leader).await;
        propose_on(&group, now, n + 10).await;
        group.restart(leader).await.unwrap();
    }
    let all = all(&watcher).await;
    while seen.len() < all.len() {
        let WatchEvent::Change(change) = watch.next().await.unwrap() else { panic!("compacted") };
        assert_eq!(change.entry, all[seen.len()].entry);
        seen.push(change.revision);
    }
    assert_eq!(seen, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(watch.revision(), all.len() as u64);
    // Somebody who comes with a revision of another ledger is told, and goes on from here.
    let mut elsewhere = LedgerWatch::after(watcher, 1_000_000);
    assert_eq!(elsewhere.next().await.unwrap(), WatchEvent::Compacted { revision: all.len() as u64 });
    propose_on(&group, now, 30).await;
    let next = elsewhere.next().await.unwrap();
    assert!(matches!(&next, WatchEvent::Change(change) if change.revision == all.len() as u64 + 1), "{next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_reaches_its_actuator_signed_and_nobody_else() {
    let group = Group::start().await;
    let now = ready_to_act(&group).await;
    let decision = propose(&group, now).await;
    let Decision::Permitted { permit } = decision else { panic!("{decision:?}") };
    let entry: &EntryId = &permit.body.entry;
    let actuator = group.client(&Principal::Actuator("east".into()), &[1, 2, 3]);
    let shown = all(&actuator).await.into_iter().filter_map(|c| c.permit).next_back().expect("its permit is on the watch");
    assert_eq!(shown, *permit);
    assert_eq!(actuator.permit(entry).await.unwrap(), *permit);
    shown.verify(&pki::verifying_key(&group.pki()).unwrap()).unwrap();
    for other in [Principal::Actuator("west".into()), Principal::Agent(AgentKind::Sre), Principal::Human("test".into())] {
        let client = group.client(&other, &[1, 2, 3]);
        assert!(all(&client).await.iter().all(|c| c.permit.is_none()), "{other}");
        assert!(matches!(client.permit(entry).await, Err(PortError::Refused { .. })), "{other}");
    }
    // It is claimed once, and a retry of the claim is answered the same.
    let actuator_epoch = epoch(&actuator, "actuator").await;
    let claim = ClaimRequest {
        entry: entry.clone(),
        digest: permit.body.digest.clone(),
        actuator_epoch,
        before_digest: Digest::of(b"before"),
        audit_hash: Digest::of(b"audit"),
    };
    let first = actuator.submit("claim".into(), Command::Claim { claim: claim.clone() }).await.unwrap();
    assert!(matches!(first, Answer::Claimed { .. }), "{first:?}");
    assert_eq!(actuator.submit("claim".into(), Command::Claim { claim: claim.clone() }).await.unwrap(), first);
    let second = actuator.submit("claim again".into(), Command::Claim { claim }).await.unwrap();
    assert!(matches!(second, Answer::Refused { .. }), "{second:?} (I9)");
    let entries = actuator.entries(10).await.unwrap();
    assert_eq!(entries.iter().find(|e| e.id == *entry).map(|e| e.state), Some(EntryState::Claimed));
    assert!(matches!(actuator.permit(entry).await, Err(PortError::NotFound { .. })));
}
