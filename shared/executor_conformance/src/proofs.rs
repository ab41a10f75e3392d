//! What is said of a claim whose actuator died, or whose write went unanswered, is true, and stays true.

use crate::{NOW, Sink, claimed};
use picket_core::ports::{Before, PortError, Proof, RemediationExecutor as _};
use picket_core::scope::FencingToken;

const TOKEN: u64 = 7;

async fn prove<S: Sink>(sink: &S, before: &Before) -> Proof {
    sink.executor().prove(&"act-1".into(), FencingToken(TOKEN), &sink.act(), before, NOW).await.expect("the sink answers")
}

pub(crate) async fn a_lost_answer_is_proven_an_effect<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let receipt = sink.executor().execute(&claimed("act-1", &sink.act(), TOKEN), &before, NOW).await.expect("nothing stands in its way");
    let made = (sink.stands().await, sink.changes().await);
    for _ in 0..2 {
        match prove(sink, &before).await {
            Proof::Effect(proven) => assert_eq!((proven.before, proven.after), (receipt.before.clone(), receipt.after.clone())),
            other => panic!("the write landed, and nothing has changed since: {other:?}"),
        }
    }
    assert_eq!((sink.stands().await, sink.changes().await), made, "proving an effect changes nothing");
}

pub(crate) async fn what_was_never_sent_is_not_called_an_effect<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let untouched = (sink.stands().await, sink.changes().await);
    for _ in 0..2 {
        match prove(sink, &before).await {
            Proof::Absence => {}
            Proof::Neither(_) if !S::COMPARES_AND_SETS => {}
            other => panic!("nothing was sent: {other:?}"),
        }
    }
    assert_eq!((sink.stands().await, sink.changes().await), untouched, "a proof writes nothing but the fence");
    // The write was still on its way, and comes now.
    let late = sink.executor().execute(&claimed("act-1", &sink.act(), TOKEN), &before, NOW).await;
    assert!(matches!(late, Err(PortError::Conflict { .. } | PortError::Refused { .. })), "a late write after the proof: {late:?}");
    assert_eq!((sink.stands().await, sink.changes().await), untouched);
    // The next claim has a higher token and goes on.
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can still be done");
    sink.executor().execute(&claimed("act-2", &sink.act(), TOKEN + 2), &before, NOW).await.expect("its token is above the fence");
    assert_eq!(sink.changes().await, untouched.1 + 1);
}

pub(crate) async fn somebody_elses_change_is_no_effect_of_ours<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    sink.somebody_else_changes_it().await;
    let theirs = (sink.stands().await, sink.changes().await);
    let proof = prove(sink, &before).await;
    assert!(!matches!(proof, Proof::Effect(_)), "{proof:?}");
    assert_eq!((sink.stands().await, sink.changes().await), theirs);
    let late = sink.executor().execute(&claimed("act-1", &sink.act(), TOKEN), &before, NOW).await;
    assert!(late.is_err(), "whatever was proven, nothing more can land: {late:?}");
    assert_eq!((sink.stands().await, sink.changes().await), theirs);
}
