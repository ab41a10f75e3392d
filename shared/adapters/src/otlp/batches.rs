//! Signals gathered into batches of one namespace and kind, bounded in number and size; and what was turned away.

use picket_core::ids::ClusterName;
use picket_core::signal::{Signal, SignalBatch, SignalKind};
use std::collections::BTreeMap;
use std::io::Write;

/// Most signals of one batch.
pub const BATCH_SIGNALS_MAX: usize = 512;
/// A batch's JSON stays below this: half of NATS's default payload.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Room for a batch's own fields.
const ENVELOPE_BYTES: usize = 4_096;

/// Signals of a request that were not accepted, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// How many for which reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

impl Rejected {
    pub(super) fn add(&mut self, reason: &'static str) {
        self.count += 1;
        *self.reasons.entry(reason).or_insert(0) += 1;
    }

    /// What `partial_success` says; empty when nothing was turned away.
    #[must_use]
    pub fn message(&self) -> String {
        self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
    }
}

/// Gathers signals of one request.
pub(super) struct Batches {
    cluster: ClusterName,
    open: BTreeMap<(String, SignalKind), (Vec<Signal>, usize)>,
    closed: Vec<SignalBatch>,
    pub(super) rejected: Rejected,
}

impl Batches {
    pub(super) fn new(cluster: &ClusterName) -> Self {
        Self { cluster: cluster.clone(), open: BTreeMap::new(), closed: Vec::new(), rejected: Rejected::default() }
    }

    pub(super) fn push(&mut self, kind: SignalKind, signal: Signal) {
        let mut bytes = Counter(1);
        if serde_json::to_writer(&mut bytes, &signal).is_err() || bytes.0 + ENVELOPE_BYTES > BATCH_BYTES_MAX {
            return self.rejected.add("too_large");
        }
        let namespace = signal.resource().service.namespace.clone();
        let namespace = if namespace.is_empty() { "_".to_owned() } else { namespace };
        let (signals, size) = self.open.entry((namespace.clone(), kind)).or_insert_with(|| (Vec::new(), ENVELOPE_BYTES));
        let full = if signals.len() >= BATCH_SIGNALS_MAX || *size + bytes.0 > BATCH_BYTES_MAX {
            *size = ENVELOPE_BYTES;
            std::mem::take(signals)
        } else {
            Vec::new()
        };
        *size += bytes.0;
        signals.push(signal);
        if !full.is_empty() {
            self.close(namespace, kind, full);
        }
    }

    fn close(&mut self, namespace: String, kind: SignalKind, signals: Vec<Signal>) {
        self.closed.push(SignalBatch { cluster: self.cluster.clone(), namespace, kind, replay: false, signals });
    }

    pub(super) fn finish(mut self) -> (Vec<SignalBatch>, Rejected) {
        for ((namespace, kind), (signals, _)) in std::mem::take(&mut self.open) {
            self.close(namespace, kind, signals);
        }
        (self.closed, self.rejected)
    }
}

/// Counts what JSON would take without keeping it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_and_of_one_namespace() {
        let mut batches = Batches::new(&"east".into());
        let template = crate::conformance::batch("east", 1).signals.remove(0);
        for n in 0..1_300 {
            let mut signal = template.clone();
            if let Signal::Metric(point) = &mut signal {
                point.resource.service.namespace = if n % 13 == 0 { "b".into() } else { "a".into() };
                if n % 2 == 0 {
                    point.attributes.insert("long".into(), "x".repeat(3_000));
                }
            }
            batches.push(SignalKind::Metrics, signal);
        }
        let (batches, rejected) = batches.finish();
        assert_eq!(rejected, Rejected::default());
        assert_eq!(batches.iter().map(|b| b.signals.len()).sum::<usize>(), 1_300);
        for batch in &batches {
            assert!(batch.signals.len() <= BATCH_SIGNALS_MAX);
            assert!(serde_json::to_vec(batch).unwrap().len() < BATCH_BYTES_MAX);
            assert!(batch.signals.iter().all(|s| s.resource().service.namespace == batch.namespace));
        }
    }
}
