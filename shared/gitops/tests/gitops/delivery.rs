//! Argo CD and Flux: asked once, believed as far as they say.

use crate::repository::{CART, NOW, Repository, cart, scale};
use crate::server::Server;
use picket_core::ports::{PortError, RemediationExecutor as _};
use picket_executor_conformance::claimed;
use picket_gitops::{ControllerKind, ControllerSettings, DeliveryController as _, Flux, GitOpsSettings, Synced};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const APPLICATION: &str = "/api/v1/applications/shop";
const KUSTOMIZATION: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/shop";
const SOURCE: &str = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/deploy";

type Object = Arc<Mutex<(u16, Value)>>;

async fn controller(repository: &Repository, kind: ControllerKind) -> (Server, Object, GitOpsSettings) {
    let object: Object = Arc::new(Mutex::new((200, json!({}))));
    let shown = object.clone();
    let server = Server::start(move |asked| {
        assert_eq!(asked.header("authorization"), "Bearer t0ken");
        let (status, object) = shown.lock().unwrap().clone();
        (status, if asked.path == SOURCE { json!({}) } else { object })
    })
    .await;
    let token_file = repository.path().join("token");
    std::fs::write(&token_file, "t0ken").unwrap();
    let mut settings = repository.settings();
    settings.entries[0].controller = ControllerSettings {
        kind,
        url: server.url.clone(),
        token_file: token_file.display().to_string(),
        application: "shop".into(),
        namespace: if kind == ControllerKind::Flux { "flux-system".into() } else { String::new() },
        ..ControllerSettings::default()
    };
    (server, object, settings)
}

fn show(object: &Object, value: Value) {
    *object.lock().unwrap() = (200, value);
}

#[tokio::test]
async fn argo_cd_is_asked_for_the_merged_commit_and_then_followed() {
    let repository = Repository::new();
    let (server, object, settings) = controller(&repository, ControllerKind::ArgoCd).await;
    let (executor, service) = (repository.executor_with(&settings, "state"), scale(5).action().service.clone());
    let before = executor.prepare(&scale(5)).await.unwrap();
    let commit = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap().resource_version_after;
    let refreshed = &server.asked("GET", APPLICATION)[0];
    assert_eq!(refreshed.query, "refresh=normal");
    let synced = server.asked("POST", &format!("{APPLICATION}/sync"));
    assert_eq!(synced.len(), 1);
    assert_eq!((&synced[0].body["revision"], &synced[0].body["prune"]), (&json!(commit), &json!(false)));
    assert!(server.all().iter().all(|asked| !asked.path.contains("rollback")));

    let is = async || executor.synced(&service, &commit).await.unwrap();
    show(&object, json!({"status": {"sync": {"status": "OutOfSync", "revision": commit}, "health": {"status": "Healthy"}}}));
    assert!(matches!(is().await, Synced::NotYet(_)), "that it was compared with the commit is not that it was applied");
    let operation = |phase: &str| json!({"phase": phase, "message": "one or more objects failed", "syncResult": {"revision": commit}});
    show(&object, json!({"status": {"sync": {"status": "OutOfSync", "revision": commit}, "operationState": operation("Failed")}}));
    assert!(matches!(is().await, Synced::Failed(why) if why.contains("objects failed")));
    show(&object, json!({"status": {"sync": {"status": "Synced", "revision": commit}, "operationState": operation("Running")}}));
    assert!(matches!(is().await, Synced::NotYet(_)));
    show(
        &object,
        json!({"status": {"sync": {"status": "Synced", "revision": before.resource_version}, "operationState": operation("Succeeded")}}),
    );
    assert!(matches!(is().await, Synced::NotYet(_)), "the commit before");
    show(
        &object,
        json!({"status": {"sync": {"status": "Synced", "revision": commit}, "health": {"status": "Degraded"}, "operationState": operation("Succeeded")}}),
    );
    assert_eq!(is().await, Synced::Yes, "health is the observer's to judge");
    repository.commit("by hand", &[("README.md", "two carts\n")]);
    show(&object, json!({"status": {"sync": {"status": "Synced", "revision": repository.head()}}}));
    assert_eq!(is().await, Synced::Yes, "a later commit holds it");
    *object.lock().unwrap() = (503, json!({"error": "away"}));
    assert!(matches!(executor.synced(&service, &commit).await, Err(PortError::Unavailable { .. })));
}

