//! Models beside the built-in reasoner: what they are shown, what becomes of their answers, and that none of them makes an act.

use super::*;
use crate::compress::{Compressor, rough_tokens};
use crate::model::{AdvisedEngine, Caps, Panel, Price};
use picket_core::action::Digest;
use picket_core::cause::Cause;
use picket_core::knowledge::Document;
use picket_core::opinion::{ModelReply, ModelRequest, Stance, Unusable, Usage};
use picket_core::ports::ModelClient;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

type Says = Box<dyn Fn(&ModelRequest) -> Result<String, Unusable> + Send + Sync>;

/// A model that says what it is told to, when it is told to.
pub(super) struct Puppet {
    name: &'static str,
    says: Says,
    answers: AtomicBool,
    pub(super) asked: Mutex<BTreeMap<Digest, ModelRequest>>,
}

impl Puppet {
    pub(super) fn new(name: &'static str, says: impl Fn(&ModelRequest) -> Result<String, Unusable> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { name, says: Box::new(says), answers: AtomicBool::new(true), asked: Mutex::default() })
    }
}

/// The engine owns its models; a test keeps a hand on them.
#[derive(Clone)]
pub(super) struct Hand(pub(super) Arc<Puppet>);

impl ModelClient for Hand {
    fn model(&self) -> &str {
        self.0.name
    }

    fn begin(&self, key: &Digest, request: ModelRequest) {
        self.0.asked.lock().unwrap().entry(key.clone()).or_insert(request);
    }

    async fn collect(&self, key: &Digest, _: u64) -> Option<ModelReply> {
        if !self.0.answers.load(Ordering::SeqCst) {
            return None;
        }
        let request = self.0.asked.lock().unwrap()[key].clone();
        Some(ModelReply { text: (self.0.says)(&request), usage: Some(Usage { input_tokens: 1000, output_tokens: 100 }) })
    }
}

const PRICE: Price = Price { input: 3.0, output: 15.0 };
const PLENTY: Caps = Caps { hour_micro_usd: 100_000_000, incident_micro_usd: 100_000_000 };
/// A thousand tokens read at 3 and a hundred written at 15 US dollars a million.
const CALL_USD: f64 = 0.0045;

pub(super) fn engine(shelf: &Arc<Retriever>, models: &[&Arc<Puppet>], caps: Caps, settings: Settings) -> AdvisedEngine<Hand> {
    let models = models.iter().map(|m| (Hand((*m).clone()), PRICE)).collect();
    AdvisedEngine::new(
        EvidenceEngine::new(shelf.clone(), settings),
        Panel { models, output_tokens_max: 1000, caps, wait_ms: 0, compressor: None },
    )
}

pub(super) fn asked(scene: &Scene, models: &[&Arc<Puppet>]) -> Diagnosis {
    ready(engine(&SHELF, models, PLENTY, Settings::default()).diagnose(&scene.incident(), &scene.context)).unwrap()
}

/// An answer that cites everything it was shown.
pub(super) fn answer(request: &ModelRequest, cause: &str, service: &str, action: &str) -> String {
    let data: Value = serde_json::from_str(&request.data).unwrap();
    let ids = |list: &str| data[list].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let name = |one: &&Value| one["name"].as_str().is_some_and(|name| name.ends_with(&format!("/{service}")));
    let place = data["services"].as_array().unwrap().iter().find(name).map_or(json!("s1"), |one| one["id"].clone());
    let cited: Vec<_> = ids("evidence").into_iter().chain(ids("runbooks")).collect();
    json!({ "cause": cause, "service": place, "probability": 0.99, "citations": cited, "action": action }).to_string()
}

fn says(name: &'static str, cause: &'static str, service: &'static str, action: &'static str) -> Arc<Puppet> {
    Puppet::new(name, move |request| Ok(answer(request, cause, service, action)))
}

fn scene() -> Scene {
    super::structure::scene()
}

