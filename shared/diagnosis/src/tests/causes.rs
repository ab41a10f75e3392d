use super::*;
use picket_core::action::Remediation;
use picket_core::cause::Cause;

fn expect(scene: &Scene, cause: Cause, service: &str) -> (Diagnosis, Option<Remediation>) {
    let diagnosis = scene.diagnose();
    match &diagnosis.verdict {
        Verdict::Cause { cause: found, service: on, action } => {
            assert_eq!((*found, on), (cause, &id(service)), "{}", diagnosis.sentence);
            assert!(diagnosis.confidence >= 0.85, "{cause}: {}", diagnosis.confidence);
            assert!(diagnosis.evidence.iter().any(|e| e.weight > 0.0));
            assert_eq!(diagnosis.ranking[0].cause, cause);
            if let Some(action) = action {
                assert_eq!(action.service, id(service));
                assert!(!diagnosis.documents.is_empty(), "an action needs a runbook");
                assert!(diagnosis.sentence.contains("I propose to"), "{}", diagnosis.sentence);
            }
            let remedy = action.clone().map(|a| a.remediation);
            (diagnosis, remedy)
        }
        Verdict::Abstained { why } => {
            panic!("expected {cause}, abstained: {why:?}\n{}\n{:#?}\n{:#?}", diagnosis.sentence, diagnosis.ranking, diagnosis.evidence)
        }
    }
}

pub(super) fn memory_limit() -> Scene {
    Scene::new(90)
        .shows("cart", Symptom::OomKilled, 40)
        .shows("cart", Symptom::Restarts, 40)
        .shows("cart", Symptom::MemoryHigh, 25)
        .shows("web", Symptom::ErrorRateHigh, 45)
        .reads("cart", |r| r.memory_working_set_max_bytes = Some(255.0 * MIB))
}

#[test]
fn a_memory_limit_that_is_too_low() {
    let (diagnosis, remedy) = expect(&memory_limit(), Cause::MemoryLimitTooLow, "cart");
    assert_eq!(remedy, Some(Remediation::SetMemoryLimit { container: "cart".into(), limit_bytes: 384 << 20 }));
    assert!(
        diagnosis.sentence.starts_with("cart was killed for memory because the memory limit of cart is too low"),
        "{}",
        diagnosis.sentence
    );
}

#[test]
fn a_limit_that_is_too_low_even_when_it_backs_off_and_nothing_else_is_seen() {
    expect(
        &memory_limit().shows("cart", Symptom::CrashLoop, 60).shows("cart", Symptom::ReplicasUnavailable, 60),
        Cause::MemoryLimitTooLow,
        "cart",
    );
    let bare = Scene::new(20).shows("db", Symptom::OomKilled, 10).reads("db", |r| r.memory_working_set_max_bytes = Some(250.0 * MIB));
    expect(&bare, Cause::MemoryLimitTooLow, "db");
}

#[test]
fn a_memory_leak_with_and_without_a_kill() {
    let leak = || {
        Scene::new(300).rises("search", 60).shows("search", Symptom::LatencyHigh, 200).reads("search", |r| {
            r.memory_working_set_max_bytes = Some(240.0 * MIB);
        })
    };
    assert_eq!(expect(&leak(), Cause::MemoryLeak, "search").1, Some(Remediation::RolloutRestart));
    expect(&leak().shows("search", Symptom::OomKilled, 280).shows("search", Symptom::Restarts, 280), Cause::MemoryLeak, "search");
}

#[test]
fn a_short_rise_before_the_first_kill_is_no_leak() {
    let scene = Scene::new(90)
        .rises("cart", 20)
        .shows("cart", Symptom::OomKilled, 55)
        .shows("cart", Symptom::Restarts, 55)
        .reads("cart", |r| r.memory_working_set_max_bytes = Some(255.0 * MIB));
    expect(&scene, Cause::MemoryLimitTooLow, "cart");
}

#[test]
fn a_revision_that_picket_made_is_no_deployment() {
    let scene = Scene::new(120).rollout("index", 50).shows("index", Symptom::LatencyHigh, 60);
    expect(&scene, Cause::BadDeployment, "index");
    let mut own = scene;
    own.context.changes.push(ChangeEvent {
        service: id("index"),
        kind: ChangeKind::Picket,
        at: at(45),
        what: "restarted by picket".into(),
    });
    own.abstains();
}

