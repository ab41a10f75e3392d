//! Fences: what was sent under a lower token does not land any more; what comes under a higher one does (I3).

use crate::{NOW, Sink, claimed};
use picket_core::ports::{Before, PortError, RemediationExecutor as _};
use picket_core::scope::FencingToken;

pub(crate) async fn turn_lower_tokens_away<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let stands = (sink.stands().await, sink.changes().await);
    for token in [9, 8, 9] {
        sink.executor().fence(&sink.act(), FencingToken(token)).await.expect("the same again, or a lower one, is no error");
    }
    assert_eq!((sink.stands().await, sink.changes().await), stands, "a fence and nothing else");
    lower_is_refused_and_higher_lands(sink, &before).await;
}

pub(crate) async fn of_everything_turn_lower_tokens_away<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let stands = (sink.stands().await, sink.changes().await);
    for _ in 0..2 {
        sink.executor().fence_all(FencingToken(9)).await.expect("the same again is no error");
    }
    assert_eq!((sink.stands().await, sink.changes().await), stands, "a fence and nothing else");
    lower_is_refused_and_higher_lands(sink, &before).await;
}

async fn lower_is_refused_and_higher_lands<S: Sink>(sink: &S, before: &Before) {
    let stands = (sink.stands().await, sink.changes().await);
    let refused = |answer: &Result<_, PortError>| matches!(answer, Err(PortError::Conflict { .. } | PortError::Refused { .. }));
    let late = sink.executor().execute(&claimed("act-1", &sink.act(), 7), before, NOW).await;
    assert!(refused(&late), "read before the fence: {late:?}");
    let fresh = sink.executor().prepare(&sink.act()).await.expect("the act can still be done");
    let lower = sink.executor().execute(&claimed("act-2", &sink.act(), 8), &fresh, NOW).await;
    assert!(refused(&lower), "read after the fence, under a lower token: {lower:?}");
    assert_eq!((sink.stands().await, sink.changes().await), stands);
    let fresh = sink.executor().prepare(&sink.act()).await.expect("the act can still be done");
    sink.executor().execute(&claimed("act-3", &sink.act(), 10), &fresh, NOW).await.expect("its token is above the fence");
    assert_eq!(sink.changes().await, stands.1 + 1);
}