/// The scene's own answer is a bad deployment of pricing. This one also has a memory kill of pricing to blame.
fn torn() -> Scene {
    scene().shows("pricing", Symptom::OomKilled, 62).reads("pricing", |r| r.memory_working_set_max_bytes = Some(255.0 * MIB))
}

/// A new revision of pricing that does not start; as a bad deployment it would be explained too, only worse.
fn disputed() -> Scene {
    scene().shows("pricing", Symptom::CrashLoop, 70).shows("pricing", Symptom::ReplicasUnavailable, 62)
}

#[test]
fn a_model_that_agrees_changes_nothing_but_the_record() {
    let model = says("sage", "bad_deployment", "pricing", "rollback");
    let (alone, advised) = (scene().diagnose(), asked(&scene(), &[&model]));
    assert_eq!((&advised.verdict, advised.confidence, &advised.documents), (&alone.verdict, alone.confidence, &alone.documents));
    assert!(matches!(advised.verdict, Verdict::Cause { action: Some(_), .. }));
    assert_eq!(advised.opinions[0].stance, Stance::Agrees, "{}", advised.sentence);
    assert_eq!((advised.opinions[0].tokens, advised.reasoner.as_str()), (1100, "evidence, sage"));
    assert!((advised.cost_usd - CALL_USD).abs() < 1e-12 && advised.sentence.contains("sage agrees"), "{}", advised.sentence);
}

#[test]
fn passages_are_shown_within_the_budget_and_still_support_the_answer() {
    const BUDGET: usize = 60;
    let shown = |compressor: Option<Compressor>| {
        let model = says("sage", "bad_deployment", "pricing", "rollback");
        let panel = Panel { models: vec![(Hand(model.clone()), PRICE)], output_tokens_max: 1000, caps: PLENTY, wait_ms: 0, compressor };
        let engine = AdvisedEngine::new(EvidenceEngine::new(SHELF.clone(), Settings::default()), panel);
        let diagnosis = ready(engine.diagnose(&scene().incident(), &scene().context)).unwrap();
        assert_eq!(diagnosis.opinions[0].stance, Stance::Agrees, "{}", diagnosis.sentence);
        let request = model.asked.lock().unwrap().values().next().unwrap().clone();
        let data: Value = serde_json::from_str(&request.data).unwrap();
        let texts = data["runbooks"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap().to_owned());
        texts.map(|text| rough_tokens(&text)).sum::<usize>()
    };
    let short = Compressor { target_tokens: BUDGET, count: Arc::new(rough_tokens) };
    let (whole, shortened) = (shown(None), shown(Some(short)));
    assert!(whole > BUDGET && (1..=BUDGET).contains(&shortened), "{whole} to {shortened}");
}

#[test]
fn the_second_model_sees_what_the_first_saw_and_not_what_it_said() {
    let (first, second) = (says("first", "bad_deployment", "pricing", "rollback"), says("second", "unknown", "pricing", "none"));
    let advised = asked(&scene(), &[&first, &second]);
    let shown = |p: &Puppet| p.asked.lock().unwrap().values().cloned().collect::<Vec<_>>();
    assert_eq!(shown(&first), shown(&second));
    let data = shown(&second)[0].data.clone();
    assert!(!data.contains("first") && !data.contains("ranks") && !data.contains("would not explain"), "{data}");
    assert_eq!(advised.opinions.iter().map(|o| &o.stance).collect::<Vec<_>>(), [&Stance::Agrees, &Stance::Unknown]);
    assert!(advised.confidence < scene().diagnose().confidence, "who knows no cause has doubts");
}

