//! The invariants once more, by books of this file's own: from commands, replies and what the ledger shows, not from the state machine's
//! own counters.

use crate::finding::{Finding, Kind};
use picket_core::action::{Digest, RemediationKind};
use picket_core::coordination::{Attributed, Command, LedgerEntry, Resolution};
use picket_core::facts::ClusterFacts;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::invariants::Invariant;
use picket_core::ledger::EntryState;
use picket_core::phase::Phase;
use picket_core::proposal::Work;
use picket_core::scope::{FencingToken, Scope};
use picket_core::time::Timestamp;
use picket_state_machine::{Reply, Response, Settings, State};
use std::collections::{BTreeMap, BTreeSet};

/// What is looked up before a command is applied.
pub struct Before {
    /// The entry that is to be claimed.
    claimed: Option<LedgerEntry>,
    /// The stop epoch that a person's consent must have been given under: the command lets something happen.
    consents_under: Option<u64>,
}

#[derive(Clone, Debug)]
struct Held {
    by: String,
    until: Timestamp,
    together: Vec<Scope>,
}

/// Books over the whole log.
pub struct Promises<'a> {
    settings: &'a Settings,
    /// The last token of each scope.
    tokens: BTreeMap<Scope, FencingToken>,
    /// Tokens of entries that were seen already.
    seen: BTreeMap<(EntryId, Scope), FencingToken>,
    /// Leases of principals.
    held: BTreeMap<Scope, Held>,
    facts: BTreeMap<ClusterName, ClusterFacts>,
    evidence: BTreeMap<EntryId, Timestamp>,
    approved: BTreeMap<EntryId, (Digest, u64)>,
    /// Stop epoch and time of each entry's newest permit.
    permitted: BTreeMap<EntryId, (u64, Timestamp)>,
    claims: BTreeMap<EntryId, u64>,
    /// Entries that were claimed, by what they did: when they were resolved, if they are.
    acts: BTreeMap<(ServiceId, RemediationKind), BTreeMap<EntryId, Option<Timestamp>>>,
    /// Entries that hold budget after an act.
    disrupting: BTreeSet<EntryId>,
    /// Entries that hold budget.
    reserved: BTreeSet<EntryId>,
    /// When budget was last released after an act.
    released: BTreeMap<ClusterName, Timestamp>,
    stop_epoch: u64,
    stopped: bool,
    undos_kept: bool,
}

const fn is_undo(entry: &LedgerEntry) -> bool {
    matches!(entry.work, Work::Undo { .. })
}

const fn is_unresolved(state: EntryState) -> bool {
    matches!(state, EntryState::Claimed | EntryState::Observing | EntryState::Undoing | EntryState::Indeterminate | EntryState::UndoFailed)
}

/// When the newest claim was resolved; `None` while it is not.
fn resolved_at(entry: &LedgerEntry) -> Option<Timestamp> {
    let mut at = None;
    let mut open = false;
    for (when, state) in &entry.history {
        if is_unresolved(*state) {
            (open, at) = (true, None);
        } else if open {
            (open, at) = (false, Some(*when));
        }
    }
    at
}

/// The stop epoch that is named by what lets something happen.
fn shown(state: &State, command: &Command) -> Option<u64> {
    match command {
        Command::Approve { stop_epoch, .. }
        | Command::Resume { stop_epoch }
        | Command::Undo { stop_epoch, .. }
        | Command::Resolve { resolution: Resolution::Undo { stop_epoch }, .. } => Some(*stop_epoch),
        Command::SetPhase { agent, phase, stop_epoch, .. } => {
            let stands = state.status().phases.get(agent).map_or(Phase::Observe, |p| p.state.phase);
            (*phase > stands).then_some(*stop_epoch)
        }
        _ => None,
    }
}