#[test]
fn a_bad_deployment_is_blamed_where_it_was_rolled_out() {
    let scene = Scene::new(120)
        .rollout("pricing", 50)
        .shows("pricing", Symptom::ErrorRateHigh, 60)
        .shows("pricing", Symptom::ErrorLogsHigh, 60)
        .shows("cart", Symptom::ErrorRateHigh, 65)
        .shows("cart", Symptom::DependencyErrorsHigh, 65)
        .newest(|a| a.peer = Some(id("pricing")))
        .shows("web", Symptom::ErrorRateHigh, 70);
    assert_eq!(expect(&scene, Cause::BadDeployment, "pricing").1, Some(Remediation::Rollback { to_revision: 3 }));
}

#[test]
fn a_bad_deployment_that_only_slows() {
    expect(&Scene::new(120).rollout("index", 50).shows("index", Symptom::LatencyHigh, 60), Cause::BadDeployment, "index");
}

#[test]
fn a_crash_loop_after_a_rollout() {
    let scene = Scene::new(130)
        .rollout("cart", 50)
        .shows("cart", Symptom::CrashLoop, 70)
        .shows("cart", Symptom::Restarts, 65)
        .shows("cart", Symptom::ReplicasUnavailable, 60)
        .shows("web", Symptom::ErrorRateHigh, 75);
    assert_eq!(expect(&scene, Cause::CrashLoop, "cart").1, Some(Remediation::Rollback { to_revision: 3 }));
    expect(&scene.shows("cart", Symptom::ErrorRateHigh, 70).shows("cart", Symptom::LatencyHigh, 70), Cause::CrashLoop, "cart");
}

#[test]
fn a_load_surge_is_scaled() {
    let scene = Scene::new(160)
        .shows("search", Symptom::TrafficHigh, 60)
        .shows("search", Symptom::CpuHigh, 70)
        .shows("search", Symptom::LatencyHigh, 80)
        .shows("index", Symptom::TrafficHigh, 62)
        .shows("web", Symptom::TrafficHigh, 60)
        .reads("search", |r| {
            r.request_rate = Some(190.0);
            r.cpu_utilization = Some(0.95);
        });
    assert_eq!(expect(&scene, Cause::LoadSurge, "search").1, Some(Remediation::Scale { replicas: 6, from: 3 }));
}

#[test]
fn a_stuck_process_is_restarted() {
    let scene = Scene::new(120)
        .shows("pricing", Symptom::LatencyHigh, 60)
        .shows("pricing", Symptom::ErrorRateHigh, 65)
        .shows("pricing", Symptom::ConnectionsSaturated, 60)
        .shows("pricing", Symptom::CpuLow, 60)
        .shows("cart", Symptom::LatencyHigh, 65)
        .waits_for("cart", "pricing", 65)
        .reads("pricing", |r| r.cpu_utilization = Some(0.05));
    let (diagnosis, remedy) = expect(&scene, Cause::StuckProcess, "pricing");
    assert_eq!(remedy, Some(Remediation::RolloutRestart));
    assert!(diagnosis.confidence >= 0.90, "a restart cannot be taken back");
}

#[test]
fn a_slow_dependency_is_named_and_left_alone() {
    let scene = Scene::new(120)
        .shows("pricing", Symptom::LatencyHigh, 62)
        .waits_for("pricing", "db", 62)
        .shows("cart", Symptom::LatencyHigh, 65)
        .waits_for("cart", "pricing", 65)
        .shows("web", Symptom::LatencyHigh, 68)
        .reads("db", |r| r.request_rate = None);
    let (diagnosis, remedy) = expect(&scene, Cause::SlowDependency, "db");
    assert_eq!(remedy, None);
    assert!(diagnosis.sentence.contains("I change nothing"), "{}", diagnosis.sentence);
}

#[test]
fn a_caller_whose_pool_fills_up_behind_a_slow_callee_is_not_stuck() {
    let scene = Scene::new(120)
        .shows("pricing", Symptom::LatencyHigh, 62)
        .waits_for("pricing", "db", 62)
        .shows("pricing", Symptom::ConnectionsSaturated, 70)
        .shows("pricing", Symptom::CpuLow, 70)
        .reads("pricing", |r| r.cpu_utilization = Some(0.1))
        .reads("db", |r| r.request_rate = None);
    expect(&scene, Cause::SlowDependency, "db");
}

