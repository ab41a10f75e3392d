//! Fences: of claims that nobody here can prove, and of everything on a STOP.

use super::*;

impl World {
    fn stop(&self, epoch: u64, token: u64) {
        let mut ledger = self.ledger.lock().unwrap();
        ledger.stop =
            StopView { set: true, epoch, fence_token: FencingToken(token), fences_missing: vec!["east".into()], ..StopView::default() };
    }

    /// Claimed by a process whose journal is not here.
    fn claimed_elsewhere(&self, entry: &str, state: EntryState) {
        self.permit(entry, "shop");
        let mut ledger = self.ledger.lock().unwrap();
        let known = ledger.entries.get_mut(&entry.into()).unwrap();
        known.claim = Some(ClaimRequest {
            entry: entry.into(),
            digest: work().digest(),
            actuator_epoch: 99,
            before_digest: Digest::of(b"other"),
            audit_hash: Digest::of(b"other"),
        });
        ledger.set(&entry.into(), state);
    }

    fn fenced(&self, entry: &str) -> bool {
        self.ledger.lock().unwrap().entries[&EntryId::from(entry)].fenced
    }
}

#[tokio::test]
async fn on_a_stop_the_fences_are_raised_once_and_then_it_is_said() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new(), "nobody asks before the first STOP");
    world.stop(1, 9);
    for _ in 0..3 {
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.told(), ["fence all 9, unlocked", "fences raised, unlocked"]);
    assert_eq!(world.audited("fences_raised").await, 1);
    world.stop(2, 11);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["fence all 11, unlocked", "fences raised, unlocked"], "every STOP asks anew");
}

#[tokio::test]
async fn nothing_is_said_before_the_sinks_have_confirmed_and_no_step_is_held_up() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.sinks_away.store(true, Ordering::SeqCst);
    world.stop(1, 9);
    world.permit("act-1", "shop");
    assert!(matches!(world.step(&mut actuator).await, Err(PortError::Unavailable { .. })));
    assert_eq!(world.told()[0], "fence all 9, unlocked");
    assert_eq!(world.ledger.lock().unwrap().stop.fences_missing.len(), 1, "still stopping");
    assert_eq!(world.state("act-1"), EntryState::Observing, "what is permitted is the coordinator's business");
    world.sinks_away.store(false, Ordering::SeqCst);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["fence all 9, locked", "fences raised, locked"]);
}

#[tokio::test]
async fn a_new_life_proves_what_it_left_and_raises_the_fences_that_are_missing() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: true });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    world.told();
    world.stop(1, 9);
    drop(actuator);
    world.claims(Claims::Confirmed);
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["prove, locked", "report, locked", "fence all 9, locked", "fences raised, locked"]);
    assert!(world.fenced("act-1"));
}

#[tokio::test]
async fn a_claim_of_another_process_is_fenced_on_a_stop_and_then_reported() {
    let world = World::new();
    world.claimed_elsewhere("act-1", EntryState::Claimed);
    world.stop(1, 9);
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(
        world.told(),
        ["fence all 9, unlocked", "fence 9, unlocked", "fences raised, unlocked", "fence 4, unlocked", "report, unlocked"]
    );
    assert_eq!((world.state("act-1"), world.fenced("act-1")), (EntryState::Indeterminate, true));
}

/// A person resolved it: its state does not change any more, and its scope waits for this.
#[tokio::test]
async fn what_a_person_resolved_is_fenced_all_the_same() {
    for state in [EntryState::Indeterminate, EntryState::Failed, EntryState::Settled] {
        let world = World::new();
        world.claimed_elsewhere("act-1", state);
        let mut actuator = world.actuator();
        for _ in 0..2 {
            world.step(&mut actuator).await.unwrap();
        }
        assert_eq!(world.told(), ["fence 4, unlocked", "report, unlocked"], "{state:?}: once");
        assert_eq!((world.state("act-1"), world.fenced("act-1")), (state, true));
    }
}

/// Its own claim of that entry was never granted; another process's was, on another reading.
#[tokio::test]
async fn an_old_journal_proves_nothing_of_the_claim_that_was_granted() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.claims(Claims::Unanswered { committed: false });
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap_err();
    drop(actuator);
    world.told();
    world.claimed_elsewhere("act-1", EntryState::Claimed);
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), ["fence 4, locked", "report, locked"], "not proven on its own reading");
    assert_eq!(world.state("act-1"), EntryState::Indeterminate);
}
