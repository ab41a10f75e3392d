//! What changed between two snapshots.

use crate::wire::{Delta, Snapshot};

/// The change from `old` to `new`; `None` when there is none.
#[must_use]
pub fn between(old: &Snapshot, new: &Snapshot) -> Option<Delta> {
    let mut delta = Delta::default();
    if old.clock != new.clock {
        delta.clock = Some(new.clock.clone());
    }
    if old.headline != new.headline {
        delta.headline = Some(new.headline.clone());
    }
    if old.safety != new.safety {
        delta.safety = Some(new.safety.clone());
    }
    if old.freshness != new.freshness {
        delta.freshness = Some(new.freshness.clone());
    }
    if old.leases != new.leases {
        delta.leases = Some(new.leases.clone());
    }
    (delta.incidents, delta.incidents_gone) = keyed(&old.incidents, &new.incidents, |i| &i.id);
    (delta.entries, delta.entries_gone) = keyed(&old.entries, &new.entries, |e| &e.id);
    (delta != Delta::default()).then_some(delta)
}

fn keyed<T: Clone + PartialEq>(old: &[T], new: &[T], id: impl Fn(&T) -> &String) -> (Vec<T>, Vec<String>) {
    let before: std::collections::HashMap<_, _> = old.iter().map(|item| (id(item), item)).collect();
    let after: std::collections::HashSet<_> = new.iter().map(&id).collect();
    let changed = new.iter().filter(|item| before.get(id(item)).is_none_or(|was| was != item)).cloned().collect();
    let gone = old.iter().map(&id).filter(|was| !after.contains(was)).cloned().collect();
    (changed, gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Incident, Lease};

    fn incident(id: &str, severity: u8) -> Incident {
        Incident { id: id.into(), severity, ..Incident::default() }
    }

    #[test]
    fn nothing_changed_says_nothing() {
        let one = Snapshot { incidents: vec![incident("a", 2)], ..Snapshot::default() };
        assert_eq!(between(&one, &one), None);
    }

    #[test]
    fn only_what_changed_is_said() {
        let old = Snapshot { incidents: vec![incident("a", 2), incident("b", 3), incident("c", 4)], ..Snapshot::default() };
        let new = Snapshot {
            incidents: vec![incident("d", 1), incident("a", 2), incident("b", 2)],
            leases: vec![Lease { scope: "ns:east/shop".into(), ..Lease::default() }],
            ..Snapshot::default()
        };
        let delta = between(&old, &new).unwrap();
        assert_eq!(delta.incidents.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["d", "b"]);
        assert_eq!(delta.incidents_gone, ["c"]);
        assert_eq!(delta.leases.unwrap().len(), 1);
        assert!(delta.clock.is_none() && delta.safety.is_none() && delta.entries.is_empty());
    }
}
