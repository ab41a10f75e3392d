//! The semantic cache: an answer is given again only to the same question.
//!
//! Nearness of vectors alone is unsafe: at a cosine of 0.95 one public alert in fourteen is taken for another one. So the exact key comes
//! first ([`CacheKey`]); inside it numbers, identifiers and turning words must be equal; only then is nearness asked for.
//! Bounded; what was used longest ago makes room. Time is an argument.

mod question;

pub use question::{CacheKey, Question};

use picket_core::diagnosis::Hypothesis;
use picket_core::knowledge::Passage;
use picket_core::time::Timestamp;

/// Bounds of the cache.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct CacheSettings {
    /// Answers held at most, over all keys; 0 holds none.
    pub entries_max: usize,
    /// An answer older than this is not given.
    pub ttl_ms: i64,
    /// Least cosine of two askings of one question.
    pub similarity_min: f64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { entries_max: 512, ttl_ms: 3_600_000, similarity_min: 0.95 }
    }
}

/// What was found and said.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What retrieval found.
    pub passages: Vec<Passage>,
    /// What the reasoner said. It cites the evidence of its own incident: whoever takes it over validates it against today's.
    pub hypothesis: Option<Hypothesis>,
}

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The answer; without its hypothesis when that was about another service.
    pub answer: Answer,
    /// Cosine of the two askings.
    pub similarity: f64,
    /// How old the answer is.
    pub age_ms: i64,
    /// The alert of the key.
    pub alert: String,
}

impl Hit {
    /// For the audit: that it is no fresh answer, and whose.
    #[must_use]
    pub fn note(&self) -> String {
        let what = if self.answer.hypothesis.is_some() { "passages and hypothesis" } else { "passages" };
        let (alert, age_s, similarity) = (&self.alert, self.age_ms / 1000, self.similarity);
        format!("{what} from the cache: asked of {alert} {age_s} s ago, similarity {similarity:.3}")
    }
}

#[derive(Clone, Debug)]
struct Entry {
    question: Question,
    vector: Vec<f32>,
    answer: Answer,
    stored_at: Timestamp,
    /// When it was last stored or given, and the number of that use: of two at one time the earlier one goes first.
    used: (Timestamp, u64),
}

/// The cache.
#[derive(Clone, Debug)]
pub struct SemanticCache {
    settings: CacheSettings,
    /// At most [`CacheSettings::entries_max`]: few enough to be looked through.
    entries: Vec<Entry>,
    uses: u64,
}

impl SemanticCache {
    /// An empty cache.
    #[must_use]
    pub const fn new(settings: CacheSettings) -> Self {
        Self { settings, entries: Vec::new(), uses: 0 }
    }

    /// Answers held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The answer to the nearest earlier asking of the question, if there is one that counts. `vector` is the embedding of
    /// [`Question::text`].
    pub fn get(&mut self, question: &Question, vector: &[f32], now: Timestamp) -> Option<Hit> {
        self.expire(now);
        self.uses += 1;
        let same = |e: &&mut Entry| e.question.key == question.key && e.question.marks == question.marks;
        let same = self.entries.iter_mut().filter(same).filter_map(|e| cosine(&e.vector, vector).map(|c| (e, c)));
        let (entry, similarity) = same.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, c)| *c >= self.settings.similarity_min)?;
        entry.used = (now, self.uses);
        let mut answer = entry.answer.clone();
        if entry.question.service != question.service {
            answer.hypothesis = None;
        }
        Some(Hit { answer, similarity, age_ms: now.since_ms(entry.stored_at), alert: question.key.alert.clone() })
    }

    /// Keeps an answer; one to the same text is replaced. A question whose key is not complete, or whose vector is none, is not kept.
    pub fn put(&mut self, question: Question, vector: Vec<f32>, answer: Answer, now: Timestamp) {
        self.expire(now);
        if self.settings.entries_max == 0 || !question.key.is_complete() || cosine(&vector, &vector).is_none() {
            return;
        }
        self.uses += 1;
        self.entries.retain(|e| e.question != question);
        if self.entries.len() >= self.settings.entries_max {
            let longest_unused = self.entries.iter().map(|e| e.used).min();
            self.entries.retain(|e| Some(e.used) != longest_unused);
        }
        self.entries.push(Entry { question, vector, answer, stored_at: now, used: (now, self.uses) });
    }

    /// Drops what is too old; and what is from the future, since its age cannot be told.
    fn expire(&mut self, now: Timestamp) {
        let ttl_ms = self.settings.ttl_ms;
        self.entries.retain(|entry| (0..=ttl_ms).contains(&now.since_ms(entry.stored_at)));
    }
}

/// Cosine of two vectors; `None` when they cannot be compared.
fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    (a.len() == b.len() && cosine.is_finite()).then_some(cosine)
}

#[cfg(test)]
mod tests;
