//! A cross-encoder: BERT reads a query and a passage together and says how well the one answers the other (Nogueira and Cho, 2019, "Passage
//! Re-ranking with BERT"). Slower than comparing vectors, and better: for the few passages that those have found.

use super::bert::{Bert, Config, Dense, Tokens};
use super::weights::Weights;
use super::{CHARS_MAX, model, tokenizer};
use picket_core::ports::{PairScorer, PortError, PortResult};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::Path;
use tokenizers::{Encoding, Tokenizer};

/// Tokens of a query and a passage together: what lies beyond is cut off the longer of the two.
const PAIR_TOKENS_MAX: usize = 512;
/// Passages in one call: a bound on its time.
const PASSAGES_MAX: usize = 256;

/// A model in the layout of Hugging Face's `BertForSequenceClassification`, with one label (its logit is the score) or two (the second's
/// logit less the first's).
pub struct CrossEncoder {
    bert: Bert,
    pooler: Dense,
    classifier: Dense,
    labels: usize,
    hidden: usize,
    tokenizer: Tokenizer,
}

impl std::fmt::Debug for CrossEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrossEncoder").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// What `config.json` says of the head.
#[derive(Deserialize)]
struct Head {
    architectures: Option<Vec<String>>,
    id2label: Option<BTreeMap<String, IgnoredAny>>,
    num_labels: Option<usize>,
}

impl Head {
    fn labels(json: &[u8]) -> Result<usize, String> {
        const ARCHITECTURE: &str = "BertForSequenceClassification";
        let head: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        if let Some(other) = head.architectures.filter(|all| !all.iter().any(|one| one == ARCHITECTURE)) {
            return Err(format!("it is for {}, not {ARCHITECTURE}", other.join(", ")));
        }
        // The layout's default, when neither is written, is two.
        match head.id2label.map(|labels| labels.len()).or(head.num_labels).unwrap_or(2) {
            labels @ 1..=2 => Ok(labels),
            labels => Err(format!("it has {labels} labels; a scorer has 1 (relevance) or 2 (irrelevant, relevant)")),
        }
    }
}

impl CrossEncoder {
    /// Loads `config.json`, `tokenizer.json` and `model.safetensors` from a directory.
    ///
    /// # Errors
    /// When a file is missing, is not what its name says, or does not fit the others.
    pub fn load(dir: &Path) -> PortResult<Self> {
        let damaged = |file: &str, why: String| PortError::Damaged { what: dir.join(file).display().to_string(), why };
        let json = read(dir, model::CONFIG)?;
        let config = Config::of(&json).map_err(|why| damaged(model::CONFIG, why))?;
        let labels = Head::labels(&json).map_err(|why| damaged(model::CONFIG, why))?;
        if config.type_vocab_size < 2 {
            return Err(damaged(model::CONFIG, "type_vocab_size is 1: it cannot tell a query from a passage".to_owned()));
        }
        let tokenizer = tokenizer(&read(dir, model::TOKENIZER)?, PAIR_TOKENS_MAX.min(config.max_position_embeddings))
            .map_err(|why| damaged(model::TOKENIZER, why))?;
        let (bytes, hidden) = (read(dir, model::WEIGHTS)?, config.hidden_size);
        let parts = |weights: &Weights<'_>| {
            let pooler = Dense::load(weights, "bert.pooler.dense", hidden, hidden)?;
            let classifier = Dense::load(weights, "classifier", hidden, labels)?;
            Ok((Bert::load(weights, "bert.", config)?, pooler, classifier))
        };
        let (bert, pooler, classifier) = Weights::new(&bytes).and_then(|w| parts(&w)).map_err(|why| damaged(model::WEIGHTS, why))?;
        Ok(Self { bert, pooler, classifier, labels, hidden, tokenizer })
    }

    /// From the vectors of a pair's tokens: the head reads the first.
    fn head(&self, vectors: &[f32]) -> f32 {
        let (mut pooled, mut logits) = (vec![0.0; self.hidden], vec![0.0; self.labels]);
        self.pooler.apply(&vectors[..self.hidden], &mut pooled, 1);
        pooled.iter_mut().for_each(|x| *x = x.tanh());
        self.classifier.apply(&pooled, &mut logits, 1);
        logits[self.labels - 1] - if self.labels == 2 { logits[0] } else { 0.0 }
    }
}

/// The model's own advice on where to get it does not hold here: any model of the layout will do.
fn read(dir: &Path, file: &str) -> PortResult<Vec<u8>> {
    match model::read(dir, file) {
        Err(PortError::NotFound { .. }) => {
            let why = "a cross-encoder's directory has config.json, tokenizer.json and model.safetensors";
            Err(PortError::NotFound { what: format!("{} ({why})", dir.join(file).display()) })
        }
        other => other,
    }
}

