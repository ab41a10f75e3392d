//! The semantic cache, asked every alert about other instances than those it was told about.

use picket_core::ids::{DocumentId, ServiceId};
use picket_core::knowledge::Passage;
use picket_core::ports::{Embedder, PortResult};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use picket_diagnosis::cache::{Answer, CacheKey, CacheSettings, Question, SemanticCache};
use serde::Serialize;

/// An alert as its rule words it, without names of instances.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertText {
    /// Its name.
    pub alert: String,
    /// How bad.
    pub severity: Severity,
    /// Its summary and description.
    pub text: String,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ReuseReport {
    /// Alerts asked about, each with the names of other instances than in the cache.
    pub askings: usize,
    /// Answered from the cache with an answer to the same alert.
    pub hits: usize,
    /// Answered with the answer to another alert.
    pub false_hits: usize,
    /// Ordered pairs of different alerts.
    pub pairs: usize,
    /// Of these pairs, nearer than the cache's threshold: what plain similarity would take for the same.
    pub alike: usize,
    /// Of these alerts, how many have such a pair.
    pub alerts_alike: usize,
    /// Of these pairs, answered when all alerts are made to have one key: what the text alone does not tell apart.
    pub false_hits_without_key: usize,
}

/// Names that tell instances apart, drawn from a number: a pod, a node, an address, a volume.
fn instance(number: usize) -> [String; 4] {
    // Golden-ratio hashing: neighbours get unlike names.
    let drawn = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (a, b) = (drawn >> 56, (drawn >> 48) & 0xff);
    [
        format!("shop/cart-{:09x}-x{}z{}q", drawn >> 28, a % 10, b % 10),
        format!("ip-10-0-{a}-{b}"),
        format!("10.0.{a}.{b}:9100"),
        format!("pvc-{:08x}-4f89-11d3-9a0c-{:012x}", drawn >> 32, drawn >> 16),
    ]
}

/// The alert as it would come from a cluster: about a pod on a node.
fn about(text: &str, number: usize) -> String {
    let [pod, node, address, volume] = instance(number);
    let (first, rest) = text.split_once(". ").unwrap_or((text, ""));
    format!("{first} (pod {pod} on {node}, instance {address}). {rest} Volume {volume}.")
}

fn question(alert: &AlertText, number: usize, key: Option<&str>) -> Question {
    let key = CacheKey {
        alert: key.unwrap_or(&alert.alert).to_owned(),
        severity: if key.is_some() { Severity::Three } else { alert.severity },
        resource_kind: "Pod".to_owned(),
        runbook_version: "1".to_owned(),
        catalogue_version: "1".to_owned(),
    };
    Question::new(key, ServiceId::new("east", "shop", "cart"), &about(&alert.text, number), &[])
}

/// An answer that says whose it is.
fn answer(alert: &AlertText) -> Answer {
    let passage = Passage {
        document: DocumentId(alert.alert.clone()),
        title: alert.alert.clone(),
        heading: String::new(),
        text: String::new(),
        score: 1.0,
        cause: None,
        remedies: Vec::new(),
    };
    Answer { passages: vec![passage], hypothesis: None }
}

/// Fills a cache with every alert, then asks it every alert about another instance; and every pair of different alerts without a key.
///
/// # Errors
/// When the embedder fails.
pub fn reuse(alerts: &[AlertText], embedder: &dyn Embedder, settings: CacheSettings) -> PortResult<ReuseReport> {
    const NOW: Timestamp = Timestamp(0);
    let mut cache = SemanticCache::new(CacheSettings { entries_max: alerts.len(), ..settings });
    let embed = |question: &Question| Ok(embedder.embed(&[question.text().to_owned()])?.pop().unwrap_or_default());
    let mut told = Vec::new();
    for (number, alert) in alerts.iter().enumerate() {
        let first = question(alert, number, None);
        let vector = embed(&first)?;
        cache.put(first, vector.clone(), answer(alert), NOW);
        told.push(vector);
    }
    let mut report = ReuseReport { askings: alerts.len(), ..ReuseReport::default() };
    let is_same = |found: &Answer, alert: &AlertText| found.passages.iter().all(|p| p.document.0 == alert.alert);
    for (number, alert) in alerts.iter().enumerate() {
        let again = question(alert, number + alerts.len(), None);
        let vector = embed(&again)?;
        if let Some(hit) = cache.get(&again, &vector, NOW) {
            if is_same(&hit.answer, alert) { report.hits += 1 } else { report.false_hits += 1 }
        }
        // Without a key: against each other alert alone, so that no nearer one hides it.
        let keyless = question(alert, number + alerts.len(), Some("any"));
        let mut is_alike = false;
        for (other, other_vector) in alerts.iter().zip(&told).filter(|(other, _)| other.alert != alert.alert) {
            let mut single = SemanticCache::new(CacheSettings { entries_max: 1, ..settings });
            single.put(question(other, 0, Some("any")), other_vector.clone(), answer(other), NOW);
            let near = other_vector.iter().zip(&vector).map(|(a, b)| f64::from(a * b)).sum::<f64>() >= settings.similarity_min;
            report.pairs += 1;
            report.alike += usize::from(near);
            is_alike |= near;
            report.false_hits_without_key += usize::from(single.get(&keyless, &vector, NOW).is_some());
        }
        report.alerts_alike += usize::from(is_alike);
    }
    Ok(report)
}
