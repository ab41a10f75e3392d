//! What every store of objects must let the executor do. Run on the memory and on an API server.

use super::objects::{Kind, Mode, Objects};
use super::{ACTION_ID, Executor, FENCING_TOKEN, STAMPED_GENERATION, stamp};
use picket_core::action::{Action, Remediation, RemediationKind};
use picket_core::ids::ServiceId;
use picket_core::outcome::{ObjectRef, Receipt};
use picket_core::ports::{Before, PortError, Proof, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::quarantine::lifted_spec;
use picket_core::scope::FencingToken;
use picket_executor_conformance::{NOW, Sink, claimed};
use serde_json::{Value, json};

/// One cluster, seen from outside too.
pub(super) trait World {
    /// What the executor writes through.
    type Objects: Objects;

    /// With picket's write credentials.
    fn objects(&self) -> Self::Objects;
    /// Creates or replaces an object, past the fence.
    fn put_as_somebody_else(&self, object: Value);
    /// What stands.
    fn read(&self, at: &ObjectRef) -> Option<Value>;
}

/// One act on the suite's service, in a cluster of its own.
struct Place<W> {
    world: W,
    remediation: Remediation,
}

impl<W: World<Objects: Send + Sync> + Send + Sync> Sink for Place<W> {
    type Executor = Executor<W::Objects>;

    fn executor(&self) -> Self::Executor {
        executor(&self.world)
    }

    fn act(&self) -> Work {
        work(self.remediation.clone())
    }

    async fn stands(&self) -> Value {
        self.world.read(&deployment_ref()).unwrap()["spec"].clone()
    }

    async fn changes(&self) -> u64 {
        self.world.read(&deployment_ref()).unwrap()["metadata"]["generation"].as_u64().unwrap()
    }

    async fn somebody_else_changes_it(&self) {
        let mut theirs = self.world.read(&deployment_ref()).unwrap();
        theirs["spec"]["replicas"] = json!(4);
        let resources = &mut theirs["spec"]["template"]["spec"]["containers"][1]["resources"];
        resources["limits"]["memory"] = json!("2Gi");
        resources["requests"] = json!({"cpu": "750m", "memory": "2Gi"});
        self.world.put_as_somebody_else(theirs);
    }
}

/// What every executor must do, and what only this one does: each case in a cluster of its own.
pub(super) async fn all<W: World<Objects: Send + Sync> + Send + Sync, F: Future<Output = W> + Send>(make: impl Fn() -> F) {
    for remediation in catalogue() {
        // What is not a change of the deployment has only the cases below.
        if super::plan::target(work(remediation.clone()).action()) == deployment_ref() {
            picket_executor_conformance::all(|| {
                let (world, remediation) = (make(), remediation.clone());
                async move { Place { world: seeded(world.await), remediation } }
            })
            .await;
        }
        applies_once_with_its_stamp(&ready_for(make().await, &remediation), &remediation).await;
        is_proven_after_a_lost_answer(&ready_for(make().await, &remediation), &remediation).await;
        is_proven_absent_when_never_sent(&ready_for(make().await, &remediation), &remediation).await;
        is_taken_back_or_refused(&ready_for(make().await, &remediation), &remediation).await;
    }
    a_stale_version_conflicts(&seeded(make().await)).await;
    an_undo_is_refused_after_a_foreign_change(&seeded(make().await)).await;
    only_status_changed_is_absence_and_a_spec_changed_is_neither(&seeded(make().await)).await;
    a_lower_token_is_refused_by_the_sink(&seeded(make().await)).await;
    what_cannot_be_done_is_refused_before_the_claim(&seeded(make().await)).await;
    what_does_not_hold_at_the_moment_of_the_act_is_refused(&make).await;
    a_second_quarantine_uses_the_same_policy(&seeded(make().await)).await;
    what_was_scaled_to_zero_comes_back(&seeded(make().await)).await;
    for remediation in catalogue() {
        a_fence_on_the_target_turns_every_earlier_write_away(&ready_for(make().await, &remediation), &remediation).await;
        a_fence_on_all_turns_lower_tokens_away_and_lets_higher_ones_through(&ready_for(make().await, &remediation), &remediation).await;
    }
    a_fence_on_what_is_gone_is_no_error(&seeded(make().await)).await;
}

fn catalogue() -> Vec<Remediation> {
    let container = || "cart".to_owned();
    vec![
        Remediation::RolloutRestart,
        Remediation::Rollback { to_revision: 1 },
        Remediation::Scale { replicas: 5, from: 3 },
        Remediation::Scale { replicas: 0, from: 3 },
        Remediation::SetMemoryLimit { container: container(), limit_bytes: 1 << 30 },
        Remediation::SetResources { container: container(), cpu_request_millicores: 900, memory_bytes: 768 << 20 },
        Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 20 << 30 },
        Remediation::RenewCertificate { secret: "cart-tls".into() },
        Remediation::Quarantine,
        Remediation::SetReplicaBounds { autoscaler: "cart-scaler".into(), min: 2, max: 12, from_max: 9 },
    ]
}