impl PairScorer for CrossEncoder {
    fn score(&self, query: &str, passages: &[&str]) -> PortResult<Vec<f32>> {
        let refused = |why: String| PortError::Refused { what: "scoring passages".to_owned(), why };
        if passages.len() > PASSAGES_MAX {
            return Err(refused(format!("{} passages in one call, at most {PASSAGES_MAX} are scored", passages.len())));
        }
        let cut = |text: &str| text.chars().take(CHARS_MAX).collect::<String>();
        let query = cut(query);
        let encode = |passage: &&str| self.tokenizer.encode((query.as_str(), cut(passage)), true);
        let pairs: Result<Vec<Encoding>, _> = passages.iter().map(encode).collect();
        let pairs = pairs.map_err(|e| refused(format!("a pair cannot be tokenised: {e}")))?;
        if pairs.iter().any(Encoding::is_empty) {
            return Err(refused(
                "the tokenizer makes no tokens of a pair, not even marks: its tokenizer.json lacks a post_processor".to_owned(),
            ));
        }
        let tokens: Vec<_> = pairs.iter().map(|pair| Tokens { ids: pair.get_ids(), types: pair.get_type_ids() }).collect();
        let scores = self.bert.each(&tokens, |_, vectors| self.head(vectors)).map_err(|e| refused(format!("the model failed: {e}")))?;
        match scores.iter().all(|score| score.is_finite()) {
            true => Ok(scores),
            false => Err(refused("the model's score is no number: its weights are of no use".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// Made by `make.py` there with an independent implementation.
    fn fixture(labels: usize) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/cross_encoder/{labels}"))
    }

    #[derive(Deserialize)]
    struct Expected {
        query: String,
        passages: Vec<String>,
        scores: Vec<f32>,
    }

    #[test]
    fn scores_are_those_of_the_reference_however_pairs_are_batched() {
        for labels in [1, 2] {
            let encoder = CrossEncoder::load(&fixture(labels)).unwrap();
            let expected: Vec<Expected> = serde_json::from_slice(&std::fs::read(fixture(labels).join("expected.json")).unwrap()).unwrap();
            for Expected { query, passages, scores } in expected {
                let passages: Vec<_> = passages.iter().map(String::as_str).collect();
                let found = encoder.score(&query, &passages).unwrap();
                let alone: Vec<_> = passages.iter().flat_map(|one| encoder.score(&query, &[one]).unwrap()).collect();
                assert_eq!(found, alone, "to the last bit");
                assert!(
                    found.len() == scores.len() && found.iter().zip(&scores).all(|(a, b)| (a - b).abs() < 1e-5),
                    "{found:?}, not {scores:?}"
                );
            }
        }
    }

    #[test]
    fn no_passages_have_no_scores_and_too_many_are_refused() {
        let encoder = CrossEncoder::load(&fixture(1)).unwrap();
        assert!(encoder.score("a query", &[]).unwrap().is_empty());
        assert!(matches!(encoder.score("a query", &[""; PASSAGES_MAX + 1]), Err(PortError::Refused { .. })));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = CrossEncoder::load(dir.path()).unwrap_err().to_string();
        assert!(error.contains("config.json") && !error.contains("MiniLM"), "{error}");
        for file in [model::CONFIG, model::TOKENIZER, model::WEIGHTS] {
            std::fs::copy(fixture(1).join(file), dir.path().join(file)).unwrap();
        }
        CrossEncoder::load(dir.path()).unwrap();
        let sound: serde_json::Value = serde_json::from_slice(&std::fs::read(fixture(1).join(model::CONFIG)).unwrap()).unwrap();
        let wrong = [
            ("hidden_size", 0.into()),
            ("hidden_size", 64.into()),
            ("num_attention_heads", 5.into()),
            ("num_hidden_layers", 3.into()),
            ("type_vocab_size", 1.into()),
            ("id2label", serde_json::json!({"0": "a", "1": "b", "2": "c"})),
            ("id2label", serde_json::json!({"0": "a", "1": "b"})),
            ("hidden_act", "relu".into()),
            ("architectures", serde_json::json!(["RobertaForSequenceClassification"])),
        ];
        for (key, value) in wrong {
            let mut config = sound.clone();
            config[key] = value;
            std::fs::write(dir.path().join(model::CONFIG), config.to_string()).unwrap();
            assert!(matches!(CrossEncoder::load(dir.path()), Err(PortError::Damaged { .. })), "{key}");
        }
    }
}
