//! Signals that need no statistics.

use super::emitter::{Bench, INTERVAL_MS, START_MS, Shape, event, gauge, id, resource, with_attribute};
use crate::{DetectionSettings, Detector};
use picket_core::anomaly::{Anomaly, DetectorKind, Symptom};
use picket_core::incident::ChangeKind;
use picket_core::signal::{SecurityEvent, Signal};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

fn at(step: i64) -> Timestamp {
    Timestamp(START_MS + step * INTERVAL_MS)
}

fn symptoms(anomalies: &[Anomaly]) -> Vec<Symptom> {
    anomalies.iter().map(|a| a.symptom).collect()
}

fn restarts(count: f64, step: i64, reason: &str) -> Signal {
    with_attribute(gauge("cart", "p0", "k8s.container.restarts", at(step), count), "k8s.container.status.last_terminated_reason", reason)
}

#[test]
fn only_new_oom_kills_count() {
    let mut detector = Detector::new(DetectionSettings::default());
    detector.observe(&restarts(7.0, 0, "OOMKilled"));
    assert!(detector.tick(at(0)).is_empty(), "seven kills, but when?");
    for step in 1..5 {
        detector.observe(&restarts(7.0, step, "OOMKilled"));
        assert!(detector.tick(at(step)).is_empty());
    }
    detector.observe(&restarts(9.0, 5, "OOMKilled"));
    let raised = detector.tick(at(5));
    assert_eq!(symptoms(&raised), [Symptom::OomKilled, Symptom::Restarts]);
    assert_eq!(
        (raised[0].value, raised[0].score, raised[0].detector, raised[0].pod.as_deref()),
        (2.0, 10.0, DetectorKind::Direct, Some("p0"))
    );
    detector.observe(&restarts(10.0, 6, "Error"));
    assert!(detector.tick(at(6)).iter().any(|a| a.symptom == Symptom::Restarts && a.value == 3.0));
    detector.observe(&restarts(0.0, 7, ""));
    assert!(detector.tick(at(20)).is_empty(), "held for half a minute, then over; a counter that falls is no kill");
}

#[test]
fn crash_loops_and_missing_replicas() {
    let mut detector = Detector::new(DetectionSettings::default());
    let mut first_short = None;
    for step in 0..14 {
        let available = if step < 4 { 3.0 } else { 1.0 };
        detector.observe(&gauge("cart", "", "k8s.deployment.desired", at(step), 3.0));
        detector.observe(&gauge("cart", "", "k8s.deployment.available", at(step), available));
        let ready = gauge("cart", "p0", "k8s.container.ready", at(step), 0.0);
        let ready = if step >= 6 { with_attribute(ready, "k8s.container.status.waiting_reason", "CrashLoopBackOff") } else { ready };
        detector.observe(&ready);
        let raised = symptoms(&detector.tick(at(step)));
        assert_eq!(raised.contains(&Symptom::CrashLoop), step >= 6, "step {step}");
        if raised.contains(&Symptom::ReplicasUnavailable) {
            first_short.get_or_insert(step);
        }
    }
    assert_eq!(first_short, Some(8), "twenty seconds of patience from step 4");
    detector.observe(&gauge("cart", "", "k8s.deployment.desired", at(14), 6.0));
    detector.observe(&gauge("cart", "", "k8s.deployment.available", at(14), 3.0));
    detector.tick(at(14));
    detector.observe(&gauge("cart", "", "k8s.deployment.available", at(15), 3.0));
    assert!(!symptoms(&detector.tick(at(15))).contains(&Symptom::ReplicasUnavailable), "it is being scaled up");
}

#[test]
fn certificates_name_their_secret() {
    let mut detector = Detector::new(DetectionSettings::default());
    for (secret, left_s) in [("web-tls", 86_400.0), ("api-tls", 80.0 * 86_400.0)] {
        detector.observe(&with_attribute(gauge("web", "p0", "tlscheck.time_left", at(0), left_s), "k8s.secret.name", secret));
    }
    detector.tick(at(0));
    let raised = detector.tick(at(1));
    assert_eq!(
        raised.iter().map(|a| (a.symptom, a.object.as_deref())).collect::<Vec<_>>(),
        [(Symptom::CertificateExpiring, Some("web-tls"))]
    );
    assert_eq!(detector.readings(&id("web"), at(1)).certificates.len(), 2);
}