#[tokio::test]
async fn argo_cd_that_syncs_itself_is_only_refreshed_and_one_that_fails_undoes_no_merge() {
    let repository = Repository::new();
    let (server, object, settings) = controller(&repository, ControllerKind::ArgoCd).await;
    show(
        &object,
        json!({"spec": {"syncPolicy": {"automated": {"selfHeal": true}}}, "status": {
        "sync": {"status": "OutOfSync"}, "resources": [{"kind": "Deployment", "namespace": "shop", "name": "cart", "status": "OutOfSync"},
        {"kind": "Service", "namespace": "shop", "name": "cart", "status": "Synced"}]}}),
    );
    let executor = repository.executor_with(&settings, "state");
    let before = executor.prepare(&scale(5)).await.unwrap();
    executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap();
    assert_eq!((server.asked("GET", APPLICATION).len(), server.asked("POST", &format!("{APPLICATION}/sync")).len()), (1, 0));
    let argocd = picket_gitops::ArgoCd::new(&settings.entries[0].controller, Duration::from_secs(5)).unwrap();
    let delivery = argocd.delivery().await.unwrap();
    assert!(delivery.heals_itself);
    assert_eq!(delivery.out_of_sync, ["Deployment shop/cart"]);
    *object.lock().unwrap() = (500, json!({"error": "away"}));
    let second = picket_core::proposal::Work::Do {
        action: picket_core::action::Action { remediation: picket_core::action::Remediation::RolloutRestart, ..scale(5).action().clone() },
    };
    let before = executor.prepare(&second).await.unwrap();
    executor.execute(&claimed("act-2", &second, 8), &before, NOW).await.unwrap();
    assert_ne!(repository.show(CART).unwrap(), cart(2, 5), "the merge is the effect");
}

#[tokio::test]
async fn flux_is_asked_through_its_objects() {
    let repository = Repository::new();
    let (server, object, settings) = controller(&repository, ControllerKind::Flux).await;
    show(&object, json!({"spec": {"sourceRef": {"kind": "GitRepository", "name": "deploy"}}}));
    let (executor, service) = (repository.executor_with(&settings, "state"), scale(5).action().service.clone());
    let before = executor.prepare(&scale(5)).await.unwrap();
    let commit = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap().resource_version_after;
    for path in [SOURCE, KUSTOMIZATION] {
        let asked = server.asked("PATCH", path);
        assert_eq!(asked.len(), 1, "{path}");
        assert_eq!(asked[0].header("content-type"), "application/merge-patch+json");
        let mark = asked[0].body["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"].as_str().unwrap().to_owned();
        assert!(mark.contains(&commit), "{mark}");
        assert_eq!(asked[0].body.as_object().unwrap().len(), 1);
    }
    let is = async || executor.synced(&service, &commit).await.unwrap();
    let status = |status: &str, applied: &str, attempted: &str, generation: u64| {
        json!({"metadata": {"generation": 2}, "status": {"observedGeneration": generation, "lastAppliedRevision": format!("main@sha1:{applied}"),
            "lastAttemptedRevision": format!("main@sha1:{attempted}"),
            "conditions": [{"type": "Ready", "status": status, "reason": "Because", "message": "of this"}]}})
    };
    let old = &before.resource_version;
    show(&object, status("True", old, old, 2));
    assert!(matches!(is().await, Synced::NotYet(_)));
    show(&object, status("False", old, old, 2));
    assert!(matches!(is().await, Synced::NotYet(_)), "what failed was the commit before");
    show(&object, status("False", old, &commit, 2));
    assert!(matches!(is().await, Synced::Failed(why) if why.contains("Because: of this")));
    show(&object, status("True", &commit, &commit, 1));
    assert!(matches!(is().await, Synced::NotYet(_)), "the condition is of an older generation");
    show(&object, status("True", &commit, &commit, 2));
    assert_eq!(is().await, Synced::Yes);
    let mut suspended = status("True", &commit, &commit, 2);
    suspended["spec"] = json!({"suspend": true});
    show(&object, suspended);
    assert!(matches!(is().await, Synced::Failed(why) if why.contains("suspended")));

    let flux = Flux::new(&settings.entries[0].controller, Duration::from_secs(5)).unwrap();
    flux.suspend(false).await.unwrap();
    assert_eq!(server.asked("PATCH", KUSTOMIZATION).last().unwrap().body, json!({"spec": {"suspend": false}}));
}

#[tokio::test]
async fn without_a_controller_the_merge_is_taken_for_the_delivery() {
    let repository = Repository::new();
    let answer = repository.executor().synced(&scale(5).action().service, &repository.head()).await.unwrap();
    assert_eq!(answer, Synced::Yes);
}
