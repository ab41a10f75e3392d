//! What people do about a trouble while picket's proposal for it waits, was only shadowed, or came to nothing: it judges the proposal.

use picket_core::coordination::LedgerEntry;
use picket_core::foreign::{self, ForeignEvidence};
use picket_core::ids::{EntryId, ServiceId};
use picket_core::ports::Readings;
use picket_core::proposal::Work;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// What is done within this of a proposal is done about the same trouble.
const WITHIN_MS: i64 = 3_600_000;
/// Proposals that are remembered: the oldest go.
pub(super) const WISHES_MAX: usize = 64;

/// Proposals that picket has not carried out, and what was read of their services last.
#[derive(Debug, Default)]
pub(super) struct ByOthers {
    wishes: BTreeMap<EntryId, (Timestamp, LedgerEntry)>,
    read: BTreeMap<ServiceId, (Timestamp, Readings)>,
    found: VecDeque<(EntryId, ForeignEvidence)>,
}

impl ByOthers {
    /// The ledger's newest word on an entry.
    pub fn note(&mut self, entry: &LedgerEntry) {
        let Some((at, _)) = entry.history.first() else { return };
        let done = entry.claim.is_some() || entry.by_others.is_some() || entry.proposal.replay;
        if done || matches!(entry.work, Work::Undo { .. }) {
            self.wishes.remove(&entry.id);
            return;
        }
        self.wishes.insert(entry.id.clone(), (*at, entry.clone()));
        if self.wishes.len() > WISHES_MAX
            && let Some(oldest) = self.wishes.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone())
        {
            self.wishes.remove(&oldest);
        }
    }

    /// One reading of a service, begun at `echo` (coordinator time).
    pub fn read(&mut self, service: &ServiceId, readings: &Readings, echo: Timestamp) {
        let before = self.read.insert(service.clone(), (echo, readings.clone()));
        let Some((before_at, before)) = before else { return };
        for (change, by) in foreign::changes(&before, readings) {
            let of_service = self.wishes.iter().filter(|(_, (_, entry))| entry.work.action().service == *service);
            // Read before the proposal was made, the change cannot have come before it.
            let of_now = of_service.filter(|(_, (at, _))| before_at >= *at && echo.since_ms(*at) <= WITHIN_MS);
            let judged: Vec<_> = of_now
                .filter_map(|(id, (_, entry))| {
                    let agrees = foreign::agrees(&entry.work.action().remediation, &change)?;
                    Some((id.clone(), ForeignEvidence { agrees, what: change.to_string(), by: by.clone(), at: echo }))
                })
                .collect();
            for (id, evidence) in judged {
                self.wishes.remove(&id);
                self.found.push_back((id, evidence));
            }
        }
    }

    /// What is to be told next.
    pub fn first(&self) -> Option<&(EntryId, ForeignEvidence)> {
        self.found.front()
    }

    /// It was told.
    pub fn told(&mut self) {
        self.found.pop_front();
    }
}
