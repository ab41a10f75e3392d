use super::*;

/// Any reason but a claim will do where several are true; what matters is that nothing is claimed.
fn unexplained(scene: &Scene) {
    let why = scene.abstains();
    assert!(matches!(why, Abstention::UnknownCause | Abstention::LowConfidence { .. } | Abstention::Ambiguous { .. }), "{why:?}");
}

#[test]
fn packet_loss_between_services_that_measure_themselves_as_quick() {
    let scene = Scene::new(120)
        .waits_for("web", "cart", 60)
        .waits_for("cart", "pricing", 60)
        .waits_for("search", "index", 61)
        .shows("web", Symptom::LatencyHigh, 62)
        .shows("cart", Symptom::LatencyHigh, 62)
        .shows("search", Symptom::LatencyHigh, 62);
    unexplained(&scene);
}

#[test]
fn packet_loss_on_one_edge() {
    unexplained(&Scene::new(120).waits_for("cart", "pricing", 60).shows("cart", Symptom::LatencyHigh, 60).shows(
        "web",
        Symptom::LatencyHigh,
        65,
    ));
}

#[test]
fn node_trouble_slows_services_that_do_not_call_each_other() {
    let mut scene = Scene::new(120);
    for name in ["index", "mail", "billing", "db"] {
        scene = scene.shows(name, Symptom::LatencyHigh, 60);
    }
    unexplained(&scene);
    for name in ["index", "mail", "billing", "db"] {
        scene = scene.shows(name, Symptom::CpuLow, 62).reads(name, |r| r.cpu_utilization = Some(0.1));
    }
    unexplained(&scene);
    unexplained(&scene.waits_for("search", "index", 62).waits_for("pricing", "db", 62));
}

#[test]
fn dns_failures_everywhere() {
    let mut scene = Scene::new(120);
    for name in ["web", "cart", "search", "pricing", "mail", "billing"] {
        scene = scene.shows(name, Symptom::ErrorRateHigh, 60).shows(name, Symptom::ErrorLogsHigh, 61);
    }
    unexplained(&scene);
}

#[test]
fn a_feature_flag_or_a_clock() {
    unexplained(&Scene::new(120).shows("pricing", Symptom::ErrorRateHigh, 60).shows("pricing", Symptom::ErrorLogsHigh, 60).shows(
        "cart",
        Symptom::ErrorRateHigh,
        66,
    ));
    let callers_see = Scene::new(120)
        .shows("pricing", Symptom::ErrorRateHigh, 60)
        .shows("cart", Symptom::DependencyErrorsHigh, 62)
        .newest(|a| a.peer = Some(id("pricing")));
    unexplained(&callers_see);
}

#[test]
fn a_noisy_neighbour() {
    let scene = Scene::new(120).shows("index", Symptom::LatencyHigh, 60).shows("billing", Symptom::LatencyHigh, 63).shows(
        "index",
        Symptom::JointlyUnusual,
        60,
    );
    unexplained(&scene);
}

#[test]
fn a_third_party_outage() {
    let payments = ServiceId::new("east", "external", "payments.example.com");
    let mut scene = Scene::new(120)
        .shows("cart", Symptom::DependencyErrorsHigh, 60)
        .newest(|a| a.peer = Some(payments.clone()))
        .shows("cart", Symptom::DependencyLatencyHigh, 60)
        .newest(|a| a.peer = Some(payments.clone()))
        .shows("cart", Symptom::LatencyHigh, 61)
        .shows("cart", Symptom::ErrorRateHigh, 61);
    let mut facts = picket_core::facts::ClusterFacts { cluster: "east".into(), ..Default::default() };
    facts.services.extend(scene.context.readings.keys().map(|s| (s.clone(), picket_core::facts::ServiceFacts::default())));
    unexplained(&scene);
    scene.context.facts = Some(Arc::new(facts));
    unexplained(&scene);
}

#[test]
fn a_crash_loop_without_a_rollout() {
    unexplained(&Scene::new(120).shows("cart", Symptom::CrashLoop, 70).shows("cart", Symptom::Restarts, 65).shows(
        "cart",
        Symptom::ReplicasUnavailable,
        60,
    ));
}

