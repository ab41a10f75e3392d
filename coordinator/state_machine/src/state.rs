//! The whole replicated state, and the one function that changes it.

use crate::automation;
use crate::clock::Clock;
use crate::dedupe::Dedupe;
use crate::entry::Entry;
use crate::facts::ClusterBook;
use crate::lease::Leases;
use crate::ledger::ChangeLog;
use crate::members::Members;
use crate::phase::Phases;
use crate::planted::{self, Fault, is_planted};
use crate::reply::{Reply, Response};
use crate::restore::Restore;
use crate::settings::Settings;
use crate::token::{COUNTER_MAX, Tokens};
use crate::waiting::Line;
use crate::{
    approval, authority, bounds, caution, claim, edge, epochs, expiry, facts, foreign, grade, members, phase, policy, propose, queue,
    report, restore,
};
use crate::{stop, undo};
use picket_core::action::RemediationKind;
use picket_core::coordination::{Attributed, Command, StopView};
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::invariants::{Invariant, no_violations};
use picket_core::limits::LimitRule;
use picket_core::scope::FencingToken;
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
    /// Entries that are not over: not terminal, or with a fence still to be confirmed.
    pub(crate) open: BTreeSet<EntryId>,
    /// When each of them runs out.
    pub(crate) deadlines: BTreeSet<(Timestamp, EntryId)>,
    pub(crate) entries_made: u64,
    pub(crate) log: ChangeLog,
    pub(crate) leases: Leases,
    #[serde(serialize_with = "planted::line_in_snapshot")]
    pub(crate) waiting: Line,
    pub(crate) cooldowns: BTreeMap<ServiceId, BTreeMap<RemediationKind, Timestamp>>,
    pub(crate) clusters: BTreeMap<ClusterName, ClusterBook>,
    pub(crate) phases: Phases,
    pub(crate) stop: StopView,
    pub(crate) violations: BTreeMap<Invariant, u64>,
    /// Of those, the ones that others saw.
    pub(crate) reported: BTreeMap<Invariant, u64>,
    pub(crate) policy_version: u64,
    /// A backup covers the ledger up to this revision.
    pub(crate) backup_revision: u64,
    /// Restored from a backup, and not released yet.
    pub(crate) restore: Option<Restore>,
    /// The coordinator's own nodes.
    #[serde(default)]
    pub(crate) members: Members,
    #[serde(serialize_with = "planted::answers_in_snapshot")]
    pub(crate) dedupe: Dedupe,
    /// Changed by the command being applied; empty between commands.
    #[serde(skip)]
    pub(crate) changed: Vec<EntryId>,
    #[cfg(feature = "planted-faults")]
    #[serde(skip)]
    pub(crate) local: planted::Local,
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
            deadlines: BTreeSet::new(),
            entries_made: 0,
            log: ChangeLog::default(),
            leases: Leases::default(),
            waiting: Line::default(),
            cooldowns: BTreeMap::new(),
            clusters: BTreeMap::new(),
            phases: Phases::default(),
            stop: StopView::default(),
            violations: no_violations(),
            reported: no_violations(),
            policy_version: 0,
            backup_revision: 0,
            restore: None,
            members: Members::default(),
            dedupe: Dedupe::default(),
            changed: Vec::new(),
            #[cfg(feature = "planted-faults")]
            local: planted::Local::default(),
        }
    }

    /// A copy to be written as a snapshot, and for nothing else: what can be told from the rest is left out. The large parts are shared,
    /// so it costs little while everybody waits.
    #[must_use]
    pub fn frozen(&mut self) -> impl Serialize + Send + 'static + use<> {
        let index = self.leases.take_index();
        let frozen = self.clone();
        self.leases.put_index(index);
        frozen
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
        // Zero-padded, so that the order of ids is the order of making; `restore_epoch` first, so that a restored past makes no twin
        // (`act-0-` sorts before `act-0001-`).
        match self.tokens.restore_epoch() {
            0 => EntryId(format!("act-0-{:08}", self.entries_made)),
            epoch => EntryId(format!("act-{epoch:04}-{:08}", self.entries_made)),
        }
    }

    /// The next fencing token or epoch.
    pub(crate) fn next_token(&mut self) -> FencingToken {
        planted::token_of_this_node(self).unwrap_or_else(|| self.tokens.next())
    }

    /// Nothing of one command is left over for the next.
    pub(crate) fn end_command(&mut self) -> Vec<EntryId> {
        self.leases.forget_tokens(self.settings.tokens_remembered_max);
        self.leases.take_freed();
        self.waiting.take_moved();
        std::mem::take(&mut self.changed)
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
/// A retry (same principal, same request id) gets the first answer and changes nothing. A command of a deposed leader changes nothing
/// and is not answered for good: the same request may come again through the leader that followed.
#[must_use]
pub fn apply(state: &mut State, said: &Attributed, at: Timestamp) -> Response {
    let (principal, request, command) = (&said.principal, &said.request.request_id, &said.request.command);
    let nothing = |answer| Response { answer, changed: Vec::new() };
    planted::remember_for_stale_reads(state);
    if state.clock.is_deposed(said.proposer) && !(is_planted(Fault::ExpiryByDeposed) && matches!(command, Command::Tick)) {
        return nothing(Reply::refused(LimitRule::Deposed, "another node has led since this was put into the log: send it again"));
    }
    let at = planted::clock_of_this_node(state, at);
    let given_back_ms = state.clock.advance(said.proposer, command, at, state.settings.clock_jump_ms);
    if given_back_ms > 0 {
        state.leases.postpone(given_back_ms);
        state.waiting.postpone(given_back_ms);
    }
    if let Some(first) = state.dedupe.find(principal, request) {
        return nothing(first.clone());
    }
    if let Err(why) = edge::check_request(request) {
        return nothing(Reply::refused(LimitRule::Malformed, why));
    }
    let now = state.now();
    // These are the same whenever they come: remembering them would only push younger answers out.
    let idempotent = matches!(command, Command::Tick | Command::ForgetAnswers { .. });
    if !idempotent && let Err(full) = state.dedupe.room(principal, now, &state.settings) {
        return nothing(Reply::Refused { violations: vec![full] });
    }
    let before = state.own_violations();
    // What has run out has run out before anybody is heard.
    expiry::expire(state);
    let heard = authority::may_say(state, principal, command).and_then(|()| edge::check_command(command));
    let answer = match heard {
        Err(violation) => Reply::Refused { violations: vec![violation] },
        Ok(()) if state.tokens.are_spent() && takes_a_token(command) => {
            bounds::refuse("tokens", COUNTER_MAX as usize, COUNTER_MAX as usize, "tokens of this restore epoch are spent: restore a backup")
        }
        Ok(()) => carry_out(state, said),
    };
    queue::grant_what_is_free(state);
    phase::own_violations(state, before);
    // Whoever waits asks again with the same request, and is answered then.
    if !idempotent && !matches!(answer, Reply::Waiting { .. }) {
        state.dedupe.keep(principal, request, &answer, now);
    }
    Response { answer, changed: state.end_command() }
}

const fn takes_a_token(command: &Command) -> bool {
    matches!(
        command,
        Command::Propose { .. }
            | Command::ProposeRuled { .. }
            | Command::Register
            | Command::AcquireLease { .. }
            | Command::QueueLease { .. }
    )
}

fn carry_out(state: &mut State, said: &Attributed) -> Reply {
    let who = &said.principal;
    match &said.request.command {
        Command::Propose { proposal } => propose::propose(state, proposal, None),
        Command::ProposeRuled { proposal, ruled } => propose::propose(state, proposal, Some(ruled)),
        Command::Refresh { entry, digest, evidence_echo } => approval::refresh(state, entry, digest, *evidence_echo),
        Command::Approve { entry, digest, stop_epoch } => approval::approve(state, who, entry, digest, *stop_epoch),
        Command::Deny { entry, why } => approval::deny(state, who, entry, why),
        Command::Register => epochs::register(state, who),
        Command::PostFacts { facts } => facts::post(state, facts),
        Command::Claim { claim } => claim::claim(state, claim),
        Command::Report { entry, actuator_epoch, report } => report::report(state, entry, *actuator_epoch, report),
        Command::FenceRaised { actuator_epoch, stop_epoch } => epochs::fence_raised(state, who, *actuator_epoch, *stop_epoch),
        Command::ForeignEvidence { entry, observer_epoch, evidence } => foreign::note(state, entry, *observer_epoch, evidence),
        Command::Grade { entry, observer_epoch, outcome } => grade::grade(state, entry, *observer_epoch, outcome),
        Command::Undo { entry, stop_epoch } => undo::by_human(state, entry, *stop_epoch),
        Command::Resolve { entry, resolution } => undo::resolve(state, entry, *resolution),
        Command::Stop { keep_undos } => stop::stop(state, who, *keep_undos),
        Command::Resume { stop_epoch } => stop::resume(state, who, *stop_epoch),
        Command::SetPhase { agent, phase, stop_epoch, why } => phase::set(state, who, *agent, *phase, *stop_epoch, why),
        Command::Adjudicate { adjudication } => phase::adjudicate(state, adjudication),
        Command::ReportViolation { invariant, agent, detail } => phase::violation_reported(state, who, *invariant, *agent, detail),
        Command::AcquireLease { scopes, ttl_ms } => automation::acquire(state, who, scopes, *ttl_ms),
        Command::QueueLease { scopes, ttl_ms, priority } => {
            automation::queue_up(state, who, &said.request.request_id, scopes, *ttl_ms, *priority)
        }
        Command::RenewLease { scope, token, ttl_ms } => automation::renew(state, who, scope, *token, *ttl_ms),
        Command::ReleaseLease { scope, token } => automation::release(state, who, scope, *token),
        Command::ForgetAnswers { requests } => {
            state.dedupe.forget_these(who, requests);
            Reply::Done
        }
        Command::SetPolicy { policy } => policy::set(state, policy),
        Command::RestartEvidence { agent, why } => phase::restart_evidence(state, who, *agent, why),
        Command::UploadJournal { actuator_epoch, acts, last } => restore::upload(state, who, *actuator_epoch, acts, *last),
        Command::BackupTaken { revision } => restore::backup_taken(state, *revision),
        Command::WaiveJournal { cluster, .. } => restore::waive(state, cluster),
        Command::RetireCluster { cluster, .. } => restore::retire(state, cluster),
        Command::ResetBreaker { cluster, .. } => caution::reset(state, who, cluster),
        Command::ChangeMembers { change } => members::change(state, who, change),
        Command::Tick => {
            expiry::forget(state);
            Reply::Done
        }
    }
}