/// Every cause on every service, so that no luck is in it.
#[test]
fn dissent_lowers_the_confidence_and_agreement_never_raises_it() {
    let mut dissents = 0;
    for scene in [disputed(), torn(), super::causes::memory_limit()] {
        let alone = EvidenceEngine::new(SHELF.clone(), Settings::default()).diagnose_now(&scene.incident(), &scene.context).unwrap();
        for cause in Cause::ALL {
            for service in ["pricing", "cart", "web", "db"] {
                let one = says("one", cause.as_str(), service, "none");
                let two = says("two", cause.as_str(), service, "none");
                let (by_one, by_two) = (asked(&scene, &[&one]), asked(&scene, &[&one, &two]));
                assert!(by_two.confidence <= by_one.confidence && by_one.confidence <= alone.confidence);
                let unused = matches!(by_one.opinions[0].stance, Stance::Unusable { .. });
                assert!(!unused || by_one.verdict == alone.verdict, "what does not stand counts for nothing");
                if matches!(by_one.opinions[0].stance, Stance::Disagrees { .. }) {
                    dissents += 1;
                    assert!(by_one.confidence < alone.confidence);
                    assert!(matches!(by_two.verdict, Verdict::Abstained { .. }), "two against one: {:?}", by_two.verdict);
                }
            }
        }
    }
    assert!(dissents > 0, "no scene was torn");
}

#[test]
fn every_kind_of_failure_leaves_the_built_in_answer_and_is_recorded() {
    let alone = scene().diagnose();
    let why = || "so".to_owned();
    let failures = [
        Unusable::Refused,
        Unusable::Truncated,
        Unusable::Malformed { why: why() },
        Unusable::RateLimited,
        Unusable::TimedOut,
        Unusable::Unavailable { why: why() },
        Unusable::Rejected { why: why() },
        Unusable::TooLong,
    ];
    for failure in failures {
        let says = failure.clone();
        let advised = asked(&scene(), &[&Puppet::new("m", move |_| Err(says.clone()))]);
        assert_eq!((&advised.verdict, advised.confidence), (&alone.verdict, alone.confidence), "{failure}");
        assert_eq!(advised.opinions[0].stance, Stance::Unusable { why: failure.clone() });
        assert!(advised.sentence.contains(&failure.to_string()) && advised.reasoner == "evidence", "{}", advised.sentence);
    }
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_is_not_used() {
    let good = |request: &ModelRequest| serde_json::from_str::<Value>(&answer(request, "bad_deployment", "pricing", "rollback")).unwrap();
    let with = |key: &'static str, value: Value| {
        asked(
            &scene(),
            &[&Puppet::new("m", move |request| {
                let mut answer = good(request);
                answer[key] = value.clone();
                Ok(answer.to_string())
            })],
        )
    };
    let kind = |diagnosis: &Diagnosis| match &diagnosis.opinions[0].stance {
        Stance::Unusable { why } => why.as_str(),
        other => panic!("{other:?}"),
    };
    for (key, value, expected) in [
        ("cause", json!("gremlins"), "off_catalogue"),
        ("cause", json!(7), "malformed"),
        ("service", json!("east/shop/pricing"), "off_catalogue"),
        ("service", json!("s99"), "off_catalogue"),
        ("action", json!("quarantine_everything"), "off_catalogue"),
        ("action", json!("quarantine"), "off_catalogue"),
        ("action", json!("rollout_restart"), "off_catalogue"),
        ("probability", json!(1.5), "malformed"),
        ("probability", json!("sure"), "malformed"),
        ("citations", json!([]), "uncited"),
        ("citations", json!(["e1", "e999"]), "uncited"),
        ("citations", json!(["r1"]), "uncited"),
        ("citations", json!([{ "id": "e1" }]), "malformed"),
        ("citations", json!("e1"), "malformed"),
        ("target", json!("kube-system"), "malformed"),
        ("parameters", json!({ "replicas": 0 }), "malformed"),
    ] {
        let diagnosis = with(key, value.clone());
        assert_eq!(kind(&diagnosis), expected, "{key}: {value}");
        assert_eq!(diagnosis.verdict, scene().diagnose().verdict);
    }
    for text in ["", "no JSON", "[]", "null", "{}", "{\"cause\": \"bad_deployment\"", "```json\n{}\n```", "{\"cause\": NaN}"] {
        assert_eq!(kind(&asked(&scene(), &[&Puppet::new("m", move |_| Ok(text.to_owned()))])), "malformed", "{text}");
    }
    let long = asked(&scene(), &[&Puppet::new("m", |_| Ok("x".repeat(100_000)))]);
    assert_eq!(kind(&long), "too_long");
}

