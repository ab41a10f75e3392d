//! A bag of hashed words as vectors: no model, no meaning. For tests and the conformance suite only; nothing falls back to it.

use crate::bm25::terms;
use picket_core::ports::{Embedder, PortResult};

/// Hashes each term into one of [`HashEmbedder::DIMENSION`] places.
#[derive(Copy, Clone, Debug, Default)]
pub struct HashEmbedder;

impl HashEmbedder {
    /// Length of its vectors.
    pub const DIMENSION: usize = 256;
}

impl Embedder for HashEmbedder {
    fn embed(&self, texts: &[String]) -> PortResult<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| embed_one(text)).collect())
    }

    fn dimension(&self) -> usize {
        Self::DIMENSION
    }
}

fn embed_one(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; HashEmbedder::DIMENSION];
    for term in terms(text) {
        vector[(fnv1a(term.as_bytes()) % HashEmbedder::DIMENSION as u64) as usize] += 1.0;
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|x| *x /= norm);
    } else {
        // A text without a term still needs a unit vector.
        vector[0] = 1.0;
    }
    vector
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
