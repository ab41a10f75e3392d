use super::*;
use crate::faults::{FaultClass, FaultKind, FaultPlan, RemedyLuck};
use crate::objects::ACTION_ID;
use crate::scenario::{Scenario, schedule};
use crate::store::ObjectKey;
use crate::truth::{Remedier, TruthRecord};
use opentelemetry_proto::tonic::metrics::v1 as otlp;
use picket_core::action::RemediationKind;
use prost::Message as _;
use serde_json::json;

const ONSET_S: f64 = 20.0;

fn plan(kind: FaultKind, service: &str) -> FaultPlan {
    let natural_s = match kind {
        FaultKind::LoadEbb => 80.0,
        FaultKind::Flapping => 90.0,
        FaultKind::SelfHealingDeployment => 110.0,
        _ if kind.class() == FaultClass::Catalogued => 600.0,
        _ => 95.0,
    };
    FaultPlan {
        id: "fault-001".into(),
        kind,
        cluster: "east".into(),
        service: service.into(),
        onset_s: ONSET_S,
        natural_s,
        luck: if matches!(kind, FaultKind::NoWayBack | FaultKind::ScaleHurts) { RemedyLuck::Regresses } else { RemedyLuck::Works },
        slow_s: 35.0,
        person_after_s: 55.0,
        strength: 1.0,
        wrong_hides_s: 0.0,
    }
}

fn cluster_with(plan: FaultPlan) -> SimCluster {
    SimCluster::new("east", 7, Timestamp(0), SimParameters::default()).with_faults(&[plan])
}

fn to(cluster: &mut SimCluster, seconds: i64) {
    cluster.advance(Timestamp(seconds * 1000));
}

fn only_truth(cluster: &SimCluster) -> TruthRecord {
    cluster.truths().into_iter().next().expect("a fault has begun")
}

/// Does to the objects what picket's actuator does.
fn act(cluster: &mut SimCluster, service: &str, kind: RemediationKind) {
    let at = cluster.index_of(service).unwrap();
    let spec = cluster.services[at].spec.clone();
    let replicas = cluster.services[at].desired();
    let limit = cluster.services[at].deployment.as_ref().unwrap().memory_limit_bytes.unwrap();
    let (deployment, id) = (objects::deployment_key(&spec), json!(format!("act-{}", cluster.now.0)));
    let previous = cluster
        .store
        .list("apps/v1", "ReplicaSet", Some(spec.namespace))
        .into_iter()
        .filter(|set| set["metadata"]["labels"]["app"] == spec.name)
        .filter_map(|set| Some((objects::annotation(&set, objects::REVISION)?.parse::<i64>().ok()?, set["spec"]["template"].clone())))
        .filter(|(revision, _)| *revision < cluster.services[at].revision)
        .max_by_key(|(revision, _)| *revision);
    let store = &mut cluster.store;
    match kind {
        RemediationKind::RolloutRestart => store.update(&deployment, |d| {
            d["metadata"]["annotations"][ACTION_ID] = id.clone();
            d["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = id;
        }),
        RemediationKind::Rollback => {
            let Some((_, template)) = previous else { return };
            store.update(&deployment, |d| {
                d["metadata"]["annotations"][ACTION_ID] = id;
                d["spec"]["template"] = template;
            })
        }
        RemediationKind::Scale => store.update(&deployment, |d| {
            d["metadata"]["annotations"][ACTION_ID] = id;
            d["spec"]["replicas"] = json!(replicas * 2);
        }),
        RemediationKind::SetMemoryLimit => store.update(&deployment, |d| {
            d["metadata"]["annotations"][ACTION_ID] = id;
            let resources = &mut d["spec"]["template"]["spec"]["containers"][0]["resources"];
            resources["limits"]["memory"] = json!(format!("{}", (limit * 1.25) as u64));
        }),
        RemediationKind::SetResources => store.update(&deployment, |d| {
            d["metadata"]["annotations"][ACTION_ID] = id;
            let resources = &mut d["spec"]["template"]["spec"]["containers"][0]["resources"];
            resources["requests"]["cpu"] = json!("300m");
        }),
        RemediationKind::ExpandVolume => store.update(&objects::claim_key(&spec), |claim| {
            claim["metadata"]["annotations"][ACTION_ID] = id;
            claim["spec"]["resources"]["requests"]["storage"] = json!(format!("{}Mi", spec.volume_gib * 1024 * 13 / 10));
        }),
        RemediationKind::RenewCertificate => store.update(&objects::secret_key(&spec), |secret| {
            secret["metadata"]["annotations"][ACTION_ID] = id.clone();
            secret["metadata"]["annotations"][objects::ISSUE] = id;
        }),
        RemediationKind::SetReplicaBounds => unreachable!("no simulated fault is about an autoscaler"),
        RemediationKind::Quarantine => store
            .create(json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": format!("quarantine-{service}"), "namespace": spec.namespace, "annotations": {ACTION_ID: id}},
                "spec": {"podSelector": {"matchLabels": {"app": service}}, "policyTypes": ["Ingress", "Egress"], "egress": [{"ports": [{"port": 53}]}]},
            }))
            .ok(),
    };
}

