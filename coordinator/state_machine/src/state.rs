//! The whole replicated state, and the one function that changes it.

use crate::clock::Clock;
use crate::dedupe::Dedupe;
use crate::entry::Entry;
use crate::facts::ClusterBook;
use crate::lease::Leases;
use crate::ledger::ChangeLog;
use crate::phase::Phases;
use crate::reply::{Reply, Response};
use crate::settings::Settings;
use crate::token::Tokens;
use crate::{approval, authority, claim, edge, epochs, expiry, facts, grade, lease, phase, propose, queue, report, stop, undo};
use picket_core::action::RemediationKind;
use picket_core::coordination::{Attributed, Command, StopView};
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::invariants::{Invariant, no_violations};
use picket_core::limits::LimitRule;
use picket_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What every coordinator node holds. It changes only by [`apply`]; a snapshot is its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    pub(crate) entries: BTreeMap<EntryId, Entry>,
    /// Entries that are not terminal.
    pub(crate) open: BTreeSet<EntryId>,
    pub(crate) entries_made: u64,
    pub(crate) log: ChangeLog,
    pub(crate) leases: Leases,
    pub(crate) cooldowns: BTreeMap<ServiceId, BTreeMap<RemediationKind, Timestamp>>,
    pub(crate) clusters: BTreeMap<ClusterName, ClusterBook>,
    pub(crate) phases: Phases,
    pub(crate) stop: StopView,
    /// The latch lets undos through.
    pub(crate) keep_undos: bool,
    pub(crate) violations: BTreeMap<Invariant, u64>,
    /// Of those, the ones that others saw.
    pub(crate) reported: BTreeMap<Invariant, u64>,
    pub(crate) dedupe: Dedupe,
    /// Changed by the command being applied; empty between commands.
    #[serde(skip)]
    pub(crate) changed: Vec<EntryId>,
}

impl State {
    /// An empty ledger: no facts, no leases, every agent in Observe.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::default(),
            tokens: Tokens::default(),
            entries: BTreeMap::new(),
            open: BTreeSet::new(),
            entries_made: 0,
            log: ChangeLog::default(),
            leases: Leases::default(),
            cooldowns: BTreeMap::new(),
            clusters: BTreeMap::new(),
            phases: Phases::default(),
            stop: StopView::default(),
            keep_undos: false,
            violations: no_violations(),
            reported: no_violations(),
            dedupe: Dedupe::default(),
            changed: Vec::new(),
        }
    }

    /// The replicated clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What every node agreed on.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn next_entry_id(&mut self) -> EntryId {
        self.entries_made += 1;
        // Zero-padded, so that the order of ids is the order of making; `restore_epoch` first, so that a restored past makes no twin.
        EntryId(format!("act-{}-{:08}", self.tokens.restore_epoch(), self.entries_made))
    }

    /// Violations that `apply` found itself.
    pub(crate) fn own_violations(&self) -> u64 {
        self.violations.values().sum::<u64>().saturating_sub(self.reported.values().sum())
    }

    /// Counts a broken invariant. Its agent is demoted by [`phase::own_violations`], after the command.
    pub(crate) fn count_violation(&mut self, invariant: Invariant) {
        *self.violations.entry(invariant).or_insert(0) += 1;
    }
}

/// Carries one command out. `at` is the leader's clock when it proposed the command.
///
/// A retry (same principal, same request id) gets the first answer and changes nothing.
#[must_use]
pub fn apply(state: &mut State, said: &Attributed, at: Timestamp) -> Response {
    state.clock.advance(at);
    state.changed.clear();
    let (principal, request) = (&said.principal, &said.request.request_id);
    if let Some(first) = state.dedupe.find(principal, request) {
        return Response { answer: first.clone(), changed: Vec::new() };
    }
    if let Err(why) = edge::check_request(request) {
        return Response { answer: Reply::refused(LimitRule::Malformed, why), changed: Vec::new() };
    }
    let now = state.now();
    // A tick is the same whenever it comes: remembering it would only push younger answers out.
    let remembered = !matches!(said.request.command, Command::Tick);
    if remembered && state.dedupe.room(principal, now, state.settings.request_retention_ms, state.settings.requests_max).is_err() {
        let why =
            format!("{} answers to {principal} are kept already; retry in a minute with the same request id", state.settings.requests_max);
        return Response { answer: Reply::refused(LimitRule::Capacity, why), changed: Vec::new() };
    }
    let before = state.own_violations();
    // What has run out has run out before anybody is heard.
    expiry::expire(state);
    let answer = match authority::may_say(state, principal, &said.request.command).and_then(|()| edge::check_command(&said.request.command))
    {
        Ok(()) => carry_out(state, said),
        Err(violation) => Reply::Refused { violations: vec![violation] },
    };
    queue::grant_what_is_free(state);
    phase::own_violations(state, before);
    if remembered {
        state.dedupe.keep(principal, request, &answer, now);
    }
    Response { answer, changed: std::mem::take(&mut state.changed) }
}

fn carry_out(state: &mut State, said: &Attributed) -> Reply {
    let who = &said.principal;
    match &said.request.command {
        Command::Propose { proposal } => propose::propose(state, proposal),
        Command::Refresh { entry, digest, evidence_echo } => approval::refresh(state, entry, digest, *evidence_echo),
        Command::Approve { entry, digest, stop_epoch } => approval::approve(state, who, entry, digest, *stop_epoch),
        Command::Deny { entry, why } => approval::deny(state, who, entry, why),
        Command::Register => epochs::register(state, who),
        Command::PostFacts { facts } => facts::post(state, facts),
        Command::Claim { claim } => claim::claim(state, claim),
        Command::Report { entry, actuator_epoch, report } => report::report(state, entry, *actuator_epoch, report),
        Command::FenceRaised { actuator_epoch, stop_epoch } => epochs::fence_raised(state, who, *actuator_epoch, *stop_epoch),
        Command::Grade { entry, observer_epoch, outcome } => grade::grade(state, entry, *observer_epoch, outcome),
        Command::Undo { entry } => undo::by_human(state, entry),
        Command::Resolve { entry, resolution } => undo::resolve(state, entry, *resolution),
        Command::Stop { keep_undos } => stop::stop(state, who, *keep_undos),
        Command::Resume => stop::resume(state),
        Command::SetPhase { agent, phase, why } => phase::set(state, who, *agent, *phase, why),
        Command::Adjudicate { adjudication } => phase::adjudicate(state, adjudication),
        Command::ReportViolation { invariant, agent, detail } => phase::violation_reported(state, who, *invariant, *agent, detail),
        Command::AcquireLease { scopes, ttl_ms } => lease::acquire(state, who, scopes, *ttl_ms),
        Command::RenewLease { scope, token, ttl_ms } => lease::renew(state, who, scope, *token, *ttl_ms),
        Command::ReleaseLease { scope, token } => lease::release(state, who, scope, *token),
        Command::Tick => {
            let (now, retention_ms) = (state.now(), state.settings.request_retention_ms);
            state.dedupe.forget(now, retention_ms);
            Reply::Done
        }
    }
}
