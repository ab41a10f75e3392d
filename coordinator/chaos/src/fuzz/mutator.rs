//! Inputs from a seed.

use super::json;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Longest garbage.
const GARBAGE_MAX_BYTES: usize = 2_000;

/// Makes inputs; the same seed makes the same ones.
#[derive(Clone, Debug)]
pub struct Mutator {
    /// Its draws.
    pub rng: ChaCha8Rng,
}

impl Mutator {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.rng.random_range(0..of.len())]
    }

    /// Nothing that means anything.
    pub fn garbage(&mut self) -> Vec<u8> {
        let len = self.rng.random_range(0..GARBAGE_MAX_BYTES);
        let mut bytes = vec![0; len];
        rand::Rng::fill_bytes(&mut self.rng, &mut bytes);
        bytes
    }

    /// The bytes of a message, changed in a few places; `other` may lend its end.
    pub fn bytes(&mut self, message: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        for _ in 0..self.rng.random_range(1..4) {
            let at = self.rng.random_range(0..=bytes.len());
            match self.rng.random_range(0..8) {
                0 => bytes.truncate(at),
                1 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.rng.random_range(0..8);
                    }
                }
                2 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = *[0, 0xff, 0x7f, 0x80, b'"', b'{', b'['].get(self.rng.random_range(0..7)).unwrap_or(&0);
                    }
                }
                3 => {
                    let more = self.garbage();
                    bytes.splice(at..at, more);
                }
                4 => {
                    let from = self.rng.random_range(0..=other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                5 => {
                    let end = self.rng.random_range(at..=bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                6 => {
                    // A length, most likely.
                    let value = *[0_u64, 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 40].get(self.rng.random_range(0..6)).unwrap_or(&0);
                    let width = *[1, 2, 4, 8].get(self.rng.random_range(0..4)).unwrap_or(&4);
                    let end = (at + width).min(bytes.len());
                    let value = if self.rng.random_bool(0.5) { value.to_le_bytes() } else { value.to_be_bytes() };
                    bytes[at..end].copy_from_slice(&value[..end - at]);
                }
                _ => {
                    let end = self.rng.random_range(at..=bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }

    /// A message in JSON, changed in its tree, and sometimes in its bytes as well.
    pub fn json(&mut self, message: &Value, other: &Value) -> Vec<u8> {
        let mut tree = message.clone();
        // Often one alone, so that much still is a message.
        for _ in 0..*self.pick(&[1, 1, 1, 1, 2, 3]) {
            json::change(&mut tree, other, &mut self.rng);
        }
        let bytes = tree.to_string().into_bytes();
        if self.rng.random_bool(0.1) { self.bytes(&bytes, &[]) } else { bytes }
    }
}
