//! A bag of hashed words as vectors: no model, no meaning. For tests and the conformance suite only; nothing falls back to it.

use crate::terms::terms;
use picket_core::ports::{Embedder, Embedding, PortResult};
use picket_core::token_vectors::TokenVectors;

/// Hashes each term into one of [`HashEmbedder::DIMENSION`] places.
#[derive(Copy, Clone, Debug, Default)]
pub struct HashEmbedder;

impl HashEmbedder {
    /// Length of its vectors.
    pub const DIMENSION: usize = 256;
}

impl Embedder for HashEmbedder {
    fn embed_tokens(&self, texts: &[String]) -> PortResult<Vec<Embedding>> {
        Ok(texts.iter().map(|text| embed_one(text)).collect())
    }

    fn dimension(&self) -> usize {
        Self::DIMENSION
    }
}

fn embed_one(text: &str) -> Embedding {
    let mut whole = vec![0.0_f32; HashEmbedder::DIMENSION];
    let mut tokens = TokenVectors::new(HashEmbedder::DIMENSION);
    for term in terms(text) {
        let place = (fnv1a(term.as_bytes()) % HashEmbedder::DIMENSION as u64) as usize;
        whole[place] += 1.0;
        let mut one = vec![0.0_f32; HashEmbedder::DIMENSION];
        one[place] = 1.0;
        tokens.push(place as u32, &one);
    }
    let norm = whole.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 0.0 {
        whole.iter_mut().for_each(|x| *x /= norm);
    } else {
        // A text without a term still needs a unit vector.
        whole[0] = 1.0;
    }
    Embedding { whole, tokens }
}

/// FNV-1a, 64 bit: the same on every machine and every run, which the standard hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_conforms() {
        crate::conformance::embedder(&super::HashEmbedder);
    }
}
