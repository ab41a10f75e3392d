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
        sentence: entry.proposal.sentence.clone(),
        times: 0,
        failures_in_a_row: 0,
    })
}