impl<'a> Promises<'a> {
    /// Empty books.
    pub fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            tokens: BTreeMap::new(),
            seen: BTreeMap::new(),
            held: BTreeMap::new(),
            facts: BTreeMap::new(),
            evidence: BTreeMap::new(),
            approved: BTreeMap::new(),
            permitted: BTreeMap::new(),
            claims: BTreeMap::new(),
            acts: BTreeMap::new(),
            disrupting: BTreeSet::new(),
            reserved: BTreeSet::new(),
            released: BTreeMap::new(),
            stop_epoch: 0,
            stopped: false,
            undos_kept: false,
        }
    }

    /// Looks before the command is applied.
    pub fn before(&self, state: &State, said: &Attributed) -> Before {
        let claimed = match &said.request.command {
            Command::Claim { claim } => state.entry(&claim.entry).cloned(),
            _ => None,
        };
        Before { claimed, consents_under: shown(state, &said.request.command) }
    }

    /// Compares and books what the command did. Not called for retries.
    pub fn after(&mut self, index: u64, state: &State, said: &Attributed, before: Before, response: &Response, found: &mut Vec<Finding>) {
        let mut broken: Vec<(Invariant, String)> = Vec::new();
        match (&said.request.command, &response.answer) {
            (Command::AcquireLease { .. } | Command::QueueLease { .. }, Reply::Leased { tokens, expires_at, .. }) => {
                self.leased(state, said, tokens, *expires_at, &mut broken);
            }
            (Command::RenewLease { scope, token, .. }, Reply::Leased { expires_at, .. }) if self.tokens.get(scope) == Some(token) => {
                for one in self.together(scope) {
                    if let Some(held) = self.held.get_mut(&one) {
                        held.until = held.until.max(*expires_at);
                    }
                }
            }
            (Command::ReleaseLease { scope, token }, Reply::Done) if self.tokens.get(scope) == Some(token) => {
                for one in self.together(scope) {
                    self.held.remove(&one);
                }
            }
            (Command::PostFacts { facts }, Reply::Done) => drop(self.facts.insert(facts.cluster.clone(), (**facts).clone())),
            (Command::Propose { proposal } | Command::ProposeRuled { proposal, .. }, Reply::Decided { entry, .. }) => {
                self.evidence.entry(entry.clone()).or_insert(proposal.evidence_echo);
            }
            (Command::Refresh { entry, evidence_echo, .. }, Reply::Decided { .. }) => {
                self.evidence.insert(entry.clone(), *evidence_echo);
            }
            (Command::Approve { entry, digest, stop_epoch }, Reply::Done) => {
                self.approved.insert(entry.clone(), (digest.clone(), *stop_epoch));
            }
            (Command::Claim { claim }, Reply::Claimed { .. }) => {
                *self.claims.entry(claim.entry.clone()).or_default() += 1;
                match before.claimed {
                    Some(entry) => self.claimed(state, &entry, &claim.digest, &mut broken),
                    None => broken.push((Invariant::I9, format!("{} was claimed and is not in the ledger", claim.entry))),
                }
            }
            _ => {}
        }
        if let (Some(shown), Reply::Done) = (before.consents_under, &response.answer)
            && shown != self.stop_epoch
        {
            let why = format!("{:?} holds under stop epoch {}, its sender was shown {shown}", said.request.command, self.stop_epoch);
            broken.push((Invariant::I7, why));
        }
        if matches!(said.request.command, Command::Stop { keep_undos: true }) {
            // Whoever pressed STOP let undos live on, under the new epoch.
            let epoch = state.status().stop.epoch;
            let kept = response.changed.iter().filter(|id| state.entry(id).is_some_and(is_undo));
            for id in kept {
                self.permitted.entry(id.clone()).and_modify(|permit| permit.0 = epoch);
            }
        }
        self.preempted(state);
        self.entries_changed(state, response, &mut broken);
        self.reservations_changed(state, response, &mut broken);
        let stop = state.status().stop;
        if matches!(said.request.command, Command::Stop { .. }) && stop.epoch > self.stop_epoch {
            // While it is set, another press may withhold undos and never give leave for them.
            self.undos_kept = matches!(said.request.command, Command::Stop { keep_undos: true }) && (!self.stopped || self.undos_kept);
        }
        (self.stop_epoch, self.stopped) = (stop.epoch, stop.set);
        for (invariant, why) in broken {
            found.push(Finding::new(Kind::Invariant(invariant), format!("entry {index}: {why}")));
        }
    }

    /// The scopes that were taken with this one, itself included: one lease, renewed and released as one.
    fn together(&self, scope: &Scope) -> Vec<Scope> {
        self.held.get(scope).map(|held| held.together.clone()).unwrap_or_default()
    }

    /// A lease that was given notice ends when the notice says.
    fn preempted(&mut self, state: &State) {
        for (scope, held) in &mut self.held {
            let notice = state.lease(scope).filter(|lease| lease.holder == held.by).and_then(|lease| lease.preempt_at);
            held.until = notice.map_or(held.until, |end| held.until.min(end));
        }
    }

    /// I1 and I2 of leases that principals take.
    fn leased(
        &mut self,
        state: &State,
        said: &Attributed,
        tokens: &BTreeMap<Scope, FencingToken>,
        until: Timestamp,
        broken: &mut Vec<(Invariant, String)>,
    ) {
        let now = state.now();
        let entries = state.entries(0);
        for (scope, token) in tokens {
            if let Some(held) = self.held.get(scope).filter(|held| held.until > now) {
                broken.push((Invariant::I1, format!("{scope} goes to {} and is held by {} until {}", said.principal, held.by, held.until)));
            }
            let by_entry = entries.iter().find(|e| {
                e.tokens.contains_key(scope)
                    && (e.waits_for_fence()
                        || matches!(e.state, EntryState::Permitted | EntryState::Indeterminate | EntryState::UndoFailed))
            });
            if let Some(entry) = by_entry {
                broken.push((Invariant::I1, format!("{scope} goes to {} and is held by {} ({:?})", said.principal, entry.id, entry.state)));
            }
            self.rises(scope, *token, broken);
            let together = tokens.keys().cloned().collect();
            self.held.insert(scope.clone(), Held { by: said.principal.to_string(), until, together });
        }
    }

    fn rises(&mut self, scope: &Scope, token: FencingToken, broken: &mut Vec<(Invariant, String)>) {
        if let Some(last) = self.tokens.insert(scope.clone(), token).filter(|last| *last >= token) {
            broken.push((Invariant::I2, format!("{scope} got token {token} after {last}")));
        }
    }

    /// Tokens, permits and resolutions of whatever the command changed.
    fn entries_changed(&mut self, state: &State, response: &Response, broken: &mut Vec<(Invariant, String)>) {
        let stop_epoch = state.status().stop.epoch;
        for entry in response.changed.iter().filter_map(|id| state.entry(id)) {
            for (scope, token) in &entry.tokens {
                if self.seen.insert((entry.id.clone(), scope.clone()), *token) != Some(*token) {
                    if let Some(held) = self.held.get(scope).filter(|held| held.until > state.now()) {
                        broken
                            .push((Invariant::I1, format!("{scope} goes to {} and is held by {} until {}", entry.id, held.by, held.until)));
                    }
                    self.rises(scope, *token, broken);
                }
            }
            if let Some((at, _)) = entry.history.iter().rev().find(|(_, s)| *s == EntryState::Permitted) {
                self.permitted.entry(entry.id.clone()).or_insert((stop_epoch, *at));
            }
            if !is_undo(entry) && entry.history.iter().any(|(_, s)| *s == EntryState::Claimed) {
                let action = entry.work.action();
                let acts = self.acts.entry((action.service.clone(), action.kind())).or_default();
                acts.insert(entry.id.clone(), resolved_at(entry));
            }
        }
    }

    /// I4: an undo whose parent has let its reservation go asks for it on facts from after the last release.
    fn reservations_changed(&mut self, state: &State, response: &Response, broken: &mut Vec<(Invariant, String)>) {
        for entry in response.changed.iter().filter_map(|id| state.entry(id)) {
            let disrupts = entry.holds_budget() && entry.claim.is_some() && entry.cost_pods > 0;
            if !disrupts && self.disrupting.remove(&entry.id) {
                self.released.insert(entry.work.action().service.cluster.clone(), state.now());
            }
        }
        for entry in response.changed.iter().filter_map(|id| state.entry(id)) {
            let cluster = &entry.work.action().service.cluster;
            let anew = entry.state == EntryState::Undoing && !self.reserved.contains(&entry.id);
            let echo = self.facts.get(cluster).map(|facts| facts.echo);
            if let Some(released) = self.released.get(cluster).filter(|released| anew && echo.is_none_or(|echo| echo <= **released)) {
                broken.push((
                    Invariant::I4,
                    format!("{} asks for budget anew on facts of {echo:?}, the last release was at {released}", entry.id),
                ));
            }
            if entry.holds_budget() {
                self.reserved.insert(entry.id.clone());
            } else {
                self.reserved.remove(&entry.id);
            }
            if entry.holds_budget() && entry.claim.is_some() && entry.cost_pods > 0 {
                self.disrupting.insert(entry.id.clone());
            }
        }
    }

    /// The moment that counts: I4, I5, I7, I9, I11.
    fn claimed(&self, state: &State, entry: &LedgerEntry, digest: &Digest, broken: &mut Vec<(Invariant, String)>) {
        let (now, id) = (state.now(), &entry.id);
        if self.claims.get(id).is_some_and(|n| *n > 1) || entry.state != EntryState::Permitted || entry.digest != *digest {
            broken.push((Invariant::I9, format!("{id} was {:?} and is claimed for the {:?}. time", entry.state, self.claims.get(id))));
        }
        match self.permitted.get(id) {
            None => broken.push((Invariant::I9, format!("{id} is claimed without a permit"))),
            Some((epoch, at)) => {
                let may_go_on = is_undo(entry) && self.undos_kept;
                if (self.stopped && !may_go_on) || *epoch != self.stop_epoch {
                    broken.push((Invariant::I9, format!("{id} is claimed under stop epoch {}, its permit is of {epoch}", self.stop_epoch)));
                }
                if now.since_ms(*at) >= self.settings.permit_ttl_ms {
                    broken.push((Invariant::I9, format!("{id} is claimed at {now}, permitted at {at}")));
                }
            }
        }
        let cluster = &entry.work.action().service.cluster;
        let facts_age_ms = self.facts.get(cluster).map_or(i64::MAX, |facts| now.since_ms(facts.echo));
        if !(0..=self.settings.limits.facts_ttl_ms).contains(&facts_age_ms) {
            broken.push((Invariant::I11, format!("{id} is claimed on facts that are {facts_age_ms} ms old")));
        }
        if is_undo(entry) {
            return;
        }
        let evidence_age_ms = self.evidence.get(id).map_or(i64::MAX, |echo| now.since_ms(*echo));
        if !(0..=self.settings.limits.evidence_ttl_ms).contains(&evidence_age_ms) {
            broken.push((Invariant::I11, format!("{id} is claimed on evidence that is {evidence_age_ms} ms old")));
        }
        self.consent(state, entry, broken);
        self.cooldown(now, entry, broken);
        self.budget(state, entry, broken);
    }

    fn consent(&self, state: &State, entry: &LedgerEntry, broken: &mut Vec<(Invariant, String)>) {
        let phase = state.status().phases.get(&entry.proposal.agent).map_or(Phase::Observe, |p| p.state.phase);
        let severity = state.entry(&entry.id).map_or(entry.severity, |e| e.severity).number();
        let approved = self.approved.get(&entry.id) == Some(&(entry.digest.clone(), self.stop_epoch));
        if phase == Phase::Observe || ((phase == Phase::Assist || severity <= 2) && !approved) {
            let why = format!("{} of severity {severity} is claimed in {phase}, approved: {approved}", entry.id);
            broken.push((Invariant::I7, why));
        }
    }

    fn cooldown(&self, now: Timestamp, entry: &LedgerEntry, broken: &mut Vec<(Invariant, String)>) {
        let action = entry.work.action();
        let Some(acts) = self.acts.get(&(action.service.clone(), action.kind())) else { return };
        for (other, resolved) in acts.iter().filter(|(other, _)| **other != entry.id) {
            if resolved.is_none_or(|at| now.since_ms(at) < self.settings.limits.cooldown_ms) {
                let why = format!("{} is claimed at {now}, {other} did the same there and was resolved at {resolved:?}", entry.id);
                broken.push((Invariant::I5, why));
            }
        }
    }

    fn budget(&self, state: &State, entry: &LedgerEntry, broken: &mut Vec<(Invariant, String)>) {
        let cluster = &entry.work.action().service.cluster;
        let Some(facts) = self.facts.get(cluster) else { return };
        let entries = state.entries(0);
        let holders: Vec<_> = entries.iter().filter(|e| e.holds_budget() && e.work.action().service.cluster == *cluster).collect();
        // An undo stands on its parent's reservation.
        let inherits = |e: &LedgerEntry| e.parent.as_ref().is_some_and(|p| holders.iter().any(|h| h.id == *p));
        let reserved: u32 = holders.iter().filter(|e| !inherits(e)).map(|e| e.cost_pods).sum();
        let others: u32 = facts.services.values().map(|s| s.disrupted_by_others).sum();
        let ready: u32 = facts.services.values().map(|s| s.ready).sum();
        let allowed = (self.settings.limits.max_fleet_restart_ratio * f64::from(ready) + 1e-7).floor() as u32;
        let own = state.entry(&entry.id).map_or(0, |e| e.cost_pods);
        if own > 0 && reserved + others > allowed {
            broken.push((Invariant::I4, format!("{} is claimed: {reserved} reserved + {others} of others, {allowed} allowed", entry.id)));
        }
    }
}
