//! Somebody who remembers everything: what must be true after each move, seen from outside, by the API alone.

use super::moves::Act;
use super::world::*;
use crate::{Reply, RestoreOrder, State};
use picket_core::coordination::{Attributed, Command, LeasePriority, LedgerEntry, Proposer, Request, Resolution};
use picket_core::freeze::{Freeze, FreezeTime};
use picket_core::ids::{AgentKind, EntryId, Principal};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, budget_pods};
use picket_core::outcome::{Outcome, Report};
use picket_core::phase::Phase;
use picket_core::policy::{PhaseCap, Policy};
use picket_core::restore::JournaledAct;
use picket_core::scope::{FencingToken, Scope};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;
use std::collections::BTreeMap;

/// A lease that somebody was promised.
#[derive(Clone, Debug)]
struct Promise {
    principal: Principal,
    token: FencingToken,
    until: Timestamp,
}

/// A request that was answered for good.
#[derive(Clone, Debug)]
struct Answered {
    principal: Principal,
    request: Request,
    reply: Reply,
    at: Timestamp,
}

/// Answers are kept for this long.
const RETENTION_MS: i64 = 5 * 60_000;

/// The world with somebody who remembers everything that was ever answered.
pub struct Watched {
    pub w: World,
    highest: BTreeMap<Scope, FencingToken>,
    promised: BTreeMap<Scope, Promise>,
    requests: Vec<Answered>,
    asked: u64,
    waits: BTreeMap<(u8, u8), u64>,
    claims: Vec<JournaledAct>,
    backup: Option<State>,
    /// Somebody who pressed STOP, and nobody has released it, withheld undos.
    undos_withheld: bool,
    /// When budget was last released after an act.
    released_at: Option<Timestamp>,
    /// Changes are frozen until then.
    frozen_until: Option<Timestamp>,
    /// A breaker was seen open, and nobody has reset it.
    broken: bool,
}

/// Made by a journal: a claim that the ledger did not know of.
fn is_found(entry: &LedgerEntry) -> bool {
    entry.history.first().is_some_and(|(_, state)| *state == EntryState::Indeterminate)
}

fn scopes_of(bits: u8) -> Vec<Scope> {
    let namespace = |name: &str| Scope::Namespace(CLUSTER.into(), name.into());
    let all = [Scope::External("git".into(), "repo".into()), namespace("pay"), namespace("shop")];
    let mut scopes: Vec<Scope> = all.into_iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, s)| s).collect();
    scopes.sort();
    scopes
}

fn person(n: u8) -> Principal {
    Principal::Human(format!("pipeline-{n}"))
}

impl Watched {
    pub fn new(w: World) -> Self {
        Self {
            w: World { term: 1, ..w },
            highest: BTreeMap::new(),
            promised: BTreeMap::new(),
            requests: Vec::new(),
            asked: 0,
            waits: BTreeMap::new(),
            claims: Vec::new(),
            backup: None,
            undos_withheld: false,
            released_at: None,
            frozen_until: None,
            broken: false,
        }
    }

    /// Does it, and looks.
    pub fn step(&mut self, act: &Act) {
        let before = self.w.state.entries(0).into_iter().map(|e| (e.id.clone(), e)).collect();
        let cautious = (self.frozen_until, self.broken);
        self.play(act);
        self.caution_is_kept(&before, cautious);
        if !matches!(act, Act::Restore | Act::Lost) {
            self.budget_holds(&before);
            self.undos_ask_fresh(&before);
        }
        self.tokens_rise();
        self.promises_are_kept();
        self.undos_are_withheld();
    }

    fn ask(&mut self, who: &Principal, id: String, command: Command) -> Reply {
        self.asked += 1;
        let request = Request { request_id: id.into(), command };
        let answer = self.w.say_as(who, request.clone()).answer;
        if !matches!(answer, Reply::Waiting { .. }) {
            self.requests.push(Answered { principal: who.clone(), request, reply: answer.clone(), at: self.w.state.now() });
        }
        if let Reply::Leased { tokens, expires_at, preempt_at } = &answer {
            let until = preempt_at.map_or(*expires_at, |at| at.min(*expires_at));
            for (scope, token) in tokens {
                self.promised.insert(scope.clone(), Promise { principal: who.clone(), token: *token, until });
            }
        }
        answer
    }

