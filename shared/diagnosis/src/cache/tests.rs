use super::*;
use crate::embed_hash::HashEmbedder;
use picket_core::ids::{DocumentId, ServiceId};
use picket_core::ports::Embedder as _;
use picket_core::severity::Severity;
use proptest::prelude::*;

fn key(alert: &str) -> CacheKey {
    CacheKey {
        alert: alert.to_owned(),
        severity: Severity::Two,
        resource_kind: "Node".to_owned(),
        runbook_version: "r1".to_owned(),
        catalogue_version: "c1".to_owned(),
    }
}

fn service(name: &str) -> ServiceId {
    ServiceId::new("east", "shop", name)
}

fn answer(document: &str, about: Option<&str>) -> Answer {
    let passage = Passage {
        document: DocumentId(document.to_owned()),
        title: document.to_owned(),
        heading: "What to do".to_owned(),
        text: "Free space.".to_owned(),
        score: 1.0,
        cause: None,
        remedies: Vec::new(),
    };
    let hypothesis = about.map(|name| Hypothesis {
        cause: None,
        service: service(name),
        probability: 0.9,
        citations: vec!["e1".to_owned()],
        reasoner: "model".to_owned(),
        tokens: 10,
        cost_usd: 0.01,
    });
    Answer { passages: vec![passage], hypothesis }
}

fn vector(question: &Question) -> Vec<f32> {
    HashEmbedder.embed(&[question.text().to_owned()]).unwrap().remove(0)
}

fn put(cache: &mut SemanticCache, question: &Question, answer: Answer, now: i64) {
    cache.put(question.clone(), vector(question), answer, Timestamp(now));
}

fn get(cache: &mut SemanticCache, question: &Question, now: i64) -> Option<Hit> {
    cache.get(question, &vector(question), Timestamp(now))
}

fn asked(alert: &str, text: &str) -> Question {
    Question::new(key(alert), service("cart"), text, &[])
}

#[test]
fn another_instance_of_the_same_trouble_hits_and_says_so() {
    let mut cache = SemanticCache::new(CacheSettings::default());
    let about = |pod: &str, volume: &str, name: &str| {
        let text = format!("Volume {volume} of {name} on pod shop/{pod} is over 85% full.");
        Question::new(key("VolumeFull"), service(name), &text, &[name])
    };
    let first = about("cart-6d5f8b9c7-x2x4z", "pvc-0a1b2c3d", "cart");
    put(&mut cache, &first, answer("disk", Some("cart")), 0);
    let hit = get(&mut cache, &about("cart-7c9d8f5b4-qqqw9", "pvc-9f8e7d6c", "cart"), 42_000).unwrap();
    assert_eq!(hit.answer, answer("disk", Some("cart")));
    assert!(hit.note().contains("passages and hypothesis from the cache: asked of VolumeFull 42 s ago"), "{}", hit.note());
    // Of another service the runbook is the same, what was thought of the first one is not.
    let hit = get(&mut cache, &about("checkout-7c9d8f5b4-qqqw9", "pvc-9f8e7d6c", "checkout"), 43_000).unwrap();
    assert_eq!(hit.answer, answer("disk", None));
    assert!(hit.note().starts_with("passages from the cache"), "{}", hit.note());
}

#[test]
fn near_full_never_answers_critically_full() {
    let near =
        "CephOSDNearFull: utilization of back-end storage device osd.3 has crossed 75% on host node-7. Immediately free up some space.";
    let full = "CephOSDCriticallyFull: utilization of back-end storage device osd.3 has crossed 80% on host node-7. Immediately free up some space.";
    let mut cache = SemanticCache::new(CacheSettings { similarity_min: 0.0, ..CacheSettings::default() });
    put(&mut cache, &asked("CephOSDNearFull", near), answer("near", None), 0);
    assert_eq!(get(&mut cache, &asked("CephOSDCriticallyFull", full), 1), None, "by the key");
    for other in [full, &near.replace("75%", "80%"), &near.replace("NearFull", "Full"), &near.replace("has crossed", "has not crossed")] {
        assert_eq!(get(&mut cache, &asked("CephOSDNearFull", other), 1), None, "{other}");
    }
    assert!(get(&mut cache, &asked("CephOSDNearFull", &near.replace("osd.3", "osd.12").replace("node-7", "node-11")), 1).is_some());
}