#[test]
fn an_action_needs_a_cited_runbook_that_supports_it() {
    let uncited = Puppet::new("m", |request| {
        let mut value: Value = serde_json::from_str(&answer(request, "bad_deployment", "pricing", "rollback")).unwrap();
        let cited = value["citations"].as_array_mut().unwrap();
        cited.retain(|id| id.as_str().is_some_and(|id| id.starts_with('e')));
        Ok(value.to_string())
    });
    let opinion = asked(&scene(), &[&uncited]).opinions.remove(0);
    assert!(
        matches!(&opinion.stance, Stance::Unusable { why: Unusable::Contradicted { why } } if why.contains("no runbook")),
        "{opinion:?}"
    );
}

#[test]
fn until_the_models_have_answered_nothing_is_done_and_then_once() {
    let model = says("slow", "bad_deployment", "pricing", "rollback");
    let engine = engine(&SHELF, &[&model], PLENTY, Settings::default());
    let scene = scene();
    let look = || ready(engine.diagnose(&scene.incident(), &scene.context)).unwrap();
    model.answers.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        let waiting = look();
        assert_eq!(waiting.verdict, Verdict::Abstained { why: Abstention::AwaitingOpinion });
        assert_eq!(waiting.opinions[0].stance, Stance::Pending);
        assert!(!waiting.sentence.contains("I propose"), "{}", waiting.sentence);
    }
    model.answers.store(true, Ordering::SeqCst);
    assert_eq!(look().verdict, scene.diagnose().verdict);
    let last = look();
    assert_eq!(model.asked.lock().unwrap().len(), 1, "one question for one incident that does not change");
    assert!((last.cost_usd - CALL_USD).abs() < 1e-12, "and one bill");
}

