//! The verdict over what was done to the cluster, from the log, from what landed, and from the audit logs: nothing that a role says of itself
//! counts. The coordinator's own checks come before.

use crate::site::{Machine, Site};
use picket_adapters::in_memory::InMemoryAuditLog;
use picket_adapters::kubernetes::Kind as ObjectKind;
use picket_coordinator_simulation::actors::fleet::Landed;
use picket_coordinator_simulation::history::{Asked, Call, History};
use picket_coordinator_simulation::{Finding, Happening, Kind, Options};
use picket_core::action::Reversibility;
use picket_core::audit::{AuditRecord, verify};
use picket_core::coordination::{Attributed, Command, LedgerEntry};
use picket_core::ids::{EntryId, Principal};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::outcome::{Outcome, Report};
use picket_core::ports::AuditLog as _;
use picket_core::proposal::Work;
use picket_core::quarantine::policy_name;
use picket_core::time::Timestamp;
use picket_state_machine::{Reply, Settings, State, apply};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// After a write, what is seen is the change itself (PROTOCOL.md, Monitor): no recovery can be told before this has passed.
const WATCHED_MS_MIN: u64 = 15_000;
/// Beyond a deadline, until whoever keeps it has noticed: its clock is the replicated one.
const SLACK_MS: i64 = 15_000;

fn broken(invariant: Invariant, why: String) -> Finding {
    Finding::new(Kind::Invariant(invariant), why)
}

/// Everything that does not hold.
pub fn check(history: &mut History, options: &Options, site: &Site, landed: &[Landed]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut state = State::new(options.settings.clone());
    let mut collided = 0;
    for applied in history.log.values() {
        if let Some(members) = &applied.members {
            state.set_members(members.clone());
        }
        let Some((said, at)) = &applied.said else { continue };
        collided += u64::from(collides(&state, said));
        let watched_ms = watched(&state, said, history, landed);
        let response = apply(&mut state, said, *at);
        if let (Some((entry, ms)), Reply::Done) = (watched_ms, &response.answer)
            && ms < WATCHED_MS_MIN
        {
            found.push(broken(Invariant::I10, format!("{entry} is said to have recovered {ms} ms after it took effect")));
        }
    }
    for _ in 0..collided {
        history.happened(Happening::AgentsCollided);
    }
    found.extend(struggle(history));
    let ledger: BTreeMap<EntryId, LedgerEntry> = state.entries(usize::MAX).into_iter().map(|e| (e.id.clone(), e)).collect();
    for _ in ledger.values().filter(|e| e.state == EntryState::RolledBack) {
        history.happened(Happening::ActUndone);
    }
    let records: Vec<AuditRecord> = site.machines.iter().flat_map(|machine| audited(machine, &mut found)).collect();
    found.extend(as_named(&ledger, &records, site));
    found.extend(ledger.values().filter_map(|entry| graded(entry, &ledger)));
    found.extend(ledger.values().filter_map(|entry| ended(entry, state.now(), &options.settings)));
    found
}

/// Two observers of one cluster find their peace: once everything is well, nobody takes over from anybody any more.
fn struggle(history: &History) -> Option<Finding> {
    let settled_ms = history.healed_ms? + 30_000;
    let took_over = history.calls.iter().filter(|call| call.began_ms >= settled_ms).filter(|call| match &call.asked {
        Asked::Submit { principal: Principal::Observer(_), request_id } => request_id.as_str().starts_with("register-"),
        _ => false,
    });
    let times = took_over.count();
    (times > 0).then(|| Finding::new(Kind::Liveness, format!("observers took over {times} times after everything was well")))
}

/// Another agent's act on the same service is under way.
fn collides(state: &State, said: &Attributed) -> bool {
    let (Command::Propose { proposal } | Command::ProposeRuled { proposal, .. }) = &said.request.command else { return false };
    let service = &proposal.action.service;
    state.entries(0).iter().any(|e| e.proposal.agent != proposal.agent && e.work.action().service == *service && !e.is_over())
}

/// For how long an act that is now said to have recovered was watched: by true time, for the coordinator's clock may have stood still.
fn watched(state: &State, said: &Attributed, history: &History, landed: &[Landed]) -> Option<(EntryId, u64)> {
    let Command::Grade { entry, outcome: Outcome::Recovered { .. }, .. } = &said.request.command else { return None };
    state.entry(entry).filter(|e| e.state == EntryState::Observing)?;
    let is_it = |call: &&Call| matches!(&call.asked, Asked::Submit { request_id, .. } if *request_id == said.request.request_id);
    let graded_ms = history.calls.iter().find(is_it)?.began_ms;
    let landed_ms = landed.iter().find(|write| write.entry == *entry)?.at_ms;
    Some((entry.clone(), graded_ms.saturating_sub(landed_ms)))
}

/// The records of a machine, whose chain must hold.
fn audited(machine: &Machine, found: &mut Vec<Finding>) -> Vec<AuditRecord> {
    let records = read(&machine.audit);
    if let Err(why) = verify(&records) {
        found.push(broken(Invariant::I8, format!("the audit log does not verify: {why}")));
    }
    records
}

/// Reading a memory waits for nothing.
fn read(log: &InMemoryAuditLog) -> Vec<AuditRecord> {
    let mut reading = pin!(log.read(1, usize::MAX));
    match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(records)) => records,
        Poll::Ready(Err(_)) | Poll::Pending => Vec::new(),
    }
}