    /// I1: whoever was promised a scope holds it until then, or until a notice that it could read has run out.
    fn promises_are_kept(&mut self) {
        let now = self.w.state.now();
        for (scope, promise) in &mut self.promised {
            let lease = self.w.state.lease(scope).filter(|l| l.token == promise.token && l.holder == promise.principal.to_string());
            if let Some(at) = lease.as_ref().and_then(|l| l.preempt_at) {
                promise.until = promise.until.min(at);
            }
            assert!(lease.is_some() || promise.until <= now, "{scope} was promised: {promise:?}, it is {now}");
        }
        self.promised.retain(|_, promise| promise.until > now);
    }

    /// STOP: while one of its pressings withholds undos, none may begin.
    fn undos_are_withheld(&mut self) {
        self.undos_withheld &= self.w.state.status().stop.set;
        let entries = self.w.state.entries(0);
        let begun = entries.iter().find(|e| e.parent.is_some() && matches!(e.state, EntryState::Permitted | EntryState::Queued));
        assert!(!self.undos_withheld || begun.is_none(), "undos are withheld, and one may begin: {begun:?}");
    }

    /// What a person's page shows: the newest STOP, or it is older than that.
    fn shown(&self, late: bool) -> u64 {
        let epoch = self.w.stop_epoch();
        epoch - u64::from(late && epoch > 0)
    }

    /// Says what lets something happen; by an older page it must let nothing.
    fn let_happen(&mut self, shown: u64, command: Command) {
        let current = self.w.stop_epoch();
        let reply = self.w.say(&human(), command.clone());
        assert!(shown == current || matches!(reply, Reply::Refused { .. }), "{command:?} held under stop epoch {current}");
    }

    fn stop(&mut self, keep_undos: bool) {
        self.undos_withheld |= !keep_undos;
        self.w.stop(keep_undos);
    }

    /// I4, by sums of its own over what everybody can see: whatever was newly reserved or claimed fits the facts of that moment.
    fn budget_holds(&self, before: &BTreeMap<EntryId, LedgerEntry>) {
        let entries = self.w.state.entries(0);
        let by_id: BTreeMap<_, _> = entries.iter().map(|e| (e.id.clone(), e)).collect();
        let inherits = |e: &LedgerEntry| e.parent.as_ref().and_then(|p| by_id.get(p)).is_some_and(|p| p.holds_budget());
        let counted = entries.iter().filter(|e| e.holds_budget() && !inherits(e));
        let sum: u32 = counted.map(|e| e.cost_pods).sum();
        let asks_anew = entries.iter().any(|e| {
            e.parent.is_none()
                && e.cost_pods > 0
                && e.holds_budget()
                && !is_found(e)
                && before
                    .get(&e.id)
                    .is_none_or(|b| !b.holds_budget() || (e.state == EntryState::Claimed && b.state == EntryState::Permitted))
        });
        let allowed = budget_pods(0.1, self.w.facts.fleet_ready()).saturating_sub(self.w.facts.disrupted_by_others());
        assert!(!asks_anew || sum <= allowed, "{sum} pods are reserved, {allowed} are allowed");
    }

    /// Nothing is claimed in a freeze, nor where a breaker was seen open; undos apart.
    fn caution_is_kept(&mut self, before: &BTreeMap<EntryId, LedgerEntry>, (frozen_until, broken): (Option<Timestamp>, bool)) {
        let now = self.w.state.now();
        let claimed = before.values().filter(|was| was.parent.is_none() && was.state == EntryState::Permitted);
        for was in claimed.filter(|was| self.w.state.entry(&was.id).is_some_and(|is| is.state == EntryState::Claimed)) {
            assert!(frozen_until.is_none_or(|until| until <= now), "{} was claimed while changes were frozen", was.id);
            assert!(!broken, "{} was claimed while the breaker was open", was.id);
        }
        self.broken |= !self.w.state.status().breakers.is_empty();
    }

