//! kill -9 of any one process during a running action: the mesh recovers, the effect is there exactly once, the audit chain verifies.

use crate::run::DemoRun;
use picket_core::action::Remediation;
use picket_core::ledger::EntryState;
use picket_core::outcome::Report;
use picket_core::ports::Coordinator as _;
use std::time::Duration;

/// Runs that may be drawn. A status update that comes between the claim and its write turns the write away (docs/decisions/0003): that is
/// proven to have had no effect, which is as it should be, and says nothing of a part that was killed.
const DRAWS: u64 = 3;

/// Runs one OOM kill to its end; `victim` names the part to kill once the act is permitted. The run goes on.
async fn survive(seed: u64, victim: impl AsyncFn(&DemoRun) -> String) -> DemoRun {
    for draw in 0..DRAWS {
        if let Some(run) = survived(seed + 100 * draw, &victim).await {
            return run;
        }
    }
    panic!("{DRAWS} writes in a row were turned away");
}

/// The run, with its act settled; `None` when the act's write was turned away.
async fn survived(seed: u64, victim: &impl AsyncFn(&DemoRun) -> String) -> Option<DemoRun> {
    let run = DemoRun::start("one-oom", seed);
    let operator = run.operator().await;
    let permitted = run
        .until("an act is permitted", Duration::from_secs(120), async || {
            run.act(&operator).await.filter(|e| e.history.iter().any(|(_, state)| *state == EntryState::Permitted))
        })
        .await;
    let victim = victim(&run).await;
    run.kill_nine(&victim);
    let ended = run
        .until("the act ends", Duration::from_secs(120), async || run.act(&operator).await.filter(|e| e.state.is_terminal() || e.paging))
        .await;
    assert_eq!(ended.id, permitted.id, "{victim} was killed: no second act\n{}", run.said());
    if let (EntryState::Failed, Some(Report::NoEffect { why })) = (ended.state, &ended.report) {
        println!("seed {seed}: {why}");
        return None;
    }
    assert_eq!(ended.state, EntryState::Settled, "{victim} was killed\n{}\n{ended:#?}", run.said());

    let acts = operator.entries(100).await.unwrap();
    let applied = acts.iter().filter(|e| matches!(e.report, Some(Report::Applied { .. }))).count();
    assert_eq!(applied, 1, "{victim} was killed: {acts:#?}");
    let action = ended.work.action();
    let Remediation::SetMemoryLimit { limit_bytes, .. } = action.remediation else { panic!("{action:?}") };
    let service = &action.service;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/{}", service.namespace, service.name);
    let deployment = run.object(service.cluster.as_str(), &path).await;
    assert_eq!(deployment["metadata"]["annotations"]["picket.dev/action-id"], ended.id.as_str());
    assert_eq!(deployment["metadata"]["generation"], 2, "made once, written once: {deployment:#}");
    let limit = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"].to_string();
    assert!(
        limit.contains(&limit_bytes.to_string()) || limit.contains(&format!("{}Mi", limit_bytes >> 20)),
        "{limit} is not {limit_bytes}"
    );

    let verified = run.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let status = operator.status().await.unwrap();
    assert!(status.violations.values().all(|n| *n == 0), "{:?}", status.violations);
    Some(run)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_agent() {
    survive(21, async |_| "agent-sre".to_owned()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_observer() {
    survive(22, async |run| format!("observer-{}", cluster_of(run).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_actuator() {
    let run = survive(23, async |run| format!("actuator-{}", cluster_of(run).await)).await;
    stop_raises_the_fences(&run).await;
}

/// STOP, with an actuator that has just been killed: its next life raises the fences, and only then is it shown as stopped.
async fn stop_raises_the_fences(run: &DemoRun) {
    let operator = run.operator().await;
    let service = run.act(&operator).await.expect("an act was permitted").work.action().service.clone();
    run.kill_nine(&format!("actuator-{}", service.cluster));
    let stopped = run.command(&["stop"]);
    let said = String::from_utf8_lossy(&stopped.stdout).into_owned();
    assert!(stopped.status.success() && said.ends_with("stopped\n"), "{said}\n{}", run.said());
    let stop = operator.status().await.unwrap().stop;
    assert_eq!((stop.set, stop.stopping, stop.fences_missing.len(), stop.fences_confirmed.len()), (true, false, 0, 2), "{stop:?}");
    let namespace = run.object(service.cluster.as_str(), &format!("/api/v1/namespaces/{}", service.namespace)).await;
    assert_eq!(namespace["metadata"]["annotations"]["picket.dev/fencing-token"], stop.fence_token.to_string(), "{namespace:#}");
}

/// Every part that a configuration names, looked at from the command line.
fn the_doctor_finds_it_well(run: &DemoRun) {
    let looked = run.command(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&looked.stdout).unwrap();
    assert!(looked.status.success() && report["ok"] == true, "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let well = |name: &str| checks.iter().any(|check| check["name"] == name && check["status"] == "ok");
    for name in ["coordinator 1", "coordinator 3", "bus", "east: reading", "east: rights", "east: fencing", "invariants"] {
        assert!(well(name), "{name}: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_gateway() {
    let run = survive(24, async |_| "gateway".to_owned()).await;
    the_doctor_finds_it_well(&run);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_coordinators_leader() {
    survive(25, async |run| {
        let operator = run.operator().await;
        let leader = operator.status().await.unwrap().leader.expect("it just permitted an act");
        format!("coordinator-{leader}")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_bus() {
    survive(26, async |_| "nats-server".to_owned()).await;
}

async fn cluster_of(run: &DemoRun) -> String {
    let operator = run.operator().await;
    run.act(&operator).await.expect("an act was permitted").work.action().service.cluster.to_string()
}
