//! What every [`Embedder`] must do. Panics with the reason, so that any test may call it.

use picket_core::ports::Embedder;

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
    let vectors = embedder.embed(&texts).expect("plain texts are embedded");
    assert_eq!(vectors.len(), texts.len(), "one vector per text");
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(vector.len(), embedder.dimension(), "dimension of the vector of {text:?}");
        assert!(vector.iter().all(|x| x.is_finite()), "entries of the vector of {text:?} are numbers");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-3, "the vector of {text:?} is no unit vector");
    }
    assert_eq!(vectors, embedder.embed(&texts).expect("again"), "the same texts must give the same vectors");
    for (text, vector) in texts.iter().zip(&vectors) {
        let alone = embedder.embed(std::slice::from_ref(text)).expect("alone");
        assert!(cosine(&alone[0], vector) > 0.999, "the vector of {text:?} must not depend on its neighbours or its place");
    }
    let (near, far) = (cosine(&vectors[0], &vectors[3]), cosine(&vectors[0], &vectors[2]));
    assert!(near > far, "similar texts ({near}) must be nearer than others ({far})");
    let long = "memory ".repeat(20_000);
    assert_eq!(embedder.embed(&[long]).expect("a long text is cut, not refused").len(), 1);
}
