//! The journal outlives the report, until a backup covers it.

use super::*;
use picket_core::ports::{Journal as _, JournalEntry};

impl World {
    async fn journaled(&self) -> Vec<JournalEntry> {
        FileJournal::open(self.journal.path()).unwrap().open_entries().await.unwrap()
    }

    async fn names(&self) -> Vec<String> {
        self.journaled().await.iter().map(|journal| journal.entry().to_string()).collect()
    }

    fn backed_up(&self, revision: u64) {
        self.ledger.lock().unwrap().backup_revision = revision;
    }

    fn revision(&self) -> u64 {
        self.ledger.lock().unwrap().changes.len() as u64
    }

    /// The coordinator is another one, from a backup that knows nothing of these acts.
    fn restored(&self) {
        let mut ledger = self.ledger.lock().unwrap();
        let (mut changes, epoch) = (Vec::new(), ledger.restore_epoch + 1);
        std::mem::swap(&mut ledger.changes, &mut changes);
        ledger.entries.clear();
        ledger.restore_epoch = epoch;
        ledger.restore = Some(RestoreView {
            by: "human:kim".into(),
            since: Timestamp(0),
            ready_at: Timestamp(0),
            fences_missing: vec!["east".into()],
            journals_missing: vec!["east".into()],
            unknown_acts: Vec::new(),
            unknown_acts_total: 0,
        });
        ledger.stop = StopView {
            set: true,
            epoch: epoch << 40,
            fence_token: FencingToken::new(epoch, 1),
            fences_missing: vec!["east".into()],
            ..StopView::default()
        };
    }
}

#[tokio::test]
async fn an_act_stays_in_the_journal_until_a_backup_covers_it() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.state("act-1"), EntryState::Observing);
    let kept = world.journaled().await.remove(0);
    assert!(matches!(kept.report, Some(Report::Applied { .. })) && kept.before.content.is_null(), "{kept:?}");
    let reported = world.revision();
    world.backed_up(reported - 1);
    for _ in 0..2 {
        world.step(&mut actuator).await.unwrap();
        assert_eq!(world.names().await, ["act-1"], "the backup has it as claimed, without its end");
    }
    world.backed_up(reported);
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_new_life_keeps_what_the_old_one_kept_and_reports_none_of_it_again() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    world.told();
    let mut actuator = world.actuator();
    world.step(&mut actuator).await.unwrap();
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.names().await, ["act-1"]);
    world.backed_up(world.revision());
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_journal_is_bounded_in_length_and_age() {
    let world = World::new();
    let mut actuator = world.actuator();
    for n in 1..=5 {
        world.permit(&format!("act-{n}"), "shop");
        world.step(&mut actuator).await.unwrap();
        world.step(&mut actuator).await.unwrap();
    }
    assert_eq!(world.names().await, ["act-3", "act-4", "act-5"], "the oldest go");
    world.pass_ms(DAY_MS.unsigned_abs());
    world.step(&mut actuator).await.unwrap();
    assert_eq!(world.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_restore_the_whole_journal_is_proven_fenced_and_uploaded_once() {
    let world = World::new();
    let mut actuator = world.actuator();
    world.permit("act-1", "shop");
    world.step(&mut actuator).await.unwrap();
    world.claims(Claims::Unanswered { committed: true });
    world.permit("act-2", "pay");
    world.step(&mut actuator).await.unwrap_err();
    world.told();
    world.claims(Claims::Confirmed);
    world.restored();
    let before = world.ledger.lock().unwrap().epochs;
    for _ in 0..3 {
        world.step(&mut actuator).await.unwrap();
    }
    let (epochs, uploaded) = {
        let ledger = world.ledger.lock().unwrap();
        let uploaded: Vec<_> = ledger.uploaded.iter().map(|act| (act.claim.entry.to_string(), act.report.clone())).collect();
        (ledger.epochs, uploaded)
    };
    assert_eq!(epochs, before + 1, "the epoch of the lost life is void");
    let [(first, Some(Report::Applied { .. })), (second, Some(Report::NoEffect { .. }))] = &uploaded[..] else { panic!("{uploaded:?}") };
    assert_eq!([first, second], ["act-1", "act-2"]);
    let told = world.told();
    let order: Vec<_> = told.iter().filter_map(|what| what.split(',').next()).collect();
    assert_eq!(order, ["prove", "report", "fence all 1099511627777", "fences raised"]);
    assert_eq!(world.names().await.len(), 2, "until the new ledger is backed up");
}