/// Every write is the one that its entry names, on what was on record before, and leaves the ledger saying so.
fn as_named(ledger: &BTreeMap<EntryId, LedgerEntry>, records: &[AuditRecord], site: &Site) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    for write in site.writes().iter() {
        done.insert(write.entry.clone());
        let Some(entry) = ledger.get(&write.entry) else {
            found.push(broken(Invariant::I9, format!("{} landed and is in no ledger", write.entry)));
            continue;
        };
        let (kind, name) = target(&entry.work);
        let named = write.object.kind == kind.as_str() && write.object.name == name;
        if !named || write.object.namespace != entry.work.action().service.namespace {
            found.push(broken(
                Invariant::I9,
                format!("{} landed on {:?}, its act is {}", entry.id, write.object, entry.work.action().sentence()),
            ));
        }
        let intents = records.iter().filter(|r| r.entry.kind == "claim_intent" && r.entry.subject == entry.id.as_str());
        let hash = entry.claim.as_ref().map(|claim| &claim.audit_hash);
        let of_claim = intents.clone().find(|r| Some(&r.hash) == hash);
        let on_record = of_claim.and_then(|r| r.entry.detail["version"].as_str());
        if on_record != Some(write.on_version.as_str()) {
            let detail = format!("{} was written on version `{}`, on record before its claim is {on_record:?}", entry.id, write.on_version);
            found.push(broken(Invariant::I8, detail));
        }
    }
    for entry in ledger.values() {
        use EntryState as S;
        let wrong = match entry.state {
            S::Denied | S::Shadowed | S::Expired | S::Cancelled => done.contains(&entry.id),
            // A person may call an act that landed a failure.
            S::Failed => done.contains(&entry.id) && matches!(entry.report, None | Some(Report::NoEffect { .. })),
            S::Observing | S::RolledBack | S::Inconclusive => !done.contains(&entry.id),
            _ => false,
        };
        if wrong {
            found.push(broken(Invariant::I6, format!("{} is {:?}, and landed: {}", entry.id, entry.state, done.contains(&entry.id))));
        }
    }
    found
}

/// A regression of a reversible act is taken back, or a person is asked.
fn graded(entry: &LedgerEntry, ledger: &BTreeMap<EntryId, LedgerEntry>) -> Option<Finding> {
    use EntryState as S;
    let Some(Outcome::Regressed { .. }) = &entry.outcome else { return None };
    let reversible = entry.work.action().kind().reversibility() != Reversibility::None;
    let has_child = ledger.values().any(|e| e.parent.as_ref() == Some(&entry.id));
    // What a person decided in the end is theirs to decide.
    let answered = has_child || matches!(entry.state, S::Undoing | S::Inconclusive | S::UndoFailed | S::Indeterminate);
    let by_person = !reversible && matches!(entry.state, S::Settled | S::Failed | S::RolledBack);
    (entry.parent.is_none() && !answered && !by_person).then(|| {
        broken(Invariant::I10, format!("{} regressed and is {:?}: nothing was taken back, and nobody is asked", entry.id, entry.state))
    })
}

/// Every entry has ended, or waits for a person, or has time left.
fn ended(entry: &LedgerEntry, now: Timestamp, settings: &Settings) -> Option<Finding> {
    use EntryState as S;
    let (since, _) = entry.history.last()?;
    let left_ms = match entry.state {
        S::Denied | S::Shadowed | S::Settled | S::Failed | S::RolledBack | S::Expired | S::Cancelled => return None,
        S::Inconclusive | S::Indeterminate | S::UndoFailed => return None,
        S::Queued => settings.queue_ttl_ms,
        S::AwaitingApproval => settings.approval_ttl_ms,
        S::Approved => settings.refresh_ttl_ms,
        S::Permitted => settings.permit_ttl_ms,
        S::Claimed => settings.act_deadline_ms + settings.report_grace_ms,
        S::Observing => settings.sync_ttl_ms + settings.monitor_window_ms + settings.limits.facts_ttl_ms,
        // Its child has a way of its own.
        S::Undoing => return None,
    };
    let age_ms = now.since_ms(*since);
    (age_ms > left_ms + SLACK_MS)
        .then(|| Finding::new(Kind::Liveness, format!("{} is {:?} for {age_ms} ms, {left_ms} ms are allowed", entry.id, entry.state)))
}

/// The kind and name of the object that a work is done on: what the design says, not what the executor thinks.
fn target(work: &Work) -> (ObjectKind, String) {
    use picket_core::action::Remediation as R;
    let action = work.action();
    match &action.remediation {
        R::ExpandVolume { claim, .. } => (ObjectKind::PersistentVolumeClaim, claim.clone()),
        R::RenewCertificate { secret } => (ObjectKind::Secret, secret.clone()),
        R::SetReplicaBounds { autoscaler, .. } => (ObjectKind::HorizontalPodAutoscaler, autoscaler.clone()),
        R::Quarantine => (ObjectKind::NetworkPolicy, policy_name(&action.service.name)),
        R::RolloutRestart | R::Rollback { .. } | R::Scale { .. } | R::SetMemoryLimit { .. } | R::SetResources { .. } => {
            (ObjectKind::Deployment, action.service.name.clone())
        }
    }
}