const CATALOGUED: [(FaultKind, &str, RemediationKind, RemediationKind); 11] = [
    (FaultKind::OomKill, "recommendations", RemediationKind::SetMemoryLimit, RemediationKind::RolloutRestart),
    (FaultKind::MemoryLeak, "search", RemediationKind::RolloutRestart, RemediationKind::Scale),
    (FaultKind::LatencySpike, "reports", RemediationKind::RolloutRestart, RemediationKind::Scale),
    (FaultKind::ErrorSurge, "tracking", RemediationKind::Rollback, RemediationKind::RolloutRestart),
    (FaultKind::BadDeployment, "images", RemediationKind::Rollback, RemediationKind::Scale),
    (FaultKind::CrashLoop, "events", RemediationKind::Rollback, RemediationKind::RolloutRestart),
    (FaultKind::LoadSurge, "thumbnails", RemediationKind::Scale, RemediationKind::RolloutRestart),
    (FaultKind::DiskFilling, "stock", RemediationKind::ExpandVolume, RemediationKind::RolloutRestart),
    (FaultKind::CertificateExpiring, "shipping", RemediationKind::RenewCertificate, RemediationKind::RolloutRestart),
    (FaultKind::SlowDependency, "routes-db", RemediationKind::RolloutRestart, RemediationKind::Scale),
    (FaultKind::SuspiciousWorkload, "batch-scorer", RemediationKind::Quarantine, RemediationKind::RolloutRestart),
];

#[test]
fn a_quiet_cluster_stays_within_its_bounds() {
    let mut cluster = SimCluster::new("east", 3, Timestamp(0), SimParameters::default());
    for second in 1..=600 {
        to(&mut cluster, second);
        for at in 0..cluster.services.len() {
            assert!(!cluster.out_of_bounds(at), "{} at {second} s: {:?}", cluster.services[at].spec.name, cluster.services[at].traffic);
        }
    }
    assert_eq!(
        cluster.services.iter().map(|s| s.ready_pods() as u32).sum::<u32>(),
        topology::services().iter().map(|s| s.replicas).sum::<u32>()
    );
}

