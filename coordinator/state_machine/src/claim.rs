//! The claim: the moment that counts (I3-I5, I7-I9, I11). Everything is looked at again, in one command.

use crate::authority;
use crate::entry::Entry;
use crate::planted::{self, Fault, is_planted};
use crate::reply::Reply;
use crate::state::State;
use crate::{admission, budget, caution, facts, ledger, phase, restore};
use picket_core::action::Digest;
use picket_core::claim::{ClaimBody, ClaimRequest};
use picket_core::invariants::Invariant;
use picket_core::ledger::{EntryState, LedgerEvent};
use picket_core::limits::{LimitRule, Violation};
use picket_core::phase::Phase;
use picket_core::scope::FencingToken;
use std::collections::BTreeSet;

/// Claims, or says every reason why not. A refused claim leaves the permit as it was: what is missing may still come in its time.
pub(crate) fn claim(state: &mut State, claim: &ClaimRequest) -> Reply {
    let Some(known) = state.entries.get(&claim.entry) else {
        return Reply::Refused { violations: vec![authority::unknown(&claim.entry)] };
    };
    if let Some(claim) = planted::claimed_before(known, claim) {
        return Reply::Claimed { claim };
    }
    if known.view.state != EntryState::Permitted {
        let why = format!("{} is {:?}: a permit is claimed at most once, and before it expires", claim.entry, known.view.state);
        return Reply::Refused { violations: vec![Violation::new(LimitRule::NotAllowed, Some(Invariant::I9), why)] };
    }
    // Looked at as it would be: with the gravest severity and the highest cost that hold now.
    let mut entry = known.clone();
    entry.view.severity = admission::severity_now(state, &entry);
    entry.view.cost_pods = entry.view.cost_pods.max(admission::cost_now(state, &entry));
    let mut broken = Vec::new();
    check_permit(state, &entry, claim, &mut broken);
    check_consent(state, &entry, &mut broken);
    broken.extend(admission::broken_limits(state, &entry));
    check_facts(state, &entry, &mut broken);
    broken.extend(restore::not_fenced(state, entry.cluster()));
    if !broken.is_empty() {
        return Reply::Refused { violations: broken };
    }
    let now = state.now();
    let act_deadline = now.plus_ms(state.settings.act_deadline_ms);
    let token = entry.view.tokens.values().max().copied().unwrap_or_default();
    let cluster = entry.cluster().clone();
    entry.view.claim = Some(claim.clone());
    entry.view.actuator_epoch = Some(claim.actuator_epoch);
    let covered = act_deadline.plus_ms(state.settings.clock_jump_ms);
    let held: BTreeSet<_> = entry.scopes().iter().filter_map(|scope| state.leases.id_at(scope)).collect();
    for id in held {
        let until = state.leases.get(id).map_or(covered, |lease| lease.terms.expires_at.max(covered));
        state.leases.set_expiry(id, until);
        state.leases.set_notice(id, None);
    }
    match ledger::step_with(state, &claim.entry, LedgerEvent::Claim, |e| *e = entry) {
        Ok(_) => {
            caution::note_claim(state, &claim.entry);
            budget::note_reservation(state, &cluster);
            let (entry, digest, actuator_epoch) = (claim.entry.clone(), claim.digest.clone(), claim.actuator_epoch);
            Reply::Claimed { claim: ClaimBody { entry, digest, actuator_epoch, claimed_at: now, act_deadline, token } }
        }
        Err(why) => Reply::refused(LimitRule::NotAllowed, why.to_string()),
    }
}

fn is_sha256(digest: &Digest) -> bool {
    digest.0.len() == 64 && digest.0.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The permit, its lease, who claims it, and what is on record.
fn check_permit(state: &State, entry: &Entry, claim: &ClaimRequest, broken: &mut Vec<Violation>) {
    let mut no = |invariant, why: String| broken.push(Violation::new(LimitRule::NotAllowed, Some(invariant), why));
    let now = state.now();
    match &entry.permit {
        None => no(Invariant::I9, format!("{} has no permit", entry.id())),
        Some(permit) => {
            if permit.expires_at <= now {
                no(Invariant::I9, format!("the permit expired at {}", permit.expires_at));
            }
            if permit.stop_epoch != state.stop.epoch && !is_planted(Fault::ClaimWithoutStopEpoch) {
                no(Invariant::I9, format!("STOP was pressed since: permit of stop epoch {}, now {}", permit.stop_epoch, state.stop.epoch));
            }
            if permit.restore_epoch != state.tokens.restore_epoch() && !is_planted(Fault::OldPermitAfterRestore) {
                no(Invariant::I9, "the coordinator was restored from a backup since".to_owned());
            }
        }
    }
    if claim.digest != entry.view.digest {
        no(Invariant::I9, format!("the claim is of another act: {}", claim.digest));
    }
    let current = state.clusters.get(entry.cluster()).map_or(0, |b| b.actuator_epoch);
    if current == 0 || claim.actuator_epoch != current {
        no(Invariant::I6, format!("actuator epoch {} is not the current one ({current}): register again", claim.actuator_epoch));
    }
    for scope in entry.scopes() {
        let token: FencingToken = entry.view.tokens.get(&scope).copied().unwrap_or_default();
        if !state.leases.holds_with(&scope, entry.id(), token) {
            no(Invariant::I3, format!("{} does not hold {scope} with token {token}", entry.id()));
        }
    }
    if !is_sha256(&claim.audit_hash) {
        no(Invariant::I8, "the claim names no audit record: that must be durable before".to_owned());
    }
}

/// Phase and consent as they stand now [M6, M7]. An undo is exempt.
fn check_consent(state: &State, entry: &Entry, broken: &mut Vec<Violation>) {
    if entry.is_undo() {
        return;
    }
    let phase = phase::allowed(state, entry);
    if phase == Phase::Observe {
        broken.push(phase::only_observes(entry));
    } else if admission::lacks_approval(state, entry) {
        let why = format!("{} in {phase} needs a person's approval of this digest", entry.view.severity);
        broken.push(Violation::new(LimitRule::NotAllowed, Some(Invariant::I7), why));
    }
}

/// Facts: fresh for everybody, and read after the last release of budget for those who ask for some [M10].
fn check_facts(state: &State, entry: &Entry, broken: &mut Vec<Violation>) {
    let cluster = entry.cluster();
    if entry.is_undo() {
        if !facts::are_fresh(state, cluster) {
            broken.push(Violation::new(LimitRule::StaleFacts, Some(Invariant::I11), format!("the facts of {cluster} are too old")));
        }
    } else if !facts::read_after_release(state, cluster) {
        let why = format!("the facts of {cluster} were read before the last act ended: the next reading will do");
        broken.push(Violation::new(LimitRule::StaleFacts, Some(Invariant::I4), why));
    }
}
