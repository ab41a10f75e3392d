//! What callers heard is what the log replied.

use crate::finding::{Finding, Kind};
use crate::history::{Asked, Ended, History, is_provisional};
use ed25519_dalek::SigningKey;
use picket_core::claim::ClaimConfirmation;
use picket_core::coordination::{Answer, Command, Decision};
use picket_state_machine::{Reply, Ruling};
use std::collections::BTreeMap;

/// Every answer, and every retry.
pub fn check(history: &History, key: &SigningKey) -> Vec<Finding> {
    let mut found = retries(history);
    for call in &history.calls {
        let (Asked::Submit { principal, request_id, .. }, Some((_, Ended::Answered(answer)))) = (&call.asked, &call.ended) else {
            continue;
        };
        let Some(places) = history.places.get(&(principal.clone(), request_id.clone())) else { continue };
        let replies = || places.iter().filter_map(|index| history.log.get(index)).filter_map(|applied| applied.reply.as_ref());
        if !replies().any(|reply| says_the_same(reply, answer, key)) {
            let detail = format!("{request_id} of {principal} heard {answer:?}, the log replied {:?}", replies().collect::<Vec<_>>());
            found.push(Finding::new(Kind::Linearizability, detail));
        }
    }
    found
}

/// A retry gets the first answer. The whole run is shorter than the retention of answers, whatever the clocks do.
fn retries(history: &History) -> Vec<Finding> {
    let mut first: BTreeMap<_, (u64, &Option<Reply>)> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, applied) in &history.log {
        let Some((said, _)) = &applied.said else { continue };
        // A tick is the same whenever it comes.
        if matches!(said.request.command, Command::Tick) || applied.reply.as_ref().is_none_or(is_provisional) {
            continue;
        }
        let (first_index, first_reply) = *first.entry((&said.principal, &said.request.request_id)).or_insert((*index, &applied.reply));
        if *first_reply != applied.reply {
            let detail = format!(
                "{} of {} was answered {first_reply:?} at entry {first_index} and {:?} at entry {index}: it happened twice",
                said.request.request_id, said.principal, applied.reply
            );
            found.push(Finding::new(Kind::Linearizability, detail));
        }
    }
    found
}

fn says_the_same(reply: &Reply, answer: &Answer, key: &SigningKey) -> bool {
    match (reply, answer) {
        (Reply::Done, Answer::Done) => true,
        (Reply::Epoch { epoch: a }, Answer::Epoch { epoch: b }) => a == b,
        (Reply::Leased { tokens: a, expires_at: u, preempt_at: p }, Answer::Leased { tokens: b, expires_at: v, preempt_at: q }) => {
            (a, u, p) == (b, v, q)
        }
        (Reply::Waiting { position: a, lapses_at: u }, Answer::Waiting { position: b, lapses_at: v }) => (a, u) == (b, v),
        (Reply::Refused { violations: a }, Answer::Refused { violations: b }) => a == b,
        (Reply::Claimed { claim }, Answer::Claimed { confirmation }) => *confirmation == ClaimConfirmation::sign(claim.clone(), key),
        (Reply::Decided { entry: a, ruling }, Answer::Decided { entry: b, decision }) => {
            a == b
                && match (ruling, decision) {
                    (Ruling::Denied { violations: a }, Decision::Denied { violations: b }) => a == b,
                    (Ruling::Shadowed, Decision::Shadowed) | (Ruling::AwaitingApproval, Decision::AwaitingApproval) => true,
                    (Ruling::Queued { position: a }, Decision::Queued { position: b }) => a == b,
                    (Ruling::Permitted, Decision::Permitted { permit }) => {
                        permit.body.entry == *a && permit.verify(&key.verifying_key()).is_ok()
                    }
                    _ => false,
                }
        }
        // A permit of an entry that is forgotten by the time of a late retry.
        (Reply::Decided { ruling: Ruling::Permitted, .. }, Answer::Refused { violations }) => {
            violations.iter().any(|v| v.reason.contains("is forgotten by now"))
        }
        _ => false,
    }
}
