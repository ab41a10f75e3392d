//! Grades of acts whose looks are written out.

use super::*;
use picket_core::ids::ServiceId;

fn health(at_s: i64, p95_s: f64, error_ratio: f64, active: &[Symptom]) -> Health {
    Health {
        at: Timestamp(at_s * 1000),
        active: active.to_vec(),
        p95_s: Some(p95_s),
        p95_usual_s: Some(0.1),
        error_ratio: Some(error_ratio),
        error_ratio_usual: Some(0.0),
    }
}

fn alone(target: Health) -> Look {
    Look { target, ..Look::default() }
}

fn watch(after: Vec<Look>) -> Watch {
    Watch {
        kind: RemediationKind::Rollback,
        undo: false,
        symptoms: vec![Symptom::LatencyHigh, Symptom::ErrorRateHigh],
        applied_at: Timestamp(0),
        before: alone(health(0, 0.5, 0.2, &[Symptom::LatencyHigh, Symptom::ErrorRateHigh])),
        after,
    }
}

fn grade_of(watch: &Watch, now_s: i64) -> Option<&'static str> {
    watch.grade(Timestamp(now_s * 1000), 60_000).map(|o| o.as_str())
}

fn grade(after: Vec<Health>, now_s: i64) -> Option<&'static str> {
    grade_of(&watch(after.into_iter().map(alone).collect()), now_s)
}

#[test]
fn three_good_looks_after_settling_recover() {
    let good = |at| health(at, 0.1, 0.0, &[]);
    assert_eq!(grade(vec![good(5), good(10), good(15), good(20)], 20), None);
    assert_eq!(grade(vec![good(15), good(20), good(25)], 25), Some("recovered"));
}

#[test]
fn three_worse_looks_regress_and_one_good_look_among_them_does_not_save_it() {
    let worse = |at| health(at, 0.5, 0.4, &[Symptom::ErrorRateHigh]);
    assert_eq!(grade(vec![worse(15), worse(20)], 20), None);
    assert_eq!(grade(vec![worse(15), worse(20), worse(25)], 25), Some("regressed"));
    let good = health(25, 0.1, 0.0, &[]);
    assert_eq!(grade(vec![worse(15), worse(20), good, worse(30)], 30), Some("regressed"));
}

#[test]
fn what_has_passed_again_is_not_undone() {
    let worse = |at| health(at, 0.5, 0.4, &[Symptom::ErrorRateHigh]);
    let looks = vec![worse(15), worse(20), health(25, 0.1, 0.0, &[]), health(30, 0.1, 0.0, &[]), health(35, 0.1, 0.0, &[])];
    assert_eq!(grade(looks, 35), Some("recovered"));
}

#[test]
fn as_bad_as_before_is_no_effect_at_the_end_of_the_window() {
    let same = |at| health(at, 0.5, 0.2, &[Symptom::ErrorRateHigh]);
    let looks: Vec<_> = (3..12).map(|i| same(i * 5)).collect();
    assert_eq!(grade(looks[..4].to_vec(), 20), None, "four looks");
    assert_eq!(grade(looks, 59), Some("no_effect"), "the failures do not fall");
    // They fall: it may still come right.
    let falling = |i: i64| health(i * 5, 0.5, 0.2 - 0.015 * i as f64, &[Symptom::ErrorRateHigh]);
    assert_eq!(grade((3..10).map(falling).collect(), 50), None);
    let slow = |i: i64| health(i * 5, 0.5, 0.0, &[Symptom::LatencyHigh]);
    assert_eq!(grade((3..7).map(slow).collect(), 34), None);
    assert_eq!(grade((3..8).map(slow).collect(), 39), Some("no_effect"), "as slow as ever");
    let faster = |i: i64| health(i * 5, 0.5 - 0.025 * i as f64, 0.0, &[Symptom::LatencyHigh]);
    assert_eq!(grade((3..8).map(faster).collect(), 39), None, "on its way");
    // What is neither slow nor failing, and still not well, gets the whole window.
    let seen = |i: i64| health(i * 5, 0.1, 0.0, &[Symptom::LatencyHigh]);
    assert_eq!(grade((3..12).map(seen).collect(), 59), None);
    assert_eq!(grade((3..12).map(seen).collect(), 60), Some("no_effect"));
    assert_eq!(grade(vec![], 60), Some("inconclusive"));
}

#[test]
fn a_quarantined_workload_is_not_graded_by_its_traffic() {
    let mut watch = watch((3..6).map(|i| alone(health(i * 5, 9.0, 1.0, &[Symptom::ErrorRateHigh]))).collect());
    watch.kind = RemediationKind::Quarantine;
    watch.symptoms = vec![Symptom::SecurityFinding];
    assert_eq!(grade_of(&watch, 30), Some("recovered"));
}

fn service(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

fn with_peers(mut look: Look, p95_s: f64, count: usize) -> Look {
    let at_s = look.target.at.0 / 1000;
    look.peers = (0..count).map(|n| (service(&format!("peer-{n}")), health(at_s, p95_s, 0.0, &[]))).collect();
    look
}

#[test]
fn what_befalls_everybody_is_not_the_acts_doing() {
    let worse = |at| alone(health(at, 2.0, 0.4, &[Symptom::ErrorRateHigh]));
    for (peers_p95_s, count, expected) in [(0.1, 4, Some("regressed")), (3.0, 4, None), (3.0, 2, Some("regressed"))] {
        let mut watch = watch((3..8).map(|i| with_peers(worse(i * 5), peers_p95_s, count)).collect());
        watch.before = with_peers(watch.before, 0.1, count);
        assert_eq!(grade_of(&watch, 40), expected, "{count} peers at {peers_p95_s} s");
    }
    let mut watch = watch((3..12).map(|i| with_peers(worse(i * 5), 3.0, 4)).collect());
    watch.before = with_peers(watch.before, 0.1, 4);
    assert_eq!(grade_of(&watch, 60), Some("inconclusive"), "nobody can tell");
}

#[test]
fn harm_to_a_caller_that_was_well_is_harm() {
    let caller = |look: Look, error_ratio| {
        let at_s = look.target.at.0 / 1000;
        Look { callers: [(service("frontend"), health(at_s, 0.1, error_ratio, &[]))].into(), ..look }
    };
    let target_well = |at| alone(health(at, 0.1, 0.0, &[]));
    let after = |error_ratio| (3..6).map(|i| caller(target_well(i * 5), error_ratio)).collect::<Vec<_>>();
    let mut watch = watch(after(0.3));
    watch.before = caller(watch.before, 0.0);
    let graded = watch.grade(Timestamp(25_000), 60_000);
    assert!(matches!(&graded, Some(Outcome::Regressed { why }) if why.contains("frontend")), "{graded:?}");
    watch.before = caller(watch.before, 0.3);
    assert_eq!(grade_of(&watch, 25), Some("recovered"), "it failed as much before");
}

#[test]
fn a_saving_is_watched_for_longer() {
    let good = |i: i64| alone(health(i * 5, 0.1, 0.0, &[]));
    let saving =
        |looks: i64| Watch { symptoms: vec![Symptom::OverRequested], before: good(0), ..watch((3..3 + looks).map(good).collect()) };
    assert_eq!(grade_of(&saving(5), 40), None);
    assert_eq!(grade_of(&saving(6), 45), Some("recovered"));
}
