//! What every [`Embedder`] must do. Panics with the reason, so that any test may call it.

use picket_core::ports::{Embedder, Embedding};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Runs the suite: unit vectors of the stated dimension, in order, the same each time, nearer for nearer texts.
///
/// # Panics
/// When the embedder breaks the port's contract.
pub fn embedder(embedder: &dyn Embedder) {
    assert!(embedder.dimension() > 0, "a vector has at least one entry");
    assert!(embedder.embed(&[]).expect("no texts, no vectors").is_empty(), "no texts must give no vectors");
    let texts: Vec<String> = [
        "the container was killed because it ran out of memory",
        "",
        "a certificate ends soon and has to be renewed",
        "the container ran out of memory and was killed, its limit is too small for what it needs at peak load in the evening hours",
        "ünïcode — 日本語 🦀",
    ]
    .map(String::from)
    .to_vec();
    let embedded = embedder.embed_tokens(&texts).expect("plain texts are embedded");
    let vectors = embedder.embed(&texts).expect("plain texts are embedded");
    assert_eq!(vectors.len(), texts.len(), "one vector per text");
    assert_eq!(vectors, embedded.iter().map(|e| e.whole.clone()).collect::<Vec<_>>(), "with tokens or without, the same vectors");
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(vector.len(), embedder.dimension(), "dimension of the vector of {text:?}");
        assert!(vector.iter().all(|x| x.is_finite()), "entries of the vector of {text:?} are numbers");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-3, "the vector of {text:?} is no unit vector");
    }
    assert_eq!(embedded, embedder.embed_tokens(&texts).expect("again"), "the same texts must give the same vectors");
    for (text, beside) in texts.iter().zip(&embedded) {
        let alone = &embedder.embed_tokens(std::slice::from_ref(text)).expect("alone")[0];
        assert!(cosine(&alone.whole, &beside.whole) > 0.999, "the vector of {text:?} must not depend on its neighbours or its place");
        assert_eq!(alone.tokens.tokens(), beside.tokens.tokens(), "nor may its tokens");
        let kept = alone.tokens.nearest_in(&beside.tokens);
        assert!(kept.iter().all(|near| *near > 0.99), "nor may the vectors of its tokens: {kept:?}");
    }
    tokens(&embedded);
    let (near, far) = (cosine(&vectors[0], &vectors[3]), cosine(&vectors[0], &vectors[2]));
    assert!(near > far, "similar texts ({near}) must be nearer than others ({far})");
    let long = embedder.embed_tokens(&["memory ".repeat(20_000)]).expect("a long text is cut, not refused");
    assert!(long.len() == 1 && !long[0].tokens.is_empty(), "what is left of a long text has its vectors");
}

/// Vectors of tokens: unit length, of the stated dimension, none for an empty text, nearer for nearer texts.
fn tokens(embedded: &[Embedding]) {
    for embedding in embedded {
        let tokens = &embedding.tokens;
        assert_eq!(tokens.dimension(), embedding.whole.len(), "tokens have the dimension of the text");
        assert!(tokens.nearest_in(tokens).iter().all(|near| (near - 1.0).abs() < 0.01), "a token is nearest to itself, at unit length");
    }
    assert!(embedded[1].tokens.is_empty() && embedded[0].tokens.len() >= 5, "as many tokens as the text has words that say something");
    let mean = |a: usize, b: usize| {
        let near = embedded[a].tokens.nearest_in(&embedded[b].tokens);
        near.iter().sum::<f32>() / near.len().max(1) as f32
    };
    assert!(mean(0, 3) > mean(0, 2), "tokens of similar texts ({}) must be nearer than those of others ({})", mean(0, 3), mean(0, 2));
}