    /// I4: an undo that asks for its budget anew does so on facts from after the last release.
    fn undos_ask_fresh(&mut self, before: &BTreeMap<EntryId, LedgerEntry>) {
        for (id, was) in before {
            let Some(is) = self.w.state.entry(id).filter(|e| e.state == EntryState::Undoing && was.state != EntryState::Undoing) else {
                continue;
            };
            // Where it was Inconclusive it had let its reservation go, then if not before.
            let let_go = is.history.iter().rev().nth(1).filter(|(_, state)| *state == EntryState::Inconclusive && is.cost_pods > 0);
            let released = let_go.map(|(at, _)| self.released_at.map_or(*at, |before| before.max(*at)));
            assert!(released.is_none_or(|at| self.w.facts.echo > at), "{id} asks anew on facts from before a release");
        }
        for was in before.values().filter(|was| was.holds_budget() && was.claim.is_some() && was.cost_pods > 0) {
            let is = self.w.state.entry(&was.id);
            if !is.is_some_and(LedgerEntry::holds_budget) {
                // By the step that ended it, where one did: a fence that is confirmed leaves the state as it was.
                let stepped = is.filter(|e| e.state != was.state).and_then(|e| e.history.last()).map(|(at, _)| *at);
                let at = stepped.unwrap_or_else(|| self.w.state.now());
                self.released_at = Some(self.released_at.map_or(at, |before| before.max(at)));
            }
        }
    }

    /// I2: a scope's token never falls, over every life of the coordinator.
    fn tokens_rise(&mut self) {
        for lease in self.w.state.status().leases {
            let last = self.highest.entry(lease.scope).or_insert(lease.token);
            assert!(lease.token >= *last, "{} after {last} (I2)", lease.token);
            *last = lease.token;
        }
    }

    fn pick(&self, entry: u8) -> EntryId {
        let entries = self.w.state.entries(4);
        if entries.is_empty() { "act-none".into() } else { entries[entry as usize % entries.len()].id.clone() }
    }

    /// Mostly an entry that is in that state: deep sequences are rare otherwise.
    fn pick_at(&self, entry: u8, state: EntryState) -> EntryId {
        let there: Vec<_> = self.w.state.entries(0).into_iter().filter(|e| e.state == state).collect();
        if entry.is_multiple_of(5) || there.is_empty() { self.pick(entry) } else { there[entry as usize % there.len()].id.clone() }
    }

    /// Every command goes through [`World::say`], which checks the invariants after it.
    fn play(&mut self, act: &Act) {
        match act {
            Act::Propose { .. } | Act::Claim { .. } | Act::Report { .. } | Act::Grade { .. } => self.play_act(act),
            Act::Lease { .. } | Act::Queue { .. } | Act::Renew { .. } | Act::Release { .. } | Act::Forget | Act::Retry { .. } => {
                self.play_lease(act);
            }
            Act::Lead { .. } | Act::Deposed { .. } | Act::Snapshot | Act::Backup | Act::Restore | Act::Comeback { .. } | Act::Lost => {
                self.play_disaster(act);
            }
            _ => self.play_person(act),
        }
    }

    fn play_act(&mut self, act: &Act) {
        match act {
            Act::Propose { kind, namespace, service: n, severity } => {
                let target = service(if *namespace { "shop" } else { "pay" }, *n as usize);
                let mut proposal = match kind {
                    0 => limit(target),
                    1 => restart(target),
                    2 => quarantine(target),
                    _ => resize(target),
                };
                proposal.severity = Severity::try_from(*severity).unwrap();
                self.w.propose(proposal);
            }
            Act::Claim { entry, old_epoch } => {
                let id = self.pick_at(*entry, EntryState::Permitted);
                if self.w.state.entry(&id).is_some() {
                    self.claim(&id, *old_epoch);
                }
            }
            Act::Report { entry, how } => {
                let id = self.pick_at(*entry, EntryState::Claimed);
                let Report::Applied { receipt } = applied() else { return };
                let why = String::new();
                let report = match how {
                    0 => Report::NoEffect { why },
                    1 => Report::CannotTell { why, landed: None, fenced: false },
                    2 => Report::CannotTell { why, landed: Some(receipt), fenced: true },
                    3 => Report::CannotTell { why, landed: None, fenced: true },
                    _ => applied(),
                };
                let taken = self.w.report(&id, report.clone()) == Reply::Done;
                if let Some(claim) = self.claims.iter_mut().find(|c| c.claim.entry == id).filter(|_| taken) {
                    claim.report = Some(report);
                }
            }
            Act::Grade { entry, how } => {
                let id = self.pick_at(*entry, EntryState::Observing);
                let outcome = match how {
                    0 => Outcome::NoEffect { why: String::new() },
                    1 => Outcome::Inconclusive { why: String::new() },
                    2 => recovered(),
                    _ => regressed(),
                };
                self.w.grade(&id, outcome);
            }
            _ => {}
        }
    }

