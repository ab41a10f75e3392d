//! What every executor must do, whatever it writes to: the API of a cluster, a git repository, a cloud.
//!
//! A sink is one place with one act that can be done there. The suite carries the act out, loses answers, lets others interfere, and goes on
//! with a fresh executor after every step, as after a crash. What the sink looks like is asked of the sink, never of the executor.

mod claimed;
mod effects;
mod fences;
mod proofs;
mod undo;

pub use claimed::{NOW, claimed};

use picket_core::ports::RemediationExecutor;
use picket_core::proposal::Work;
use serde_json::Value;

/// One place of its own, with one act that can be done there.
pub trait Sink: Send + Sync {
    /// The executor under test.
    type Executor: RemediationExecutor;

    /// Whether its writes are conditioned on the version that was read. Without that, absence cannot be proven, and the suite asks only that
    /// nothing false is said.
    const COMPARES_AND_SETS: bool = true;

    /// A fresh executor with write credentials, as after a restart: it remembers nothing.
    fn executor(&self) -> Self::Executor;

    /// The act. The same at every call.
    fn act(&self) -> Work;

    /// What the act would change, without any stamp: the same value means that nothing of substance has changed.
    fn stands(&self) -> impl Future<Output = Value> + Send;

    /// How many changes of substance there were so far, whoever made them; stamps and fences are none.
    fn changes(&self) -> impl Future<Output = u64> + Send;

    /// Somebody else changes what the act would change, to a third value.
    fn somebody_else_changes_it(&self) -> impl Future<Output = ()> + Send;
}

/// Runs the whole suite, each case in a sink of its own.
///
/// # Panics
/// With what the executor did wrong.
pub async fn all<S: Sink, F: Future<Output = S> + Send>(make: impl Fn() -> F) {
    effects::preparing_changes_nothing(&make().await).await;
    effects::happens_once(&make().await).await;
    effects::what_is_so_already_is_refused(&make().await).await;
    effects::what_changed_since_is_left_alone(&make().await).await;
    proofs::a_lost_answer_is_proven_an_effect(&make().await).await;
    proofs::what_was_never_sent_is_not_called_an_effect(&make().await).await;
    proofs::somebody_elses_change_is_no_effect_of_ours(&make().await).await;
    undo::restores(&make().await).await;
    undo::leaves_alone_what_others_changed_since(&make().await).await;
    fences::turn_lower_tokens_away(&make().await).await;
    fences::of_everything_turn_lower_tokens_away(&make().await).await;
}
