use super::*;
use crate::rank;
use crate::reason::weigh;
use crate::validate::{Rejection, validate};
use picket_core::action::{Action, Remediation};
use picket_core::cause::Cause;
use picket_core::diagnosis::Hypothesis;
use picket_core::evidence::{Evidence, EvidenceSource};
use picket_core::ids::DocumentId;
use picket_core::knowledge::{Document, Passage};
use proptest::prelude::*;

pub(super) fn scene() -> Scene {
    Scene::new(120).rollout("pricing", 50).shows("pricing", Symptom::ErrorRateHigh, 60).shows("cart", Symptom::ErrorRateHigh, 65)
}

fn evidence() -> Vec<Evidence> {
    vec![
        Evidence { id: "e1".into(), source: EvidenceSource::Anomaly, text: "errors".into(), weight: 2.0, at: at(60) },
        Evidence { id: "e2".into(), source: EvidenceSource::Graph, text: "place".into(), weight: 1.0, at: at(60) },
        Evidence { id: "e3".into(), source: EvidenceSource::Anomaly, text: "against".into(), weight: -1.0, at: at(60) },
    ]
}

fn says(cause: Cause, service: &str, citations: &[&str]) -> Hypothesis {
    Hypothesis {
        cause: Some(cause),
        service: id(service),
        probability: 0.95,
        citations: citations.iter().map(ToString::to_string).collect(),
        reasoner: "a-model".into(),
        tokens: 10,
        cost_usd: 0.01,
    }
}

fn rollback(service: &str) -> Action {
    Action { service: id(service), remediation: Remediation::Rollback { to_revision: 3 } }
}

fn passages() -> Vec<Passage> {
    SHELF.search("bad deployment rollback errors after a rollout", 8).unwrap()
}

fn check(scene: &Scene, hypothesis: &Hypothesis, action: Option<&Action>, passages: &[Passage]) -> Result<Vec<DocumentId>, Rejection> {
    validate(hypothesis, action, &evidence(), passages, &scene.incident(), &scene.context)
}