/// An autoscaler of that workload. None stands in the suite's namespace but for the act that needs one: it would own the replicas.
fn autoscaler(name: &str, workload: &str) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload}}})
}

/// The suite's objects, and what this act needs beside them.
fn ready_for<W: World>(world: W, remediation: &Remediation) -> W {
    let world = seeded(world);
    if let Remediation::SetReplicaBounds { autoscaler: name, .. } = remediation {
        world.put_as_somebody_else(autoscaler(name, "cart"));
    }
    world
}

fn deployment_ref() -> ObjectRef {
    Kind::Deployment.named("shop", "cart")
}

fn template(version: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "cart"}},
        "spec": {"containers": [
            {"name": "proxy", "image": "registry.local/proxy:1"},
            {"name": "cart", "image": format!("registry.local/cart:{version}"), "resources": {
                "requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"},
            }},
        ]},
    })
}

fn seeded<W: World>(world: W) -> W {
    world.put_as_somebody_else(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}));
    world.put_as_somebody_else(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "labels": {"app": "cart"}, "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "cart"}}, "template": template("v2")},
        "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3},
    }));
    let uid = world.read(&deployment_ref()).unwrap()["metadata"]["uid"].clone();
    for (revision, version) in [("1", "v1"), ("2", "v2")] {
        let mut template = template(version);
        template["metadata"]["labels"]["pod-template-hash"] = json!(version);
        world.put_as_somebody_else(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("cart-{version}"), "namespace": "shop", "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": uid, "controller": true}]},
            "spec": {"selector": {"matchLabels": {"app": "cart"}}, "template": template},
        }));
    }
    world.put_as_somebody_else(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-cart", "namespace": "shop"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }));
    world.put_as_somebody_else(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cart-tls", "namespace": "shop",
            "annotations": {"cert-manager.io/certificate-name": "cart"}},
        "type": "kubernetes.io/tls", "data": {"tls.crt": "Yw==", "tls.key": "aw=="},
    }));
    world
}

fn work(remediation: Remediation) -> Work {
    Work::Do { action: Action { service: ServiceId::new("east", "shop", "cart"), remediation } }
}

fn undo(remediation: Remediation, receipt: Receipt) -> Work {
    let Work::Do { action } = work(remediation) else { unreachable!("made so above") };
    Work::Undo { action, receipt }
}

fn executor<W: World>(world: &W) -> Executor<W::Objects> {
    Executor::new(world.objects())
}

fn annotation(object: &Value, key: &str) -> Option<String> {
    stamp::read(object, key).map(ToOwned::to_owned)
}

fn holds(object: &Value, fields: &std::collections::BTreeMap<String, Value>) -> bool {
    fields.iter().all(|(pointer, value)| object.pointer(pointer).unwrap_or(&Value::Null) == value)
}