#[test]
fn on_a_quiet_day_the_autoscaler_follows_the_load_and_people_deploy_without_harm() {
    let parameters = SimParameters { routine: true, day_s: 14_400.0, daily_swing: 0.4, ..SimParameters::default() };
    let mut cluster = SimCluster::new("east", 3, Timestamp(0), parameters);
    let at = cluster.index_of("catalog").unwrap();
    let usual = cluster.services[at].spec.replicas;
    let (mut least, mut most, mut bad) = (usual, usual, 0);
    for second in 1..=14_400 {
        to(&mut cluster, second);
        let desired = cluster.services[at].desired();
        (least, most) = (least.min(desired), most.max(desired));
        bad += (0..cluster.services.len()).filter(|at| cluster.out_of_bounds(*at)).count();
    }
    assert!(least < usual && most > usual, "{least} to {most} replicas, usually {usual}");
    assert!(cluster.services.iter().filter(|s| s.revision > 1).count() > 2, "somebody deployed");
    assert_eq!(bad, 0, "seconds out of bounds");
    let disk = cluster.index_of("routes-db").unwrap();
    assert_eq!(cluster.services[disk].desired(), cluster.services[disk].spec.replicas, "what has a volume is not scaled");
}

#[test]
fn two_runs_of_one_seed_send_the_same_bytes() {
    let run = |seed| {
        let plans = schedule(Scenario::Demo, seed, &["east".into(), "west".into()], 540.0, 75.0);
        let mut cluster = SimCluster::new("east", seed, Timestamp(1_000_000), SimParameters::default()).with_faults(&plans);
        let mut bytes = Vec::new();
        while cluster.now() < Timestamp(1_300_000) {
            cluster.advance_until_due(Timestamp(1_300_000));
            let telemetry = cluster.telemetry();
            bytes.extend(telemetry.metrics.encode_to_vec());
            bytes.extend(telemetry.traces.encode_to_vec());
            bytes.extend(telemetry.logs.encode_to_vec());
            bytes.extend(telemetry.falco.iter().flat_map(|f| f.to_string().into_bytes()));
        }
        bytes
    };
    let first = run(11);
    assert!(first.len() > 100_000);
    assert!(first == run(11), "the same seed gave other bytes");
    assert!(first != run(12));
}

#[test]
fn the_right_remedy_ends_each_catalogued_fault() {
    for (kind, service, right, _) in CATALOGUED {
        let mut cluster = cluster_with(plan(kind, service));
        to(&mut cluster, 60);
        assert!(only_truth(&cluster).end.is_none(), "{kind:?} ended before anybody did anything");
        act(&mut cluster, service, right);
        to(&mut cluster, 125);
        let truth = only_truth(&cluster);
        assert_eq!(truth.remedied_by, Some(Remedier::Picket), "{kind:?}: {truth:?}");
        let back = truth.sli_back.unwrap_or_else(|| {
            panic!("{kind:?} on {service} is not back: {:?}", cluster.services[cluster.index_of(service).unwrap()].traffic)
        });
        assert!(back <= Timestamp(115_000), "{kind:?} is back only at {back}");
    }
}

#[test]
fn a_wrong_remedy_ends_nothing() {
    for (kind, service, _, wrong) in CATALOGUED {
        let mut cluster = cluster_with(plan(kind, service));
        to(&mut cluster, 60);
        act(&mut cluster, service, wrong);
        to(&mut cluster, 180);
        assert!(only_truth(&cluster).end.is_none(), "{kind:?} was ended by {wrong}");
    }
}

#[test]
fn every_harmful_fault_takes_its_service_out_of_bounds_and_back() {
    for kind in FaultKind::ALL.into_iter().filter(|k| k.harms() && !matches!(k, FaultKind::DiskFilling)) {
        let service = match kind {
            FaultKind::PacketLoss | FaultKind::DnsFailure => "shipping",
            FaultKind::NodeTrouble | FaultKind::SlowDependency => "routes-db",
            FaultKind::ProtectedFault => "legacy-feed",
            FaultKind::CrashLoop | FaultKind::SelfHealingDeployment => "events",
            _ => "tracking",
        };
        let mut cluster = cluster_with(plan(kind, service));
        let at = cluster.index_of(service).unwrap();
        let mut first_bad = None;
        for second in 1..=100 {
            to(&mut cluster, second);
            if first_bad.is_none() && cluster.out_of_bounds(at) {
                first_bad = Some(second);
            }
        }
        let first_bad = first_bad.unwrap_or_else(|| panic!("{kind:?} on {service} does no harm"));
        assert!((20..=75).contains(&first_bad), "{kind:?} does harm from {first_bad} s");
        to(&mut cluster, 700);
        assert!(only_truth(&cluster).sli_back.is_some(), "{kind:?} on {service} never comes back");
    }
}