fn contradicted(result: Result<Vec<DocumentId>, Rejection>, says: &str) {
    match result {
        Err(Rejection::Contradicted(why)) => assert!(why.contains(says), "`{why}` does not say `{says}`"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_hypothesis_passes_with_its_runbooks() {
    let documents =
        check(&scene(), &says(Cause::BadDeployment, "pricing", &["e1", "e2"]), Some(&rollback("pricing")), &passages()).unwrap();
    assert!(documents.contains(&"bad-deployment".into()) || documents.contains(&"rollback-safely".into()), "{documents:?}");
}

#[test]
fn an_uncited_hypothesis_is_discarded() {
    // Nothing, something that does not exist, only a place on the graph, only what speaks against it.
    for citations in [&[][..], &["e1", "e9"], &["e2"], &["e3"]] {
        assert_eq!(
            check(&scene(), &says(Cause::BadDeployment, "pricing", citations), None, &passages()),
            Err(Rejection::Uncited),
            "{citations:?}"
        );
    }
    let nothing = Hypothesis { cause: None, ..says(Cause::BadDeployment, "pricing", &["e1"]) };
    assert_eq!(check(&scene(), &nothing, None, &passages()), Err(Rejection::NoCause));
}

#[test]
fn the_structure_can_contradict() {
    let cite = &["e1"][..];
    let elsewhere = Action { service: id("cart"), ..rollback("pricing") };
    let wrong_kind = Action { service: id("pricing"), remediation: Remediation::RolloutRestart };
    let bad = says(Cause::BadDeployment, "pricing", cite);
    contradicted(check(&scene(), &bad, Some(&elsewhere), &passages()), "the action is on");
    contradicted(check(&scene(), &bad, Some(&wrong_kind), &passages()), "is no remedy for bad_deployment");
    contradicted(check(&scene(), &bad, Some(&rollback("pricing")), &[]), "no runbook");
    contradicted(check(&scene(), &says(Cause::BadDeployment, "mail", cite), None, &passages()), "not part of the incident");
    contradicted(
        check(&scene(), &says(Cause::BadDeployment, "cart", cite), None, &passages()),
        "needs evidence that is missing: no rollout of cart",
    );
    contradicted(check(&scene(), &says(Cause::StuckProcess, "pricing", cite), None, &passages()), "needs evidence that is missing");
    contradicted(check(&scene(), &Hypothesis { probability: f64::NAN, ..bad }, None, &passages()), "not a number");
}

#[test]
fn an_effect_does_not_come_before_its_cause() {
    let late =
        Scene::new(400).rollout("pricing", 290).shows("cart", Symptom::ErrorRateHigh, 60).shows("pricing", Symptom::ErrorRateHigh, 300);
    contradicted(check(&late, &says(Cause::BadDeployment, "pricing", &["e1"]), None, &passages()), "an effect does not come first");
    let why = late.abstains();
    assert!(matches!(why, Abstention::Contradicted { .. } | Abstention::LowConfidence { .. } | Abstention::UnknownCause), "{why:?}");
}

#[test]
fn without_a_runbook_for_the_remedy_the_engine_abstains() {
    let other = Document {
        id: "x".into(),
        title: "Errors after a rollout".into(),
        cause: Some(Cause::BadDeployment),
        remedies: Vec::new(),
        text: "Look.".into(),
    };
    let engine = EvidenceEngine::new(Arc::new(Retriever::new(vec![other], None).unwrap()), Settings::default());
    let scene = scene();
    let diagnosis = engine.diagnose_now(&scene.incident(), &scene.context).unwrap();
    assert!(
        matches!(diagnosis.verdict, Verdict::Abstained { why: Abstention::Contradicted { ref why } } if why.contains("no runbook")),
        "{diagnosis:?}"
    );
}

#[test]
fn the_rank_goes_from_callers_to_callees() {
    let scene = Scene::new(120)
        .shows("web", Symptom::LatencyHigh, 62)
        .waits_for("web", "cart", 62)
        .shows("cart", Symptom::LatencyHigh, 61)
        .waits_for("cart", "pricing", 61)
        .shows("pricing", Symptom::LatencyHigh, 60);
    let ranked = rank(&scene.incident(), &scene.context);
    assert_eq!(ranked[0].service, id("pricing"));
    assert!((ranked[0].score - 1.0).abs() < 1e-9 && !ranked[0].reasons.is_empty());
    assert_eq!(ranked.last().unwrap().service, id("web"));
    let changed = scene.rollout("cart", 55);
    let score = |name| rank(&changed.incident(), &changed.context).into_iter().find(|r| r.service == id(name)).unwrap().score;
    assert!(score("cart") > ranked.iter().find(|r| r.service == id("cart")).unwrap().score, "a change before its first symptom raises it");
}

const SYMPTOMS: [Symptom; 14] = [
    Symptom::LatencyHigh,
    Symptom::ErrorRateHigh,
    Symptom::TrafficHigh,
    Symptom::MemoryHigh,
    Symptom::OomKilled,
    Symptom::Restarts,
    Symptom::CrashLoop,
    Symptom::CpuHigh,
    Symptom::CpuLow,
    Symptom::ReplicasUnavailable,
    Symptom::DiskFilling,
    Symptom::ConnectionsSaturated,
    Symptom::SecurityFinding,
    Symptom::DependencyLatencyHigh,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in, probabilities are probabilities, claims cite evidence, actions are remedies of their cause.
    #[test]
    fn any_incident_is_answered_soundly(
        shown in prop::collection::vec((0usize..8, 0usize..14, 0i64..200, prop::num::f64::ANY), 1..12),
        rolled in prop::option::of((0usize..8, 0i64..200)),
    ) {
        let names = ["web", "cart", "search", "pricing", "db", "index", "mail", "billing"];
        let mut scene = Scene::new(220);
        for (service, symptom, onset, score) in shown {
            scene = scene.shows(names[service], SYMPTOMS[symptom], onset).newest(|a| a.score = score);
        }
        if let Some((service, when)) = rolled {
            scene = scene.rollout(names[service], when);
        }
        let incident = scene.incident();
        let ranked = rank(&incident, &scene.context);
        for r in &ranked {
            prop_assert!((0.0..=1.0).contains(&r.score));
        }
        for weighed in weigh(&incident, &scene.context, &ranked) {
            prop_assert!((0.0..=0.99).contains(&weighed.probability));
        }
        let diagnosis = scene.diagnose();
        if let Verdict::Cause { cause, service, action } = &diagnosis.verdict {
            prop_assert!(diagnosis.evidence.iter().any(|e| e.weight > 0.0));
            if let Some(action) = action {
                prop_assert!(cause.remedies().contains(&action.kind()));
                prop_assert_eq!(&action.service, service);
                prop_assert!(!diagnosis.documents.is_empty());
            }
        }
    }
}