async fn applies_once_with_its_stamp<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let untouched = world.read(&super::plan::target(work.action()));
    let before = executor.prepare(&work).await.unwrap();
    assert_eq!(world.read(&before.object), untouched, "{remediation:?}: preparing changes nothing");
    assert!(!before.content.to_string().contains("tls.key"), "a private key in the journal");
    let claim = claimed("act-1", &work, 7);
    let receipt = executor.execute(&claim, &before, NOW).await.unwrap();
    let made = world.read(&before.object).unwrap();
    assert_eq!(annotation(&made, ACTION_ID).as_deref(), Some("act-1"), "{remediation:?}");
    assert_eq!(annotation(&made, FENCING_TOKEN).as_deref(), Some("7"));
    if stamp::counts_generations(&before.object) {
        assert_eq!(annotation(&made, STAMPED_GENERATION), Some(made["metadata"]["generation"].to_string()), "{remediation:?}");
    }
    assert_eq!(receipt.resource_version_after, made["metadata"]["resourceVersion"].as_str().unwrap());
    assert_eq!(receipt.resource_version_before, before.resource_version);
    assert!(receipt.after.len() > 1 && holds(&made, &receipt.after), "{remediation:?}: {receipt:?}");
    assert_ne!(receipt.before, receipt.after);
    if let Some(untouched) = untouched {
        assert!(holds(&untouched, &receipt.before), "{remediation:?}: {receipt:?}");
    }
    if remediation.kind() == RemediationKind::RenewCertificate {
        assert_eq!(made["data"]["tls.key"], "aw==", "a secret keeps what was not read");
    }
    if matches!(remediation, Remediation::Rollback { .. }) {
        assert_eq!(made["spec"]["template"], template("v1"));
    }
    let again = executor.execute(&claim, &before, NOW).await;
    assert!(matches!(again, Err(PortError::Conflict { .. })), "{remediation:?}: {again:?}");
    assert_eq!(world.read(&before.object).unwrap(), made, "a second copy changes nothing");
}

async fn is_proven_after_a_lost_answer<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    let answer = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await.unwrap();
    let made = world.read(&before.object).unwrap();
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &work, &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Effect(answer), "{remediation:?}: as good as the lost answer");
    assert_eq!(world.read(&before.object).unwrap(), made, "proving an effect writes nothing");
}

async fn is_proven_absent_when_never_sent<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    let entry = "act-1".into();
    let prove = || executor.prove(&entry, FencingToken(7), &work, &before, NOW);
    assert_eq!(prove().await.unwrap(), Proof::Absence, "{remediation:?}");
    let fenced = world.read(&before.object).unwrap();
    assert_eq!(annotation(&fenced, FENCING_TOKEN).as_deref(), Some("8"));
    assert_eq!(annotation(&fenced, ACTION_ID), None, "the fence is no stamp");
    match &reading(&before)["target"] {
        Value::Null => assert_eq!(fenced["spec"], lifted_spec()),
        target => assert_eq!(fenced["spec"], target["spec"]),
    }
    assert_eq!(prove().await.unwrap(), Proof::Absence, "{remediation:?}: the answer of the first proof may be lost too");
    let late = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "{remediation:?}: {late:?}");
    let after = world.read(&before.object).unwrap();
    assert_eq!((annotation(&after, ACTION_ID), &after["spec"]), (None, &fenced["spec"]), "the late write changed nothing");
    // The next claim's token is at least the fence.
    let before = executor.prepare(&work).await.unwrap();
    executor.execute(&claimed("act-2", &work, 8), &before, NOW).await.unwrap();
    assert_eq!(annotation(&world.read(&before.object).unwrap(), ACTION_ID).as_deref(), Some("act-2"));
}

fn reading(before: &Before) -> &Value {
    &before.content
}

async fn is_taken_back_or_refused<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    let receipt = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await.unwrap();
    let undo = undo(remediation.clone(), receipt.clone());
    let prepared = executor.prepare(&undo).await;
    if remediation.kind().reversibility() == picket_core::action::Reversibility::None {
        assert!(matches!(prepared, Err(PortError::Refused { .. })), "{remediation:?}: {prepared:?}");
        return;
    }
    let second = prepared.unwrap();
    let undone = executor.execute(&claimed("act-2", &undo, 8), &second, NOW).await.unwrap();
    let made = world.read(&second.object).unwrap();
    assert_eq!(annotation(&made, ACTION_ID).as_deref(), Some("act-2"), "an undo bears its own stamp");
    match &reading(&before)["target"] {
        Value::Null => assert_eq!(made["spec"], lifted_spec(), "what was created is made to do nothing"),
        target => assert_eq!(made["spec"], target["spec"], "{remediation:?}"),
    }
    let proof = executor.prove(&"act-2".into(), FencingToken(8), &undo, &second, NOW).await.unwrap();
    assert_eq!(proof, Proof::Effect(undone));
    let twice = executor.prepare(&undo).await;
    assert!(matches!(twice, Err(PortError::Refused { .. })), "the parent's stamp is gone: {twice:?}");
}