    fn claim(&mut self, id: &EntryId, old_epoch: bool) {
        let mut claim = self.w.claim_of(id);
        claim.actuator_epoch -= u64::from(old_epoch);
        let status = self.w.state.status();
        if let Ok(body) = self.w.try_claim(claim) {
            assert!(!old_epoch, "a deposed actuator claimed {id} (I6)");
            assert_eq!(body.token.restore_epoch(), status.restore_epoch, "a permit of another life was claimed (I9)");
            assert_eq!(status.restore, None, "claimed before the release");
            self.claims.push(JournaledAct { token: body.token, ..self.w.journaled(id, None) });
        }
    }

    fn play_person(&mut self, act: &Act) {
        match act {
            Act::Approve { entry } => {
                let id = self.pick_at(*entry, EntryState::AwaitingApproval);
                if let Some(digest) = self.w.state.entry(&id).map(|e| e.digest.clone()) {
                    let stop_epoch = self.w.state.status().stop.epoch;
                    self.w.say(&human(), Command::Approve { entry: id, digest, stop_epoch });
                }
            }
            Act::Refresh { entry } => {
                let id = self.pick_at(*entry, EntryState::Approved);
                if let Some((digest, agent)) = self.w.state.entry(&id).map(|e| (e.digest.clone(), e.proposal.agent)) {
                    let evidence_echo = self.w.state.now();
                    self.w.say(&Principal::Agent(agent), Command::Refresh { entry: id, digest, evidence_echo });
                }
            }
            Act::Deny { entry } => {
                let entry = self.pick(*entry);
                self.w.say(&human(), Command::Deny { entry, why: String::new() });
            }
            Act::Undo { entry, late } => {
                let (entry, stop_epoch) = (self.pick_at(*entry, EntryState::Inconclusive), self.shown(*late));
                self.let_happen(stop_epoch, Command::Undo { entry, stop_epoch });
            }
            Act::Resolve { entry, how, late } => {
                let (entry, stop_epoch) = (self.pick(*entry), self.shown(*late));
                match how {
                    0 => drop(self.w.resolve(&entry, Resolution::Settled)),
                    1 => drop(self.w.resolve(&entry, Resolution::Failed)),
                    _ => self.let_happen(stop_epoch, Command::Resolve { entry, resolution: Resolution::Undo { stop_epoch } }),
                }
            }
            Act::Stop { keep_undos } => self.stop(*keep_undos),
            // An act does harm, and a person stops everything.
            Act::Alarm { entry, keep_undos } => {
                let id = self.pick_at(*entry, EntryState::Observing);
                self.w.grade(&id, regressed());
                self.stop(*keep_undos);
            }
            // Two people press STOP, and the second does not know what the first withheld; then an act is seen to do harm.
            Act::Panic { entry } => {
                self.stop(false);
                self.stop(true);
                let id = self.pick_at(*entry, EntryState::Observing);
                self.w.grade(&id, regressed());
            }
            // Nobody can grade an act, and a person takes it back before anybody has looked at the cluster again.
            Act::Regret { entry } => {
                let id = self.pick_at(*entry, EntryState::Observing);
                self.w.grade(&id, Outcome::Inconclusive { why: String::new() });
                self.w.undo(&id);
            }
            Act::Fence => self.raise_fence(),
            Act::Resume { late } => {
                let stop_epoch = self.shown(*late);
                self.let_happen(stop_epoch, Command::Resume { stop_epoch });
            }
            Act::Phase { agent, phase, late } => {
                let (agent, phase, stop_epoch) = (AgentKind::ALL[*agent as usize], PHASES[*phase as usize], self.shown(*late));
                let command = Command::SetPhase { agent, phase, stop_epoch, why: String::new() };
                if phase > self.w.state.status().phases[&agent].state.phase {
                    self.let_happen(stop_epoch, command);
                } else {
                    self.w.say(&human(), command);
                }
            }
            Act::Freeze { ms } => {
                let until = self.w.state.now().plus_ms(*ms);
                let when = FreezeTime::Between { from: Timestamp(0), until };
                let freeze = Freeze { cluster: None, namespace: None, when, except: vec![], why: "quiet, please".into() };
                let policy = self.w.state.policy();
                let policy = Policy { version: policy.version + 1, freezes: vec![freeze], ..policy };
                if self.w.say(&human(), Command::SetPolicy { policy: Box::new(policy) }) == Reply::Done {
                    self.frozen_until = Some(until);
                }
            }
            Act::Reset => {
                let said = self.w.say(&human(), Command::ResetBreaker { cluster: CLUSTER.into(), why: String::new() });
                self.broken &= said != Reply::Done;
            }
            Act::Cap { phase } => {
                self.frozen_until = None;
                let cap =
                    PhaseCap { agent: None, kind: None, cluster: None, namespace: Some("pay".into()), at_most: PHASES[*phase as usize] };
                let version = self.w.state.status().policy_version + 1;
                let policy = Policy {
                    version,
                    limits: self.w.state.policy().limits,
                    approval_severities: vec![1, 2],
                    two_person_severities: vec![],
                    caps: vec![cap],
                    freezes: vec![],
                    rules: BTreeMap::new(),
                };
                self.w.say(&human(), Command::SetPolicy { policy: Box::new(policy) });
            }
            Act::Violation => drop(self.w.say(
                &actuator(),
                Command::ReportViolation { invariant: Invariant::I3, agent: Some(AgentKind::FinOps), detail: String::new() },
            )),
            Act::Read { others, tier } => {
                self.w.facts.services.get_mut(&service("pay", 19)).unwrap().disrupted_by_others = u32::from(*others);
                self.w.facts.services.get_mut(&service("shop", 0)).unwrap().tier = *tier;
                self.w.post();
            }
            // More is wanted at one moment than the budget has.
            Act::Crowd { others } => {
                self.w.facts.services.get_mut(&service("pay", 19)).unwrap().disrupted_by_others = u32::from(*others);
                self.w.post();
                for proposal in [limit(service("shop", 5)), resize(service("pay", 5)), restart(service("pay", 6))] {
                    self.w.propose(proposal);
                }
            }
            Act::Pass { ms } => self.w.after_ms(*ms),
            Act::Takeover { observer: true } => self.w.observer = self.w.register(&observer()),
            Act::Takeover { observer: false } => self.w.actuator = self.w.register(&actuator()),
            _ => {}
        }
    }