#[test]
fn every_part_of_the_key_counts() {
    let text = "the disk fills";
    let mut cache = SemanticCache::new(CacheSettings::default());
    put(&mut cache, &asked("Disk", text), answer("disk", None), 0);
    let with = |change: fn(&mut CacheKey)| {
        let mut other = key("Disk");
        change(&mut other);
        Question::new(other, service("cart"), text, &[])
    };
    let changes: [fn(&mut CacheKey); 5] = [
        |k| k.alert.push('2'),
        |k| k.severity = Severity::Three,
        |k| k.resource_kind.push('2'),
        |k| k.runbook_version.push('2'),
        |k| k.catalogue_version.push('2'),
    ];
    for change in changes {
        assert_eq!(get(&mut cache, &with(change), 1), None);
    }
    assert!(get(&mut cache, &with(|_| ()), 1).is_some());
    let blank: [fn(&mut CacheKey); 4] =
        [|k| k.alert.clear(), |k| k.resource_kind.clear(), |k| k.runbook_version.clear(), |k| k.catalogue_version.clear()];
    for change in blank {
        put(&mut cache, &with(change), answer("disk", None), 1);
        assert_eq!((get(&mut cache, &with(change), 1), cache.len()), (None, 1), "a key with a blank tells nothing apart");
    }
}

#[test]
fn other_words_and_vectors_that_are_none_do_not_hit() {
    let mut cache = SemanticCache::new(CacheSettings::default());
    let question = asked("Disk", "the disk of the node fills and needs room");
    put(&mut cache, &question, answer("disk", None), 0);
    assert_eq!(get(&mut cache, &asked("Disk", "a certificate ends and has to be renewed"), 1), None);
    for none in [vec![], vec![0.0; 256], vec![f32::NAN; 256], vec![1.0; 3]] {
        assert_eq!(cache.get(&question, &none, Timestamp(1)), None);
        cache.put(asked("Other", "x"), none, answer("x", None), Timestamp(1));
    }
    assert_eq!(get(&mut cache, &asked("Other", "x"), 1), None, "no vector, no answer");
}

#[test]
fn it_forgets_by_age_and_makes_room_by_use() {
    let mut cache = SemanticCache::new(CacheSettings { entries_max: 2, ttl_ms: 100, ..CacheSettings::default() });
    let [a, b, c] = ["A", "B", "C"].map(|alert| asked(alert, "the disk fills"));
    put(&mut cache, &a, answer("a", None), 0);
    put(&mut cache, &b, answer("b", None), 0);
    assert!(get(&mut cache, &a, 50).is_some());
    put(&mut cache, &c, answer("c", None), 60);
    assert!(get(&mut cache, &b, 61).is_none(), "b was unused the longest");
    assert!(get(&mut cache, &a, 100).is_some() && get(&mut cache, &c, 100).is_some());
    assert!(get(&mut cache, &a, 101).is_none(), "use makes nothing younger");
    put(&mut cache, &c, answer("c2", None), 150);
    assert_eq!((get(&mut cache, &c, 250).unwrap().answer, cache.len()), (answer("c2", None), 1));
    assert!(get(&mut cache, &c, 149).is_none(), "a clock that was set back makes no answer fresh");
    put(&mut cache, &a, answer("a", None), i64::MAX);
    assert!(get(&mut cache, &a, i64::MIN).is_none(), "no time is too far");
    let mut none = SemanticCache::new(CacheSettings { entries_max: 0, ..CacheSettings::default() });
    put(&mut none, &a, answer("a", None), 0);
    assert!(none.is_empty());
}

proptest! {
    #[test]
    fn it_stays_bounded_and_answers_only_within_the_key(
        steps in prop::collection::vec((0..6_u8, "[a-z]{1,6}( [a-z0-9%]{1,5}){0,4}", any::<bool>(), 0..50_i64), 1..60),
    ) {
        let mut cache = SemanticCache::new(CacheSettings { entries_max: 4, ttl_ms: 300, similarity_min: -1.0 });
        let mut now = 0;
        for (alert, text, is_put, pause) in steps {
            now += pause;
            let alert = alert.to_string();
            let question = asked(&alert, &text);
            if is_put {
                put(&mut cache, &question, answer(&alert, None), now);
            } else if let Some(hit) = get(&mut cache, &question, now) {
                prop_assert_eq!(&hit.answer.passages[0].document.0, &alert);
                prop_assert!((0..=300).contains(&hit.age_ms));
            }
            prop_assert!(cache.len() <= 4);
        }
    }
}
