//! What was seen of a run: the log as the nodes applied it, and every call with its answer.

use crate::executor;
use crate::finding::{Finding, Kind};
use crate::happened::{Happened, Happening};
use openraft::EntryPayload;
use picket_coordinator::raft::machine::addresses_of;
use picket_coordinator::raft::{Effect, Entry};
use picket_core::coordination::{Answer, Attributed, WatchPage};
use picket_core::ids::{Principal, RequestId};
use picket_core::limits::LimitRule;
use picket_core::time::Timestamp;
use picket_state_machine::{Reply, State};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;

/// At every so many entries the whole states of the replicas are compared.
const SAMPLE_EVERY: u64 = 16;
/// More of one run say nothing new.
const FINDINGS_MAX: usize = 20;

/// An entry as the first node applied it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Raft's term.
    pub term: u64,
    /// The command and the time it was proposed at; nothing for Raft's own entries.
    pub said: Option<(Attributed, Timestamp)>,
    /// The members from here on, when it is a change of them.
    pub members: Option<BTreeMap<u64, String>>,
    /// The reply.
    pub reply: Option<Reply>,
}

/// What a call asked.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A command, by its key.
    Submit {
        /// In whose name.
        principal: Principal,
        /// Under which id.
        request_id: RequestId,
    },
    /// A linearizable look at the status.
    Status,
    /// A linearizable look at the open entries, and so many of the ended.
    Entries(usize),
}

/// How a call ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// With an answer.
    Answered(Box<Answer>),
    /// With a view of the state after the entry at `index`.
    Seen {
        /// The last entry that the answering node had applied.
        index: u64,
        /// Digest of what it showed.
        digest: u64,
    },
    /// The caller gave up: it may have happened, may happen yet, or never.
    Unknown,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was asked.
    pub asked: Asked,
    /// The highest place in the log that anybody had been told of when it began: it must come after.
    pub floor: u64,
    /// When it began, in virtual milliseconds.
    pub began_ms: u64,
    /// How it ended, and when.
    pub ended: Option<(u64, Ended)>,
}

/// What was seen of a run.
#[derive(Debug, Default)]
pub struct History {
    /// The log by index.
    pub log: BTreeMap<u64, Applied>,
    /// Where each command is in the log: more than once when it was retried.
    pub places: BTreeMap<(Principal, RequestId), Vec<u64>>,
    /// Changes of the ledger as watchers saw them: digest of the entry by revision.
    pub watched: BTreeMap<u64, u64>,
    /// Digests of the state after some of the entries.
    pub states: BTreeMap<u64, u64>,
    /// Every call.
    pub calls: Vec<Call>,
    /// What is wrong already.
    pub findings: Vec<Finding>,
    /// What went wrong, and how often.
    pub happened: Happened,
    /// When everything was healed, in virtual milliseconds.
    pub healed_ms: Option<u64>,
    /// Where each node stood in the end: entry and digest of its state.
    pub states_at_end: Vec<(u64, u64)>,
    floor: u64,
    nodes: BTreeMap<u64, u64>,
}

/// A reply that is not kept for retries: the same request may be answered otherwise later.
#[must_use]
pub fn is_provisional(reply: &Reply) -> bool {
    match reply {
        // Whoever waits asks again with the same request.
        Reply::Waiting { .. } => true,
        Reply::Refused { violations } => violations.iter().any(|v| matches!(v.rule, LimitRule::Capacity | LimitRule::Deposed)),
        _ => false,
    }
}

impl Call {
    /// Whether it ended with an answer.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        matches!(self.ended, Some((_, Ended::Answered(_) | Ended::Seen { .. })))
    }
}

struct Digester(DefaultHasher);

impl io::Write for Digester {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Digest of a value's JSON.
#[must_use]
pub fn digest_of(value: &impl serde::Serialize) -> u64 {
    let mut digester = Digester(DefaultHasher::new());
    // Plain data, and a writer that does not fail.
    let _ = serde_json::to_writer(&mut digester, value);
    digester.0.finish()
}

/// Where two texts part.
#[must_use]
pub fn difference(a: &str, b: &str) -> String {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| text.bytes().skip(same.saturating_sub(80)).take(240).map(char::from).collect::<String>();
    format!("`{}` against `{}`", around(a), around(b))
}

impl History {
    /// The newest entry that any node has applied.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.log.keys().next_back().copied().unwrap_or(0)
    }

    /// Something went wrong, as it was meant to.
    pub fn happened(&mut self, happening: Happening) {
        *self.happened.entry(happening).or_default() += 1;
    }