    fn play_lease(&mut self, act: &Act) {
        let n = self.asked;
        match act {
            Act::Lease { who, scopes } => {
                let command = Command::AcquireLease { scopes: scopes_of(*scopes), ttl_ms: 10_000 };
                self.ask(&person(u8::from(*who)), format!("lease-{n}"), command);
            }
            Act::Queue { who, scopes, priority } => {
                // The same wish is the same request until it is answered.
                let place = *self.waits.entry((*who, *scopes)).or_insert(n);
                let priority = [LeasePriority::Containment, LeasePriority::Repair, LeasePriority::Savings][*priority as usize];
                let command = Command::QueueLease { scopes: scopes_of(*scopes), ttl_ms: 20_000, priority };
                if !matches!(self.ask(&person(*who), format!("queue-{scopes}-{place}"), command), Reply::Waiting { .. }) {
                    self.waits.remove(&(*who, *scopes));
                }
            }
            Act::Renew { which } | Act::Release { which } => {
                let Some((scope, promise)) = self.promised.iter().nth(*which as usize % self.promised.len().max(1)) else { return };
                let (scope, who, token) = (scope.clone(), promise.principal.clone(), promise.token);
                if matches!(act, Act::Renew { .. }) {
                    self.ask(&who, format!("renew-{n}"), Command::RenewLease { scope, token, ttl_ms: 10_000 });
                } else {
                    self.ask(&who, format!("release-{n}"), Command::ReleaseLease { scope, token });
                    // With every scope that was taken with it.
                    let state = &self.w.state;
                    self.promised.retain(|s, p| p.principal != who || state.lease(s).is_some_and(|l| l.token == p.token));
                }
            }
            Act::Forget => {
                for answered in std::mem::take(&mut self.requests) {
                    self.w.say(&answered.principal, Command::ForgetAnswers { requests: vec![answered.request.request_id] });
                }
            }
            Act::Retry { back } => {
                let now = self.w.state.now();
                let recent: Vec<_> = self.requests.iter().rev().take(4).filter(|a| now.since_ms(a.at) <= RETENTION_MS).collect();
                if let Some(first) = recent.get(*back as usize % recent.len().max(1)).map(|a| (*a).clone()) {
                    let again = self.w.say_as(&first.principal, first.request.clone());
                    assert_eq!((again.answer, again.changed), (first.reply, vec![]), "a retry of {:?}", first.request);
                }
            }
            _ => {}
        }
    }