#[test]
fn caps_are_kept_and_said() {
    let model = says("m", "bad_deployment", "pricing", "rollback");
    let spent = |caps| {
        let engine = engine(&SHELF, &[&model], caps, Settings::default());
        let diagnosis = ready(engine.diagnose(&scene().incident(), &scene().context)).unwrap();
        assert_eq!(diagnosis.verdict, scene().diagnose().verdict);
        match &diagnosis.opinions[0].stance {
            Stance::Unusable { why } => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(spent(Caps { hour_micro_usd: 1000, ..PLENTY }), Unusable::HourSpent);
    assert_eq!(spent(Caps { incident_micro_usd: 1000, ..PLENTY }), Unusable::IncidentSpent);
    assert!(model.asked.lock().unwrap().is_empty(), "what may not be paid for is not asked");
}

#[test]
fn a_server_that_fails_again_and_again_is_left_alone_for_a_minute() {
    let model = Puppet::new("m", |_| Err(Unusable::TimedOut));
    let engine = engine(&SHELF, &[&model], PLENTY, Settings::default());
    let look = |id: usize, now: i64| {
        let scene = Scene::new(now).rollout("pricing", now - 70).shows("pricing", Symptom::ErrorRateHigh, now - 60).shows(
            "cart",
            Symptom::ErrorRateHigh,
            now - 55,
        );
        let incident = Incident { id: format!("inc-{id}").into(), ..scene.incident() };
        ready(engine.diagnose(&incident, &scene.context)).unwrap()
    };
    for id in 0..5 {
        let diagnosis = look(id, 120);
        assert!(matches!(diagnosis.verdict, Verdict::Cause { .. }), "{}", diagnosis.sentence);
    }
    assert_eq!(model.asked.lock().unwrap().len(), 3);
    look(5, 200);
    assert_eq!(model.asked.lock().unwrap().len(), 4, "after a minute it is tried again");
}

#[test]
fn a_hint_for_what_is_not_sure_is_said_and_not_acted_on() {
    let faint = Scene::new(120).shows("pricing", Symptom::ErrorRateHigh, 60).shows("pricing", Symptom::ErrorLogsHigh, 60);
    assert!(matches!(faint.diagnose().verdict, Verdict::Abstained { .. }));
    for cause in Cause::ALL {
        for service in ["pricing", "cart"] {
            let (one, two) = (says("one", cause.as_str(), service, "none"), says("two", cause.as_str(), service, "none"));
            let advised = asked(&faint, &[&one, &two]);
            assert!(matches!(advised.verdict, Verdict::Abstained { .. }), "{cause} on {service}: {:?}", advised.verdict);
        }
    }
}

#[test]
fn what_passes_by_itself_is_not_worth_a_question() {
    let ebbing = Scene::new(120).shows("cart", Symptom::TrafficHigh, 60);
    assert!(matches!(ebbing.abstains(), Abstention::SelfHealing { .. }));
    let model = says("m", "load_surge", "cart", "scale");
    asked(&ebbing, &[&model]);
    assert!(model.asked.lock().unwrap().is_empty());
}

#[test]
fn no_planted_secret_is_in_what_a_model_is_sent() {
    let planted = ["hunter2", "AKIAQYLPMN5HHHFPZAM2", "jane.doe@example.com", "4111 1111 1111 1111", "203.0.113.7", "q1w2e3r4t5y6"];
    let mut scene = scene()
        .newest(|a| a.series = "log of login: password=hunter2 for jane.doe@example.com from 203.0.113.7".into())
        .shows("pricing", Symptom::SecurityFinding, 70)
        .newest(|a| a.object = Some("curl -H 'Authorization: Bearer q1w2e3r4t5y6' with AKIAQYLPMN5HHHFPZAM2".into()));
    scene.context.changes[0].what = "revision 4 (pay with 4111 1111 1111 1111) rolled out".into();
    let leak = Document {
        id: "leak".into(),
        title: "Errors after a rollout (password: hunter2)".into(),
        cause: Some(Cause::BadDeployment),
        remedies: vec![picket_core::action::RemediationKind::Rollback],
        text: "## Bad deployment\nRoll back a bad deployment after errors. postgres://ops:hunter2@db/orders, jane.doe@example.com".into(),
    };
    let shelf = Arc::new(Retriever::new(shipped().into_iter().chain([leak]).collect(), None).unwrap());
    let model = says("m", "bad_deployment", "pricing", "rollback");
    ready(engine(&shelf, &[&model], PLENTY, Settings::default()).diagnose(&scene.incident(), &scene.context)).unwrap();
    let sent = model.asked.lock().unwrap().values().map(|r| format!("{}{}{}", r.instructions, r.data, r.schema)).collect::<String>();
    for secret in planted {
        assert!(!sent.contains(secret), "{secret} is in {sent}");
    }
    assert!(sent.contains("[redacted: ") && sent.contains("east/shop/pricing") && sent.contains("[redacted: card]"), "{sent}");
}

#[test]
fn a_rival_with_evidence_of_its_own_makes_it_ambiguous_however_low_the_bar() {
    let low = Settings { min_confidence: 0.5, min_confidence_irreversible: 0.5, ..Settings::default() };
    let engine = EvidenceEngine::new(SHELF.clone(), low);
    let mut rivalled = 0;
    for scene in [scene(), torn(), torn().rises("pricing", 10), super::causes::memory_limit().rollout("cart", 20)] {
        let incident = scene.incident();
        let weighed = crate::reason::weigh(&incident, &scene.context, &crate::rank(&incident, &scene.context));
        if let Verdict::Cause { cause, service, .. } = &engine.diagnose_now(&incident, &scene.context).unwrap().verdict {
            let named = weighed.iter().find(|w| w.cause == *cause && &w.service == service).unwrap();
            assert!(named.rival.is_none_or(|(_, share)| share < 0.25), "{named:?}");
        }
        rivalled += usize::from(weighed.iter().any(|w| w.probability >= 0.5 && w.rival.is_some_and(|(_, share)| share >= 0.25)));
    }
    assert!(rivalled > 0, "in no scene does a likely cause have a rival");
}
