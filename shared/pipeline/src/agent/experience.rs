//! What became of acts: read from the bus, and written there when an act is graded, so that every agent and every later life has it.

use super::case::Case;
use picket_core::coordination::LedgerEntry;
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::outcome::Outcome;
use picket_core::ports::{Bus, PortResult};
use picket_core::post_mortem::PostMortem;
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Post-mortems that are remembered: beyond these the oldest are let go.
const REMEMBERED_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Experience {
    by_topic: BTreeMap<String, PostMortem>,
    all: Arc<Vec<PostMortem>>,
    revision: u64,
    /// Entries whose end was written: the ledger tells of some more than once.
    written: BTreeSet<EntryId>,
}

impl Experience {
    /// All of them.
    pub(super) fn all(&self) -> Arc<Vec<PostMortem>> {
        self.all.clone()
    }

    /// Takes what is new on the bus. What cannot be read is left.
    pub(super) async fn refresh<B: Bus>(&mut self, bus: &B) -> PortResult<()> {
        let news = bus.latest(PostMortem::TOPIC_PREFIX, self.revision).await?;
        if news.is_empty() {
            return Ok(());
        }
        for value in news {
            self.revision = self.revision.max(value.revision);
            if let Ok(one) = serde_json::from_slice::<PostMortem>(&value.value) {
                self.by_topic.insert(value.topic, one);
            }
        }
        while self.by_topic.len() > REMEMBERED_MAX {
            let oldest = self.by_topic.iter().min_by_key(|(_, one)| one.at).map(|(topic, _)| topic.clone());
            oldest.map(|topic| self.by_topic.remove(&topic));
        }
        self.all = Arc::new(self.by_topic.values().cloned().collect());
        Ok(())
    }

    /// Adds one to what is known, once for each entry.
    pub(super) async fn write<B: Bus>(&mut self, bus: &B, entry: &EntryId, one: PostMortem) -> PortResult<()> {
        if self.written.contains(entry) {
            return Ok(());
        }
        let topic = PostMortem::topic(&one.service, one.cause, one.remedy);
        let one = one.after(self.by_topic.get(&topic));
        bus.put(&topic, serde_json::to_vec(&one).expect("boundary types are plain data")).await?;
        // Counted at once: the next end may be told of before the bus is read again.
        self.by_topic.insert(topic, one);
        if self.written.len() >= REMEMBERED_MAX {
            self.written.clear();
        }
        self.written.insert(entry.clone());
        Ok(())
    }
}

/// Of an act that has come to its end with a grade that says whether it helped.
pub(super) fn post_mortem(case: &Case, entry: &LedgerEntry, now: Timestamp) -> Option<PostMortem> {
    let Work::Do { action } = &entry.work else { return None };
    let outcome = entry.outcome.as_ref().filter(|_| matches!(entry.state, EntryState::Settled | EntryState::RolledBack))?;
    let recovered = match outcome {
        Outcome::Recovered { .. } => true,
        Outcome::NoEffect { .. } | Outcome::Regressed { .. } => false,
        Outcome::Inconclusive { .. } => return None,
    };
    Some(PostMortem {
        service: action.service.clone(),
        cause: entry.proposal.cause,
        remedy: action.kind(),
        incident: case.incident.id.clone(),
        at: now,
        recovered,
        outcome: format!("{}: {}", outcome.as_str(), outcome.why()),
        times: 0,
        failures_in_a_row: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use picket_adapters::in_memory::InMemoryBus;
    use picket_core::action::RemediationKind;
    use picket_core::cause::Cause;
    use picket_core::ids::ServiceId;

    fn one(at: i64, recovered: bool) -> PostMortem {
        PostMortem {
            service: ServiceId::new("east", "shop", "cart"),
            cause: Cause::StuckProcess,
            remedy: RemediationKind::RolloutRestart,
            incident: format!("inc-{at}").into(),
            at: Timestamp(at),
            recovered,
            outcome: String::new(),
            times: 0,
            failures_in_a_row: 0,
        }
    }

    #[tokio::test]
    async fn an_end_is_written_once_and_known_to_everybody_and_to_a_later_life() {
        let bus = InMemoryBus::default();
        let mut first = Experience::default();
        for (entry, at) in [("e-1", 1), ("e-1", 1), ("e-2", 2)] {
            first.write(&bus, &entry.into(), one(at, false)).await.unwrap();
            first.refresh(&bus).await.unwrap();
        }
        bus.put("post_mortem.0", b"not to be read".to_vec()).await.unwrap();
        let mut later = Experience::default();
        later.refresh(&bus).await.unwrap();
        let known = later.all();
        assert_eq!(known.len(), 1, "one service, cause and remedy");
        assert_eq!((known[0].times, known[0].failures_in_a_row, known[0].at), (2, 2, Timestamp(2)));
        later.write(&bus, &"e-3".into(), one(3, true)).await.unwrap();
        first.refresh(&bus).await.unwrap();
        assert_eq!((first.all()[0].times, first.all()[0].failures_in_a_row), (3, 0));
    }
}
