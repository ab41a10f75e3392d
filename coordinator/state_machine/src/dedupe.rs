//! First answers, kept so that a retry gets them again. Bounded, and part of the state: a snapshot carries it.

use crate::reply::Reply;
use picket_core::ids::{Principal, RequestId};
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// The table is full of answers that are too young to be forgotten.
pub(crate) struct Full;

/// Answers of one principal. A bound of its own each: nobody's retries are forgotten because somebody else is loud.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Answers {
    by_request: BTreeMap<RequestId, Reply>,
    oldest_first: VecDeque<(Timestamp, RequestId)>,
}

/// (principal, request id) → first answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dedupe {
    by_principal: BTreeMap<String, Answers>,
}

/// Principals come from certificates, so there are few; a bound all the same.
const PRINCIPALS_MAX: usize = 1024;

impl Dedupe {
    pub(crate) fn find(&self, principal: &Principal, request: &RequestId) -> Option<&Reply> {
        self.by_principal.get(&principal.to_string())?.by_request.get(request)
    }

    /// Makes room before the command is carried out: what cannot be remembered must not happen.
    pub(crate) fn room(&mut self, principal: &Principal, now: Timestamp, retention_ms: i64, max: usize) -> Result<(), Full> {
        let name = principal.to_string();
        if !self.by_principal.contains_key(&name) && self.by_principal.len() >= PRINCIPALS_MAX {
            self.forget(now, retention_ms);
            if self.by_principal.len() >= PRINCIPALS_MAX {
                return Err(Full);
            }
        }
        let answers = self.by_principal.entry(name).or_default();
        answers.forget(now, retention_ms);
        if answers.by_request.len() >= max { Err(Full) } else { Ok(()) }
    }

    pub(crate) fn keep(&mut self, principal: &Principal, request: &RequestId, reply: &Reply, now: Timestamp) {
        let answers = self.by_principal.entry(principal.to_string()).or_default();
        answers.by_request.insert(request.clone(), reply.clone());
        answers.oldest_first.push_back((now, request.clone()));
    }

    pub(crate) fn forget(&mut self, now: Timestamp, retention_ms: i64) {
        for answers in self.by_principal.values_mut() {
            answers.forget(now, retention_ms);
        }
        self.by_principal.retain(|_, answers| !answers.by_request.is_empty());
    }

    pub(crate) fn len(&self) -> usize {
        self.by_principal.values().map(|a| a.by_request.len()).sum()
    }
}

impl Answers {
    fn forget(&mut self, now: Timestamp, retention_ms: i64) {
        while self.oldest_first.front().is_some_and(|(at, _)| now.since_ms(*at) > retention_ms) {
            if let Some((_, request)) = self.oldest_first.pop_front() {
                self.by_request.remove(&request);
            }
        }
    }
}
