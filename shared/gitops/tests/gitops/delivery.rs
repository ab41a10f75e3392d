//! Argo CD and Flux: asked once, believed as far as they say.

use crate::repository::{CART, NOW, Repository, cart, scale};
use crate::server::Server;
use picket_core::ports::{PortError, RemediationExecutor as _};
use picket_executor_conformance::claimed;
use picket_gitops::{ControllerKind, ControllerSettings, DeliveryController as _, Flux, GitOpsSettings};
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
    let executor = repository.executor_with(&settings, "state");
    let before = executor.prepare(&scale(5)).await.unwrap();
    let commit = executor.execute(&claimed("act-1", &scale(5), 7), &before, NOW).await.unwrap().resource_version_after;
    let refreshed = &server.asked("GET", APPLICATION)[0];
    assert_eq!(refreshed.query, "refresh=normal");
    let synced = server.asked("POST", &format!("{APPLICATION}/sync"));
    assert_eq!(synced.len(), 1);
    assert_eq!((&synced[0].body["revision"], &synced[0].body["prune"]), (&json!(commit), &json!(false)));
    assert!(server.all().iter().all(|asked| !asked.path.contains("rollback")));

    let argocd = picket_gitops::ArgoCd::new(&settings.entries[0].controller, Duration::from_secs(5)).unwrap();
    let operation = |phase: &str| json!({"phase": phase, "message": "one or more objects failed", "syncResult": {"revision": commit}});
    let old = before.resource_version.as_str();
    // What it shows, the commit that is applied, and whether it gets no further.
    let cases = [
        (json!({"sync": {"status": "OutOfSync", "revision": commit}, "health": {"status": "Healthy"}}), None, false),
        (json!({"sync": {"status": "OutOfSync", "revision": commit}, "operationState": operation("Failed")}), None, true),
        (json!({"sync": {"status": "Synced", "revision": commit}, "operationState": operation("Running")}), Some(commit.as_str()), false),
        (json!({"sync": {"status": "Synced", "revision": old}, "operationState": operation("Succeeded")}), Some(old), false),
        // Health is the observer's to judge.
        (json!({"sync": {"status": "Synced", "revision": commit}, "health": {"status": "Degraded"}}), Some(commit.as_str()), false),
    ];
    for (status, applied, has_failed) in cases {
        show(&object, json!({ "status": status }));
        let is = argocd.delivery().await.unwrap();
        assert_eq!((is.applied.as_deref(), is.has_failed), (applied, has_failed), "{status}");
        assert!(!has_failed || is.why.contains("objects failed"), "{}", is.why);
    }
    *object.lock().unwrap() = (503, json!({"error": "away"}));
    assert!(matches!(argocd.delivery().await, Err(PortError::Unavailable { .. })));
}

#[tokio::test]
async fn trouble_with_a_delivery_is_told_once() {
    let repository = Repository::new();
    let (_server, object, settings) = controller(&repository, ControllerKind::ArgoCd).await;
    let mut watch = repository.executor_with(&settings, "state").deliveries();
    let heals = json!({"syncPolicy": {"automated": {"selfHeal": true}}});
    let cart = |status: &str| {
        json!({"spec": heals, "status": {"sync": {"status": status, "revision": "c"},
            "operationState": {"phase": "Succeeded", "syncResult": {"revision": "c"}},
            "resources": [{"kind": "Deployment", "namespace": "shop", "name": "cart", "status": status}]}})
    };
    let mut told = Vec::new();
    for turn in 0..10 {
        show(&object, cart(if turn % 2 == 0 { "OutOfSync" } else { "Synced" }));
        told.extend(watch.look(picket_core::time::Timestamp(turn * 30_000)).await);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("Deployment shop/cart is changed in the cluster and written back"), "{told:?}");
    show(&object, json!({"status": {"operationState": {"phase": "Failed", "message": "no such image"}}}));
    let mut look = async || watch.look(picket_core::time::Timestamp(400_000)).await;
    assert!(matches!(&look().await[..], [failed] if failed.contains("no such image")));
    assert_eq!(look().await, Vec::<String>::new());
    *object.lock().unwrap() = (503, json!({"error": "away"}));
    assert_eq!((look().await.len(), look().await.len()), (1, 0));
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
    let executor = repository.executor_with(&settings, "state");
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
    let flux = Flux::new(&settings.entries[0].controller, Duration::from_secs(5)).unwrap();
    let status = |status: &str, applied: &str| {
        json!({"status": {"lastAppliedRevision": format!("main@sha1:{applied}"),
            "conditions": [{"type": "Ready", "status": status, "reason": "Because", "message": "of this"}]}})
    };
    let old = &before.resource_version;
    let mut suspended = status("True", &commit);
    suspended["spec"] = json!({"suspend": true});
    let cases = [
        (status("True", old), old, false, ""),
        (status("False", old), old, true, "Because: of this"),
        (status("True", &commit), &commit, false, ""),
        (suspended, &commit, true, "suspended"),
    ];
    for (shown, applied, has_failed, why) in cases {
        show(&object, shown.clone());
        let is = flux.delivery().await.unwrap();
        assert_eq!((is.applied.as_ref(), is.has_failed), (Some(applied), has_failed), "{shown}");
        assert!(is.why.contains(why), "{}", is.why);
    }
    flux.suspend(false).await.unwrap();
    assert_eq!(server.asked("PATCH", KUSTOMIZATION).last().unwrap().body, json!({"spec": {"suspend": false}}));
}
