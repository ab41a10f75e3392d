//! What models have cost, and whether one more call may be made. The most that a call may come to is set aside before it is made, so that
//! calls under way at the same time cannot go over a cap together.
//!
//! In memory: a restart begins anew, and each agent keeps its own.

use picket_core::ids::IncidentId;
use picket_core::opinion::Unusable;
use picket_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};

const HOUR_MS: i64 = 3_600_000;
/// Incidents remembered; beyond these the one that was asked about longest ago is forgotten. The cap of the hour holds all the same.
const INCIDENTS_MAX: usize = 1024;

/// The most that may be spent, in micro-dollars.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// In any hour.
    pub hour_micro_usd: u64,
    /// On one incident.
    pub incident_micro_usd: u64,
}

/// One call that was let through.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Clone, Debug)]
struct Call {
    ticket: Ticket,
    at: Timestamp,
    incident: IncidentId,
    micro_usd: u64,
}

/// The account of one process.
#[derive(Clone, Debug)]
pub(super) struct Spend {
    caps: Caps,
    issued: u64,
    /// Of the last hour, oldest first.
    calls: VecDeque<Call>,
    /// By incident: the sum, and when it was last asked about.
    incidents: BTreeMap<IncidentId, (u64, Timestamp)>,
}

impl Spend {
    pub(super) const fn new(caps: Caps) -> Self {
        Self { caps, issued: 0, calls: VecDeque::new(), incidents: BTreeMap::new() }
    }

    /// Sets `micro_usd` aside for a call, when both caps allow it.
    pub(super) fn reserve(&mut self, incident: &IncidentId, micro_usd: u64, now: Timestamp) -> Result<Ticket, Unusable> {
        self.calls.retain(|call| now.since_ms(call.at) < HOUR_MS);
        let hour: u64 = self.calls.iter().map(|call| call.micro_usd).sum();
        let spent = self.incidents.get(incident).map_or(0, |(sum, _)| *sum);
        if hour.saturating_add(micro_usd) > self.caps.hour_micro_usd {
            return Err(Unusable::HourSpent);
        }
        if spent.saturating_add(micro_usd) > self.caps.incident_micro_usd {
            return Err(Unusable::IncidentSpent);
        }
        self.issued += 1;
        let ticket = Ticket(self.issued);
        self.calls.push_back(Call { ticket, at: now, incident: incident.clone(), micro_usd });
        self.incidents.insert(incident.clone(), (spent + micro_usd, now));
        if self.incidents.len() > INCIDENTS_MAX {
            let oldest = self.incidents.iter().min_by_key(|(_, (_, at))| *at).map(|(id, _)| id.clone());
            oldest.map(|id| self.incidents.remove(&id));
        }
        Ok(ticket)
    }

    /// What the call did cost; without this the whole reservation counts as spent, as it must when no bill came back.
    pub(super) fn settle(&mut self, ticket: Ticket, micro_usd: u64) {
        let Some(call) = self.calls.iter_mut().find(|call| call.ticket == ticket) else { return };
        let before = std::mem::replace(&mut call.micro_usd, micro_usd);
        if let Some((sum, _)) = self.incidents.get_mut(&call.incident) {
            *sum = sum.saturating_sub(before).saturating_add(micro_usd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    #[test]
    fn caps_hold_for_calls_under_way_and_bills_give_back_what_was_not_used() {
        let mut spend = Spend::new(Caps { hour_micro_usd: 1000, incident_micro_usd: 600 });
        let (one, two) = (IncidentId::from("one"), IncidentId::from("two"));
        let first = spend.reserve(&one, 400, at(0)).unwrap();
        assert_eq!(spend.reserve(&one, 400, at(1)), Err(Unusable::IncidentSpent));
        spend.settle(first, 100);
        let second = spend.reserve(&one, 400, at(2)).unwrap();
        assert_ne!(first, second);
        spend.reserve(&two, 500, at(3)).unwrap();
        assert_eq!(spend.reserve(&two, 100, at(4)), Err(Unusable::HourSpent));
        assert_eq!(spend.reserve(&two, 100, at(3600)), Ok(Ticket(4)), "the first call is an hour ago");
        assert_eq!(spend.reserve(&two, 1, at(7300)), Err(Unusable::IncidentSpent), "an incident's cap knows no hour");
    }

    #[test]
    fn nothing_may_be_spent_under_a_cap_of_nothing_and_what_is_free_may_always_be_asked() {
        let mut spend = Spend::new(Caps { hour_micro_usd: 0, incident_micro_usd: 0 });
        assert_eq!(spend.reserve(&"i".into(), 1, at(0)), Err(Unusable::HourSpent));
        assert!(spend.reserve(&"i".into(), 0, at(0)).is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut spend = Spend::new(Caps { hour_micro_usd: u64::MAX, incident_micro_usd: 10 });
        for n in 0..2 * INCIDENTS_MAX {
            spend.reserve(&format!("i{n}").into(), 1, at(n as i64)).unwrap();
        }
        assert_eq!(spend.incidents.len(), INCIDENTS_MAX);
    }
}