#[test]
fn traps_and_uncatalogued_faults_end_without_picket_within_two_minutes() {
    let all = [
        (FaultKind::LoadEbb, "cart", Remedier::Itself),
        (FaultKind::SelfHealingDeployment, "catalog", Remedier::Itself),
        (FaultKind::ProtectedFault, "payment-api", Remedier::Person),
        (FaultKind::Flapping, "stream", Remedier::Itself),
        (FaultKind::PacketLoss, "warehouse", Remedier::Person),
        (FaultKind::NodeTrouble, "blob", Remedier::Person),
        (FaultKind::DnsFailure, "reports", Remedier::Person),
        (FaultKind::ThirdPartyOutage, "fraud", Remedier::Person),
        (FaultKind::BadFeatureFlag, "cart", Remedier::Person),
    ];
    for (kind, service, by) in all {
        let mut cluster = cluster_with(plan(kind, service));
        to(&mut cluster, 160);
        let truth = only_truth(&cluster);
        assert_eq!(truth.remedied_by, Some(by), "{kind:?}");
        let took = truth.sli_back.map(|back| back.since_ms(truth.onset));
        assert!(took.is_some_and(|ms| ms <= 120_000), "{kind:?} took {took:?}");
    }
}

#[test]
fn a_slow_remedy_works_late_and_a_failing_one_needs_a_person_or_a_second_try() {
    for (kind, service, right, _) in CATALOGUED.into_iter().filter(|(kind, ..)| kind.may_have_bad_luck()) {
        let mut slow = plan(kind, service);
        slow.luck = RemedyLuck::Slow;
        let mut cluster = cluster_with(slow);
        to(&mut cluster, 50);
        act(&mut cluster, service, right);
        to(&mut cluster, 84);
        assert!(only_truth(&cluster).end.is_none(), "{kind:?}: a slow remedy worked at once");
        to(&mut cluster, 135);
        assert_eq!(only_truth(&cluster).remedied_by, Some(Remedier::Picket), "{kind:?} (slow)");
        let mut fails = plan(kind, service);
        fails.luck = RemedyLuck::Fails;
        let mut cluster = cluster_with(fails);
        to(&mut cluster, 50);
        act(&mut cluster, service, right);
        to(&mut cluster, 140);
        assert_eq!(only_truth(&cluster).remedied_by, Some(Remedier::Person), "{kind:?} (fails)");
        assert!(only_truth(&cluster).sli_back.is_some(), "{kind:?} is not back");
    }
}

#[test]
fn the_remedy_of_the_two_regressing_faults_makes_them_worse_and_taking_it_back_makes_up_for_it() {
    for (kind, remedy) in [(FaultKind::NoWayBack, RemediationKind::Rollback), (FaultKind::ScaleHurts, RemediationKind::Scale)] {
        let mut cluster = cluster_with(plan(kind, "tracking"));
        let at = cluster.index_of("tracking").unwrap();
        to(&mut cluster, 60);
        let before = cluster.services[at].traffic.clone();
        let original = cluster.store.get(&objects::deployment_key(&cluster.services[at].spec)).unwrap()["spec"].clone();
        act(&mut cluster, "tracking", remedy);
        to(&mut cluster, 85);
        let after = cluster.services[at].traffic.clone();
        assert!(after.error_ratio > before.error_ratio + 0.2, "{kind:?}: {before:?} then {after:?}");
        let key = objects::deployment_key(&cluster.services[at].spec);
        cluster.store.update(&key, |d| d["spec"] = original);
        to(&mut cluster, 105);
        let undone = cluster.services[at].traffic.clone();
        assert!(undone.error_ratio < after.error_ratio - 0.2, "{kind:?}: {undone:?}");
        to(&mut cluster, 150);
        assert_eq!(only_truth(&cluster).remedied_by, Some(Remedier::Person));
    }
}

