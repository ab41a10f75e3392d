//! Permits that cannot be claimed yet, and those that never will be.

use super::*;

#[tokio::test]
async fn a_target_that_is_not_ready_holds_up_no_other() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.not_ready.store(2, Ordering::SeqCst);
    world.permit("act-1", "shop");
    world.permit("act-2", "pay");
    let states = || [world.state("act-1"), world.state("act-2")];
    world.step(&mut actuator).await.unwrap_err();
    assert_eq!(states(), [EntryState::Permitted; 2]);
    world.not_ready.store(1, Ordering::SeqCst);
    world.step(&mut actuator).await.unwrap_err();
    assert_eq!(states(), [EntryState::Permitted, EntryState::Observing]);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(states(), [EntryState::Observing; 2], "it was not forgotten");
}

#[tokio::test]
async fn what_was_made_ready_is_taken_back_when_the_act_is_cancelled() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.not_ready.store(9, Ordering::SeqCst);
    for (entry, end, told) in [("act-1", EntryState::Expired, 0), ("act-2", EntryState::Cancelled, 1)] {
        world.permit(entry, "shop");
        world.step(&mut actuator).await.unwrap_err();
        world.told();
        world.set(entry, end);
        world.step(&mut actuator).await.unwrap();
        assert_eq!(world.told().len(), told, "{end:?}: what expires is proposed anew, and takes up what it had made ready");
    }
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new(), "once");
    world.permit("act-3", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.sinks_away.store(true, Ordering::SeqCst);
    world.set("act-3", EntryState::Cancelled);
    world.step(&mut actuator).await.unwrap_err();
    world.sinks_away.store(false, Ordering::SeqCst);
    world.told();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["abandon, unlocked"], "it is tried until it is done");
}