#[test]
fn memory_that_is_high_and_level_or_has_just_begun_to_rise() {
    unexplained(&Scene::new(300).shows("cart", Symptom::MemoryHigh, 60).newest(|a| a.detector = DetectorKind::Direct).shows(
        "cart",
        Symptom::LatencyHigh,
        200,
    ));
    unexplained(&Scene::new(80).rises("cart", 60));
}

#[test]
fn one_odd_figure_is_no_cause() {
    for symptom in [
        Symptom::JointlyUnusual,
        Symptom::CpuHigh,
        Symptom::LatencyHigh,
        Symptom::ErrorLogsHigh,
        Symptom::Restarts,
        Symptom::FailedScheduling,
    ] {
        unexplained(&Scene::new(100).shows("cart", symptom, 60));
    }
}

#[test]
fn too_little_for_a_name_is_said_with_its_percentage() {
    // A callee that waits with a fair share of the signs of a stuck process, without its pool.
    let scene = Scene::new(120)
        .shows("index", Symptom::LatencyHigh, 60)
        .shows("index", Symptom::CpuLow, 60)
        .reads("index", |r| r.cpu_utilization = Some(0.05));
    match scene.abstains() {
        Abstention::LowConfidence { percent } => assert!((50..90).contains(&percent)),
        why => panic!("{why:?}"),
    }
    assert!(scene.diagnose().sentence.contains("not sure enough"));
}

#[test]
fn a_kill_right_after_a_rollout_is_ambiguous_or_unsure() {
    let scene = Scene::new(200)
        .rollout("cart", 50)
        .shows("cart", Symptom::OomKilled, 70)
        .shows("cart", Symptom::ErrorRateHigh, 70)
        .reads("cart", |r| r.memory_working_set_max_bytes = Some(255.0 * MIB));
    unexplained(&scene);
}

#[test]
fn load_that_is_carried_or_ebbs_is_left_alone() {
    let carried = Scene::new(160).shows("search", Symptom::TrafficHigh, 60).shows("search", Symptom::CpuHigh, 70).reads("search", |r| {
        r.request_rate = Some(180.0);
        r.cpu_utilization = Some(0.85);
    });
    assert!(matches!(carried.abstains(), Abstention::SelfHealing { why } if why.contains("as well as ever")));
    let ebbing = Scene::new(160)
        .shows("search", Symptom::TrafficHigh, 60)
        .shows("search", Symptom::CpuHigh, 70)
        .shows("search", Symptom::LatencyHigh, 70)
        .reads("search", |r| r.request_rate = Some(110.0));
    assert!(matches!(ebbing.abstains(), Abstention::SelfHealing { why } if why.contains("back to 1.1 times")));
}

#[test]
fn a_wave_that_has_just_begun_is_not_scaled_yet() {
    let scene = Scene::new(80)
        .shows("search", Symptom::TrafficHigh, 60)
        .shows("search", Symptom::CpuHigh, 62)
        .reads("search", |r| r.request_rate = Some(180.0));
    assert!(matches!(scene.abstains(), Abstention::SelfHealing { .. }));
}

#[test]
fn load_that_only_the_figures_show_so_far_is_not_scaled_yet() {
    let scene = Scene::new(80)
        .waits_for("web", "search", 60)
        .shows("search", Symptom::CpuHigh, 62)
        .reads("search", |r| (r.request_rate, r.cpu_utilization) = (Some(180.0), Some(0.95)));
    assert!(matches!(scene.abstains(), Abstention::SelfHealing { why } if why.contains("only just risen")));
}

#[test]
fn a_release_that_served_well_for_minutes_is_not_blamed_for_whatever_comes() {
    let failing = |rolled_out: i64| {
        let scene = Scene::new(640).shows("search", Symptom::ErrorRateHigh, 600).rollout("search", rolled_out);
        scene.newest(|a| a.value = 0.3)
    };
    assert!(matches!(failing(590).diagnose().verdict, Verdict::Cause { .. }));
    failing(250).abstains();
}

