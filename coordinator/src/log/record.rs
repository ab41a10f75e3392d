//! One record: magic, length, what was durable before it, index, checksum, payload.
//!
//! `durable` tells how many bytes of the file had been synced when the record was written. So a bad record followed by a good one
//! that was written after the bad one had been synced is damage; without such a follower it is a write that a crash tore.

use crate::planted::{Fault, is_planted};
use sha2::{Digest as _, Sha256};

const MAGIC: [u8; 4] = *b"PKL1";
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 4 + 4 + 8 + 8 + 16;
/// Largest payload: a length beyond it is not a length.
pub const PAYLOAD_MAX_BYTES: usize = 64 << 20;

/// A record read back.
#[derive(Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Bytes of its file that were durable when it was written.
    pub durable: u64,
    /// Its place in the log.
    pub index: u64,
    /// What it carries.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Its length in the file.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }
}

fn check(head: &[u8], payload: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(head).chain_update(payload).finalize();
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

/// Appends a record to `out`.
pub fn encode(out: &mut Vec<u8>, durable: u64, index: u64, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(u32::try_from(payload.len()).unwrap_or(u32::MAX)).to_le_bytes());
    out.extend_from_slice(&durable.to_le_bytes());
    out.extend_from_slice(&index.to_le_bytes());
    let sum = check(&out[start..], payload);
    out.extend_from_slice(&sum);
    out.extend_from_slice(payload);
}

/// Whether a record seems to begin here.
#[must_use]
pub fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Reads the record that begins at the start of `bytes`.
///
/// # Errors
/// What is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, &'static str> {
    if bytes.len() < HEADER_BYTES {
        return Err("the record's header is cut off");
    }
    let (head, rest) = bytes.split_at(24);
    if head[..4] != MAGIC {
        return Err("no record begins here");
    }
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let len = u32::from_le_bytes(std::array::from_fn(|i| head[4 + i])) as usize;
    if len > PAYLOAD_MAX_BYTES {
        return Err("the record's length is impossible");
    }
    let (sum, rest) = rest.split_at(16);
    let payload = rest.get(..len).ok_or("the record's payload is cut off")?;
    if check(head, payload) != sum && !is_planted(Fault::TornTailAccepted) {
        return Err("the record's checksum does not match");
    }
    Ok(Record { durable: word(8), index: word(16), payload })
}

/// Whether a sound record that begins after `offset` was written when `offset` was durable already.
#[must_use]
pub fn durable_follower(file: &[u8], offset: usize) -> bool {
    let mut at = offset + 1;
    while let Some(found) = file.get(at..).and_then(|rest| rest.windows(MAGIC.len()).position(|w| w == MAGIC)) {
        at += found;
        if decode(&file[at..]).is_ok_and(|r| r.durable > offset as u64) {
            return true;
        }
        at += 1;
    }
    false
}
