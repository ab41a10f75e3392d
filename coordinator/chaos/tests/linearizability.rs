//! The search finds an order where there is one, and none where there is none.

use picket_coordinator_chaos::history::{Asked, Heard, Operation};
use picket_coordinator_chaos::linearize::{Found, search};
use picket_coordinator_chaos::lock_model::Lock;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// A call from `began` to `ended` (or without an end); what it grants holds until `until`.
fn call(asked: Asked, heard: Heard, began_us: u64, ended_us: u64, holds_until_us: u64) -> Operation {
    let ended_us = if heard == Heard::Unknown { u64::MAX } else { ended_us };
    Operation { client: 1, asked, heard, began_us, ended_us, holds_until_us }
}

fn take(token: u64, began_us: u64, ended_us: u64) -> Operation {
    call(Asked::Take, Heard::Leased(token), began_us, ended_us, began_us + 1_000)
}

fn release(token: u64, began_us: u64, ended_us: u64) -> Operation {
    call(Asked::Release(token), Heard::Done, began_us, ended_us, 0)
}

fn look(seen: Option<u64>, began_us: u64, ended_us: u64) -> Operation {
    call(Asked::Look, Heard::Seen(seen), began_us, ended_us, 0)
}

fn is_in_order(operations: &[Operation]) -> bool {
    match search(operations.to_vec()) {
        Found::Order { .. } => true,
        Found::None { .. } => false,
        Found::GaveUp => panic!("gave up on {} calls", operations.len()),
    }
}

#[test]
fn what_may_have_gone_so_is_in_order() {
    let refused = |began, ended| call(Asked::Take, Heard::Refused, began, ended, 0);
    let unknown = |asked, began, until| call(asked, Heard::Unknown, began, 0, until);
    for (why, history) in [
        ("nothing happened", vec![]),
        ("one after the other", vec![take(1, 0, 10), release(1, 20, 30), take(2, 40, 50), look(Some(2), 60, 70)]),
        ("refused while another has it", vec![take(1, 0, 10), refused(5, 8), look(Some(1), 20, 30), refused(40, 50)]),
        ("at the same time, whichever came first", vec![take(1, 0, 100), release(1, 110, 200), take(2, 0, 300), look(None, 105, 290)]),
        ("it ended by itself", vec![take(1, 0, 10), take(2, 990, 1_001), call(Asked::Renew(1), Heard::Refused, 1_002, 1_003, 0)]),
        (
            "a renewal held it longer",
            vec![take(1, 0, 10), call(Asked::Renew(1), Heard::Leased(1), 900, 910, 1_900), refused(1_500, 1_510), take(2, 1_890, 1_901)],
        ),
        ("a take without an answer explains the refusal", vec![unknown(Asked::Take, 0, 1_000), refused(50, 60), take(7, 990, 1_010)]),
        ("it explains what was seen", vec![unknown(Asked::Take, 0, 1_000), look(Some(3), 50, 60), look(None, 1_000, 1_010)]),
        (
            "a release without an answer came late",
            vec![take(1, 0, 10), unknown(Asked::Release(1), 20, 0), look(Some(1), 100, 110), take(2, 200, 210)],
        ),
        ("it never came", vec![take(1, 0, 10), unknown(Asked::Release(1), 20, 0), look(Some(1), 100, 110), look(Some(1), 900, 910)]),
    ] {
        assert!(is_in_order(&history), "{why}: {:?}", search(history.clone()));
    }
}

#[test]
fn planted_bad_histories_are_found() {
    for (why, history) in [
        ("two hold it at once", vec![take(1, 0, 10), take(2, 20, 30)]),
        ("a token came twice", vec![take(1, 0, 10), release(1, 20, 30), take(1, 40, 50)]),
        ("a token fell", vec![take(2, 0, 10), release(2, 20, 30), take(1, 40, 50)]),
        ("a lease was cut short", vec![take(1, 0, 10), look(None, 500, 510)]),
        ("a renewal was forgotten", vec![take(1, 0, 10), call(Asked::Renew(1), Heard::Leased(1), 900, 910, 1_900), take(2, 1_500, 1_510)]),
        ("a release was forgotten", vec![take(1, 0, 10), release(1, 20, 30), look(Some(1), 40, 50)]),
        ("an acknowledged grant was lost", vec![take(1, 0, 10), call(Asked::Release(1), Heard::Refused, 20, 30, 0)]),
        ("a lease that was over was released", vec![take(1, 0, 10), take(2, 1_000, 1_010), release(1, 1_020, 1_030)]),
        ("a stale read", vec![take(1, 0, 10), release(1, 20, 30), take(2, 40, 50), look(Some(1), 60, 70)]),
        ("a read from before everything", vec![take(1, 0, 10), look(None, 20, 30)]),
        ("refused though nobody ever had it", vec![call(Asked::Take, Heard::Refused, 0, 10, 0)]),
        ("refused though it was given back", vec![take(1, 0, 10), release(1, 20, 30), call(Asked::Take, Heard::Refused, 40, 50, 0)]),
        ("an unknown call came before it was made", vec![look(Some(3), 0, 10), call(Asked::Take, Heard::Unknown, 20, 0, 1_000)]),
        (
            "renewed after another had it",
            vec![take(1, 0, 10), release(1, 20, 30), take(2, 40, 50), call(Asked::Renew(1), Heard::Leased(1), 60, 70, 1_000)],
        ),
    ] {
        assert!(!is_in_order(&history), "not found: {why}");
    }
}