#[test]
fn a_young_rollout_may_settle() {
    let young = Scene::new(75).rollout("cart", 50).shows("cart", Symptom::ErrorRateHigh, 60);
    assert!(matches!(young.abstains(), Abstention::SelfHealing { why } if why.contains("25 s old")));
    let moving =
        Scene::new(90).rollout("cart", 50).shows("cart", Symptom::ErrorRateHigh, 60).shows("cart", Symptom::ReplicasUnavailable, 55);
    assert!(matches!(moving.abstains(), Abstention::SelfHealing { .. }));
}

#[test]
fn what_has_ended_by_itself_is_over() {
    let mut scene = Scene::new(160).rollout("cart", 50).shows("cart", Symptom::ErrorRateHigh, 60);
    scene.anomalies[0].last_seen = at(100);
    assert!(matches!(scene.abstains(), Abstention::SelfHealing { why } if why.contains("60 s")));
}

#[test]
fn old_evidence_is_stale() {
    let mut scene = Scene::new(1000).shows("cart", Symptom::OomKilled, 40);
    scene.anomalies[0].last_seen = at(40);
    assert_eq!(scene.abstains(), Abstention::Stale);
}

#[test]
fn a_busy_service_is_not_cut_and_a_called_one_is_not_idle() {
    let trouble =
        Scene::new(120).agent(AgentKind::FinOps).shows("billing", Symptom::OverRequested, 0).shows("billing", Symptom::LatencyHigh, 60);
    unexplained(&trouble);
    unexplained(&Scene::new(120).agent(AgentKind::FinOps).shows("mail", Symptom::Idle, 0));
    let notice = Scene::new(120).agent(AgentKind::SecOps).shows("mail", Symptom::SecurityFinding, 110).newest(|a| a.score = 2.0);
    unexplained(&notice);
}

#[test]
fn without_readings_nothing_is_invented() {
    let mut scene = Scene::new(90).shows("cart", Symptom::OomKilled, 40).shows("cart", Symptom::Restarts, 40);
    scene.context.readings = no_readings();
    match scene.diagnose().verdict {
        Verdict::Cause { action: None, .. } | Verdict::Abstained { .. } => {}
        verdict => panic!("an action without figures: {verdict:?}"),
    }
}

#[test]
fn a_service_that_measures_itself_as_slow_without_a_reason_is_a_place_and_no_cause() {
    let scene = Scene::new(120)
        .shows("db", Symptom::LatencyHigh, 60)
        .shows("pricing", Symptom::LatencyHigh, 62)
        .waits_for("pricing", "db", 62)
        .shows("cart", Symptom::LatencyHigh, 65)
        .waits_for("cart", "pricing", 65);
    unexplained(&scene);
    // Its callers' pools fill up behind it: that is no reason either.
    let pools = scene.shows("pricing", Symptom::ConnectionsSaturated, 70).reads("pricing", |r| r.cpu_utilization = Some(0.1));
    unexplained(&pools);
}

#[test]
fn pods_of_one_node_alone_may_be_the_nodes_trouble() {
    let scene = || {
        Scene::new(120)
            .shows("index", Symptom::LatencyHigh, 60)
            .shows("index", Symptom::ErrorRateHigh, 60)
            .shows("index", Symptom::ConnectionsSaturated, 60)
            .reads("index", |r| r.cpu_utilization = Some(0.2))
    };
    unexplained(&scene().reads("index", |r| r.pools_full = Some((1, 3, Some("node-a".into())))));
    // And when the pools are empty again, the anomaly that still lingers proves nothing.
    unexplained(&scene().reads("index", |r| r.pools_full = Some((0, 3, None))));
    let stuck = scene().reads("index", |r| r.pools_full = Some((3, 3, None))).diagnose();
    assert!(matches!(stuck.verdict, Verdict::Cause { cause: picket_core::cause::Cause::StuckProcess, .. }), "{}", stuck.sentence);
}

#[test]
fn a_release_that_was_rolled_back_is_not_blamed_for_what_comes_later() {
    let scene = |rolled_back: bool| {
        let mut scene = Scene::new(200).rollout("index", 50).shows("index", Symptom::ErrorRateHigh, 160);
        if rolled_back {
            let what = "roll east/shop/index back to revision 3".to_owned();
            scene.context.changes.push(ChangeEvent { service: id("index"), kind: ChangeKind::Picket, at: at(90), what });
        }
        scene
    };
    assert!(matches!(scene(false).diagnose().verdict, Verdict::Cause { .. }));
    unexplained(&scene(true));
}

