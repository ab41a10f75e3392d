//! A snapshot is the whole state: nothing that an answer depends on is kept anywhere else.

use super::acts::Watched;
use super::moves::{Act, act, with_moments};
use super::world::*;
use crate::State;
use picket_core::phase::Phase;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// State → JSON → state is the state; and whatever comes after, retries among it, is answered alike by a replica that went on and
    /// by one that came from the snapshot (every command of `Watched` goes to both).
    #[test]
    fn a_replica_from_a_snapshot_answers_like_one_that_went_on(
        before in prop::collection::vec(act(), 1..60),
        after in prop::collection::vec(act(), 1..60),
    ) {
        let mut watched = Watched::new(World::with(settings(), Phase::Autonomous));
        for act in &with_moments(before) {
            watched.step(act);
        }
        let json = serde_json::to_string(&watched.w.state).unwrap();
        let read: State = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&read, &watched.w.state);
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
        watched.w.twin = read;
        for act in with_moments(after) {
            watched.step(&act);
            watched.step(&Act::Retry { back: 0 });
        }
        prop_assert_eq!(&watched.w.twin, &watched.w.state);
    }
}
