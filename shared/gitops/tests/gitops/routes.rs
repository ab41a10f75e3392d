//! Which way an act goes, and that it stays on it.

use crate::repository::{CART, NOW, Repository, cart, scale, work_on};
use picket_core::action::{Action, Remediation};
use picket_core::claim::ClaimedAction;
use picket_core::ids::{EntryId, ServiceId};
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, PortResult, Proof, RemediationExecutor};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;
use picket_core::time::Timestamp;
use picket_executor_conformance::claimed;
use picket_gitops::{GitOpsExecutor, Route, Routed, Routes, is_want_of_rights};
use serde_json::{Value, json};
use std::sync::Mutex;

/// The cluster's API, as far as it matters here: what it answers, and what it was asked.
struct Cluster {
    prepares: PortResult<Value>,
    fences: PortResult<()>,
    asked: Mutex<Vec<&'static str>>,
}

impl Cluster {
    fn new(prepares: PortResult<Value>) -> Self {
        Self { prepares, fences: Ok(()), asked: Mutex::default() }
    }

    fn at() -> ObjectRef {
        ObjectRef { kind: "Deployment".into(), namespace: "shop".into(), name: "cart".into() }
    }

    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }
}

impl RemediationExecutor for Cluster {
    async fn prepare(&self, _: &Work) -> PortResult<Before> {
        self.note("prepare");
        let target = self.prepares.clone()?;
        Ok(Before { object: Self::at(), resource_version: "12".into(), token: None, content: json!({ "target": target }) })
    }

    async fn execute(&self, _: &ClaimedAction, before: &Before, _: Timestamp) -> PortResult<Receipt> {
        self.note("execute");
        Ok(Receipt { object: before.object.clone(), ..Receipt::default() })
    }

    async fn prove(&self, _: &EntryId, _: FencingToken, _: &Work, _: &Before, _: Timestamp) -> PortResult<Proof> {
        self.note("prove");
        Ok(Proof::Absence)
    }

    async fn fence(&self, _: &Work, _: FencingToken) -> PortResult<()> {
        self.note("fence");
        self.fences.clone()
    }

    async fn fence_all(&self, _: FencingToken) -> PortResult<()> {
        self.note("fence_all");
        Ok(())
    }
}

fn routed(repository: &Repository, route: Route, cluster: Cluster) -> Routed<Cluster, GitOpsExecutor> {
    let mut settings = repository.settings();
    settings.entries[0].route = route;
    let routes = Routes::of(&settings, &"east".into());
    Routed::new(cluster, repository.executor_with(&settings, "state"), routes, is_want_of_rights)
}

fn forbidden() -> PortError {
    PortError::Refused { what: "Deployment shop/cart".into(), why: "the actuator's credentials do not allow `patch`".into() }
}

fn asked(routed: &Routed<Cluster, GitOpsExecutor>) -> Vec<&'static str> {
    routed.direct().asked.lock().unwrap().clone()
}

#[tokio::test]
async fn where_git_is_the_way_the_cluster_is_not_asked() {
    let repository = Repository::new();
    let routed = routed(&repository, Route::Git, Cluster::new(Ok(json!({}))));
    let before = routed.prepare(&scale(5)).await.unwrap();
    assert_eq!(before.object.kind, "git/Deployment");
    let receipt = routed.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert_eq!(routed.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap(), Proof::Effect(receipt.clone()));
    let undo = Work::Undo { action: scale(5).action().clone(), receipt };
    let before = routed.prepare(&undo).await.unwrap();
    routed.execute(&claimed("act-2", &undo, 8), &before, NOW).await.unwrap();
    assert_eq!(repository.show(CART).unwrap(), cart(2, 3));
    assert_eq!(asked(&routed), [""; 0]);
    routed.fence_all(FencingToken(20)).await.unwrap();
    assert_eq!(asked(&routed), ["fence_all"]);
    assert!(repository.message("main").contains("ns:east/shop 20"), "and git's");
}

#[tokio::test]
async fn directly_where_that_lasts_and_in_git_where_it_would_not() {
    let free = json!({"metadata": {"labels": {"app.kubernetes.io/instance": "shop"}}});
    let managed = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/cart"}}});
    for (answer, in_git) in [(Ok(free), false), (Ok(managed), true), (Err(forbidden()), true)] {
        let repository = Repository::new();
        let routed = routed(&repository, Route::Fallback, Cluster::new(answer));
        let before = routed.prepare(&scale(5)).await.unwrap();
        let receipt = routed.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
        routed.prove(&"act-1".into(), FencingToken(7), &scale(5), &before, NOW).await.unwrap();
        let undo = Work::Undo { action: scale(5).action().clone(), receipt };
        routed.prepare(&undo).await.unwrap();
        routed.fence(&undo, FencingToken(30)).await.unwrap();
        let expected: &[&str] = if in_git { &["prepare"] } else { &["prepare", "execute", "prove", "prepare", "fence"] };
        assert_eq!(asked(&routed), expected);
        assert_eq!(repository.show(CART).unwrap(), cart(2, if in_git { 5 } else { 3 }));
    }
}

#[tokio::test]
async fn other_refusals_are_no_reason_to_go_another_way() {
    let repository = Repository::new();
    let refusal = PortError::Refused { what: "x".into(), why: "it has 7 replicas, not 3 as when this was proposed".into() };
    for error in [refusal, PortError::Unavailable { what: "x".into(), why: "away".into() }] {
        let routed = routed(&repository, Route::Fallback, Cluster::new(Err(error.clone())));
        assert_eq!(routed.prepare(&scale(5)).await, Err(error));
    }
    let routed = routed(&repository, Route::Fallback, Cluster::new(Err(forbidden())));
    let answer = routed.prepare(&work_on("pay", Remediation::RolloutRestart)).await;
    assert!(
        matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("no manifest") && why.contains("not directly")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_fence_covers_every_way_that_the_work_may_have_gone() {
    let repository = Repository::new();
    let mut cluster = Cluster::new(Err(forbidden()));
    cluster.fences = Err(forbidden());
    let routed_there = routed(&repository, Route::Fallback, cluster);
    routed_there.fence(&scale(5), FencingToken(9)).await.unwrap();
    assert_eq!(asked(&routed_there), ["fence"]);
    assert!(repository.message("main").contains("ns:east/shop 9"));
    drop(routed_there);
    let mut cluster = Cluster::new(Ok(json!({})));
    cluster.fences = Err(PortError::Unavailable { what: "the API".into(), why: "away".into() });
    let away = routed(&repository, Route::Fallback, cluster);
    assert!(away.fence(&scale(5), FencingToken(9)).await.is_err(), "it may have gone there");
    let elsewhere = Work::Do { action: Action { service: ServiceId::new("east", "pay", "pay"), remediation: Remediation::RolloutRestart } };
    assert_eq!(away.prepare(&elsewhere).await.unwrap().object, Cluster::at(), "a namespace that is not named goes directly");
}
