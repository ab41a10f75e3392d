//! A scripted ledger in memory: changes are put in by the test, commands move entries as the coordinator would.

use super::entries::moved;
use picket_core::coordination::{Answer, Command, CoordinatorStatus, Decision, LedgerChange, LedgerEntry, StopView, WatchPage};
use picket_core::ids::RequestId;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::ports::{Coordinator, PortError, PortResult};
use picket_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The ledger, seen by one person.
#[derive(Clone)]
pub struct Ledger {
    who: String,
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
    /// While true, commands are not answered.
    held: Arc<watch::Sender<bool>>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, LedgerEntry>,
    changes: Vec<LedgerChange>,
    revision: u64,
    forgotten: u64,
    stop: StopView,
    answers: BTreeMap<RequestId, Answer>,
    commands: Vec<(String, RequestId, Command)>,
    away: u32,
    two_people: bool,
    whole_readings: u32,
}

impl Ledger {
    pub fn new() -> Self {
        Self { who: "reader".into(), inner: Arc::default(), changed: Arc::default(), held: Arc::new(watch::channel(false).0) }
    }

    /// The same ledger, as another person.
    pub fn as_person(&self, who: &str) -> Self {
        Self { who: who.into(), ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn put(&self, entry: LedgerEntry) {
        self.lock().put(entry);
        self.changed.notify_waiters();
    }

    /// Moves an entry on.
    pub fn step(&self, id: &str, to: EntryState) {
        let entry = self.lock().entries[id].clone();
        self.put(moved(entry, to));
    }

    pub fn entry(&self, id: &str) -> LedgerEntry {
        self.lock().entries[id].clone()
    }

    /// Entries that ended are kept for a while only.
    pub fn forget(&self, id: &str) {
        self.lock().entries.remove(id);
    }

    /// Changes so far are not kept any longer.
    pub fn compact(&self) {
        let mut inner = self.lock();
        inner.forgotten = inner.revision;
        inner.changes.clear();
    }

    pub fn set_stop(&self, set: bool, epoch: u64) {
        let mut inner = self.lock();
        (inner.stop.set, inner.stop.epoch) = (set, epoch);
    }

    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The next so many commands find nobody.
    pub fn away(&self, commands: u32) {
        self.lock().away = commands;
    }

    /// From now on two people must say yes.
    pub fn ask_two_people(&self) {
        self.lock().two_people = true;
    }

    /// What was asked: by whom, under which id, what.
    pub fn commands(&self) -> Vec<(String, RequestId, Command)> {
        self.lock().commands.clone()
    }

    pub fn whole_readings(&self) -> u32 {
        self.lock().whole_readings
    }
}

impl Inner {
    fn put(&mut self, entry: LedgerEntry) {
        self.revision += 1;
        self.entries.insert(entry.id.to_string(), entry.clone());
        self.changes.push(LedgerChange { revision: self.revision, entry, permit: None });
    }

    fn decide(&mut self, who: &str, command: &Command) -> Answer {
        let refused = |why: String| Answer::Refused { violations: vec![Violation::new(LimitRule::NotAllowed, None, why)] };
        let id = match command {
            Command::Approve { entry, .. } | Command::Deny { entry, .. } => entry.to_string(),
            other => return refused(format!("not in this script: {other:?}")),
        };
        let Some(entry) = self.entries.get(&id).cloned() else { return refused(format!("{id} is not in the ledger")) };
        if entry.state != EntryState::AwaitingApproval {
            return refused(format!("{id} is {:?}, not AwaitingApproval", entry.state));
        }
        let moved = match command {
            Command::Approve { stop_epoch, .. } if *stop_epoch != self.stop.epoch => return refused("the consent is void".into()),
            Command::Approve { digest, .. } if *digest != entry.digest => return refused("another act than the one that was shown".into()),
            Command::Approve { .. } if self.two_people && entry.first_approved_by.is_none() => {
                let half = LedgerEntry { first_approved_by: Some(format!("human:{who}")), ..entry };
                self.put(half);
                return Answer::Decided { entry: id.as_str().into(), decision: Decision::AwaitingApproval };
            }
            Command::Approve { .. } => LedgerEntry { approved_by: Some(format!("human:{who}")), ..moved(entry, EntryState::Approved) },
            Command::Deny { why, .. } => {
                let said = Violation::new(LimitRule::DeniedByHuman, None, format!("human:{who}: {why}"));
                LedgerEntry { violations: vec![said], ..moved(entry, EntryState::Denied) }
            }
            _ => unreachable!(),
        };
        self.put(moved);
        Answer::Done
    }
}

impl Coordinator for Ledger {
    async fn submit(&self, request_id: RequestId, command: Command) -> PortResult<Answer> {
        {
            let mut inner = self.lock();
            inner.commands.push((self.who.clone(), request_id.clone(), command.clone()));
            if inner.away > 0 {
                inner.away -= 1;
                return Err(PortError::Unavailable { what: "the coordinator".into(), why: "no leader".into() });
            }
        }
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let answer = {
            let mut inner = self.lock();
            match inner.answers.get(&request_id).cloned() {
                Some(first) => first,
                None => {
                    let answer = inner.decide(&self.who, &command);
                    inner.answers.insert(request_id, answer.clone());
                    answer
                }
            }
        };
        self.changed.notify_waiters();
        Ok(answer)
    }

    async fn status(&self) -> PortResult<CoordinatorStatus> {
        let inner = self.lock();
        Ok(CoordinatorStatus {
            now: Timestamp(0),
            revision: inner.revision,
            leader: Some(1),
            restore_epoch: 0,
            demonstration: false,
            stop: inner.stop.clone(),
            phases: BTreeMap::new(),
            leases: Vec::new(),
            leases_total: 0,
            violations: BTreeMap::new(),
            facts_age_ms: BTreeMap::new(),
            breakers: BTreeMap::new(),
            policy_version: 0,
            backup_revision: 0,
            restore: None,
        })
    }

    async fn entries(&self, settled_max: usize) -> PortResult<Vec<LedgerEntry>> {
        let mut inner = self.lock();
        inner.whole_readings += 1;
        let (over, open): (Vec<_>, Vec<_>) = inner.entries.values().cloned().partition(LedgerEntry::is_over);
        let skipped = over.len().saturating_sub(settled_max);
        Ok(open.into_iter().chain(over.into_iter().skip(skipped)).collect())
    }

    async fn watch(&self, revision: u64, wait_ms: u64) -> PortResult<WatchPage> {
        let page = |inner: &Inner| WatchPage {
            changes: inner.changes.iter().filter(|c| c.revision > revision).cloned().collect(),
            revision: inner.revision,
            compacted: revision < inner.forgotten,
        };
        let changed = self.changed.notified();
        {
            let inner = self.lock();
            if inner.revision > revision || wait_ms == 0 {
                return Ok(page(&inner));
            }
        }
        // Elapsed: nothing changed, which is an answer too.
        drop(tokio::time::timeout(Duration::from_millis(wait_ms), changed).await);
        Ok(page(&self.lock()))
    }
}
