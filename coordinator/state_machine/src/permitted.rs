//! The one place where leave to act is made, and the one where it is signed.

use crate::entry::Entry;
use crate::lease::{self, Holder};
use crate::reply::{Reply, Ruling};
use crate::state::State;
use ed25519_dalek::SigningKey;
use picket_core::claim::ClaimConfirmation;
use picket_core::coordination::{Answer, Decision, LedgerChange, WatchPage};
use picket_core::ids::EntryId;
use picket_core::ledger::EntryState;
use picket_core::limits::{LimitRule, Violation};
use picket_core::permit::{Permit, PermitBody};

/// An act that `apply` permitted: proof, inside this process, that a committed entry says so.
///
/// It is read from the state and cannot be made from anything else.
///
/// ```compile_fail,E0451
/// # use picket_state_machine::PermittedAction;
/// let forged = PermittedAction { body: todo!() }; // private field
/// ```
/// ```compile_fail,E0277
/// # use picket_state_machine::PermittedAction;
/// let forged: PermittedAction = serde_json::from_str("{}").unwrap(); // no Deserialize
/// ```
#[derive(Debug, PartialEq)]
pub struct PermittedAction {
    body: PermitBody,
}

impl PermittedAction {
    /// What is permitted.
    #[must_use]
    pub const fn body(&self) -> &PermitBody {
        &self.body
    }

    /// The permit as it travels.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> Permit {
        Permit::sign(self.body, key)
    }
}

impl State {
    /// The leave that a committed entry carries; `None` unless it is Permitted.
    #[must_use]
    pub fn permitted(&self, entry: &EntryId) -> Option<PermittedAction> {
        let entry = self.entries.get(entry).filter(|e| e.view.state == EntryState::Permitted)?;
        Some(PermittedAction { body: entry.permit.clone()? })
    }
}

/// Takes the entry's scopes and writes its permit. Only called from `apply`, when every limit holds and the scopes are free.
/// `out_of_turn`: it waited so long that it went before its priority.
pub(crate) fn issue(state: &mut State, entry: &mut Entry, out_of_turn: bool) {
    let now = state.now();
    let terms = lease::of_the_ledger(state, out_of_turn);
    let tokens = lease::grant(state, Holder::Entry(entry.id().clone()), &entry.scopes(), terms);
    entry.view.tokens.clone_from(&tokens);
    entry.permit = Some(PermitBody {
        entry: entry.id().clone(),
        cluster: entry.cluster().clone(),
        work: entry.view.work.clone(),
        digest: entry.view.digest.clone(),
        tokens,
        reserved_pods: entry.view.cost_pods,
        issued_at: now,
        expires_at: now.plus_ms(state.settings.permit_ttl_ms),
        stop_epoch: state.stop.epoch,
        restore_epoch: state.tokens.restore_epoch(),
        demonstration: state.settings.demonstration,
    });
}

/// Signs the permit of a committed entry; `None` unless it is Permitted.
#[must_use]
pub fn permit_for(state: &State, entry: &EntryId, key: &SigningKey) -> Option<Permit> {
    state.permitted(entry).map(|permitted| permitted.sign(key))
}

/// Turns a committed reply into the answer that leaves the leader.
///
/// A retried Propose gets the permit that was issued then, claimed or not: holding one proves nothing, the claim does.
#[must_use]
pub fn sign_answer(state: &State, reply: &Reply, key: &SigningKey) -> Answer {
    match reply {
        Reply::Decided { entry, ruling } => {
            let decision = match ruling {
                Ruling::Denied { violations } => Decision::Denied { violations: violations.clone() },
                Ruling::Shadowed => Decision::Shadowed,
                Ruling::AwaitingApproval => Decision::AwaitingApproval,
                Ruling::Queued { position } => Decision::Queued { position: *position },
                Ruling::Permitted => match issued(state, entry) {
                    Some(permitted) => Decision::Permitted { permit: Box::new(permitted.sign(key)) },
                    None => {
                        let why = format!("{entry} was permitted and is forgotten by now: the audit log knows how it ended");
                        return Answer::Refused { violations: vec![Violation::new(LimitRule::NotAllowed, None, why)] };
                    }
                },
            };
            Answer::Decided { entry: entry.clone(), decision }
        }
        Reply::Epoch { epoch } => Answer::Epoch { epoch: *epoch },
        Reply::Claimed { claim } => Answer::Claimed { confirmation: ClaimConfirmation::sign(claim.clone(), key) },
        Reply::Leased { tokens, expires_at, preempt_at } => {
            Answer::Leased { tokens: tokens.clone(), expires_at: *expires_at, preempt_at: *preempt_at }
        }
        Reply::Waiting { position, lapses_at } => Answer::Waiting { position: *position, lapses_at: *lapses_at },
        Reply::Done => Answer::Done,
        Reply::Refused { violations } => Answer::Refused { violations: violations.clone() },
    }
}

/// The leave that was given when the reply was made. By the time it is signed the actuator, which watches the ledger, may have claimed it:
/// the agent still hears what was decided, and a permit that was claimed is worth nothing to anybody.
fn issued(state: &State, entry: &EntryId) -> Option<PermittedAction> {
    Some(PermittedAction { body: state.entries.get(entry)?.permit.clone()? })
}

/// The changes after `revision`, each with its signed permit while its entry is Permitted. Never waits.
#[must_use]
pub fn watch_page(state: &State, revision: u64, max: usize, key: &SigningKey) -> WatchPage {
    let (changes, compacted) = state.changes_after(revision, max);
    // After a compaction the reader starts over from the whole ledger, as it is now.
    let reached = if compacted { state.revision() } else { changes.last().map_or(revision, |(r, _)| *r) };
    let changes = changes.into_iter().map(|(revision, entry)| {
        let permit = if entry.state == EntryState::Permitted { permit_for(state, &entry.id, key) } else { None };
        LedgerChange { revision, entry, permit }
    });
    WatchPage { changes: changes.collect(), revision: reached, compacted }
}
