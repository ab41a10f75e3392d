//! Taking back: to what was before, and only where the act still stands [M5].

use crate::{NOW, Sink, claimed};
use picket_core::action::Reversibility;
use picket_core::outcome::Receipt;
use picket_core::ports::{PortError, Proof, RemediationExecutor as _};
use picket_core::proposal::Work;
use picket_core::scope::FencingToken;

async fn done<S: Sink>(sink: &S) -> Receipt {
    let before = sink.executor().prepare(&sink.act()).await.expect("the act can be done");
    sink.executor().execute(&claimed("act-1", &sink.act(), 7), &before, NOW).await.expect("nothing stands in its way")
}

fn undo<S: Sink>(sink: &S, receipt: Receipt) -> Work {
    Work::Undo { action: sink.act().action().clone(), receipt }
}

pub(crate) async fn restores<S: Sink>(sink: &S) {
    let untouched = sink.stands().await;
    let undo = undo(sink, done(sink).await);
    let prepared = sink.executor().prepare(&undo).await;
    if sink.act().action().kind().reversibility() == Reversibility::None {
        assert!(matches!(prepared, Err(PortError::Refused { .. })), "it cannot be taken back: {prepared:?}");
        return;
    }
    let before = prepared.expect("the act still stands");
    sink.executor().execute(&claimed("act-2", &undo, 8), &before, NOW).await.expect("nothing stands in its way");
    assert_eq!(sink.stands().await, untouched);
    let proof = sink.executor().prove(&"act-2".into(), FencingToken(8), &undo, &before, NOW).await.expect("the sink answers");
    assert!(matches!(proof, Proof::Effect(_)), "{proof:?}");
    let twice = sink.executor().prepare(&undo).await;
    assert!(matches!(twice, Err(PortError::Refused { .. })), "it was taken back already: {twice:?}");
}

pub(crate) async fn leaves_alone_what_others_changed_since<S: Sink>(sink: &S) {
    if sink.act().action().kind().reversibility() == Reversibility::None {
        return;
    }
    let undo = undo(sink, done(sink).await);
    sink.somebody_else_changes_it().await;
    let theirs = sink.stands().await;
    let answer = sink.executor().prepare(&undo).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");
    assert_eq!(sink.stands().await, theirs);
}