#[test]
fn what_falls_from_window_to_window_is_left_to_fall() {
    let release = |errors: f64| {
        Scene::new(100).rollout("cart", 50).shows("cart", Symptom::ErrorRateHigh, 60).reads("cart", |r| r.receding.errors = Some(errors))
    };
    assert!(matches!(release(0.4).abstains(), Abstention::SelfHealing { why } if why.contains("recedes")));
    assert!(matches!(release(0.95).diagnose().verdict, Verdict::Cause { .. }));
    let load = |of_peak: f64, now: i64| {
        Scene::new(now).shows("search", Symptom::TrafficHigh, 60).shows("search", Symptom::LatencyHigh, 62).reads("search", |r| {
            r.request_rate = Some(190.0);
            r.cpu_utilization = Some(0.9);
            r.receding.request_rate = Some(of_peak);
        })
    };
    assert!(matches!(load(0.8, 120).abstains(), Abstention::SelfHealing { why } if why.contains("ebbs")));
    assert!(matches!(load(1.0, 85).abstains(), Abstention::SelfHealing { why } if why.contains("only 25 s")));
    assert!(matches!(load(1.0, 120).diagnose().verdict, Verdict::Cause { .. }));
}

#[test]
fn what_was_over_long_ago_is_no_evidence_of_what_is_now() {
    let scene = |last_seen: i64| {
        Scene::new(300).rollout("index", 50).shows("index", Symptom::ErrorRateHigh, 60).newest(|a| a.last_seen = at(last_seen)).shows(
            "search",
            Symptom::LatencyHigh,
            280,
        )
    };
    let named = scene(290).diagnose();
    assert!(matches!(named.verdict, Verdict::Cause { cause: picket_core::cause::Cause::BadDeployment, .. }), "{}", named.sentence);
    unexplained(&scene(100));
}

#[test]
fn what_is_often_wrong_at_its_confidence_is_not_named_any_more() {
    // A callee that is slow with a full pool: named by default.
    let scene = Scene::new(120)
        .shows("index", Symptom::LatencyHigh, 60)
        .shows("index", Symptom::ConnectionsSaturated, 60)
        .shows("index", Symptom::CpuLow, 60)
        .reads("index", |r| r.cpu_utilization = Some(0.05));
    let diagnose = |reliability: Reliability| {
        let context = DiagnosisContext { reliability, ..scene.context.clone() };
        EvidenceEngine::new(SHELF.clone(), Settings::default()).diagnose_now(&scene.incident(), &context).unwrap()
    };
    let plain = diagnose(Reliability::default());
    assert_eq!(plain, scene.diagnose(), "nothing judged, nothing changed");
    assert!(matches!(plain.verdict, Verdict::Cause { .. }), "{}", plain.sentence);
    let outcomes = |right: usize, wrong: usize| {
        let mut reliability = Reliability::default();
        (0..right + wrong).for_each(|n| reliability.count(0.8 + 0.01 * (n % 20) as f64, n < right));
        reliability
    };
    let doubted = diagnose(outcomes(30, 20));
    let Verdict::Abstained { why: Abstention::LowConfidence { percent } } = doubted.verdict else { panic!("{}", doubted.sentence) };
    assert!(percent < 85 && doubted.confidence < 0.85, "{percent}");
    assert_eq!(doubted.ranking, plain.ranking, "the ranking keeps the posteriors");
    let trusted = diagnose(outcomes(20, 1));
    assert!(matches!(trusted.verdict, Verdict::Cause { .. }) && trusted.confidence > 0.85, "{}", trusted.sentence);
}

#[test]
fn what_happened_after_the_time_that_is_known_of_is_not_judged_yet() {
    // Metrics are known up to 120 s; the kill is known already, the rise of memory before it is not.
    let scene = Scene::new(120).shows("cart", Symptom::OomKilled, 130);
    assert_eq!(scene.abstains(), Abstention::Stale);
    unexplained(&Scene::new(120).shows("cart", Symptom::LatencyHigh, 100).shows("cart", Symptom::OomKilled, 130));
}
