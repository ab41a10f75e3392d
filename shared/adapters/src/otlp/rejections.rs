//! What the gateway turned away, counted by reason.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request (or, for `Invalid`, one signal of it) was turned away.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No token, or an unknown one.
    Unauthenticated,
    /// It does not decode.
    Malformed,
    /// Its body, packed or unpacked, is over the limit.
    TooLarge,
    /// A content type that OTLP does not know.
    UnsupportedType,
    /// A content encoding other than gzip.
    UnsupportedEncoding,
    /// Too many requests or batches in hand.
    Full,
    /// The bus is away.
    Unavailable,
    /// It did not arrive in time.
    TooSlow,
    /// The bus refused it for good.
    Refused,
    /// One signal that is no measurement.
    Invalid,
}

impl Reason {
    const ALL: [Self; 10] = [
        Self::Unauthenticated,
        Self::Malformed,
        Self::TooLarge,
        Self::UnsupportedType,
        Self::UnsupportedEncoding,
        Self::Full,
        Self::Unavailable,
        Self::TooSlow,
        Self::Refused,
        Self::Invalid,
    ];

    /// The label of the counter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::UnsupportedType => "unsupported_type",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::TooSlow => "too_slow",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }
}

/// The counters of one gateway; `picket_gateway_rejected_total{reason}` counts the same for all.
#[derive(Debug, Default)]
pub struct Rejections {
    counts: [AtomicU64; Reason::ALL.len()],
    accepted_batches: AtomicU64,
}

impl Rejections {
    pub(super) fn count(&self, reason: Reason, number: u64) {
        if number > 0 {
            self.counts[reason as usize].fetch_add(number, Ordering::Relaxed);
            metrics::counter!("picket_gateway_rejected_total", "reason" => reason.as_str()).increment(number);
        }
    }

    pub(super) fn accepted(&self, batches: u64) {
        self.accepted_batches.fetch_add(batches, Ordering::Relaxed);
        metrics::counter!("picket_gateway_batches_total").increment(batches);
    }

    /// How often `reason` was the reason.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.counts[reason as usize].load(Ordering::Relaxed)
    }

    /// Batches that are on the bus.
    #[must_use]
    pub fn accepted_batches(&self) -> u64 {
        self.accepted_batches.load(Ordering::Relaxed)
    }

    /// All that are not zero, by label.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        Reason::ALL.into_iter().map(|reason| (reason.as_str(), self.of(reason))).filter(|(_, count)| *count > 0).collect()
    }
}