#[test]
fn a_filling_volume_is_foreseen_and_a_steady_one_is_not() {
    let mut detector = Detector::new(DetectionSettings::default());
    let mut found = None;
    for step in 0..60 {
        for (claim, free) in [("data-0", 0.6 - 0.004 * (step - 30).max(0) as f64), ("data-1", 0.5 + 0.0005 * ((step * 7919) % 7) as f64)] {
            let of =
                |name: &str, value: f64| with_attribute(gauge("db", "p0", name, at(step), value), "k8s.persistentvolumeclaim.name", claim);
            detector.observe(&of("k8s.volume.capacity", 1e10));
            detector.observe(&of("k8s.volume.available", 1e10 * free));
        }
        for anomaly in detector.tick(at(step)) {
            assert_eq!(
                (anomaly.symptom, anomaly.object.as_deref(), anomaly.detector),
                (Symptom::DiskFilling, Some("data-0"), DetectorKind::Forecast)
            );
            found.get_or_insert(step);
        }
    }
    assert!(found.is_some_and(|step| (31..=36).contains(&step)), "{found:?}");
    let volumes = detector.readings(&id("db"), at(60)).volumes;
    let (claim, capacity, available, growth) = volumes[0].clone();
    assert_eq!((claim.as_str(), capacity), ("data-0", 1e10));
    assert!(available < 0.5e10 && (growth - 0.004e10 / 5.0).abs() < 1e5, "{growth}");
    assert_eq!(volumes[1].3, 0.0);
}

#[test]
fn growing_memory_is_a_forecast_before_it_is_full() {
    let mut bench = Bench::new(2);
    bench.warm(20);
    let mut found = None;
    for step in 0..40 {
        let memory = 0.5 + 0.012 * f64::from(step);
        let raised = bench.run(Shape { memory, ..Shape::default() });
        let forecast = raised.iter().find(|a| a.symptom == Symptom::MemoryHigh && a.detector == DetectorKind::Forecast);
        if let Some(forecast) = forecast {
            found.get_or_insert((memory, i64::from(step) * INTERVAL_MS, forecast.last_seen.since_ms(forecast.onset)));
        }
    }
    let (memory, rising_ms, said_ms) = found.unwrap();
    assert!(memory < 0.8, "{memory}");
    assert!((said_ms - rising_ms).abs() <= 15_000, "it has risen for {rising_ms} ms, not for {said_ms}");
}

#[test]
fn pools_scheduling_and_security() {
    let mut detector = Detector::new(DetectionSettings::default());
    let security = |rule: &str, priority: &str| {
        Signal::Event(SecurityEvent {
            resource: resource("web", "p0"),
            at: at(3),
            rule: rule.to_owned(),
            priority: priority.to_owned(),
            output: String::new(),
            fields: BTreeMap::new(),
        })
    };
    let mut raised = Vec::new();
    for step in 0..4 {
        let used = gauge("cart", "p0", "db.client.connection.count", at(step), 10.0);
        detector.observe(&with_attribute(used, "db.client.connection.state", "used"));
        detector.observe(&gauge("cart", "p0", "db.client.connection.max", at(step), 10.0));
        if step == 3 {
            detector.observe(&event("cart", "FailedScheduling", at(3), &[]));
            detector.observe(&event("cart", "OOMKilling", at(3), &[]));
            detector.observe(&security("Terminal shell in container", "Warning"));
            detector.observe(&security("Outbound connection", "Critical"));
            detector.observe(&security("Chatty", "Notice"));
        }
        raised = detector.tick(at(step));
    }
    let found: Vec<_> = raised.iter().map(|a| (a.service.name.as_str(), a.symptom, a.object.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("cart", Symptom::ConnectionsSaturated, None),
            ("cart", Symptom::OomKilled, None),
            ("cart", Symptom::FailedScheduling, None),
            ("web", Symptom::SecurityFinding, Some("Outbound connection")),
            ("web", Symptom::SecurityFinding, Some("Terminal shell in container")),
        ]
    );
}