async fn a_stale_version_conflicts<W: World>(world: &W) {
    let (executor, work) = (executor(world), work(Remediation::Scale { replicas: 5, from: 3 }));
    let before = executor.prepare(&work).await.unwrap();
    let mut theirs = world.read(&before.object).unwrap();
    theirs["spec"]["replicas"] = json!(4);
    world.put_as_somebody_else(theirs);
    let stands = world.read(&before.object);
    let answer = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await;
    assert!(matches!(answer, Err(PortError::Conflict { .. })), "{answer:?}");
    assert_eq!(world.read(&before.object), stands);
}

async fn an_undo_is_refused_after_a_foreign_change<W: World>(world: &W) {
    let remediation = Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 1 << 30 };
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    let receipt = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await.unwrap();
    let undo = undo(remediation, receipt);
    let mut theirs = world.read(&before.object).unwrap();
    theirs["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["memory"] = json!("2Gi");
    world.put_as_somebody_else(theirs.clone());
    let answer = executor.prepare(&undo).await;
    assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("somebody else")), "{answer:?}");
    // Another field of theirs is left alone.
    theirs["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["memory"] = json!("1Gi");
    theirs["spec"]["replicas"] = json!(4);
    theirs["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    world.put_as_somebody_else(theirs.clone());
    let second = executor.prepare(&undo).await.unwrap();
    executor.execute(&claimed("act-2", &undo, 8), &second, NOW).await.unwrap();
    let made = world.read(&second.object).unwrap();
    assert_eq!(made["spec"]["replicas"], 4);
    assert_eq!(made["spec"]["template"]["spec"]["containers"][1]["resources"]["limits"]["memory"], "512Mi");
}

async fn only_status_changed_is_absence_and_a_spec_changed_is_neither<W: World>(world: &W) {
    let (executor, work) = (executor(world), work(Remediation::RolloutRestart));
    let before = executor.prepare(&work).await.unwrap();
    let mut theirs = world.read(&before.object).unwrap();
    theirs["status"]["readyReplicas"] = json!(2);
    world.put_as_somebody_else(theirs.clone());
    let answer = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await;
    assert!(matches!(answer, Err(PortError::Conflict { .. })), "{answer:?}");
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &work, &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Absence);
    assert_eq!(annotation(&world.read(&before.object).unwrap(), FENCING_TOKEN).as_deref(), Some("8"));
    let before = executor.prepare(&work).await.unwrap();
    theirs["spec"]["replicas"] = json!(4);
    theirs["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    world.put_as_somebody_else(theirs);
    let proof = executor.prove(&"act-2".into(), FencingToken(8), &work, &before, NOW).await.unwrap();
    assert!(matches!(proof, Proof::Neither(_)), "{proof:?}: their change may have come after ours");
    let late = executor.execute(&claimed("act-2", &work, 8), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "{late:?}: but nothing more can land");
}

async fn a_lower_token_is_refused_by_the_sink<W: World>(world: &W) {
    let (executor, first) = (executor(world), work(Remediation::Scale { replicas: 5, from: 3 }));
    let before = executor.prepare(&first).await.unwrap();
    executor.execute(&claimed("act-1", &first, 7), &before, NOW).await.unwrap();
    let stands = world.read(&before.object);
    let objects = world.objects();
    for annotations in [json!({ FENCING_TOKEN: "6" }), json!({ FENCING_TOKEN: null })] {
        let patch = json!({"metadata": {"annotations": annotations}, "spec": {"replicas": 9}});
        let answer = objects.patch(&before.object, &patch, Mode::Commit).await;
        assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
    }
    let bare = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "new", "namespace": "shop"},
        "spec": {"podSelector": {}}});
    let answer = objects.create(&Kind::NetworkPolicy.named("shop", "new"), &bare, Mode::Commit).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
    let second = work(Remediation::Scale { replicas: 6, from: 5 });
    let before = executor.prepare(&second).await.unwrap();
    assert_eq!(before.token, Some(FencingToken(7)));
    let answer = executor.execute(&claimed("act-0", &second, 6), &before, NOW).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
    assert_eq!(world.read(&before.object), stands);
}