    /// Notes what is wrong.
    pub fn find(&mut self, kind: Kind, detail: impl Into<String>) {
        let finding = Finding::new(kind, detail);
        if self.findings.len() < FINDINGS_MAX && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// A node applied an entry: the first to do so says what the log is, the others must agree.
    pub fn applied(&mut self, node: u64, entry: &Entry, effect: &Effect, state: &State) {
        let index = entry.log_id.index;
        let term = entry.log_id.committed_leader_id().term;
        let reply = match effect {
            Effect::Replied(reply) => Some((**reply).clone()),
            Effect::Nothing => None,
        };
        let said = match &entry.payload {
            EntryPayload::Normal(proposed) => proposed.read().ok(),
            EntryPayload::Blank | EntryPayload::Membership(_) => None,
        };
        let members = match &entry.payload {
            EntryPayload::Membership(membership) => Some(addresses_of(membership)),
            EntryPayload::Normal(_) | EntryPayload::Blank => None,
        };
        let before = self.nodes.insert(node, index);
        match before {
            // More than one further: a snapshot took it there.
            Some(before) if index <= before => {
                self.find(Kind::Replicas, format!("node {node} applies entry {index} after {before}"));
            }
            _ => {}
        }
        if let Some(known) = self.log.get(&index) {
            if known.term != term || known.said != said || known.members != members {
                let what = difference(&format!("{}:{:?}", known.term, known.said), &format!("{term}:{said:?}"));
                self.find(Kind::Replicas, format!("entry {index}: node {node} applies another than the first to get there: {what}"));
            } else if known.reply != reply {
                let what = difference(&format!("{:?}", known.reply), &format!("{reply:?}"));
                self.find(Kind::Replicas, format!("entry {index}: node {node} replies otherwise than the first to get there: {what}"));
            }
        } else {
            if let Some((said, _)) = &said {
                let key = (said.principal.clone(), said.request.request_id.clone());
                self.places.entry(key).or_default().push(index);
            }
            if self.log.last_key_value().is_some_and(|(_, newest)| newest.term < term) {
                self.happened(Happening::LeaderChanged);
            }
            self.log.insert(index, Applied { term, said, members, reply });
        }
        if index.is_multiple_of(SAMPLE_EVERY) {
            let digest = digest_of(state);
            let known = *self.states.entry(index).or_insert(digest);
            if known != digest {
                self.find(Kind::Replicas, format!("after entry {index} node {node} holds another state than the first to get there"));
            }
        }
    }

    /// A process died: its next life applies from its snapshot on.
    pub fn died(&mut self, node: u64) {
        self.nodes.remove(&node);
    }

    /// A node did not start on a disk that had only crashed.
    pub fn refused_to_start(&mut self, node: u64, why: String) {
        self.find(Kind::RefusedToStart, format!("node {node}: {why}"));
    }

    /// Where a command took effect: its first place whose reply was for good, or else its newest.
    #[must_use]
    pub fn place_of(&self, principal: &Principal, request_id: &RequestId) -> Option<u64> {
        let places = self.places.get(&(principal.clone(), request_id.clone()))?;
        let is_final = |index: &&u64| self.log.get(index).and_then(|a| a.reply.as_ref()).is_some_and(|reply| !is_provisional(reply));
        places.iter().find(is_final).or(places.last()).copied()
    }

    /// A watcher saw changes after `revision`; what every watcher sees is the same, without gaps.
    pub fn watched(&mut self, revision: u64, page: &WatchPage) {
        if page.compacted {
            return;
        }
        for (expected, change) in (revision + 1..).zip(&page.changes) {
            let digest = digest_of(&change.entry);
            let known = *self.watched.entry(change.revision).or_insert(digest);
            if change.revision != expected || known != digest {
                let detail =
                    format!("a watch after {revision} showed revision {} where {expected} was due, or another entry", change.revision);
                self.find(Kind::Linearizability, detail);
            }
        }
    }

    /// A call begins; the number names it.
    pub fn begin(&mut self, asked: Asked) -> usize {
        self.calls.push(Call { asked, floor: self.floor, began_ms: executor::elapsed_ms(), ended: None });
        self.calls.len() - 1
    }

    /// A call ends. An answer must stand in the log by now: whoever answered had applied it.
    pub fn end(&mut self, call: usize, ended: Ended) {
        let Some(of) = self.calls.get_mut(call) else { return };
        of.ended = Some((executor::elapsed_ms(), ended.clone()));
        let asked = of.asked.clone();
        let place = match (&asked, &ended) {
            (Asked::Submit { principal, request_id, .. }, Ended::Answered(answer)) => {
                let place = self.place_of(principal, request_id);
                if place.is_none() {
                    let detail = format!("{principal} got {answer:?} to {request_id}, which no node has applied");
                    self.find(Kind::LostCommand, detail);
                }
                place
            }
            (_, Ended::Seen { index, .. }) => Some(*index),
            _ => None,
        };
        self.floor = self.floor.max(place.unwrap_or(0));
    }
}
