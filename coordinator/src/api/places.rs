//! Who may hold how many connections: nobody can take every place, and nodes never wait for clients to leave.

use picket_core::ids::Principal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one caller at once.
const OF_ONE_MAX: usize = 256;
/// Connections of all callers that are no nodes, together.
const OF_CLIENTS_MAX: usize = 1024;

/// Counts the connections of everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<Principal, usize>>>);

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    caller: Principal,
}

impl Places {
    /// `None` when the caller, or everybody together, has too many.
    pub(super) fn take(&self, caller: &Principal) -> Option<Place> {
        let is_node = |who: &Principal| matches!(who, Principal::Node(_));
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_clients: usize = taken.iter().filter(|(who, _)| !is_node(who)).map(|(_, count)| count).sum();
        let of_one = taken.get(caller).copied().unwrap_or(0);
        if of_one >= OF_ONE_MAX || (!is_node(caller) && of_clients >= OF_CLIENTS_MAX) {
            return None;
        }
        taken.insert(caller.clone(), of_one + 1);
        Some(Place { places: self.clone(), caller: caller.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: usize) -> Principal {
        Principal::Human(format!("p{n}"))
    }

    #[test]
    fn one_caller_leaves_places_for_the_others() {
        let places = Places::default();
        let held: Vec<_> = (0..OF_ONE_MAX).map(|_| places.take(&person(0)).unwrap()).collect();
        assert!(places.take(&person(0)).is_none());
        assert!(places.take(&person(1)).is_some());
        drop(held);
        assert!(places.take(&person(0)).is_some(), "a place that was given back is free");
        assert!(places.0.lock().unwrap().is_empty(), "nothing is kept of callers that are gone");
    }

    #[test]
    fn many_callers_together_leave_places_for_nodes() {
        let places = Places::default();
        let held: Vec<_> = (0..OF_CLIENTS_MAX).map(|n| places.take(&person(n)).unwrap()).collect();
        assert!(places.take(&person(OF_CLIENTS_MAX)).is_none());
        assert!(places.take(&Principal::Node(2)).is_some());
        drop(held);
    }
}