async fn what_cannot_be_done_is_refused_before_the_claim<W: World>(world: &W) {
    let executor = executor(world);
    for remediation in [
        Remediation::Scale { replicas: 3, from: 2 },
        Remediation::Rollback { to_revision: 9 },
        Remediation::Rollback { to_revision: 2 },
        Remediation::SetMemoryLimit { container: "nobody".into(), limit_bytes: 1 << 30 },
        Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 512 << 20 },
        Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 5 << 30 },
    ] {
        let answer = executor.prepare(&work(remediation.clone())).await;
        assert!(matches!(answer, Err(PortError::Refused { .. })), "{remediation:?}: {answer:?}");
    }
    let answer = executor.prepare(&work(Remediation::RenewCertificate { secret: "nothing".into() })).await;
    assert!(matches!(answer, Err(PortError::NotFound { .. })), "{answer:?}");
    let mut theirs = world.read(&deployment_ref()).unwrap();
    theirs["metadata"]["labels"]["picket.dev/managed"] = json!("false");
    world.put_as_somebody_else(theirs);
    for remediation in [Remediation::RolloutRestart, Remediation::Quarantine] {
        let answer = executor.prepare(&work(remediation.clone())).await;
        assert!(matches!(answer, Err(PortError::Refused { .. })), "{remediation:?}: {answer:?}");
    }
}

/// The catalogue's preconditions: each stands in the way of its kinds, and of no others.
async fn what_does_not_hold_at_the_moment_of_the_act_is_refused<W: World, F: Future<Output = W>>(make: &impl Fn() -> F) {
    let refused = async |world: &W, why: &str, wanted: &[RemediationKind]| {
        for remediation in catalogue() {
            let answer = executor(world).prepare(&work(remediation.clone())).await;
            let is_refused = matches!(&answer, Err(PortError::Refused { why: said, .. }) if said.contains(why));
            assert_eq!(is_refused, wanted.contains(&remediation.kind()), "{remediation:?}: {answer:?}");
        }
    };
    let world = seeded(make().await);
    let mut rolling = world.read(&deployment_ref()).unwrap();
    rolling["status"]["updatedReplicas"] = json!(1);
    world.put_as_somebody_else(rolling);
    use RemediationKind as R;
    refused(&world, "somebody else's rollout", &[R::RolloutRestart, R::SetMemoryLimit, R::SetResources]).await;

    let world = seeded(make().await);
    for (name, workload) in [("other", "pay"), ("cart-scaler", "cart")] {
        world.put_as_somebody_else(autoscaler(name, workload));
        refused(&world, "HorizontalPodAutoscaler cart-scaler", if workload == "cart" { &[R::Scale] } else { &[] }).await;
    }

    let world = seeded(make().await);
    world.put_as_somebody_else(autoscaler("cart-scaler", "pay"));
    refused(&world, "it does not set the replicas of", &[R::SetReplicaBounds]).await;

    let world = seeded(make().await);
    world.put_as_somebody_else(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team", "namespace": "shop"},
        "spec": {"hard": {"limits.memory": "2Gi"}}, "status": {"used": {"limits.memory": "1536Mi"}}}));
    for (remediation, has_room) in [
        (Remediation::Scale { replicas: 4, from: 3 }, true),
        (Remediation::Scale { replicas: 5, from: 3 }, false),
        (Remediation::Scale { replicas: 1, from: 3 }, true),
        (Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 400 << 20 }, true),
        // Three times 128 MiB more would fit; the first new pod beside the three old ones does not.
        (Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 640 << 20 }, false),
    ] {
        let answer = executor(&world).prepare(&work(remediation.clone())).await;
        let is_refused = matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("ResourceQuota team allows"));
        assert_eq!(is_refused, !has_room, "{remediation:?}: {answer:?}");
    }

    let (world, container) = (seeded(make().await), || "cart".to_owned());
    for leap in [
        Remediation::SetMemoryLimit { container: container(), limit_bytes: 3 << 30 },
        Remediation::SetResources { container: container(), cpu_request_millicores: 1001, memory_bytes: 512 << 20 },
        Remediation::SetResources { container: container(), cpu_request_millicores: 250, memory_bytes: 3 << 30 },
        Remediation::ExpandVolume { claim: "data-cart".into(), size_bytes: 41 << 30 },
    ] {
        let answer = executor(&world).prepare(&work(leap.clone())).await;
        assert!(matches!(&answer, Err(PortError::Refused { why, .. }) if why.contains("more than 4 times")), "{leap:?}: {answer:?}");
    }

    let world = seeded(make().await);
    let mut by_hand = world.read(&Kind::Secret.named("shop", "cart-tls")).unwrap();
    by_hand["metadata"].as_object_mut().unwrap().remove("annotations");
    world.put_as_somebody_else(by_hand);
    refused(&world, "cert-manager did not make it", &[R::RenewCertificate]).await;
}