#[test]
fn a_disk_and_a_certificate_by_name() {
    let gib = 1024.0 * MIB;
    let disk = Scene::new(120).shows("db", Symptom::DiskFilling, 60).newest(|a| a.object = Some("data-db".into())).reads("db", |r| {
        r.volumes = vec![("data-db".into(), 10.0 * gib, gib, 0.0), ("logs-db".into(), gib, 0.01 * gib, 0.0)];
    });
    assert_eq!(
        expect(&disk, Cause::DiskFilling, "db").1,
        Some(Remediation::ExpandVolume { claim: "data-db".into(), size_bytes: 15 << 30 })
    );
    let certificate = Scene::new(120)
        .agent(AgentKind::SecOps)
        .shows("web", Symptom::CertificateExpiring, 60)
        .newest(|a| a.object = Some("web-tls".into()));
    assert_eq!(expect(&certificate, Cause::CertificateExpiring, "web").1, Some(Remediation::RenewCertificate { secret: "web-tls".into() }));
}

#[test]
fn what_finops_and_secops_see() {
    let wasteful = Scene::new(120).agent(AgentKind::FinOps).shows("billing", Symptom::OverRequested, 0);
    let expected = Remediation::SetResources { container: "billing".into(), cpu_request_millicores: 200, memory_bytes: 138 << 20 };
    assert_eq!(expect(&wasteful, Cause::OverRequested, "billing").1, Some(expected));
    let idle = Scene::new(120).agent(AgentKind::FinOps).shows("mail", Symptom::Idle, 0).reads("mail", |r| r.request_rate = Some(0.0));
    assert_eq!(expect(&idle, Cause::IdleService, "mail").1, Some(Remediation::Scale { replicas: 0, from: 3 }));
    let intruder = Scene::new(120).agent(AgentKind::SecOps).shows("mail", Symptom::SecurityFinding, 110);
    assert_eq!(expect(&intruder, Cause::SuspiciousWorkload, "mail").1, Some(Remediation::Quarantine));
}

#[test]
fn what_picket_scaled_to_zero_is_called_again() {
    let asleep = |desired, before| {
        let scene = Scene::new(120).shows("search", Symptom::DependencyErrorsHigh, 90).newest(|a| a.peer = Some(id("index")));
        scene.shows("search", Symptom::ErrorRateHigh, 90).reads("index", move |r| {
            (r.replicas_desired, r.replicas_before_zero, r.request_rate) = (Some(desired), before, None);
        })
    };
    let (_, remedy) = expect(&asleep(0, Some(3)), Cause::ScaledToZero, "index");
    assert_eq!(remedy, Some(Remediation::Scale { replicas: 3, from: 0 }));
    for (desired, before, why) in [(0, None, "a person did it"), (2, Some(3), "it is back already")] {
        let diagnosis = asleep(desired, before).diagnose();
        assert!(!matches!(&diagnosis.verdict, Verdict::Cause { cause: Cause::ScaledToZero, .. }), "{why}: {diagnosis:?}");
    }
}

#[test]
fn overlapping_faults_do_not_hide_each_other() {
    let both = memory_limit().shows("index", Symptom::LatencyHigh, 40).rollout("index", 30).shows("search", Symptom::LatencyHigh, 45);
    let diagnosis = both.diagnose();
    let named: Vec<_> = diagnosis.ranking.iter().filter(|c| c.probability > 0.85).map(|c| (c.cause, c.service.name.as_str())).collect();
    assert!(named.contains(&(Cause::MemoryLimitTooLow, "cart")) && named.contains(&(Cause::BadDeployment, "index")), "{named:?}");
    assert!(matches!(diagnosis.verdict, Verdict::Cause { .. }));
    let disk_too = memory_limit().shows("cart", Symptom::DiskFilling, 0);
    expect(&disk_too, Cause::MemoryLimitTooLow, "cart");
}

#[test]
fn a_protected_service_is_diagnosed_but_not_touched() {
    let mut scene = memory_limit();
    let mut facts = picket_core::facts::ClusterFacts { cluster: "east".into(), ..Default::default() };
    for service in scene.context.readings.keys() {
        let protected = service == &id("cart");
        facts.services.insert(service.clone(), picket_core::facts::ServiceFacts { protected, ..Default::default() });
    }
    scene.context.facts = Some(Arc::new(facts));
    let (diagnosis, remedy) = expect(&scene, Cause::MemoryLimitTooLow, "cart");
    assert_eq!(remedy, None);
    assert!(diagnosis.sentence.contains("may not touch it"), "{}", diagnosis.sentence);
}
