//! So many requests a second from one source, with bursts: a token bucket per address, for a bounded number of addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Rates by source. Pure: the time is passed in.
#[derive(Debug)]
pub struct RateLimit {
    per_s: f64,
    burst: f64,
    sources_max: usize,
    buckets: BTreeMap<IpAddr, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at_ms: u64,
}

impl RateLimit {
    /// `per_s` requests a second, `burst` at once (1 or more), for at most `sources_max` addresses; beyond that the longest silent is forgotten.
    #[must_use]
    pub fn new(per_s: f64, burst: f64, sources_max: usize) -> Self {
        Self { per_s, burst: burst.max(1.0), sources_max: sources_max.max(1), buckets: BTreeMap::new() }
    }

    /// Takes one request at `now_ms` (any clock that does not go back); false when it is too many.
    pub fn take(&mut self, from: IpAddr, now_ms: u64) -> bool {
        if !self.buckets.contains_key(&from) && self.buckets.len() >= self.sources_max {
            let silent = self.buckets.iter().min_by_key(|(_, b)| b.at_ms).map(|(ip, _)| *ip);
            silent.map(|ip| self.buckets.remove(&ip));
        }
        let bucket = self.buckets.entry(from).or_insert(Bucket { tokens: self.burst, at_ms: now_ms });
        let passed_s = now_ms.saturating_sub(bucket.at_ms) as f64 / 1000.0;
        bucket.tokens = passed_s.mul_add(self.per_s, bucket.tokens).min(self.burst);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        let is_free = bucket.tokens >= 1.0;
        if is_free {
            bucket.tokens -= 1.0;
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut limit = RateLimit::new(2.0, 3.0, 10);
        let one: IpAddr = [10, 0, 0, 1].into();
        let taken: Vec<_> = (0..5).map(|_| limit.take(one, 0)).collect();
        assert_eq!(taken, [true, true, true, false, false]);
        assert!(limit.take([10, 0, 0, 2].into(), 0), "another source is not held up");
        assert_eq!((limit.take(one, 400), limit.take(one, 500), limit.take(one, 500)), (false, true, false));
    }

    #[test]
    fn sources_are_bounded() {
        let mut limit = RateLimit::new(1.0, 1.0, 2);
        for last in 0..100 {
            limit.take([10, 0, 0, last].into(), u64::from(last));
        }
        assert_eq!(limit.buckets.len(), 2);
    }
}
