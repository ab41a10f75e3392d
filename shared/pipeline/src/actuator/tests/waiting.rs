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
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.set("act-1", EntryState::Expired);
    world.told();
    for _ in 0..2 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), Vec::<String>::new(), "it is proposed anew, and takes up what it had made ready");
    // Proposed again, and cancelled before it was permitted: no permit of it was ever seen here.
    world.permit("act-2", "shop");
    world.ledger.lock().unwrap().changes.pop();
    world.set("act-2", EntryState::Cancelled);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new(), "a STOP may be behind it, and its fences come first");
    for _ in 0..2 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), ["abandon, unlocked"], "once");
}

#[tokio::test]
async fn a_forge_that_is_away_slows_no_step_down_and_is_asked_again() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.not_ready.store(1, Ordering::SeqCst);
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.set("act-1", EntryState::Cancelled);
    world.sinks_away.store(true, Ordering::SeqCst);
    world.told();
    for _ in 0..5 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), ["abandon, unlocked"], "not at every step");
    world.sinks_away.store(false, Ordering::SeqCst);
    world.pass_ms(30_000);
    for _ in 0..2 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), ["abandon, unlocked"]);
}

#[tokio::test]
async fn what_is_wanted_again_is_not_taken_back() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.not_ready.store(2, Ordering::SeqCst);
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.set("act-1", EntryState::Cancelled);
    world.permit("act-2", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.step(&mut actuator).await.unwrap();
    world.step(&mut actuator).await.unwrap();
    assert!(!world.told().iter().any(|told| told.starts_with("abandon")), "the same work, under another entry");
    assert_eq!(world.state("act-2"), EntryState::Observing);
}