#[test]
fn a_page_brings_a_person() {
    let mut cluster = cluster_with(plan(FaultKind::LatencySpike, "cart"));
    to(&mut cluster, 40);
    assert_eq!(cluster.page("cart"), 1);
    assert_eq!(cluster.page("search"), 0);
    to(&mut cluster, 66);
    assert_eq!(only_truth(&cluster).remedied_by, Some(Remedier::Person));
}

#[test]
fn a_rolling_update_keeps_three_quarters_available_and_numbers_its_revisions() {
    let mut cluster = SimCluster::new("east", 5, Timestamp(0), SimParameters::default());
    to(&mut cluster, 5);
    let at = cluster.index_of("catalog").unwrap();
    let key = objects::deployment_key(&cluster.services[at].spec);
    let old: Vec<_> = cluster.services[at].pods.iter().map(|p| p.name.clone()).collect();
    act(&mut cluster, "catalog", RemediationKind::RolloutRestart);
    let mut done_at = None;
    for second in 6..90 {
        to(&mut cluster, second);
        assert!(cluster.services[at].ready_pods() >= 3, "at {second} s");
        let status = &cluster.store.get(&key).unwrap()["status"];
        let done = status["updatedReplicas"] == 4 && status["readyReplicas"] == 4 && status["replicas"] == 4;
        if done && done_at.is_none() {
            done_at = Some(second);
        }
    }
    assert!(done_at.is_some_and(|s| s < 45), "{done_at:?}");
    assert!(cluster.services[at].pods.iter().all(|p| !old.contains(&p.name)));
    let deployment = cluster.store.get(&key).unwrap();
    assert_eq!(objects::annotation(deployment, objects::REVISION), Some("2"));
    assert_eq!(deployment["status"]["observedGeneration"], deployment["metadata"]["generation"]);
    // Back to the first template: its ReplicaSet comes back under a new number.
    act(&mut cluster, "catalog", RemediationKind::Rollback);
    to(&mut cluster, 130);
    assert_eq!(objects::annotation(cluster.store.get(&key).unwrap(), objects::REVISION), Some("3"));
    assert_eq!(
        cluster.store.list("apps/v1", "ReplicaSet", Some("shop")).iter().filter(|s| s["metadata"]["labels"]["app"] == "catalog").count(),
        2
    );
}

#[test]
fn a_deleted_pod_is_replaced_and_scaling_to_zero_leaves_none() {
    let mut cluster = SimCluster::new("east", 5, Timestamp(0), SimParameters::default());
    to(&mut cluster, 3);
    let at = cluster.index_of("exporter").unwrap();
    let name = cluster.services[at].pods[0].name.clone();
    cluster.store.delete(&ObjectKey::new("v1", "Pod", "insights", &name), None).unwrap();
    to(&mut cluster, 15);
    assert_eq!(cluster.services[at].ready_pods(), 3);
    assert!(cluster.services[at].pods.iter().all(|p| p.name != name));
    let key = objects::deployment_key(&cluster.services[at].spec);
    cluster.store.update(&key, |d| d["spec"]["replicas"] = json!(0));
    to(&mut cluster, 18);
    assert!(cluster.services[at].pods.is_empty());
    assert!(!cluster.out_of_bounds(at));
}