async fn what_was_scaled_to_zero_comes_back<W: World>(world: &W) {
    let executor = executor(world);
    for (entry, token, replicas, from, noted) in [("act-1", 7, 0, 3, Some("3")), ("act-2", 8, 3, 0, None)] {
        let work = work(Remediation::Scale { replicas, from });
        let before = executor.prepare(&work).await.unwrap();
        executor.execute(&claimed(entry, &work, token), &before, NOW).await.unwrap();
        let made = world.read(&before.object).unwrap();
        assert_eq!(made["spec"]["replicas"], replicas);
        assert_eq!(annotation(&made, stamp::REPLICAS_BEFORE_ZERO).as_deref(), noted);
    }
}

async fn a_second_quarantine_uses_the_same_policy<W: World>(world: &W) {
    let (executor, work) = (executor(world), work(Remediation::Quarantine));
    let before = executor.prepare(&work).await.unwrap();
    let receipt = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await.unwrap();
    let lift = undo(Remediation::Quarantine, receipt);
    let second = executor.prepare(&lift).await.unwrap();
    executor.execute(&claimed("act-2", &lift, 8), &second, NOW).await.unwrap();
    let third = executor.prepare(&work).await.unwrap();
    let receipt = executor.execute(&claimed("act-3", &work, 9), &third, NOW).await.unwrap();
    let made = world.read(&third.object).unwrap();
    assert_eq!(made["spec"]["podSelector"]["matchLabels"], json!({"app": "cart"}));
    assert_eq!(receipt.before["/spec"], lifted_spec());
}

/// Whoever claimed it is silent, and its journal is not here.
async fn a_fence_on_the_target_turns_every_earlier_write_away<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    let untouched = world.read(&before.object);
    executor.fence(&work, FencingToken(9)).await.unwrap();
    let fenced = world.read(&before.object).unwrap();
    assert_eq!((annotation(&fenced, FENCING_TOKEN).as_deref(), annotation(&fenced, ACTION_ID)), (Some("9"), None), "{remediation:?}");
    assert_eq!(fenced["spec"], untouched.map_or_else(lifted_spec, |object| object["spec"].clone()), "the fence and nothing else");
    executor.fence(&work, FencingToken(8)).await.unwrap();
    executor.fence(&work, FencingToken(9)).await.unwrap();
    assert_eq!(world.read(&before.object).unwrap(), fenced, "{remediation:?}: what stands is not raised again");
    let late = executor.execute(&claimed("act-1", &work, 7), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. })), "{remediation:?}: {late:?}");
    let proof = executor.prove(&"act-1".into(), FencingToken(7), &work, &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Absence, "{remediation:?}: its own journal still tells absence from effect");
    let before = executor.prepare(&work).await.unwrap();
    executor.execute(&claimed("act-2", &work, 10), &before, NOW).await.unwrap();
}

async fn a_fence_on_all_turns_lower_tokens_away_and_lets_higher_ones_through<W: World>(world: &W, remediation: &Remediation) {
    let (executor, work) = (executor(world), work(remediation.clone()));
    let before = executor.prepare(&work).await.unwrap();
    for _ in 0..2 {
        executor.fence_all(FencingToken(9)).await.unwrap();
    }
    assert_eq!(annotation(&world.read(&Kind::namespace("shop")).unwrap(), FENCING_TOKEN).as_deref(), Some("9"));
    let stands = world.read(&before.object);
    let late = executor.execute(&claimed("act-1", &work, 8), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Refused { .. })), "{remediation:?}: {late:?}");
    assert_eq!(world.read(&before.object), stands);
    // An earlier claim is proven under the new fence, and the next one passes it.
    let proof = executor.prove(&"act-1".into(), FencingToken(8), &work, &before, NOW).await.unwrap();
    assert_eq!(proof, Proof::Absence, "{remediation:?}");
    let before = executor.prepare(&work).await.unwrap();
    executor.execute(&claimed("act-2", &work, 10), &before, NOW).await.unwrap();
}

async fn a_fence_on_what_is_gone_is_no_error<W: World>(world: &W) {
    let gone = Work::Do { action: Action { service: ServiceId::new("east", "shop", "gone"), remediation: Remediation::RolloutRestart } };
    executor(world).fence(&gone, FencingToken(9)).await.unwrap();
    assert_eq!(world.read(&Kind::Deployment.named("shop", "gone")), None);
}
