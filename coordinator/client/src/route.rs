//! Which node is asked first: the leader, where a node has named it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A node that did not answer is not asked first for this long, nor taken on another's word: the other may reach it where this client does not.
const SHUNNED: Duration = Duration::from_secs(5);

/// The nodes, as far as this client knows them.
#[derive(Debug)]
pub(crate) struct Route {
    endpoints: Vec<Endpoint>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Endpoint {
    /// `host:port`.
    address: String,
    url: String,
}

#[derive(Debug)]
struct Known {
    first: usize,
    failed: Vec<Option<Instant>>,
}

impl Known {
    fn shuns(&self, node: usize, now: Instant) -> bool {
        self.failed[node].is_some_and(|at| now.duration_since(at) < SHUNNED)
    }
}

impl Route {
    /// `addresses` are `host:port`, at least one.
    pub(crate) fn new(addresses: &[String]) -> Self {
        let endpoint = |text: &String| {
            let address = text.trim_start_matches("https://").trim_end_matches('/').to_owned();
            Endpoint { url: format!("https://{address}"), address }
        };
        Self {
            endpoints: addresses.iter().map(endpoint).collect(),
            known: Mutex::new(Known { first: 0, failed: vec![None; addresses.len()] }),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to ask first: the leader as last heard, but nobody who did not answer a moment ago, while there is another.
    pub(crate) fn first(&self, now: Instant) -> usize {
        let known = self.known();
        let nodes = self.endpoints.len();
        let mut in_turn = (0..nodes).map(|n| (known.first + n) % nodes);
        in_turn.find(|node| !known.shuns(*node, now)).unwrap_or(known.first)
    }

    /// Whom to ask after that one.
    pub(crate) fn after(&self, node: usize) -> usize {
        (node + 1) % self.endpoints.len()
    }

    /// `host:port` of every node.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|endpoint| endpoint.address.as_str())
    }

    /// `https://host:port`.
    pub(crate) fn url(&self, node: usize) -> &str {
        &self.endpoints[node].url
    }

    /// It answered, and named the leader where that is another.
    pub(crate) fn answered(&self, node: usize, leader: Option<&str>, now: Instant) {
        let named = leader.and_then(|address| self.endpoints.iter().position(|e| e.address == address));
        let mut known = self.known();
        known.failed[node] = None;
        known.first = named.filter(|n| !known.shuns(*n, now)).unwrap_or(node);
    }

    /// It did not answer.
    pub(crate) fn failed(&self, node: usize, now: Instant) {
        self.known().failed[node] = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_asked_first_once_somebody_has_named_it() {
        let route = Route::new(&["a:1".into(), "https://b:2/".into(), "c:3".into()]);
        let now = Instant::now();
        assert_eq!((route.first(now), route.url(1)), (0, "https://b:2"));
        route.answered(0, Some("b:2"), now);
        assert_eq!(route.first(now), 1);
        route.answered(1, None, now);
        assert_eq!(route.first(now), 1, "it leads itself");
        route.answered(2, Some("nobody:4"), now);
        assert_eq!(route.first(now), 2, "an address that was not configured is not called");
        assert_eq!((route.after(1), route.after(2)), (2, 0));
    }

    #[test]
    fn a_leader_that_only_others_reach_is_left_to_them_for_a_while() {
        let route = Route::new(&["a:1".into(), "b:2".into()]);
        let now = Instant::now();
        route.failed(1, now);
        route.answered(0, Some("b:2"), now);
        assert_eq!(route.first(now), 0);
        route.answered(0, Some("b:2"), now + SHUNNED);
        assert_eq!(route.first(now + SHUNNED), 1);
    }

    #[test]
    fn who_did_not_answer_is_asked_first_only_when_there_is_nobody_else() {
        let route = Route::new(&["a:1".into(), "b:2".into(), "c:3".into()]);
        let now = Instant::now();
        route.failed(0, now);
        assert_eq!((route.first(now), route.first(now + SHUNNED)), (1, 0));
        route.failed(1, now);
        assert_eq!(route.first(now), 2);
        route.failed(2, now);
        assert_eq!(route.first(now), 0);
    }
}