    fn raise_fence(&mut self) {
        let (actuator_epoch, stop_epoch) = (self.w.actuator, self.w.state.status().stop.epoch);
        self.w.say(&actuator(), Command::FenceRaised { actuator_epoch, stop_epoch });
    }

    fn play_disaster(&mut self, act: &Act) {
        match act {
            Act::Lead { skew_ms } => {
                self.w.term += 1;
                self.w.skew_ms = *skew_ms;
                self.w.after_ms(1_000);
            }
            Act::Deposed { ms } if self.w.term > 1 => {
                // The present leader has been heard.
                self.w.after_ms(0);
                let proposer = Proposer { node: 2, term: self.w.term - 1 };
                let request = Request { request_id: "late".into(), command: Command::Tick };
                let said = Attributed::new(Principal::Node(2), request).proposed_by(proposer);
                let (mut after, at) = (self.w.state.clone(), self.w.now.plus_ms(self.w.skew_ms + ms));
                let reply = crate::apply(&mut after, &said, at).answer;
                assert_eq!(rules(reply), [LimitRule::Deposed]);
                assert_eq!(after, self.w.state, "a deposed leader changed something");
            }
            Act::Snapshot => self.w.snapshot(),
            Act::Backup => self.backup = Some(self.w.state.clone()),
            // What was permitted is claimed after the backup, and then the coordinator is lost.
            Act::Lost => {
                self.backup = Some(self.w.state.clone());
                let permitted: Vec<_> = self.w.state.entries(0).into_iter().filter(|e| e.state == EntryState::Permitted).collect();
                for entry in permitted {
                    self.claim(&entry.id, false);
                }
                self.play_disaster(&Act::Restore);
                self.play_disaster(&Act::Comeback { waive: false });
            }
            Act::Restore => {
                let Some(backup) = self.backup.take() else { return };
                let restore_epoch = self.w.state.status().restore_epoch + 1;
                let json = serde_json::to_vec(&backup).unwrap();
                let backup: State = serde_json::from_slice(&json).unwrap();
                let state = backup.restore(&RestoreOrder { by: human(), restore_epoch, at: self.w.now }).unwrap();
                assert_eq!(crate::check(&state), vec![]);
                self.w.replace(state);
                self.w.term = 1;
                self.w.skew_ms = 0;
                // What the lost life promised, tokens fence off.
                self.undos_withheld = true;
                (self.frozen_until, self.broken) = (None, false);
                self.released_at = Some(self.w.state.now());
                self.promised.clear();
                self.requests.clear();
                self.waits.clear();
                self.w.observer = self.w.register(&observer());
                self.w.actuator = self.w.register(&actuator());
            }
            Act::Comeback { waive } => {
                if self.w.state.status().restore.is_none() {
                    return;
                }
                let (actuator_epoch, acts) = (self.w.actuator, self.claims.iter().rev().take(64).cloned().collect::<Vec<_>>());
                if *waive {
                    self.w.say(&human(), Command::WaiveJournal { cluster: CLUSTER.into(), why: "lost".into() });
                    self.claims.clear();
                } else {
                    let said = Command::UploadJournal { actuator_epoch, acts: acts.clone(), last: true };
                    assert_eq!(self.w.say(&actuator(), said), Reply::Done);
                    for act in acts.iter().filter(|a| !matches!(a.report, Some(Report::NoEffect { .. }))) {
                        let known = self.w.state.entry(&act.claim.entry).is_some_and(|e| e.claim.is_some());
                        assert!(known, "{} was claimed, its journal says so, and nobody is asked (I10)", act.claim.entry);
                    }
                }
                self.raise_fence();
                self.w.after_ms(16 * 60_000);
                assert_eq!(self.w.resume(), Reply::Done);
                for agent in AgentKind::ALL {
                    self.w.set_phase(agent, Phase::Autonomous);
                }
                self.w.read();
            }
            _ => {}
        }
    }
}

const PHASES: [Phase; 3] = [Phase::Observe, Phase::Assist, Phase::Autonomous];
