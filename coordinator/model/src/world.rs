//! What nobody in the mesh decides: other people, other automation, time, and pods that come back.

use crate::coordinator::entries::{next_token, take};
use crate::coordinator::{Holder, authority};
use crate::invariant::Invariant;
use crate::message::{Facts, Message};
use crate::observer::Begun;
use crate::rules::Rule;
use crate::setup::{FOREIGN, Setup, value};
use crate::state::State;

/// Somebody else writes a target.
pub fn foreign_write(setup: &Setup, s: &mut State, sink: usize, equal: bool) -> bool {
    if s.spent.foreign_writes == setup.bounds.foreign_writes || (equal && !setup.bounds.foreign_equal) {
        return false;
    }
    s.spent.foreign_writes += 1;
    let last = setup.acts[0].writes.len() as u8 - 1;
    s.sinks[sink].written_by_others(if equal { value(0, last) } else { FOREIGN });
    true
}

/// A target's status moves: its version, nothing else.
pub fn status_write(setup: &Setup, s: &mut State, sink: usize) -> bool {
    if s.spent.status_writes == setup.bounds.status_writes {
        return false;
    }
    s.spent.status_writes += 1;
    s.sinks[sink].version += 1;
    true
}

/// Other automation takes a lease, and sends a write under it: without precondition, with its token.
pub fn other_takes(setup: &Setup, s: &mut State, scope: usize) -> bool {
    if s.spent.other_leases == setup.bounds.other_leases || s.coordinator.leases[scope].is_some() || s.coordinator.gates.is_some() {
        return false;
    }
    s.spent.other_leases += 1;
    let token = next_token(setup, s);
    take(s, scope, Holder::Other(token), token);
    s.network.send(Message::OtherWrite { sink: scope as u8, token });
    true
}

/// Its write arrives, perhaps long after its lease has run out.
pub fn other_write(setup: &Setup, s: &mut State, sink: u8, token: u8) -> bool {
    let target = &mut s.sinks[sink as usize];
    if !target.accepts(setup.rules, token, target.version) || target.content == FOREIGN {
        return false;
    }
    s.broken.note(Invariant::I3, token < s.truth.accepted[sink as usize]);
    target.written_by_others(FOREIGN);
    target.token = token;
    s.truth.accepted[sink as usize] = s.truth.accepted[sink as usize].max(token);
    true
}

/// A lease's time is over. That of an entry ends with the entry, not with time.
pub fn lease_expires(setup: &Setup, s: &mut State, scope: usize) -> bool {
    let ends = match s.coordinator.leases[scope] {
        Some(Holder::Other(_)) => true,
        Some(Holder::Entry(slot)) => {
            let claimed = s.coordinator.entries[slot as usize].is_some_and(|e| e.stand.is_unresolved());
            claimed && !setup.rules.has(Rule::LeaseCoversClaim)
        }
        None => false,
    };
    if ends && setup.bounds.lease_expiry {
        s.coordinator.leases[scope] = None;
    }
    ends && setup.bounds.lease_expiry
}

/// The replicated clock moves on.
pub const fn tick(setup: &Setup, s: &mut State) -> bool {
    if s.coordinator.clock == setup.bounds.ticks {
        return false;
    }
    s.coordinator.clock += 1;
    true
}

/// An agent looks at its evidence; what it obtains of the clock comes first.
pub fn look_at_evidence(setup: &Setup, s: &mut State, slot: u8) -> bool {
    let place = slot as usize;
    if setup.bounds.ticks == 0 || s.evidence[place].is_some() || s.coordinator.entries[place].is_some() {
        return false;
    }
    s.evidence[place] = Some(s.coordinator.clock);
    true
}

/// An observer takes the office.
pub fn register_observer(setup: &Setup, s: &mut State, observer: usize) -> bool {
    if s.spent.observer_registrations == setup.bounds.observer_registrations || s.observers[observer].epoch != 0 {
        return false;
    }
    s.spent.observer_registrations += 1;
    s.observers[observer].epoch = authority::register_observer(s);
    true
}

/// An observer asks for the time, and which entries hold a reservation.
pub fn begin_reading(setup: &Setup, s: &mut State, observer: usize) -> bool {
    let known = s.observers[observer];
    if s.spent.readings == setup.bounds.readings || known.epoch == 0 || known.begun.is_some() {
        return false;
    }
    s.spent.readings += 1;
    let reserved = crate::coordinator::limits::reserved(setup, s);
    s.observers[observer].begun = Some(Begun { echo: s.coordinator.clock, releases: s.coordinator.releases, reserved });
    true
}

/// Then it reads the cluster, and posts. Pods that are down without a reservation are taken for others'.
pub fn read(setup: &Setup, s: &mut State, observer: usize) -> bool {
    let Some(begun) = s.observers[observer].begun.take() else { return false };
    s.observers[observer].seq += 1;
    let own = if setup.rules.has(Rule::OwnWhileReserved) { begun.reserved } else { u8::MAX };
    let leftover = s.truth.down & !own;
    let left: u8 = (0..setup.acts.len()).filter(|a| leftover & (1 << a) != 0).map(|a| setup.acts[a].cost).sum();
    s.network.send(Message::Facts(Facts {
        epoch: s.observers[observer].epoch,
        seq: s.observers[observer].seq,
        echo: begun.echo,
        releases: begun.releases,
        others: s.truth.foreign_down + left,
        foreign: s.truth.foreign_down,
        read_at: s.coordinator.clock,
    }));
    true
}

/// Others take a pod down.
pub fn disrupt(setup: &Setup, s: &mut State) -> bool {
    if s.spent.foreign_disruptions == setup.bounds.foreign_disruptions {
        return false;
    }
    s.spent.foreign_disruptions += 1;
    s.truth.foreign_down += 1;
    true
}

/// The pods of an act come back.
pub const fn heal(setup: &Setup, s: &mut State, slot: u8) -> bool {
    if !setup.bounds.heals || s.truth.down & (1 << slot) == 0 {
        return false;
    }
    s.truth.down &= !(1 << slot);
    true
}
