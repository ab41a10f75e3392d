//! The append-only, hash-chained audit log's records and their check.

use crate::action::Digest;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What is written down before and after an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When (event time of the writer's clock).
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What kind: `claim_intent`, `applied`, `undo`, `verdict`, `stop`, `approval`…
    pub kind: String,
    /// What it is about: an entry or incident id.
    pub subject: String,
    /// The particulars.
    pub detail: serde_json::Value,
}

/// An entry in its place in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Place, from 1, without gaps.
    pub seq: u64,
    /// The hash of the record before; of 64 zeros for the first.
    pub prev: Digest,
    /// What happened.
    pub entry: AuditEntry,
    /// SHA-256 of `seq`, `prev` and `entry`.
    pub hash: Digest,
}

/// The hash before the first record.
#[must_use]
pub fn genesis() -> Digest {
    Digest("0".repeat(64))
}

fn hash(seq: u64, prev: &Digest, entry: &AuditEntry) -> Digest {
    Digest::of(&serde_json::to_vec(&(seq, prev, entry)).expect("an audit entry is plain data"))
}

impl AuditRecord {
    /// Links an entry after `prev`.
    #[must_use]
    pub fn link(seq: u64, prev: Digest, entry: AuditEntry) -> Self {
        let hash = hash(seq, &prev, &entry);
        Self { seq, prev, entry, hash }
    }
}

/// Where a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// A record was changed.
    #[error("record {seq} was changed: its content does not hash to what it says")]
    Changed {
        /// Which.
        seq: u64,
    },
    /// Records are missing or out of order.
    #[error("record {expected} is missing or out of order: found {found} in its place")]
    Gap {
        /// What should have come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A record does not follow from the one before.
    #[error("record {seq} does not follow from the record before it")]
    Unlinked {
        /// Which.
        seq: u64,
    },
}

/// Checks records in order from the first. Returns the number checked and the last hash.
///
/// # Errors
/// [`BrokenChain`] naming the first record that is wrong.
pub fn verify<'a>(records: impl IntoIterator<Item = &'a AuditRecord>) -> Result<(u64, Digest), BrokenChain> {
    let mut count = 0;
    let mut prev = genesis();
    for record in records {
        if record.seq != count + 1 {
            return Err(BrokenChain::Gap { expected: count + 1, found: record.seq });
        }
        if record.prev != prev {
            return Err(BrokenChain::Unlinked { seq: record.seq });
        }
        if hash(record.seq, &record.prev, &record.entry) != record.hash {
            return Err(BrokenChain::Changed { seq: record.seq });
        }
        count += 1;
        prev = record.hash.clone();
    }
    Ok((count, prev))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: u64) -> Vec<AuditRecord> {
        let mut prev = genesis();
        (1..=n)
            .map(|seq| {
                let entry = AuditEntry {
                    at: Timestamp(seq as i64),
                    actor: "a".into(),
                    kind: "k".into(),
                    subject: "s".into(),
                    detail: serde_json::json!({ "n": seq }),
                };
                let record = AuditRecord::link(seq, prev.clone(), entry);
                prev = record.hash.clone();
                record
            })
            .collect()
    }

    #[test]
    fn a_chain_verifies_and_every_kind_of_tampering_is_named() {
        let good = chain(4);
        assert_eq!(verify(&good).unwrap().0, 4);
        let mut changed = good.clone();
        changed[1].entry.actor = "b".into();
        assert_eq!(verify(&changed), Err(BrokenChain::Changed { seq: 2 }));
        let mut dropped = good.clone();
        dropped.remove(1);
        assert_eq!(verify(&dropped), Err(BrokenChain::Gap { expected: 2, found: 3 }));
        let mut relinked = good.clone();
        relinked[2] = AuditRecord::link(3, genesis(), good[2].entry.clone());
        assert_eq!(verify(&relinked), Err(BrokenChain::Unlinked { seq: 3 }));
    }
}
