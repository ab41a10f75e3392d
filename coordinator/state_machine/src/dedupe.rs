//! First answers, kept so that a retry gets them again. Bounded, and part of the state: a snapshot carries it.

use crate::bounds;
use crate::reply::Reply;
use crate::settings::Settings;
use picket_core::ids::{Principal, RequestId};
use picket_core::limits::Violation;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer, with its place among those of its principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    place: u64,
    /// Shared with a snapshot that is being written.
    reply: Arc<Reply>,
}

/// Answers of one principal. A bound of its own each: nobody's retries are forgotten because somebody else is loud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Answers {
    by_request: BTreeMap<RequestId, Kept>,
    oldest_first: BTreeMap<u64, (Timestamp, RequestId)>,
    places: u64,
}

/// (principal, request id) → first answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dedupe {
    by_principal: BTreeMap<String, Answers>,
    total: usize,
}

impl Dedupe {
    pub(crate) fn find(&self, principal: &Principal, request: &RequestId) -> Option<&Reply> {
        self.by_principal.get(&principal.to_string())?.by_request.get(request).map(|kept| &*kept.reply)
    }

    /// Makes room before the command is carried out: what cannot be remembered must not happen.
    pub(crate) fn room(&mut self, principal: &Principal, now: Timestamp, settings: &Settings) -> Result<(), Violation> {
        let (name, retention_ms) = (principal.to_string(), settings.request_retention_ms);
        let principals_full = |d: &Self| !d.by_principal.contains_key(&name) && d.by_principal.len() >= settings.principals_max;
        if principals_full(self) || self.total >= settings.requests_total_max {
            self.forget(now, retention_ms);
        }
        if principals_full(self) {
            return Err(bounds::full("principals_max", self.by_principal.len(), settings.principals_max, "principals have answers kept"));
        }
        if self.total >= settings.requests_total_max {
            return Err(bounds::full("requests_total_max", self.total, settings.requests_total_max, "answers are kept: retry in a minute"));
        }
        let Some(answers) = self.by_principal.get_mut(&name) else { return Ok(()) };
        self.total -= answers.forget(now, retention_ms);
        let have = answers.by_request.len();
        if have < settings.requests_max {
            return Ok(());
        }
        let what = format!("answers to {principal} are kept: forget those that have come, or retry in a minute with the same request id");
        Err(bounds::full("requests_max", have, settings.requests_max, &what))
    }

    pub(crate) fn keep(&mut self, principal: &Principal, request: &RequestId, reply: &Reply, now: Timestamp) {
        let answers = self.by_principal.entry(principal.to_string()).or_default();
        let place = answers.places;
        answers.places += 1;
        answers.by_request.insert(request.clone(), Kept { place, reply: Arc::new(reply.clone()) });
        answers.oldest_first.insert(place, (now, request.clone()));
        self.total += 1;
    }

    /// Their sender has these answers and will not ask again.
    pub(crate) fn forget_these(&mut self, principal: &Principal, requests: &[RequestId]) {
        let Some(answers) = self.by_principal.get_mut(&principal.to_string()) else { return };
        for request in requests {
            if let Some(kept) = answers.by_request.remove(request) {
                answers.oldest_first.remove(&kept.place);
                self.total -= 1;
            }
        }
    }

    /// Forgets what is older than any retry.
    pub(crate) fn forget(&mut self, now: Timestamp, retention_ms: i64) {
        for answers in self.by_principal.values_mut() {
            self.total -= answers.forget(now, retention_ms);
        }
        self.by_principal.retain(|_, answers| !answers.by_request.is_empty());
    }

    pub(crate) const fn len(&self) -> usize {
        self.total
    }
}

impl Answers {
    fn forget(&mut self, now: Timestamp, retention_ms: i64) -> usize {
        let mut forgotten = 0;
        while self.oldest_first.first_key_value().is_some_and(|(_, (at, _))| now.since_ms(*at) > retention_ms) {
            if let Some((_, (_, request))) = self.oldest_first.pop_first() {
                self.by_request.remove(&request);
                forgotten += 1;
            }
        }
        forgotten
    }
}