#[test]
fn changes_are_told_once() {
    let mut detector = Detector::new(DetectionSettings::default());
    for step in 0..4 {
        for (pod, version) in [("a-1", "v1"), ("a-2", if step < 2 { "v1" } else { "v2" })] {
            // The new version comes with new pods.
            let name = if step < 2 { pod.to_owned() } else { format!("{pod}-{version}") };
            let Signal::Metric(mut point) = gauge("cart", &name, "container.cpu.usage", at(step), 0.1) else { unreachable!() };
            point.resource.version = Some(version.to_owned());
            detector.observe(&Signal::Metric(point));
        }
        detector.observe(&gauge("cart", "", "k8s.deployment.desired", at(step), if step < 3 { 3.0 } else { 5.0 }));
        detector.observe(&event("cart", "ScalingReplicaSet", at(step), &[("k8s.deployment.revision", if step < 2 { "4" } else { "5" })]));
    }
    let told: Vec<_> = detector.changes(at(0)).into_iter().map(|c| (c.kind, c.what)).collect();
    let expected = [
        (ChangeKind::Deployment, "revision 4 rolled out".to_owned()),
        (ChangeKind::Deployment, "version v1 became v2".to_owned()),
        (ChangeKind::Deployment, "revision 5 rolled out".to_owned()),
        (ChangeKind::Scaling, "desired replicas 3 became 5".to_owned()),
    ];
    assert_eq!(told, expected);
    assert_eq!(detector.changes(at(3)).len(), 1);
    assert_eq!(detector.readings(&id("cart"), at(4)).revision, Some((5, 4)));
}

fn pool(detector: &mut Detector, pod: &str, step: i64, used: f64) {
    let mut signal = gauge("cart", pod, "db.client.connection.count", at(step), used);
    if let Signal::Metric(point) = &mut signal {
        point.resource.node = Some(format!("node-{pod}"));
    }
    detector.observe(&signal);
    detector.observe(&gauge("cart", pod, "db.client.connection.max", at(step), 10.0));
}

#[test]
fn a_pod_that_misses_a_report_of_its_siblings_no_longer_counts() {
    let mut detector = Detector::new(DetectionSettings::default());
    for step in 0..6 {
        for (pod, used) in [("p0", 2.0), ("p1", 10.0), ("p2", 2.0)] {
            pool(&mut detector, pod, step, used);
        }
        detector.tick(at(step));
    }
    assert!(symptoms(&detector.tick(at(6))).contains(&Symptom::ConnectionsSaturated));
    let readings = detector.readings(&id("cart"), at(6));
    assert_eq!(readings.pools_full, Some((1, 3, Some("node-p1".into()))), "one pod of three, on one node");
    // The full one is replaced: its last word is nobody's.
    for step in 7..11 {
        for pod in ["p0", "p2", "p3"] {
            pool(&mut detector, pod, step, 2.0);
        }
        detector.tick(at(step));
    }
    assert_eq!(detector.readings(&id("cart"), at(10)).pools_full, Some((0, 3, None)));
    assert!(!symptoms(&detector.tick(at(11))).contains(&Symptom::ConnectionsSaturated));
}

#[test]
fn another_memory_limit_starts_the_measure_anew() {
    let mut detector = Detector::new(DetectionSettings::default());
    let mut raised = Vec::new();
    for step in 0..60 {
        // The same working set; half-way the pods are replaced by such with an eighth of the limit.
        let (pod, limit) = if step < 30 { ("old", 800e6) } else { ("new", 100e6) };
        detector.observe(&gauge("cart", pod, "container.memory.working_set", at(step), 80e6 + (step % 3) as f64 * 1e5));
        detector.observe(&gauge("cart", pod, "k8s.container.memory_limit", at(step), limit));
        raised.extend(symptoms(&detector.tick(at(step))));
    }
    assert!(!raised.contains(&Symptom::MemoryHigh), "{raised:?}");
}

#[test]
fn figures_are_held_against_the_highest_of_the_last_minute() {
    let mut bench = Bench::new(5);
    bench.warm(30);
    for _ in 0..4 {
        bench.run(Shape { error_ratio: 0.4, ..Shape::default() });
    }
    let errors = |bench: &Bench| bench.detector.readings(&id("cart"), bench.now()).receding.errors.unwrap();
    assert!(errors(&bench) > 0.7, "{}", errors(&bench));
    bench.run(Shape { error_ratio: 0.1, ..Shape::default() });
    assert!(errors(&bench) < 0.5, "{}", errors(&bench));
}