/// The value of a gauge of a service at the end of the last interval: the largest over its pods.
fn gauge(metrics: &[otlp::ResourceMetrics], service: &str, name: &str) -> Option<f64> {
    let of = |r: &otlp::ResourceMetrics| {
        let named = |a: &opentelemetry_proto::tonic::common::v1::KeyValue| {
            a.key == "service.name" && format!("{:?}", a.value).contains(&format!("\"{service}\""))
        };
        r.resource.as_ref().is_some_and(|r| r.attributes.iter().any(named))
    };
    let points = metrics.iter().filter(|r| of(r)).flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics).filter(|m| m.name == name);
    points
        .filter_map(|m| match m.data.as_ref()? {
            otlp::metric::Data::Gauge(g) => match g.data_points[0].value? {
                otlp::number_data_point::Value::AsDouble(v) => Some(v),
                otlp::number_data_point::Value::AsInt(v) => Some(v as f64),
            },
            _ => None,
        })
        .reduce(f64::max)
}

#[test]
fn each_fault_shows_its_signature_in_telemetry() {
    let at_s = |kind, service: &str, seconds: i64| {
        let mut cluster = cluster_with(plan(kind, service));
        let mut all = Vec::new();
        while cluster.now() < Timestamp(seconds * 1000) {
            cluster.advance_until_due(Timestamp(seconds * 1000));
            all.push(cluster.telemetry());
        }
        all
    };
    let text = |all: &[crate::telemetry::Telemetry]| {
        all.iter()
            .map(|t| format!("{:?}{:?}", t.logs, t.metrics.resource_metrics.iter().map(|r| &r.resource).collect::<Vec<_>>()))
            .collect::<String>()
    };
    let last = |all: &[crate::telemetry::Telemetry], service: &str, name: &str| {
        gauge(&all.last().unwrap().metrics.resource_metrics, service, name).unwrap()
    };

    let oom = at_s(FaultKind::OomKill, "recommendations", 60);
    assert!(last(&oom, "recommendations", "k8s.container.restarts") >= 1.0);
    assert!(text(&oom).contains("OOMKilled") && text(&oom).contains("OOMKilling"));
    let leak = at_s(FaultKind::MemoryLeak, "search", 60);
    let memory: Vec<_> = leak.iter().filter_map(|t| gauge(&t.metrics.resource_metrics, "search", "container.memory.working_set")).collect();
    assert!(memory[11] > memory[8] && memory[8] > memory[5] && memory[5] > memory[3] * 1.01, "{memory:?}");
    let stuck = at_s(FaultKind::LatencySpike, "reports", 60);
    assert!((last(&stuck, "reports", "db.client.connection.count") - 20.0).abs() < 1e-9);
    assert!(last(&stuck, "reports", "container.cpu.usage") < 0.12);
    let crash = at_s(FaultKind::CrashLoop, "events", 60);
    assert!(text(&crash).contains("CrashLoopBackOff") && text(&crash).contains("BackOff"));
    let release = at_s(FaultKind::ErrorSurge, "tracking", 60);
    assert!(text(&release).contains("ScalingReplicaSet") && text(&release).contains("unhandled exception"));
    let disk = at_s(FaultKind::DiskFilling, "stock", 80);
    let share = last(&disk, "stock", "k8s.volume.available") / last(&disk, "stock", "k8s.volume.capacity");
    assert!(share < 0.36, "{share}");
    let certificate = at_s(FaultKind::CertificateExpiring, "shipping", 40);
    assert!(last(&certificate, "shipping", "tlscheck.time_left") < 3.0 * 3600.0);
    let intruder = at_s(FaultKind::SuspiciousWorkload, "batch-scorer", 60);
    assert!(intruder.iter().flat_map(|t| &t.falco).filter(|f| f["output_fields"]["k8s.ns.name"] == "insights").count() >= 3);
    let surge = at_s(FaultKind::LoadSurge, "thumbnails", 60);
    assert!(last(&surge, "thumbnails", "container.cpu.usage") > 0.4);
    let traced = surge.iter().flat_map(|t| &t.traces.resource_spans).count();
    assert!(traced > 20 && surge.iter().all(|t| t.traces.resource_spans.len() <= 12 * 12), "{traced}");
}
