//! One claim has one effect, and only on what was read before it.

use crate::{NOW, Sink, claimed};
use picket_core::ports::{PortError, RemediationExecutor as _};

pub(crate) async fn preparing_changes_nothing<S: Sink>(sink: &S) {
    let before = (sink.stands().await, sink.changes().await);
    let first = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let again = sink.executor().prepare(&sink.act()).await.expect("and be made ready again");
    assert_eq!((sink.stands().await, sink.changes().await), before);
    assert_eq!(first.digest(), again.digest(), "what did not change reads the same");
}

pub(crate) async fn happens_once<S: Sink>(sink: &S) {
    let (untouched, changes) = (sink.stands().await, sink.changes().await);
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    let claim = claimed("act-1", &sink.act(), 7);
    let receipt = sink.executor().execute(&claim, &before, NOW).await.expect("nothing stands in its way");
    let made = sink.stands().await;
    assert_ne!(made, untouched);
    assert_eq!(sink.changes().await, changes + 1);
    assert_ne!(receipt.before, receipt.after, "the receipt says what was changed");
    assert_eq!(receipt.resource_version_before, before.resource_version);
    assert_eq!(receipt.applied_at, NOW);
    // A second copy of the same write: whatever is answered, nothing happens.
    match sink.executor().execute(&claim, &before, NOW).await {
        Err(PortError::Conflict { .. } | PortError::Refused { .. }) => {}
        Ok(again) => assert_eq!(again, receipt, "a repeat that is answered gets the first answer"),
        Err(other) => panic!("a repeat is refused, a conflict or answered as before, but not: {other}"),
    }
    assert_eq!((sink.stands().await, sink.changes().await), (made, changes + 1), "a second copy changed something");
}

pub(crate) async fn what_is_so_already_is_refused<S: Sink>(sink: &S) {
    if sink.act().action().kind().reversibility() == picket_core::action::Reversibility::None {
        return; // A restart is never "so already".
    }
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    sink.executor().execute(&claimed("act-1", &sink.act(), 7), &before, NOW).await.expect("nothing stands in its way");
    let answer = sink.executor().prepare(&sink.act()).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "it is so already: {answer:?}");
}

pub(crate) async fn what_changed_since_is_left_alone<S: Sink>(sink: &S) {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    sink.somebody_else_changes_it().await;
    let theirs = (sink.stands().await, sink.changes().await);
    let answer = sink.executor().execute(&claimed("act-1", &sink.act(), 7), &before, NOW).await;
    assert!(matches!(answer, Err(PortError::Conflict { .. })), "{answer:?}");
    assert_eq!((sink.stands().await, sink.changes().await), theirs);
}