/// A long history that a lock really went through: callers overlap, answers get lost, leases end.
fn played(seed: u64, length: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut lock = Lock::default();
    let mut now_us = 1_000;
    let mut operations = Vec::new();
    for _ in 0..length {
        // Each happens at `now_us`; it was asked before, and its answer comes later.
        now_us += rng.random_range(1..400);
        let began_us = now_us - rng.random_range(0..700).min(now_us);
        let ended_us = now_us + rng.random_range(0..700);
        let holds_until_us = began_us + rng.random_range(300..2_000);
        let token_of = |lock: Lock| lock.holder.and_then(|h| h.token).unwrap_or(lock.last);
        let at = |asked, heard| Operation { client: 1, asked, heard, began_us, ended_us: now_us, holds_until_us };
        let choices = [
            at(Asked::Take, Heard::Leased(lock.last + rng.random_range(1..3))),
            at(Asked::Take, Heard::Refused),
            at(Asked::Renew(token_of(lock)), Heard::Leased(token_of(lock))),
            at(Asked::Renew(lock.last.saturating_sub(1)), Heard::Refused),
            at(Asked::Release(token_of(lock)), Heard::Done),
            at(Asked::Release(lock.last.saturating_sub(1)), Heard::Refused),
            // A look tells the token of a lease whose answer was lost.
            at(Asked::Look, Heard::Seen(lock.holder.map(|h| h.token.unwrap_or(lock.last + 1)))),
        ];
        let operation = choices[rng.random_range(0..choices.len())];
        let lost = rng.random_bool(0.1) && operation.asked != Asked::Look;
        let went = if lost { Operation { heard: Heard::Unknown, ..operation } } else { operation };
        match lock.after(&went) {
            Some(after) => lock = after,
            // The call was lost on the way there.
            None if lost => {}
            None => continue,
        }
        operations.push(Operation { ended_us: if lost { u64::MAX } else { ended_us }, ..went });
    }
    operations
}

#[test]
fn long_histories_that_happened_are_in_order_and_are_found_so_quickly() {
    for seed in 0..20 {
        let operations = played(seed, 3_000);
        assert!(operations.iter().filter(|o| !o.is_known()).count() > 30, "seed {seed}");
        let Found::Order { steps } = search(operations.clone()) else { panic!("seed {seed}: {:?}", search(operations)) };
        assert!(steps < 200_000, "seed {seed}: {steps} steps");
    }
}

/// A look that comes after a lease's end comes after what had ended before that.
#[test]
fn time_does_not_go_back_behind_the_end_of_a_lease() {
    let take = |token, began, ended, until| call(Asked::Take, Heard::Leased(token), began, ended, until);
    let look = call(Asked::Look, Heard::Seen(None), 12, 40, 12);
    assert!(!is_in_order(&[take(1, 27, 39, 40), look, take(2, 11, 27, 11)]));
    assert!(is_in_order(&[take(1, 27, 39, 40), look, take(2, 11, 40, 41)]));
}

/// Every order of the calls, and every choice of unknown ones to leave out.
fn by_hand(operations: &[Operation], lock: Lock, left: &mut Vec<usize>) -> bool {
    if left.iter().all(|i| !operations[*i].is_known()) {
        return true;
    }
    for at in 0..left.len() {
        let index = left.remove(at);
        let may_be_next = left.iter().all(|other| operations[*other].ended_us >= operations[index].began_us);
        let fits = may_be_next && lock.after(&operations[index]).is_some_and(|after| by_hand(operations, after, left));
        left.insert(at, index);
        if fits {
            return true;
        }
    }
    false
}

fn any_call() -> impl Strategy<Value = Operation> {
    let token = 1..4_u64;
    let what = prop_oneof![
        token.clone().prop_map(|t| (Asked::Take, Heard::Leased(t))),
        Just((Asked::Take, Heard::Refused)),
        Just((Asked::Take, Heard::Unknown)),
        token.clone().prop_map(|t| (Asked::Renew(t), Heard::Leased(t))),
        token.clone().prop_map(|t| (Asked::Renew(t), Heard::Refused)),
        token.clone().prop_map(|t| (Asked::Release(t), Heard::Done)),
        token.clone().prop_map(|t| (Asked::Release(t), Heard::Unknown)),
        token.clone().prop_map(|t| (Asked::Release(t), Heard::Refused)),
        token.prop_map(|t| (Asked::Look, Heard::Seen(Some(t)))),
        Just((Asked::Look, Heard::Seen(None))),
    ];
    (what, 0..60_u64, 0..30_u64, 0..40_u64)
        .prop_map(|((asked, heard), began, took, holds)| call(asked, heard, began, began + took, began + holds))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn short_histories_are_judged_as_by_trying_every_order(operations in proptest::collection::vec(any_call(), 0..7)) {
        let mut left = (0..operations.len()).collect();
        prop_assert_eq!(is_in_order(&operations), by_hand(&operations, Lock::default(), &mut left));
    }
}
